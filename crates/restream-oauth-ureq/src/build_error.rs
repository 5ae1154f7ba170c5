//! The error of [`TransportBuilder::build`](crate::TransportBuilder::build).

use std::fmt;

/// A [`Transport`](crate::Transport) cannot be built: a root certificate is not a certificate, or the proxy in the
/// environment cannot be used.
#[derive(Clone, Debug)]
pub struct BuildError(Reason);

#[derive(Clone, Debug)]
enum Reason {
    Tls(rustls::Error),
    /// The name of the variable, without its value, which may contain a password.
    Proxy(&'static str),
}

impl BuildError {
    pub(crate) fn tls(error: rustls::Error) -> Self {
        Self(Reason::Tls(error))
    }

    pub(crate) fn unusable_proxy(variable: &'static str) -> Self {
        Self(Reason::Proxy(variable))
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Tls(_) => f.write_str("TLS cannot be set up: check the root certificates"),
            Reason::Proxy(variable) => {
                write!(
                    f,
                    "the proxy in {variable} cannot be used: expected http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"
                )
            }
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Reason::Tls(error) => Some(error),
            Reason::Proxy(_) => None,
        }
    }
}
