//! What hyper's errors mean.

use std::error::Error;
use std::io;

use hyper_util::client::legacy;
use restream_oauth_core::transport::{Failure, FailureKind};

/// A failure before the head of the answer.
pub(crate) fn of_client(error: legacy::Error) -> Failure {
    let kind = match kind(&error) {
        Some(kind @ (FailureKind::Tls | FailureKind::Timeout)) => kind,
        _ if error.is_connect() => FailureKind::Connect,
        kind => kind.unwrap_or(FailureKind::Other),
    };
    Failure::new(kind).with_source(error)
}

/// A failure within the body of the answer.
pub(crate) fn of_body(error: hyper::Error) -> Failure {
    Failure::new(kind(&error).unwrap_or(FailureKind::Other)).with_source(error)
}

/// The deepest cause that has a name gives it.
fn kind(error: &(dyn Error + 'static)) -> Option<FailureKind> {
    let mut found = None;
    let mut cause = Some(error);
    while let Some(one) = cause {
        found = kind_of(one).or(found);
        cause = match one.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // The source of an `io::Error` is that of the error inside, which would be passed over.
            Some(inside) => Some(inside),
            None => one.source(),
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
        // hyper's name for a chunk that breaks the framing.
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Some(FailureKind::Protocol),
        kind => Some(FailureKind::from(kind)).filter(|kind| *kind != FailureKind::Other),
    }
}
