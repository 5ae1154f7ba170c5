//! Which database the user has chosen, by options and variables.

use std::env::{self, VarError};

use restream_oauth_keeper::seal::KeyRing;
use restream_oauth_keeper_postgres::{Config, ConfigError};
use zeroize::Zeroizing;

use crate::arguments::{DatabaseOptions, TokensOption};
use crate::database::connected::{Database, migrate};
use crate::database::failure::of_config;
use crate::failure::Failure;
use crate::files;
use crate::terminal::say;
use crate::tokens::place::DATABASE_VARIABLE;

/// The variable that holds the keys themselves.
pub(crate) const KEYS_VARIABLE: &str = "RESTREAM_DATABASE_KEYS";
/// A command with one account has no use for more connections.
const FEW: usize = 2;

/// The database that the user has chosen. Nothing was sent to it.
pub(crate) struct Chosen {
    config: Config,
    is_sealed: bool,
}

impl Chosen {
    /// Reads the options and the environment of a command that takes `--tokens` too. `None` means files.
    pub(crate) fn of(options: &DatabaseOptions, tokens: &TokensOption) -> Result<Option<Self>, Failure> {
        match (&options.url, &tokens.file) {
            (Some(_), Some(_)) => Err(Failure::usage("--database cannot be used with --tokens: give one of them")),
            (None, Some(_)) => {
                needs_no_database(options)?;
                Ok(None)
            }
            (_, None) => Self::of_options(options),
        }
    }

    /// Reads the options and the environment. `None` means files.
    pub(crate) fn of_options(options: &DatabaseOptions) -> Result<Option<Self>, Failure> {
        let config = match (&options.url, variable(DATABASE_VARIABLE)?) {
            (Some(url), _) => Config::from_url(url).map_err(|error| match error {
                ConfigError::PasswordInUrl => password_in_an_argument(),
                error => of_config(&error).about(&"--database"),
            })?,
            (None, Some(url)) => {
                Config::from_secret_url(&url).map_err(|error| of_config(&error).about(&DATABASE_VARIABLE))?
            }
            (None, None) => {
                needs_no_database(options)?;
                return Ok(None);
            }
        };
        let config = match &options.database_ca_file {
            None => config,
            Some(path) => {
                let pem = files::read(path)
                    .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
                config.root_certificates(pem.as_bytes())
            }
        };
        let keys = keys(options)?;
        let is_sealed = keys.is_some();
        let config = match keys {
            None => config,
            Some(keys) => config.sealed(keys),
        };
        config.check().map_err(|error| of_config(&error))?;
        Ok(Some(Self { config, is_sealed }))
    }

    /// Connects, for one account.
    pub(crate) async fn connect(self) -> Result<Database, Failure> {
        let config = self.config.connections(FEW);
        Database::open(&config).await
    }

    /// Brings the schema to the version of this release and connects, for one account that is to be stored.
    pub(crate) async fn prepare(self) -> Result<Database, Failure> {
        self.warn_of_plain_tokens();
        let config = self.config.connections(FEW);
        migrate(&config).await?;
        Database::open(&config).await
    }

    /// The same for every account.
    pub(crate) async fn prepare_for_all(self) -> Result<Database, Failure> {
        self.warn_of_plain_tokens();
        migrate(&self.config).await?;
        Database::open(&self.config).await
    }

    fn warn_of_plain_tokens(&self) {
        if !self.is_sealed {
            say(&format!(
                "warning: without keys, the database holds tokens that its administrators and backups can read: give \
                 --keys FILE, or set {KEYS_VARIABLE}"
            ));
        }
    }
}

fn keys(options: &DatabaseOptions) -> Result<Option<KeyRing>, Failure> {
    if let Some(path) = &options.keys {
        let keys = KeyRing::from_file(path);
        return keys.map(Some).map_err(|error| Failure::usage(format!("--keys {}: {error}", path.display())));
    }
    let Some(keys) = variable(KEYS_VARIABLE)? else { return Ok(None) };
    KeyRing::parse(&keys).map(Some).map_err(|error| Failure::usage(format!("{KEYS_VARIABLE}: {error}")))
}

/// An empty variable counts as unset.
fn variable(name: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    match env::var(name) {
        Ok(value) => Ok(Some(Zeroizing::new(value)).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::usage(format!("{name} is not UTF-8"))),
    }
}

/// Fails if options were given that files have no use for: they would be believed to have an effect.
fn needs_no_database(options: &DatabaseOptions) -> Result<(), Failure> {
    if options.keys.is_some() || options.database_ca_file.is_some() {
        let message = format!(
            "--keys and --database-ca-file are for a database: give --database URL, or set {DATABASE_VARIABLE}"
        );
        return Err(Failure::usage(message));
    }
    Ok(())
}

fn password_in_an_argument() -> Failure {
    Failure::usage(format!(
        "--database: expected a URL without a password, got one with a password. Every user of this machine can read \
         arguments, so regard it as known. Put the password into the file that PGPASSFILE names (mode 0600), or the \
         whole URL into {DATABASE_VARIABLE}"
    ))
}
