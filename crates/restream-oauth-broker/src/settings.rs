//! The configuration of a broker, checked as a whole.
//!
//! [`Settings::parse`] is a pure function of the text and of where a secret comes from. It returns settings that can be
//! used, or every fault at once: each names its key and its line, what was expected, what came, and what to do.
//! [`Settings::load`] reads the file and the environment for it.
//!
//! **Secrets.** The client secret is in a file that `restream.client_secret_file` names, or in `RESTREAM_CLIENT_SECRET`.
//! Both at once are a fault. The password of a database comes from `PGPASSWORD` or the file that `PGPASSFILE` names.
//! No fault shows any of them, nor the path of the secret's file, which may be the secret itself by mistake.

mod checked;
mod fault;
mod keys;
mod reading;
mod secret_file;
mod table;
mod tls;

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use checked::LONGEST;

pub use crate::origin::{Origin, OriginProblem};
pub use crate::redirect_uri::{RedirectUri, RedirectUriProblem};
pub use crate::tls::TlsProblem;
pub use checked::{Checked, Environment, Mode, ObsDoor, RegisteredClient, SECRET_VARIABLE, Settings, Store, TlsFiles};
pub use fault::{Fault, Faults, FileProblem, Problem, Warning};
pub use secret_file::SecretFile;

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
