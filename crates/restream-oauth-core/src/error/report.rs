//! What is known of a failed round trip.

use std::time::Duration;

use http::StatusCode;

use super::failure::Failure;
use super::kind::{ErrorKind, Operation, Salvaged};

/// What is known of a failed round trip, before it is judged.
pub(crate) struct Report {
    pub(crate) operation: Operation,
    pub(crate) kind: ErrorKind,
    /// That of the answer.
    pub(crate) status: Option<StatusCode>,
    /// That of the answer, or of the error object in a 200.
    pub(crate) judged_by: Option<StatusCode>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) server_message: Option<Box<str>>,
    pub(crate) salvaged: Option<Salvaged>,
    pub(crate) failure: Option<Failure>,
    /// An error response without a code that decides means in words that the grant is dead.
    pub(crate) dead_grant: bool,
    /// Not all of the response arrived.
    pub(crate) truncated: bool,
    /// The stack proved that it never asked for the request's body, and there was one.
    pub(crate) not_sent: bool,
}
