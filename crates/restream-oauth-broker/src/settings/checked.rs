//! The settings of a broker, once they are checked, and what they depend on besides their text.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::fault::{FileProblem, Warning};
use super::secret_file::SecretFile;
use crate::limits::Rates;
use crate::origin::Origin;
use crate::redirect_uri::RedirectUri;

/// The environment variable that may hold the client secret.
pub const SECRET_VARIABLE: &str = "RESTREAM_CLIENT_SECRET";
/// The longest configuration, in bytes.
pub(super) const LONGEST: usize = 256 * 1024;

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
    pub(super) prefix: Box<str>,
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
    pub(super) client_secret: Option<OsString>,
    pub(super) read_file: Box<ReadFile>,
}

pub(super) type ReadFile = dyn Fn(&Path) -> Result<SecretFile, FileProblem>;

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
