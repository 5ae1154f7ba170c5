//! Maps hyper's errors to the core's failures.

use std::error::Error;
use std::io;

use hyper_util::client::legacy;
use restream_oauth_core::transport::{Failure, FailureKind};

/// Maps a failure before the head of the answer.
pub(crate) fn of_client(error: legacy::Error) -> Failure {
    let kind = match kind(&error) {
        Some(kind @ (FailureKind::Tls | FailureKind::Timeout)) => kind,
        _ if error.is_connect() => FailureKind::Connect,
        kind => kind.unwrap_or(FailureKind::Other),
    };
    Failure::new(kind).with_source(error)
}

/// Maps a failure within the body of the answer.
pub(crate) fn of_body(error: hyper::Error) -> Failure {
    Failure::new(kind(&error).unwrap_or(FailureKind::Other)).with_source(error)
}

/// Returns the kind of the deepest cause that has one.
fn kind(error: &(dyn Error + 'static)) -> Option<FailureKind> {
    let mut found = None;
    let mut cause = Some(error);
    while let Some(error) = cause {
        found = kind_of(error).or(found);
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // `source` would skip the error inside an `io::Error`: it returns that error's source.
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    found
}

fn kind_of(error: &(dyn Error + 'static)) -> Option<FailureKind> {
    if error.is::<rustls::Error>() {
        return Some(FailureKind::Tls);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return match error {
            _ if error.is_timeout() => Some(FailureKind::Timeout),
            _ if error.is_parse() => Some(FailureKind::Protocol),
            _ if error.is_incomplete_message() => Some(FailureKind::Interrupted),
            _ => None,
        };
    }
    match error.downcast_ref::<io::Error>()?.kind() {
        // hyper reports a malformed chunk as `InvalidInput`.
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Some(FailureKind::Protocol),
        kind => Some(FailureKind::from(kind)).filter(|kind| *kind != FailureKind::Other),
    }
}
