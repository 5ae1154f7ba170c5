//! Why a configuration cannot be used.

use std::fmt;

use crate::encoding::uri::UriProblem;

/// A value of the configuration that cannot be used, and why. It never prints the value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The client identifier.
    ClientId(TextProblem),
    /// The client secret.
    ClientSecret(TextProblem),
    /// The redirect URI.
    RedirectUri(UriProblem),
    /// One of the endpoints: `authorization`, `token`, `revocation` or `profile`.
    Endpoint {
        /// Which one.
        name: &'static str,
        /// Why.
        problem: UriProblem,
    },
    /// The limit of an answer's length is zero, or more than 16 MiB.
    BodyLimit,
    /// The data that `state` should carry is empty, or longer than 1,024 bytes.
    StateData,
    /// A further parameter of the authorization URL is empty, doubled, or one that the flow sets itself
    /// (RFC 6749 §3.1: none may come twice).
    Parameter {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientId(problem) => write!(f, "the client identifier cannot be used: {problem}"),
            Self::ClientSecret(problem) => write!(f, "the client secret cannot be used: {problem}"),
            Self::RedirectUri(problem) => write!(f, "the redirect URI cannot be used: {problem}"),
            Self::Endpoint { name, problem } => write!(f, "the {name} URL cannot be used: {problem}"),
            Self::StateData => f.write_str("the data that `state` carries must be from 1 to 1,024 bytes"),
            Self::BodyLimit => f.write_str("the limit of an answer's length must be from 1 byte to 16 MiB"),
            Self::Parameter { name } => {
                let name = name.escape_default();
                write!(f, "the parameter \"{name}\" cannot be added: it is empty, doubled, or set by the flow itself")
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// Why an identifier or a secret was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextProblem {
    /// Nothing was given.
    Empty,
    /// A control character, such as a line break that was copied along.
    Control,
    /// A space at either end, or in an identifier one beyond ASCII.
    Space,
    /// A quote in an identifier.
    Quote,
    /// A colon in an identifier that is sent with [`BasicEncoding::Raw`]: the server could not tell where it ends.
    Colon,
    /// A character that cannot be seen, such as a zero-width space or a byte order mark that was copied along.
    Invisible,
    /// Longer than 4,096 bytes.
    TooLong,
}

impl fmt::Display for TextProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::Control => "it holds a control character, such as a line break",
            Self::Space => "it holds a space where none can be",
            Self::Quote => "it holds a quote",
            Self::Colon => "it holds a colon, which raw Basic encoding cannot carry",
            Self::Invisible => "it holds a character that cannot be seen, such as a zero-width space",
            Self::TooLong => "it is longer than 4,096 bytes",
        })
    }
}
