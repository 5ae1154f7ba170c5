//! Why a command failed, and the exit code for it.

use std::fmt::{Display, Write as _};
use std::io;
use std::path::Path;
use std::process::ExitCode;

use restream_oauth_core::config::ConfigError;
use restream_oauth_core::error::ErrorCode;
use restream_oauth_core::login::CallbackError;
use restream_oauth_core::{Advice, Error, SavedError};
use restream_oauth_keeper::store::{StoreError, StoreErrorKind};

use crate::files;

/// A message for people and an exit code for scripts.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Other = 1,
    Usage = 2,
    Reauthorize = 3,
    TryAgain = 4,
    Denied = 5,
    Refresh = 6,
    Interrupted = 130,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::new(Exit::Other, message)
    }

    /// Says what could not be done with a file, and why.
    pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> Self {
        let missing = error.kind() == io::ErrorKind::NotFound && files::folder_is_missing(path);
        let hint = if missing { " (its folder does not exist)" } else { "" };
        Self::other(format!("cannot {what} {}: {error}{hint}", path.display()))
    }

    /// Puts the subject before the message.
    pub(crate) fn about(mut self, what: &dyn Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Adds a sentence on a line of its own.
    pub(crate) fn and(mut self, sentence: &str) -> Self {
        self.message.push('\n');
        self.message.push_str(sentence);
        self
    }

    /// Adds the chain of causes of `error`, a line each.
    pub(crate) fn because_of(mut self, error: &dyn std::error::Error) -> Self {
        let mut source = error.source();
        while let Some(cause) = source {
            // Writing to a `String` cannot fail.
            let _ = write!(self.message, "\nbecause: {cause}");
            source = cause.source();
        }
        self
    }

    /// True if a signal ended the command before it was done.
    pub(crate) fn is_interruption(&self) -> bool {
        self.exit == Exit::Interrupted
    }

    /// Returns which of the documented exit codes it is.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Replaces the exit code.
    pub(crate) fn ending_with(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Returns the message for people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the exit code for scripts.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit as u8)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let exit = match error.advice() {
            Advice::Retry { .. } | Advice::Replay => Exit::TryAgain,
            Advice::Reauthorize => Exit::Reauthorize,
            Advice::Refresh => Exit::Refresh,
            Advice::FixConfiguration => Exit::Usage,
            Advice::Abort => Exit::Denied,
            _ => Exit::Other,
        };
        let mut message = error.to_string();
        if let Some(words) = error.server_message() {
            // Writing to a `String` cannot fail.
            let _ = write!(message, "\nthe server says: {words}");
        }
        Self { exit, message }.because_of(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = if *error.kind() == StoreErrorKind::ClaimLost { Exit::TryAgain } else { Exit::Other };
        Self::new(exit, error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<SavedError> for Failure {
    fn from(error: SavedError) -> Self {
        let exit = match error {
            SavedError::OtherClient(_)
            | SavedError::TokensOfOtherClient { .. }
            | SavedError::TokensOfOtherServer { .. } => Exit::Usage,
            _ => Exit::Other,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<CallbackError> for Failure {
    fn from(error: CallbackError) -> Self {
        let exit = match &error {
            CallbackError::NoParameters => Exit::Denied,
            CallbackError::Refused { code, .. } => match code {
                ErrorCode::AccessDenied => Exit::Denied,
                ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable => Exit::TryAgain,
                ErrorCode::Other(_) => Exit::Other,
                _ => Exit::Usage,
            },
            _ => Exit::Other,
        };
        let mut message = error.to_string();
        if let CallbackError::Refused { message: Some(words), .. } = &error {
            let _ = write!(message, "\nthe server says: {words}");
        }
        Self { exit, message }
    }
}
