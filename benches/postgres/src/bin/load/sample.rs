//! What was seen at one moment of a run.

use std::time::Duration;

use crate::worker::Held;

/// One look at everything.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Since the workers began.
    pub(crate) at: Duration,
    /// The time since 1970 in milliseconds.
    pub(crate) wall: u64,
    /// Rotations so far, by the server's ledger.
    pub(crate) rotations: u64,
    /// Access tokens that are expired, and those that were when their refresh came, by the server.
    pub(crate) expired: u64,
    pub(crate) expired_before_refresh: u64,
    /// What the database says; `None` while it does not answer.
    pub(crate) database: Option<DatabaseSample>,
    /// What each worker keeps, and its memory in bytes as the system counts it; `None` while it is not there.
    pub(crate) workers: Vec<Option<(Held, u64)>>,
}

/// What the database says.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseSample {
    /// Grants whose refresh is half a minute late.
    pub(crate) late: u64,
    /// Grants that have been in doubt for ten seconds, or since the kill.
    pub(crate) in_doubt: usize,
    /// What table and indexes take.
    pub(crate) bytes: i64,
}

/// Rotations a second between two samples.
pub(crate) fn rate(first: &Sample, last: &Sample) -> f64 {
    let seconds = last.at.saturating_sub(first.at).as_secs_f64();
    if seconds > 0.0 { count(last.rotations.saturating_sub(first.rotations)) / seconds } else { 0.0 }
}

/// A count as a number that can be divided.
pub(crate) fn count(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
