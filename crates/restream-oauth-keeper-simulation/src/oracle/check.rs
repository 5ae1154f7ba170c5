//! The names of what must hold.

use std::fmt;

use crate::time::{Time, shown};

/// One of the invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "`about` says what each one is")]
pub enum Check {
    I1,
    I2,
    I3,
    I4,
    I5,
    I6,
    I7,
    I8,
    I9,
    I10,
    I11,
    I12,
    I13,
    I14,
    I15,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
        Self::I11,
        Self::I12,
        Self::I13,
        Self::I14,
        Self::I15,
    ];

    /// What must hold.
    pub fn about(self) -> &'static str {
        match self {
            Self::I1 => "at most one refresh of a grant is in flight on connections of processes that run",
            Self::I2 => {
                "a refresh token is sent again only out of doubt, after the earlier connection is dead, and never after its successor was stored"
            }
            Self::I3 => "nobody sees a new access token before its refresh token is durable",
            Self::I4 => "no refresh token is dropped before a successor is durable or the grant is proven dead",
            Self::I5 => "generations and logins never go back, per store and per reader",
            Self::I6 => "a crash leaves the same generation, the next one, or doubt, and nothing torn",
            Self::I7 => "after everything has healed, every living grant is fresh within one hour and one lease",
            Self::I8 => {
                "the grants that are lost are exactly those whose new refresh token reached no surviving process"
            }
            Self::I9 => "after a logout nothing holds or refreshes the pair, and a late pair is revoked",
            Self::I10 => {
                "few token requests: nine in the first token life of a fault, two in each life after, none after death"
            }
            Self::I11 => "every waiter ends by its limit",
            Self::I12 => "a late answer is committed or parked, never dropped",
            Self::I13 => "no secret is in an event or an error",
            Self::I14 => "a run ends, and the same seed gives the same run",
            Self::I15 => "no planned refresh comes before a `usable_until` that was given out",
        }
    }
}

/// Something that must not happen, and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What should have held.
    pub check: Check,
    pub(crate) time: Time,
    /// What happened instead.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, time, message } = self;
        write!(f, "{check:?} at {}: {message} ({})", shown(*time), check.about())
    }
}
