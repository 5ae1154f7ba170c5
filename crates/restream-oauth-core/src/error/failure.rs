//! How an adapter reports a failure of its HTTP stack.

use std::fmt;

/// How far a round trip had come when the HTTP stack failed.
///
/// [`BeforeBody`](Self::BeforeBody) proves that a request with a body is safe to retry. After the later stages the
/// server may have acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The stack had not yet asked for the body of the request, so no byte of it was sent. Claim this only with proof,
    /// such as a flag that is set when the body is first read. The name of an error is no proof.
    BeforeBody,
    /// The body, or a part of it, may have been sent. No response head arrived.
    AwaitingHead,
    /// The response head arrived, and the body was truncated.
    ReadingBody,
}

/// A failure of an HTTP stack, in terms that do not depend on the stack.
///
/// ```
/// use restream_oauth_core::transport::{Failure, FailureKind};
///
/// let failure = Failure::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
/// assert_eq!(failure.kind(), FailureKind::Connect);
/// ```
#[derive(Debug)]
pub struct Failure {
    kind: FailureKind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// A failure of this kind, without a source.
    pub fn new(kind: FailureKind) -> Self {
        Self { kind, source: None }
    }

    /// Adds the error that caused the failure. It becomes the source of the [`Error`](crate::Error), so it must not
    /// print secrets or queries.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What failed.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    pub(crate) fn into_source(self) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        self.source
    }
}

/// Converts any error. Searches the error and its sources for a [`std::io::Error`] whose kind maps to a [`FailureKind`]
/// other than `Other`; without such an error the kind is [`FailureKind::Other`]. The error becomes the source.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        let mut kind = FailureKind::Other;
        while let Some(one) = cause.filter(|_| kind == FailureKind::Other) {
            let io = one.downcast_ref::<std::io::Error>();
            kind = io.map_or(kind, |io| io.kind().into());
            cause = match io.and_then(std::io::Error::get_ref) {
                // `io::Error::source` skips the error inside and returns that error's source.
                Some(inside) => Some(inside),
                None => one.source(),
            };
        }
        Self::new(kind).with_source(error)
    }
}

/// The kind of a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// No connection could be made: name resolution failed, or the host is unreachable or refused.
    Connect,
    /// The TLS handshake failed, for example because the certificate is not trusted.
    Tls,
    /// A timeout expired.
    Timeout,
    /// The connection or the response ended early.
    Interrupted,
    /// The response violates HTTP.
    Protocol,
    /// Any other failure.
    Other,
}

/// Maps to `Connect` the kinds of a connection attempt that failed. The kind never proves that nothing was sent: only
/// [`Stage::BeforeBody`] does.
impl From<std::io::ErrorKind> for FailureKind {
    fn from(kind: std::io::ErrorKind) -> Self {
        use std::io::ErrorKind;
        match kind {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Timeout,
            ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable => Self::Connect,
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Self::Interrupted,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection to the server",
            Self::Tls => "no trusted TLS connection to the server",
            Self::Timeout => "the time limit passed",
            Self::Interrupted => "the answer ended early",
            Self::Protocol => "the answer is not HTTP as it should be",
            Self::Other => "the HTTP stack failed",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn the_kind_of_a_failure_is_found_at_any_depth() {
        let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
        for error in [timed_out(), io::Error::other(timed_out()), io::Error::other(io::Error::other(timed_out()))] {
            assert_eq!(Failure::from(error).kind(), FailureKind::Timeout);
        }
        assert_eq!(Failure::from(io::Error::other("no name")).kind(), FailureKind::Other);
        assert_eq!(Failure::from(fmt::Error).kind(), FailureKind::Other);
    }
}
