//! What a statement returns.

use tokio_postgres::Row;

/// The row that a statement returns. Every statement of an operation returns these columns, under these names.
#[derive(Clone, Default)]
pub struct Columns {
    /// What happened.
    pub outcome: String,
    /// The saved form of the record.
    pub record: Option<Vec<u8>>,
    /// The saved form of a tombstone.
    pub tombstone: Option<Vec<u8>>,
    /// Pairs that came too late.
    pub parked: Option<Vec<Vec<u8>>>,
    /// Answers that nobody has read.
    pub spooled: Option<Vec<Vec<u8>>>,
    /// Logins that wait for the claim.
    pub logins: Option<Vec<Vec<u8>>>,
    /// Whether a claim would find answers or logins.
    pub left_over: bool,
    /// When the statement ran.
    pub now: i64,
    /// When the server was started. It identifies the server.
    pub server: i64,
}

impl TryFrom<&Row> for Columns {
    type Error = tokio_postgres::Error;

    fn try_from(row: &Row) -> Result<Self, Self::Error> {
        Ok(Self {
            outcome: row.try_get("outcome")?,
            record: row.try_get("record")?,
            tombstone: row.try_get("tombstone")?,
            parked: row.try_get("parked")?,
            spooled: row.try_get("spooled")?,
            logins: row.try_get("logins")?,
            left_over: row.try_get("left_over")?,
            now: row.try_get("now")?,
            server: row.try_get("server")?,
        })
    }
}
