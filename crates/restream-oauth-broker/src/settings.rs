//! The configuration of a broker, checked as a whole.
//!
//! [`Settings::parse`] is a pure function of the text and of where a secret comes from. It returns settings that can be
//! used, or every fault at once: each names its key and its line, what was expected, what came, and what to do.
//! [`Settings::load`] reads the file and the environment for it.
//!
//! **Secrets.** The client secret is in a file that `restream.client_secret_file` names, or in `RESTREAM_CLIENT_SECRET`.
//! Both at once are a fault. The password of a database comes from `PGPASSWORD` or the file that `PGPASSFILE` names.
//! No fault shows any of them, nor the path of the secret's file, which may be the secret itself by mistake.

mod fault;
mod keys;
mod reading;
mod secret_file;
mod table;
mod tls;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::limits::Rates;

pub use crate::origin::{Origin, OriginProblem};
pub use crate::redirect_uri::{RedirectUri, RedirectUriProblem};
pub use crate::tls::TlsProblem;
pub use fault::{Fault, Faults, FileProblem, Problem, Warning};
pub use secret_file::SecretFile;

/// The environment variable that may hold the client secret.
pub const SECRET_VARIABLE: &str = "RESTREAM_CLIENT_SECRET";
/// The longest configuration, in bytes.
const LONGEST: usize = 256 * 1024;

/// The configuration of a broker.
///
/// ```
/// use restream_oauth_broker::settings::{Environment, Mode, Settings};
///
/// let text = r#"
///     listen = "127.0.0.1:8080"
///     issuer = "https://broker.example"
///     trusted_proxies = ["127.0.0.1"]
///     [restream]
///     client_id = "your-client-id"
///     [store]
///     kind = "file"
///     path = "/var/lib/restream-oauth-broker"
///     [obs]
/// "#;
/// let environment = Environment::with_secret("your-client-secret");
/// let checked = Settings::parse(text, &environment)?;
/// assert_eq!(checked.settings.obs.unwrap().prefix(), "/obs/");
/// assert!(checked.warnings.is_empty());
///
/// let faults = Settings::parse(&text.replace("issuer", "isuer"), &environment).unwrap_err();
/// let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
/// assert_eq!(lines, [
///     "line 1: issuer: expected the broker's URL as devices see it, such as https://broker.example, got nothing: add it",
///     "line 3: isuer: there is no such key: did you mean issuer?",
/// ]);
/// # Ok::<(), restream_oauth_broker::settings::Faults>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The address to listen on. Port 0 means any that is free.
    pub listen: SocketAddr,
    /// The broker as devices see it (RFC 8414 §2). It has no path.
    pub issuer: Origin,
    /// Where metrics and health are served, if anywhere.
    pub admin_listen: Option<SocketAddr>,
    /// What devices get.
    pub mode: Mode,
    /// Whose `Forwarded` and `X-Forwarded-For` count.
    pub trusted_proxies: Vec<IpNet>,
    /// The files for TLS of its own, if there is no proxy for that.
    pub tls: Option<TlsFiles>,
    /// The application at Restream, with its secret. Its redirect URI is the issuer with `/callback`.
    pub restream: restream_oauth_core::Client,
    /// The door for OBS, if there is one.
    pub obs: Option<ObsDoor>,
    /// The clients of the plain door.
    pub clients: Vec<RegisteredClient>,
    /// How many requests are allowed.
    pub rates: Rates,
}

/// What devices get.
#[derive(Clone, Debug)]
pub enum Mode {
    /// A handle. The broker keeps the grant, in this store.
    Handle(Store),
    /// The pair of Restream itself. Nothing is stored.
    Relay,
}

/// Where grants, handles, codes and logins are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Store {
    /// In a folder. One process at a time.
    File(PathBuf),
    /// In a PostgreSQL database. Any number of processes.
    Postgres(Box<restream_oauth_keeper_postgres::Config>),
}

/// The files for TLS, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and the authority's.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The door for OBS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObsDoor {
    prefix: Box<str>,
}

impl ObsDoor {
    /// The beginning of its paths, with a slash at both ends. OBS is built with the issuer and this as its base.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// A client of the plain door: a public client (RFC 6749 §2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredClient {
    /// Its identifier: 1 to 64 letters, digits and `.`, `_`, `~`, `-`. Never `obs`.
    pub id: Box<str>,
    /// Where it may ask to be sent back to. At least one.
    pub redirect_uris: Vec<RedirectUri>,
    /// The origins of pages that may ask with a browser's `fetch`.
    pub origins: Vec<Origin>,
}

impl RegisteredClient {
    /// True if the client may name `requested` as its redirect URI.
    pub fn redirect_uri_matches(&self, requested: &str) -> bool {
        self.redirect_uris.iter().any(|registered| registered.matches(requested))
    }
}

/// Settings that can be used, and what the operator should know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Checked {
    /// The settings.
    pub settings: Settings,
    /// What should be mended, and need not be.
    pub warnings: Vec<Warning>,
}

/// What settings depend on besides their text: a variable, and the files that the text names.
pub struct Environment {
    client_secret: Option<OsString>,
    read_file: Box<ReadFile>,
}

type ReadFile = dyn Fn(&Path) -> Result<SecretFile, FileProblem>;

impl Environment {
    /// The variables of this process, and the files of this machine.
    pub fn of_process() -> Self {
        Self { client_secret: std::env::var_os(SECRET_VARIABLE), read_file: Box::new(SecretFile::read) }
    }

    /// A client secret as if from the variable, and no files: for tests and for programs that have the secret already.
    pub fn with_secret(secret: impl Into<OsString>) -> Self {
        Self { client_secret: Some(secret.into()), ..Self::with_files(|_| Err(FileProblem::Missing)) }
    }

    /// No variable, and files that this function reads.
    pub fn with_files(read: impl Fn(&Path) -> Result<SecretFile, FileProblem> + 'static) -> Self {
        Self { client_secret: None, read_file: Box::new(read) }
    }
}

impl Settings {
    /// Checks the text of a configuration.
    ///
    /// # Errors
    /// [`Faults`]: everything that is wrong, in the order of lines.
    pub fn parse(text: &str, environment: &Environment) -> Result<Checked, Faults> {
        reading::parse(text, environment)
    }

    /// Reads a file and the environment of this process, and checks them.
    ///
    /// # Errors
    /// [`LoadError`] if the file cannot be read, or holds faults.
    pub fn load(path: &Path) -> Result<Checked, LoadError> {
        let about = |reason| LoadError { path: path.to_owned(), reason };
        let text = read(path).map_err(|error| about(LoadErrorReason::Unreadable(error)))?;
        Self::parse(&text, &Environment::of_process()).map_err(|faults| about(LoadErrorReason::Faults(faults)))
    }
}

/// Why a file of settings cannot be used.
#[derive(Debug)]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: LoadErrorReason,
}

/// Why a file of settings cannot be used.
#[derive(Debug)]
pub enum LoadErrorReason {
    /// It cannot be read, or is not UTF-8.
    Unreadable(io::Error),
    /// It holds faults.
    Faults(Faults),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.reason {
            LoadErrorReason::Unreadable(error) => write!(f, "cannot read {path}: {error}"),
            LoadErrorReason::Faults(faults) => {
                for (number, fault) in faults.iter().enumerate() {
                    let end = if number == 0 { "" } else { "\n" };
                    write!(f, "{end}{path}: {fault}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            LoadErrorReason::Unreadable(error) => Some(error),
            LoadErrorReason::Faults(faults) => Some(faults),
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, Problem::TooLong));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(test)]
mod tests;
