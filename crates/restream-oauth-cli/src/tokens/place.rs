//! Where the tokens lie: in the file of an account, in a file that the user names, or on standard input and output.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use restream_oauth_keeper::GrantName;
use restream_oauth_keeper::store::FileStore;

use crate::arguments::{NAME, TokensOption};
use crate::failure::Failure;
use crate::files;
use crate::terminal::say;

/// The variable with the URL of a database. It may hold a password.
pub(crate) const DATABASE_VARIABLE: &str = "RESTREAM_DATABASE_URL";
const TOKENS_VARIABLE: &str = "RESTREAM_TOKENS";
const ACCOUNT_VARIABLE: &str = "RESTREAM_ACCOUNT";
const DEFAULT_ACCOUNT: &str = "default";
/// The place that means standard input and output.
const STREAMS: &str = "-";
/// The end of the name of an account's file.
const EXTENSION: &str = ".json";

/// Where a command finds and leaves the tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Standard input and output.
    Streams,
    /// A file.
    File(TokensPath),
}

/// The file with the tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokensPath {
    path: PathBuf,
    account: Option<GrantName>,
}

impl Place {
    /// Reads the options. `--tokens` or `--account` decides, then `RESTREAM_TOKENS`, then `RESTREAM_ACCOUNT`; without any
    /// of them it is the default account. An empty variable counts as unset.
    pub(crate) fn of(options: &TokensOption) -> Result<Self, Failure> {
        Self::decide(options, set)
    }

    fn decide(options: &TokensOption, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        if let Some(account) = &options.account {
            return of_account(account.clone(), &variable);
        }
        let file = options.file.clone().or_else(|| variable(TOKENS_VARIABLE).map(PathBuf::from));
        if let Some(path) = file {
            let streams = path.as_os_str() == STREAMS;
            return Ok(if streams { Self::Streams } else { Self::File(TokensPath { path, account: None }) });
        }
        of_account(without_option(&variable)?, &variable)
    }

    /// The file; `None` means standard input and output.
    pub(crate) fn file(&self) -> Option<&TokensPath> {
        match self {
            Self::Streams => None,
            Self::File(path) => Some(path),
        }
    }
}

impl TokensPath {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The account, if the file is that of one.
    pub(crate) fn account(&self) -> Option<&GrantName> {
        self.account.as_ref()
    }

    /// Creates the folder of the accounts with mode 0700, if the file is that of an account. A folder that the user has
    /// named is the user's to create. Warns of a folder that is there already and has another mode.
    pub(crate) fn create_folder(&self) -> Result<(), Failure> {
        let (Some(_), Some(folder)) = (&self.account, self.path.parent()) else { return Ok(()) };
        FileStore::at(folder)?;
        if files::others_have_rights(folder) {
            say(&format!("warning: others can enter {}: chmod 700 it", folder.display()));
        }
        Ok(())
    }
}

/// Names the account, or else the file.
impl fmt::Display for TokensPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            Some(account) => write!(f, "account {account}"),
            None => self.path.display().fmt(f),
        }
    }
}

/// The account that the options name, wherever its tokens lie: that of `--account`, of `RESTREAM_ACCOUNT`, or the default
/// one.
pub(crate) fn account_name(options: &TokensOption) -> Result<GrantName, Failure> {
    options.account.clone().map_or_else(|| without_option(&set), Ok)
}

/// The account that is meant where no option names one.
fn without_option(variable: &impl Fn(&str) -> Option<OsString>) -> Result<GrantName, Failure> {
    let name = variable(ACCOUNT_VARIABLE).unwrap_or_else(|| DEFAULT_ACCOUNT.into());
    let account = name.to_str().unwrap_or("\u{FFFD}").parse();
    account.map_err(|error| Failure::usage(format!("{ACCOUNT_VARIABLE}: {error}")))
}

/// A variable of this process. An empty one counts as unset.
fn set(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

/// The accounts that have a file, by name.
pub(crate) fn accounts() -> Result<Vec<TokensPath>, Failure> {
    let folder = folder_of_accounts(&set)?;
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::cannot("read", &folder, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| Failure::cannot("read", &folder, &error))?.file_name();
        names.extend(name.to_str().and_then(|name| name.strip_suffix(EXTENSION)?.parse().ok()));
    }
    names.sort();
    Ok(names.into_iter().map(|account| file_of(account, &folder)).collect())
}

fn of_account(account: GrantName, variable: &impl Fn(&str) -> Option<OsString>) -> Result<Place, Failure> {
    Ok(Place::File(file_of(account, &folder_of_accounts(variable)?)))
}

fn file_of(account: GrantName, folder: &Path) -> TokensPath {
    TokensPath { path: folder.join(format!("{account}{EXTENSION}")), account: Some(account) }
}

/// A command that works with a database does not ask. In all others, the variable would make its user believe that they
/// work with the accounts of that database.
fn folder_of_accounts(variable: &impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, Failure> {
    if variable(DATABASE_VARIABLE).is_some() {
        let message = format!(
            "{DATABASE_VARIABLE} is set, and this command works with files alone: unset it, or give --tokens FILE. \
             `keep`, `login`, `logout`, `status` and `token` work with the database"
        );
        return Err(Failure::usage(message));
    }
    let folder = state_folder(variable).ok_or_else(|| {
        Failure::usage("no place for accounts: the home folder is not known; set HOME, or give --tokens FILE")
    })?;
    Ok(folder.join(NAME).join("accounts"))
}

/// Where this platform keeps the state of programs, which is no configuration and no cache.
fn state_folder(variable: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    // A relative path would mean another folder from each working directory (XDG Base Directory Specification).
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        return absolute("LOCALAPPDATA");
    }
    if cfg!(target_os = "macos") {
        return absolute("HOME").or_else(env::home_dir).map(|home| home.join("Library/Application Support"));
    }
    absolute("XDG_STATE_HOME").or_else(|| {
        let home = absolute("HOME").or_else(env::home_dir).filter(|home| home.is_absolute())?;
        Some(home.join(".local/state"))
    })
}

#[cfg(all(unix, not(target_os = "macos")))]
#[cfg(test)]
mod tests {
    use super::*;

    fn decide(file: Option<&str>, account: Option<&str>, variables: &[(&str, &str)]) -> Result<Place, Failure> {
        let options =
            TokensOption { file: file.map(PathBuf::from), account: account.map(|name| name.parse().unwrap()) };
        Place::decide(&options, |name| {
            variables.iter().find(|(known, value)| *known == name && !value.is_empty()).map(|(_, value)| value.into())
        })
    }

    #[track_caller]
    fn path(place: Result<Place, Failure>) -> String {
        place.unwrap().file().unwrap().path().to_str().unwrap().to_owned()
    }

    #[test]
    fn an_option_beats_both_variables_and_a_file_beats_an_account() {
        let variables = [("HOME", "/h"), ("RESTREAM_TOKENS", "/v.json"), ("RESTREAM_ACCOUNT", "v")];
        let accounts = "/h/.local/state/restream-oauth/accounts";
        assert_eq!(path(decide(Some("/o.json"), None, &variables)), "/o.json");
        assert_eq!(path(decide(None, Some("o"), &variables)), format!("{accounts}/o.json"));
        assert_eq!(path(decide(None, None, &variables)), "/v.json");
        let empty = [("HOME", "/h"), ("RESTREAM_TOKENS", ""), ("RESTREAM_ACCOUNT", "v")];
        assert_eq!(path(decide(None, None, &empty)), format!("{accounts}/v.json"));
        assert_eq!(path(decide(None, None, &[("HOME", "/h")])), format!("{accounts}/default.json"));
    }

    #[test]
    fn a_hyphen_means_standard_input_and_output() {
        assert_eq!(decide(Some("-"), None, &[]).unwrap(), Place::Streams);
        assert_eq!(decide(None, None, &[("RESTREAM_TOKENS", "-")]).unwrap(), Place::Streams);
    }

    #[test]
    fn the_state_folder_is_that_of_the_platform_and_a_relative_one_counts_as_unset() {
        let state = [("HOME", "/h"), ("XDG_STATE_HOME", "/s")];
        assert_eq!(path(decide(None, None, &state)), "/s/restream-oauth/accounts/default.json");
        let relative = [("HOME", "/h"), ("XDG_STATE_HOME", "state")];
        assert_eq!(path(decide(None, None, &relative)), "/h/.local/state/restream-oauth/accounts/default.json");
    }

    #[test]
    fn accounts_in_files_are_refused_where_a_variable_names_a_database() {
        let database = [("HOME", "/h"), ("RESTREAM_DATABASE_URL", "postgres://u:s3cret@h/d")];
        for account in [None, Some("bot")] {
            let failure = decide(None, account, &database).unwrap_err();
            assert!(failure.message().starts_with("RESTREAM_DATABASE_URL is set"), "{}", failure.message());
            assert!(!failure.message().contains("s3cret"));
        }
        // A file was named.
        assert_eq!(path(decide(Some("/o.json"), None, &database)), "/o.json");
    }

    #[test]
    fn a_variable_with_a_name_that_is_none_is_an_error() {
        for name in ["../x", ".x", "a b", "é"] {
            let failure = decide(None, None, &[("HOME", "/h"), ("RESTREAM_ACCOUNT", name)]).unwrap_err();
            assert!(failure.message().starts_with("RESTREAM_ACCOUNT: expected a name, got"), "{name}");
        }
    }
}
