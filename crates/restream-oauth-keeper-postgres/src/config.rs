//! Which database, and how to reach it.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[cfg(feature = "sealed")]
use restream_oauth_keeper::seal::Sealer;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use zeroize::Zeroizing;

use crate::error::ConfigError;
use crate::form::Form;
use crate::password::{self, Login};
use crate::tls::Tls;

/// How many connections a store has unless the program says otherwise. Each carries any number of statements, but the
/// server commits those of one connection one after the other.
const CONNECTIONS: usize = 8;
/// Where PostgreSQL listens unless told otherwise.
const PORT: u16 = 5432;
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const STATEMENT_LIMIT: Duration = Duration::from_secs(30);
/// A server that this process or the database did not know may lack the newest claims.
const QUIET: Duration = Duration::from_secs(10);

/// Which database to use, and how.
///
/// ```
/// use restream_oauth_keeper_postgres::Config;
///
/// let config = Config::from_url("postgres://keeper@db.example/app")?;
/// assert!(Config::from_url("postgres://keeper:s3cret@db.example/app").is_err()); // a password in a URL gets into logs
/// # Ok::<(), restream_oauth_keeper_postgres::ConfigError>(())
/// ```
///
/// TLS is required unless each host is this machine. Several hosts can be named; the one that allows writes is taken.
#[derive(Clone)]
pub struct Config {
    pub(crate) server: tokio_postgres::Config,
    roots: Option<Arc<[u8]>>,
    allows_plaintext: bool,
    password: Option<Zeroizing<String>>,
    pub(crate) connections: usize,
    pub(crate) statement_limit: Duration,
    pub(crate) prepares: bool,
    pub(crate) quiet: Duration,
    pub(crate) clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    pub(crate) form: Form,
}

impl Config {
    /// Reads a URL (`postgres://USER@HOST/DATABASE?option=value`), or `key=value` pairs, as `libpq` does.
    ///
    /// # Errors
    /// [`ConfigError`] if the text cannot be read, or holds a password.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        let config = Self::from_secret_url(url)?;
        if config.server.get_password().is_some() { Err(ConfigError::PasswordInUrl) } else { Ok(config) }
    }

    /// Like [`from_url`](Self::from_url), and takes the password of the URL, if there is one. For a URL that is kept as a
    /// secret: from a variable or a file, and never from an argument.
    ///
    /// ```
    /// use restream_oauth_keeper_postgres::Config;
    ///
    /// let config = Config::from_secret_url("postgres://keeper:s3cret@db.example/app")?;
    /// assert_eq!(config.place(), "db.example/app");
    /// # Ok::<(), restream_oauth_keeper_postgres::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] if the text cannot be read.
    pub fn from_secret_url(url: &str) -> Result<Self, ConfigError> {
        let mut server: tokio_postgres::Config = url.parse().map_err(|_| ConfigError::Url)?;
        if server.get_hosts().is_empty() && server.get_hostaddrs().is_empty() {
            return Err(ConfigError::Url);
        }
        server.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if server.get_connect_timeout().is_none() {
            server.connect_timeout(CONNECT_LIMIT);
        }
        if server.get_application_name().is_none() {
            server.application_name("restream-oauth-keeper");
        }
        Ok(Self {
            server,
            roots: None,
            allows_plaintext: false,
            password: None,
            connections: CONNECTIONS,
            statement_limit: STATEMENT_LIMIT,
            prepares: false,
            quiet: QUIET,
            clock: Arc::new(SystemTime::now),
            form: Form::default(),
        })
    }

    /// Names the servers and the database, for people: `db.example:5433/app`. Holds neither the role nor a password.
    pub fn place(&self) -> String {
        let Login { database, .. } = self.login();
        let ports = self.server.get_ports();
        let mut place = String::new();
        for (index, host) in self.server.get_hosts().iter().enumerate() {
            if index > 0 {
                place.push(',');
            }
            match host {
                Host::Tcp(name) => place.push_str(name),
                #[cfg(unix)]
                Host::Unix(path) => place.push_str(&path.to_string_lossy()),
            }
            // One port is that of each host.
            if let Some(port) = ports.get(index).or(ports.first()).filter(|port| **port != PORT) {
                // Writing into a text never fails.
                let _ = write!(place, ":{port}");
            }
        }
        place.push('/');
        place.push_str(database);
        place
    }

    /// The password. Without it, `PGPASSWORD` is read, or the file that `PGPASSFILE` names, or `~/.pgpass`.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(Zeroizing::new(password.into()));
        self
    }

    /// Trusts these root certificates (PEM) and no others. Without it, the well-known authorities are trusted.
    #[must_use]
    pub fn root_certificates(mut self, pem: &[u8]) -> Self {
        self.roots = Some(pem.into());
        self
    }

    /// Allows a connection without TLS to another machine, if the URL says `sslmode=disable`. Whoever can read the network
    /// in between reads every token.
    #[must_use]
    pub fn allow_plaintext(mut self) -> Self {
        self.allows_plaintext = true;
        self
    }

    /// Seals what is written from now on: takes a [`KeyRing`], or a [`Sealer`] that refuses plain documents. A plain
    /// document is read otherwise, and the next write seals it. The page of [`seal`] says what sealing protects, and how
    /// to change the key.
    ///
    /// ```
    /// use restream_oauth_keeper::seal::KeyRing;
    /// use restream_oauth_keeper_postgres::Config;
    ///
    /// // In a program: KeyRing::from_file("/etc/app/keys"), a file of mode 0600.
    /// let ring = KeyRing::parse("2026-11:5e1f1c8d3a9b7e6f0011223344556677889900aabbccddeeff00112233445566")?;
    /// let config = Config::from_url("postgres://keeper@db.example/app")?.sealed(ring);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`KeyRing`]: restream_oauth_keeper::seal::KeyRing
    /// [`seal`]: restream_oauth_keeper::seal
    #[cfg(feature = "sealed")]
    #[must_use]
    pub fn sealed(mut self, sealer: impl Into<Sealer>) -> Self {
        self.form = Form::sealed(sealer.into());
        self
    }

    /// How many connections to open at most: 8 unless set. A keeper needs few, because its operations share statements.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// How long a statement may take: 30 seconds unless set. Then its connection is given up, and its effect is unknown.
    #[must_use]
    pub fn statement_limit(mut self, limit: Duration) -> Self {
        self.statement_limit = limit;
        self
    }

    /// Lets the server plan each statement once a connection, and not each time. This helps while few grants share a
    /// statement. Only for a server without a pooler before it, or with one that knows prepared statements, as PgBouncer
    /// does from 1.21 on. Another one makes the store fail, with an error that names a prepared statement.
    ///
    /// ```
    /// use restream_oauth_keeper_postgres::Config;
    ///
    /// let config = Config::from_url("postgres://keeper@db.example/app")?.prepare_statements();
    /// # Ok::<(), restream_oauth_keeper_postgres::ConfigError>(())
    /// ```
    #[must_use]
    pub fn prepare_statements(mut self) -> Self {
        self.prepares = true;
        self
    }

    /// How long nobody claims anything after the server was restarted or another one was promoted: 10 seconds unless set.
    /// In this time each worker brings back what the server may have lost.
    #[must_use]
    pub fn quiet_after_restart(mut self, quiet: Duration) -> Self {
        self.quiet = quiet;
        self
    }

    /// Reads this clock in place of the system's: for tests. It must be the wall clock of the keeper.
    #[must_use]
    pub fn clock(mut self, read: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(read);
        self
    }

    /// Finds the password, and decides about TLS, as a connection does. Opens none: for a program that checks its
    /// configuration.
    ///
    /// # Errors
    /// [`ConfigError`] if no connection can be made with this configuration.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.resolve().map(drop)
    }

    /// The settings for one connection, with the password and the decision about TLS.
    pub(crate) fn resolve(&self) -> Result<(tokio_postgres::Config, Tls), ConfigError> {
        let mut server = self.server.clone();
        let is_local =
            server.get_hosts().iter().all(is_loopback) && server.get_hostaddrs().iter().all(IpAddr::is_loopback);
        let mode = match (server.get_ssl_mode(), is_local) {
            (SslMode::Require, _) => SslMode::Require,
            (_, true) => SslMode::Disable,
            (SslMode::Disable, false) if self.allows_plaintext => SslMode::Disable,
            (SslMode::Disable, false) => return Err(ConfigError::PlaintextOffLoopback),
            // Whether by default or not, `prefer` means that whoever is in between decides.
            (_, false) => SslMode::Require,
        };
        server.ssl_mode(mode);
        let found = match &self.password {
            Some(password) => Some(password.clone()),
            None if server.get_password().is_some() => None,
            None => password::find(&self.login())?,
        };
        if let Some(password) = found {
            server.password(password.as_bytes());
        }
        Ok((server, Tls::new(self.roots.as_deref())?))
    }

    /// The first host counts for the file of passwords, because the client takes one password for all.
    fn login(&self) -> Login<'_> {
        let user = self.server.get_user().unwrap_or_default();
        let host = match self.server.get_hosts().first() {
            Some(Host::Tcp(host)) => host,
            _ => "localhost",
        };
        Login {
            host,
            port: self.server.get_ports().first().copied().unwrap_or(PORT),
            database: self.server.get_dbname().unwrap_or(user),
            user,
        }
    }
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("hosts", &self.server.get_hosts())
            .field("database", &self.server.get_dbname())
            .field("user", &self.server.get_user())
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<SslMode, ConfigError> {
        Ok(Config::from_url(url)?.password("p").resolve()?.0.get_ssl_mode())
    }

    #[test]
    fn a_url_with_a_password_is_refused() {
        for url in ["postgres://u:p@h/d", "host=h user=u password=p", "postgres://u@h/d?password=p"] {
            assert_eq!(Config::from_url(url).unwrap_err(), ConfigError::PasswordInUrl, "{url}");
        }
    }

    #[test]
    fn a_secret_url_brings_its_password_and_nothing_shows_it() {
        for url in ["postgres://u:s3cret@h/d", "host=h user=u password=s3cret dbname=d"] {
            let config = Config::from_secret_url(url).unwrap();
            assert_eq!(config.resolve().unwrap().0.get_password(), Some(&b"s3cret"[..]), "{url}");
            assert!(!format!("{config:?} {}", config.place()).contains("s3cret"), "{url}");
            // One that the program gives counts more.
            let other = config.password("other").resolve().unwrap().0;
            assert_eq!(other.get_password(), Some(&b"other"[..]), "{url}");
        }
    }

    #[test]
    fn a_place_names_servers_and_database() {
        for (url, place) in [
            ("postgres://u@db.example/d", "db.example/d"),
            ("postgres://u@db.example:5432/d", "db.example/d"),
            ("postgres://u@one:1,two:2/d", "one:1,two:2/d"),
            ("host=one,two port=7 user=u", "one:7,two:7/u"),
            ("host=/run/x user=u dbname=d", "/run/x/d"),
        ] {
            assert_eq!(Config::from_url(url).unwrap().place(), place, "{url}");
        }
    }

    #[test]
    fn a_text_that_names_no_server_is_refused() {
        for url in ["", "mysql://h/d", "postgres://u@h/d?sslmode=perhaps", "user=u"] {
            assert_eq!(Config::from_url(url).unwrap_err(), ConfigError::Url, "{url}");
        }
    }

    #[test]
    fn tls_is_required_off_loopback() {
        for url in ["postgres://u@db.example/d", "postgres://u@db.example/d?sslmode=prefer", "postgres://u@10.0.0.1/d"]
        {
            assert_eq!(mode(url), Ok(SslMode::Require), "{url}");
        }
        // One host of several that is elsewhere is enough.
        assert_eq!(mode("postgres://u@localhost,db.example/d"), Ok(SslMode::Require));
        assert_eq!(mode("host=localhost hostaddr=10.0.0.1 user=u"), Ok(SslMode::Require));
        assert_eq!(mode("postgres://u@db.example/d?sslmode=disable"), Err(ConfigError::PlaintextOffLoopback));
        let refused = Config::from_url("postgres://u@db.example/d?sslmode=disable").unwrap().password("p").check();
        assert_eq!(refused, Err(ConfigError::PlaintextOffLoopback));
        let allowed = Config::from_url("postgres://u@db.example/d?sslmode=disable").unwrap().allow_plaintext();
        assert_eq!(allowed.password("p").resolve().unwrap().0.get_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn on_this_machine_tls_is_used_if_it_is_asked_for() {
        for url in
            ["postgres://u@localhost/d", "postgres://u@127.0.0.1/d", "postgres://u@[::1]/d", "host=/run/x user=u"]
        {
            assert_eq!(mode(url), Ok(SslMode::Disable), "{url}");
        }
        assert_eq!(mode("postgres://u@localhost/d?sslmode=require"), Ok(SslMode::Require));
    }

    #[test]
    fn debug_shows_no_password() {
        let config = Config::from_url("postgres://u@h/d").unwrap().password("s3cret");
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
