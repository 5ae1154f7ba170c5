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

/// Parameters of statements with the same text, as the statement of an operation takes them: each is an array with one
/// element a grant.
///
/// ```
/// use restream_oauth_keeper_postgres::{Arrays, Parameter};
///
/// let rows = ["one", "another"].map(|name| [Parameter::Text(name.into()), Parameter::Number(None)]);
/// let arrays = Arrays::of(rows.iter().map(|row| row.as_slice()));
/// assert_eq!(arrays.typed().len(), 2); // what `tokio_postgres::Client::query_typed` takes
/// ```
#[derive(Debug, Default)]
pub struct Arrays<'a>(Vec<(Vec<&'a Parameter>, Type)>);

impl<'a> Arrays<'a> {
    /// The parameters of each grant, in the order in which its row is to come back.
    pub fn of(grants: impl IntoIterator<Item = &'a [Parameter]>) -> Self {
        let mut arrays = Vec::new();
        for parameters in grants {
            if arrays.is_empty() {
                arrays.extend(parameters.iter().map(|parameter| (Vec::new(), parameter.array_type())));
            }
            for ((values, _), parameter) in arrays.iter_mut().zip(parameters) {
                values.push(parameter);
            }
        }
        Self(arrays)
    }

    /// The arrays, and their types.
    pub fn typed(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.0.iter().map(|(values, type_)| (values as &(dyn ToSql + Sync), type_.clone())).collect()
    }
}

impl Parameter {
    fn array_type(&self) -> Type {
        match self {
            Self::Text(_) => Type::TEXT_ARRAY,
            Self::Bytes(_) => Type::BYTEA_ARRAY,
            Self::Number(_) => Type::INT8_ARRAY,
        }
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

/// Shows of bytes only their number, because they may hold a token.
impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({text:?})"),
            Self::Bytes(bytes) => write!(f, "Bytes({:?})", bytes.as_ref().map(|bytes| bytes.len())),
            Self::Number(number) => write!(f, "Number({number:?})"),
        }
    }
}
