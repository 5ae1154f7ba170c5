//! Why a configuration cannot be used.

use std::fmt;

use crate::encoding::redaction;
use crate::encoding::uri::UriProblem;

/// A value of the configuration that cannot be used, and why. Its `Display` and `Debug` never print an identifier, a
/// secret or a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The client identifier cannot be used.
    ClientId(TextProblem),
    /// The client secret cannot be used.
    ClientSecret(TextProblem),
    /// The redirect URI cannot be used.
    RedirectUri(UriProblem),
    /// The URL of an endpoint cannot be used.
    Endpoint {
        /// The endpoint: `authorization`, `token`, `revocation` or `profile`.
        name: &'static str,
        /// The reason.
        problem: UriProblem,
    },
    /// The limit of a response body is zero, or more than 16 MiB.
    BodyLimit,
    /// The data for `state` is empty, or longer than 1,024 bytes.
    StateData,
    /// The name of an added parameter of the authorization URL is empty, is already in the URL, or belongs to the flow
    /// itself. No parameter may be repeated (RFC 6749 §3.1).
    Parameter {
        /// The name of the parameter.
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
                let name = redaction::message(name, &[]);
                write!(f, "the parameter \"{name}\" cannot be added: it is empty, doubled, or set by the flow itself")
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// Why a client identifier or a client secret cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextProblem {
    /// The text is empty.
    Empty,
    /// The text holds a control character, such as a line break that was copied by accident.
    Control,
    /// The text has a space at either end; or the identifier holds a space character outside ASCII.
    Space,
    /// The identifier holds a quote.
    Quote,
    /// The identifier holds a colon, and is sent with [`BasicEncoding::Raw`](crate::config::BasicEncoding::Raw): the
    /// server could not tell where the identifier ends.
    Colon,
    /// The text holds an invisible character, such as a zero-width space or a byte order mark that was copied by
    /// accident.
    Invisible,
    /// The text is longer than 4,096 bytes.
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
