//! The facts of a failed round trip, from which delivery and advice are derived.

use std::time::Duration;

use http::StatusCode;

use super::failure::Failure;
use super::kind::{ErrorKind, Operation, Salvaged};

/// The facts of a failed round trip, before the retry rules are applied.
pub(crate) struct Report {
    pub(crate) operation: Operation,
    pub(crate) kind: ErrorKind,
    /// The HTTP status of the response.
    pub(crate) status: Option<StatusCode>,
    /// The status that the retry rules see: that of the response, or of the error object in a success response.
    pub(crate) judged_by: Option<StatusCode>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) server_message: Option<Box<str>>,
    pub(crate) salvaged: Option<Salvaged>,
    pub(crate) failure: Option<Failure>,
    /// The text of the error response means that the grant is dead, and no error code contradicts it.
    pub(crate) dead_grant: bool,
    /// Only a part of the response arrived.
    pub(crate) truncated: bool,
    /// The request has a body, and the HTTP stack has proof that it never asked for it.
    pub(crate) not_sent: bool,
}
