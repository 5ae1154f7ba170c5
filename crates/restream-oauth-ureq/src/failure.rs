//! What ureq's errors mean.

use std::io;

use restream_oauth_core::transport::{Failure, FailureKind, Stage};
use ureq::Error;

/// A failure before the head of the answer. `stage` says whether the body was asked for; of a call without a body
/// nobody can know.
pub(crate) fn of_call(error: Error, stage: Stage, has_body: bool) -> Failure {
    let kind = match kind(&error) {
        // A name that is not found, a handshake that is cut off: with nothing sent, it is the connection that failed.
        FailureKind::Other | FailureKind::Interrupted if stage == Stage::BeforeBody && has_body => FailureKind::Connect,
        kind => kind,
    };
    Failure::new(kind).with_source(error)
}

/// A failure within the body of the answer.
pub(crate) fn of_body(error: io::Error) -> Failure {
    // ureq packs its own errors into those of I/O; this takes them out again.
    let error = Error::from(error);
    Failure::new(kind(&error)).with_source(error)
}

fn kind(error: &Error) -> FailureKind {
    match error {
        Error::Io(error) => kind_of_io(error),
        Error::Timeout(_) => FailureKind::Timeout,
        Error::HostNotFound
        | Error::ConnectionFailed
        | Error::ConnectProxyFailed(_)
        | Error::InvalidProxyUrl
        | Error::BadUri(_)
        | Error::RequireHttpsOnly(_) => FailureKind::Connect,
        Error::Tls(_) | Error::Rustls(_) | Error::Pem(_) | Error::TlsRequired => FailureKind::Tls,
        Error::Protocol(_) | Error::Http(_) | Error::LargeResponseHeader(..) => FailureKind::Protocol,
        _ => FailureKind::Other,
    }
}

/// rustls speaks through errors of I/O, whose own kind says nothing then.
fn kind_of_io(error: &io::Error) -> FailureKind {
    if matches!(error.get_ref(), Some(inside) if inside.is::<rustls::Error>()) {
        return FailureKind::Tls;
    }
    FailureKind::from(error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_connection_in_the_making_is_no_connection_and_later_an_interruption() {
        let reset = || Error::Io(io::ErrorKind::ConnectionReset.into());
        assert_eq!(of_call(reset(), Stage::BeforeBody, true).kind(), FailureKind::Connect);
        assert_eq!(of_call(reset(), Stage::AwaitingHead, true).kind(), FailureKind::Interrupted);
        assert_eq!(of_call(reset(), Stage::BeforeBody, false).kind(), FailureKind::Interrupted);
    }

    #[test]
    fn a_tls_failure_is_found_inside_an_error_of_io() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let packed = Error::Io(io::Error::new(io::ErrorKind::InvalidData, alert));
        assert_eq!(of_call(packed, Stage::AwaitingHead, true).kind(), FailureKind::Tls);
    }

    #[test]
    fn ureqs_own_errors_are_found_inside_an_error_of_io() {
        let packed = Error::Timeout(ureq::Timeout::RecvBody).into_io();
        assert_eq!(of_body(packed).kind(), FailureKind::Timeout);
        assert_eq!(of_body(io::ErrorKind::UnexpectedEof.into()).kind(), FailureKind::Interrupted);
    }
}
