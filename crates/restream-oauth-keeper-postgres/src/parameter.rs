//! What a statement is given.

use std::fmt;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use zeroize::Zeroizing;

/// A parameter of a statement.
#[derive(Clone, PartialEq, Eq)]
pub enum Parameter {
    /// A `text`.
    Text(Box<str>),
    /// A `bytea`, or `NULL`. It may hold tokens.
    Bytes(Option<Zeroizing<Vec<u8>>>),
    /// A `bigint`, or `NULL`.
    Number(Option<i64>),
}

impl Parameter {
    /// The parameter, and its type.
    pub fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        let type_ = match self {
            Self::Text(_) => Type::TEXT,
            Self::Bytes(_) => Type::BYTEA,
            Self::Number(_) => Type::INT8,
        };
        (self, type_)
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, type_: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Text(text) => (&**text).to_sql(type_, out),
            Self::Bytes(bytes) => bytes.as_deref().map(Vec::as_slice).to_sql(type_, out),
            Self::Number(number) => number.to_sql(type_, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Shows no value, because it may hold a token.
impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({text:?})"),
            Self::Bytes(bytes) => write!(f, "Bytes({:?})", bytes.as_ref().map(|bytes| bytes.len())),
            Self::Number(number) => write!(f, "Number({number:?})"),
        }
    }
}
