//! Maps ureq's errors to the core's failures.

use std::io;

use restream_oauth_core::transport::{Failure, FailureKind, Stage};
use ureq::Error;

/// Maps a failure before the head of the answer. `stage` says whether ureq asked for the body. For a call without a
/// body, it says nothing.
pub(crate) fn of_call(error: Error, stage: Stage, has_body: bool) -> Failure {
    let kind = match kind(&error) {
        // For example, the name was not found, or the handshake was cut off. Nothing was sent, so connecting failed.
        FailureKind::Other | FailureKind::Interrupted if stage == Stage::BeforeBody && has_body => FailureKind::Connect,
        kind => kind,
    };
    Failure::new(kind).with_source(error)
}

/// Maps a failure within the body of the answer.
pub(crate) fn of_body(error: io::Error) -> Failure {
    // ureq wraps its own errors in I/O errors. This unwraps them.
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

/// rustls wraps its errors in I/O errors, whose own kind then says nothing.
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
    fn a_reset_is_a_failure_to_connect_until_the_body_is_sent_and_an_interruption_after() {
        let reset = || Error::Io(io::ErrorKind::ConnectionReset.into());
        assert_eq!(of_call(reset(), Stage::BeforeBody, true).kind(), FailureKind::Connect);
        assert_eq!(of_call(reset(), Stage::AwaitingHead, true).kind(), FailureKind::Interrupted);
        assert_eq!(of_call(reset(), Stage::BeforeBody, false).kind(), FailureKind::Interrupted);
    }

    #[test]
    fn a_tls_error_is_found_inside_an_io_error() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let wrapped = Error::Io(io::Error::new(io::ErrorKind::InvalidData, alert));
        assert_eq!(of_call(wrapped, Stage::AwaitingHead, true).kind(), FailureKind::Tls);
    }

    #[test]
    fn ureqs_own_errors_are_found_inside_an_io_error() {
        let wrapped = Error::Timeout(ureq::Timeout::RecvBody).into_io();
        assert_eq!(of_body(wrapped).kind(), FailureKind::Timeout);
        assert_eq!(of_body(io::ErrorKind::UnexpectedEof.into()).kind(), FailureKind::Interrupted);
    }
}
