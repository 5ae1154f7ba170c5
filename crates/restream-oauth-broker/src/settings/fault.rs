//! What is wrong with a configuration, and what to do about it. No message holds a secret.

use std::fmt;

use restream_oauth_core::config::{ConfigError, TextProblem, UriProblem};

use crate::origin::OriginProblem;
use crate::redirect_uri::RedirectUriProblem;
use crate::tls::TlsProblem;

/// Something that is wrong with one key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key with its table, such as `restream.client_id` or `clients[0].redirect_uris[1]`; empty for a fault of the
    /// file as a whole.
    pub key: Box<str>,
    /// The line, counted from 1. For a key that is missing, the line at which its table begins.
    pub line: usize,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for Fault {}

/// What is wrong with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The file is longer than 256 KiB.
    TooLong,
    /// The text is not TOML. The words are the parser's, and quote nothing from the file.
    Syntax(Box<str>),
    /// There is no such key. `nearest` is the known key that was probably meant.
    UnknownKey {
        /// The known key with its table.
        nearest: Option<Box<str>>,
    },
    /// The client secret, or a key that asks for one, stands in the configuration.
    SecretInFile,
    /// The key is needed.
    Missing {
        /// What to write.
        expected: &'static str,
    },
    /// The value has another type.
    Type {
        /// What was expected.
        expected: &'static str,
        /// The type that came.
        came: &'static str,
    },
    /// The value cannot be used.
    Value {
        /// What was expected.
        expected: &'static str,
        /// The value that came, without user names, passwords, queries and control characters, and truncated.
        came: Box<str>,
    },
    /// The value is no origin that can be used.
    Origin {
        /// Why.
        problem: OriginProblem,
        /// The value that came, shown as in [`Problem::Value`].
        came: Box<str>,
    },
    /// The value is no redirect URI that can be registered.
    RedirectUri {
        /// Why.
        problem: RedirectUriProblem,
        /// The value that came, shown as in [`Problem::Value`].
        came: Box<str>,
    },
    /// The value is no URL that requests can be sent to.
    Url {
        /// Why.
        problem: UriProblem,
        /// The value that came, shown as in [`Problem::Value`].
        came: Box<str>,
    },
    /// The client identifier cannot be used at Restream.
    ClientId(TextProblem),
    /// The client secret cannot be used, whichever of the two places it came from.
    ClientSecret(TextProblem),
    /// The core refuses the configuration for another reason.
    Client(ConfigError),
    /// There is no client secret: neither a file nor `RESTREAM_CLIENT_SECRET`.
    NoSecret,
    /// There are two client secrets: a file and `RESTREAM_CLIENT_SECRET`.
    TwoSecrets,
    /// `RESTREAM_CLIENT_SECRET` is not UTF-8.
    SecretNotUtf8,
    /// The file of the client secret cannot be read. The path stays away, because it may be the secret itself.
    SecretFile(FileProblem),
    /// The file of the certificate or of the private key cannot be read.
    TlsFile(FileProblem),
    /// The file of the certificate or of the private key was read, and cannot be served.
    Tls(TlsProblem),
    /// The database cannot be used with this URL.
    Database(restream_oauth_keeper_postgres::ConfigError),
    /// The value stands here for the second time.
    Twice {
        /// The key at which it stands first.
        first: Box<str>,
    },
    /// The key cannot be used together with another one.
    Conflict {
        /// The other key, and what it says.
        with: &'static str,
        /// What to do.
        advice: &'static str,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("expected at most 256 KiB, got more: is this the right file?"),
            Self::Syntax(words) => write!(f, "expected TOML, got something else: {words}"),
            Self::UnknownKey { nearest: Some(nearest) } => write!(f, "there is no such key: did you mean {nearest}?"),
            Self::UnknownKey { nearest: None } => f.write_str("there is no such key: remove it"),
            Self::SecretInFile => f.write_str(
                "a secret does not belong into this file: name a file with client_secret_file, or set \
                 RESTREAM_CLIENT_SECRET",
            ),
            Self::Missing { expected } => write!(f, "expected {expected}, got nothing: add it"),
            Self::Type { expected, came } => write!(f, "expected {expected}, got {came}"),
            Self::Value { expected, came } => write!(f, "expected {expected}, got {came}"),
            Self::Origin { problem, came } => write!(f, "{came} cannot be used: {problem}"),
            Self::RedirectUri { problem, came } => write!(f, "{came} cannot be used: {problem}"),
            Self::Url { problem, came } => write!(f, "{came} cannot be used: {problem}"),
            Self::ClientId(problem) => write!(f, "the client identifier cannot be used: {problem}"),
            Self::ClientSecret(problem) => {
                write!(f, "the client secret, of this file or of RESTREAM_CLIENT_SECRET, cannot be used: {problem}")
            }
            Self::Client(error) => error.fmt(f),
            Self::NoSecret => {
                f.write_str("expected a client secret, got none: add this key, or set RESTREAM_CLIENT_SECRET")
            }
            Self::TwoSecrets => f.write_str(
                "expected one client secret, got this file and RESTREAM_CLIENT_SECRET: remove one, so that it is clear \
                 which counts",
            ),
            Self::SecretNotUtf8 => f.write_str("expected text in RESTREAM_CLIENT_SECRET, got bytes that are not UTF-8"),
            Self::SecretFile(problem) | Self::TlsFile(problem) => write!(f, "the file cannot be used: {problem}"),
            Self::Tls(problem) => problem.fmt(f),
            Self::Database(error) => error.fmt(f),
            Self::Twice { first } => write!(f, "the same stands at {first}: remove one"),
            Self::Conflict { with, advice } => write!(f, "this cannot go with {with}: {advice}"),
        }
    }
}

impl std::error::Error for Problem {}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileProblem {
    /// It does not exist.
    Missing,
    /// This user may not read it.
    Denied,
    /// It is longer than 64 KiB, and no secret, key or certificate is.
    TooLong,
    /// It is not UTF-8.
    NotUtf8,
    /// The operating system gave another error.
    Other(std::io::ErrorKind),
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it does not exist"),
            Self::Denied => f.write_str("this user may not read it"),
            Self::TooLong => f.write_str("it is longer than 64 KiB: is it the right file?"),
            Self::NotUtf8 => f.write_str("it is not UTF-8"),
            Self::Other(kind) => kind.fmt(f),
        }
    }
}

impl From<std::io::Error> for FileProblem {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::Missing,
            std::io::ErrorKind::PermissionDenied => Self::Denied,
            kind => Self::Other(kind),
        }
    }
}

/// Everything that is wrong with a configuration, in the order of lines. There is at least one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub(super) Vec<Fault>);

impl Faults {
    /// The faults.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Something that can be run, and that the operator should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Other users can read the file of the client secret, or its group can change it.
    SecretReadable,
    /// Other users can read the file of the private key, or its group can change it.
    KeyReadable,
    /// The certificate is not for the host of the issuer, so devices refuse it. A proxy in front may expect another name.
    CertificateName,
    /// The broker serves plain http on an address that other machines reach.
    PlainHttp,
    /// The issuer is `https`, the broker itself serves plain http, and no proxy is named. So all requests seem to come from
    /// the proxy, and share the limit of one address.
    UnnamedProxy,
    /// A relay stores nothing, so `[store]` has no effect.
    RelayStoresNothing,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecretReadable => {
                "others can read the file of the client secret, or its group can change it: chmod 640 it, or 600"
            }
            Self::KeyReadable => "others can read the file tls_key, or its group can change it: chmod 640 it, or 600",
            Self::CertificateName => {
                "the certificate in tls_cert is not for the host of the issuer: devices will refuse it"
            }
            Self::PlainHttp => {
                "`listen` serves plain http to other machines: listen on 127.0.0.1 behind a proxy, or set tls_cert and \
                 tls_key"
            }
            Self::UnnamedProxy => {
                "no proxy is named in trusted_proxies, so all devices behind the proxy share the limit of one address"
            }
            Self::RelayStoresNothing => "mode \"relay\" stores nothing: [store] has no effect",
        })
    }
}
