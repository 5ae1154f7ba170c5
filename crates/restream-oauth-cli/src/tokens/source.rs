//! Reads tokens from a file or standard input, and writes them to standard output.

use std::io::{self, IsTerminal as _};

use restream_oauth_core::{AccessToken, RefreshToken, Tokens};
use restream_oauth_keeper::Record;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files;
use crate::terminal::{alert, print};
use crate::tokens::document::line;
use crate::tokens::elsewhere::rescue;
use crate::tokens::file::{read, record};
use crate::tokens::owner::Owner;
use crate::tokens::place::Place;

/// What standard input is called where a file has its path.
pub(crate) const STANDARD_INPUT: &str = "standard input";

/// The content of a token file or of standard input.
pub(crate) enum Given {
    /// Tokens in the saved form, with what a keeper has written beside them.
    Saved(Box<Record>),
    /// One token alone.
    Bare(Zeroizing<String>),
}

impl Given {
    /// Reads the file, or standard input.
    pub(crate) fn read(place: &Place, owner: Owner<'_>) -> Result<Self, Failure> {
        if let Some(file) = place.file() {
            return read(file, owner).map(Self::Saved);
        }
        let text = standard_input("expected saved tokens, or one token")?;
        if is_one_credential(&text) {
            return Ok(Self::Bare(text));
        }
        if text.contains('{') {
            return record(&text, owner).map(Self::Saved).map_err(|failure| failure.about(&STANDARD_INPUT));
        }
        Err(Failure::usage(format!("expected saved tokens, or one token, on standard input; {NO_CREDENTIAL}")))
    }

    pub(crate) fn refresh_token(self) -> Result<RefreshToken, Failure> {
        match self {
            Self::Saved(record) => match record.salvaged {
                Some(newer) => Ok(newer),
                None => saved_refresh_token(&record.tokens),
            },
            Self::Bare(text) => Ok(RefreshToken::new(text.as_str())),
        }
    }

    pub(crate) fn access_token(self) -> AccessToken {
        match self {
            Self::Saved(record) => record.tokens.access_token().clone(),
            Self::Bare(text) => AccessToken::new(text.as_str()),
        }
    }
}

pub(crate) fn saved_refresh_token(tokens: &Tokens) -> Result<RefreshToken, Failure> {
    let missing =
        || Failure::new(crate::failure::Exit::Reauthorize, "the saved tokens hold no refresh token: log in again");
    tokens.refresh_token().cloned().ok_or_else(missing)
}

/// The hint for input that may hold a code or a token among other characters.
pub(crate) const NO_CREDENTIAL: &str =
    "a code or a token is one line of visible ASCII without quotes, braces or spaces";

/// True if `text` can be one code or one token alone. Other text must not be sent: it may hold several tokens.
pub(crate) fn is_one_credential(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'`{}".contains(&byte))
}

/// Reads a token from standard input that the API refused.
pub(crate) fn refused_token() -> Result<AccessToken, Failure> {
    let token = standard_input("expected the refused access token")?;
    if !is_one_credential(&token) {
        return Err(Failure::usage(format!("expected the refused access token on standard input; {NO_CREDENTIAL}")));
    }
    Ok(AccessToken::new(token.as_str()))
}

/// Reads text from standard input, and trims white space. Empty input is an error.
pub(crate) fn standard_input(expected: &str) -> Result<Zeroizing<String>, Failure> {
    if io::stdin().is_terminal() {
        alert(&format!("{expected} on standard input; end it with Ctrl-D"));
    }
    let text = files::read_text(io::stdin().lock())
        .map_err(|error| Failure::other(format!("cannot read standard input: {error}")))?;
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Failure::usage(format!("{expected} on standard input, got nothing")));
    }
    Ok(Zeroizing::new(trimmed.to_owned()))
}

/// Writes tokens in the saved form to standard output. If that fails, they are saved elsewhere.
pub(crate) fn print_tokens(tokens: &Tokens) -> Result<(), Failure> {
    let printed = print(&line(&tokens.to_saved()))
        .and_then(|()| sync_output().map_err(|error| Failure::other(format!("cannot sync standard output: {error}"))));
    printed.map_err(|failure| rescue(failure, tokens))
}

/// Syncs standard output if it is a file. Some file systems say only then that the disk is full.
#[cfg(unix)]
fn sync_output() -> io::Result<()> {
    let output = output()?;
    if output.metadata()?.is_file() { output.sync_all() } else { Ok(()) }
}

#[cfg(not(unix))]
fn sync_output() -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn output() -> io::Result<std::fs::File> {
    use std::os::fd::AsFd as _;
    io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from)
}

/// Fails if standard output discards what is written to it, before a request for tokens is sent. The standard library
/// opens the null device if standard output is closed.
pub(crate) fn prove_output() -> Result<(), Failure> {
    if goes_nowhere() {
        return Err(Failure::usage("standard output leads nowhere: the tokens would be lost; give --tokens FILE"));
    }
    Ok(())
}

#[cfg(unix)]
fn goes_nowhere() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let output = output().and_then(|output| output.metadata());
    let null = std::fs::metadata("/dev/null");
    matches!((output, null), (Ok(output), Ok(null)) if output.rdev() == null.rdev() && output.rdev() != 0)
}

#[cfg(not(unix))]
fn goes_nowhere() -> bool {
    false
}
