//! What an HTTP stack reports of its own failure.

use std::fmt;

/// How far an HTTP stack came before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The stack had not yet asked for the request's body: not one byte of it left. Claim this only with proof, such
    /// as a flag set when the body is first read; the name of an error is none.
    BeforeBody,
    /// The body, or a part of it, may have left; no head of an answer came.
    AwaitingHead,
    /// The head came; the body broke off.
    ReadingBody,
}

/// What failed in an HTTP stack, in words that do not depend on the stack.
#[derive(Debug)]
pub struct Failure {
    kind: FailureKind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// A failure without the error that caused it.
    pub fn new(kind: FailureKind) -> Self {
        Self { kind, source: None }
    }

    /// Adds the error that caused it; it becomes [`Error`]'s source. It must not print secrets or queries.
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

/// From any error: the first [`std::io::Error`] among its causes that has a telling kind gives it, otherwise it is
/// [`FailureKind::Other`].
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        let mut kind = FailureKind::Other;
        while let Some(one) = cause.filter(|_| kind == FailureKind::Other) {
            let io = one.downcast_ref::<std::io::Error>();
            kind = io.map_or(kind, |io| io.kind().into());
            cause = match io.and_then(std::io::Error::get_ref) {
                // The source of an `io::Error` is that of the error inside, which would be passed over.
                Some(inside) => Some(inside),
                None => one.source(),
            };
        }
        Self::new(kind).with_source(error)
    }
}

/// The kinds of [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// No connection: name resolution, or refused.
    Connect,
    /// The TLS handshake failed, such as by a certificate that is not trusted.
    Tls,
    /// A time limit passed.
    Timeout,
    /// The connection, or the answer, ended early.
    Interrupted,
    /// The answer breaks the rules of HTTP.
    Protocol,
    /// Anything else.
    Other,
}

/// `Connect` only for what can happen to nothing but a connection in the making.
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
    fn the_kind_of_a_failure_is_found_however_deep_it_is() {
        let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
        for error in [timed_out(), io::Error::other(timed_out()), io::Error::other(io::Error::other(timed_out()))] {
            assert_eq!(Failure::from(error).kind(), FailureKind::Timeout);
        }
        assert_eq!(Failure::from(io::Error::other("no name")).kind(), FailureKind::Other);
        assert_eq!(Failure::from(fmt::Error).kind(), FailureKind::Other);
    }
}
