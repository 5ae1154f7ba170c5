//! Tokens from a file or standard input, tokens to a file or standard output.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use restream_oauth_core::{AccessToken, RefreshToken, Tokens};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files;
use crate::terminal::{print, say};
use crate::tokens::document::line;
use crate::tokens::elsewhere::rescue;
use crate::tokens::file::read;
use crate::tokens::owner::Owner;

/// What standard input or a file holds.
pub(crate) enum Given {
    /// Tokens in the saved form.
    Saved(Tokens),
    /// One token and nothing else.
    Bare(Zeroizing<String>),
}

impl Given {
    /// From the file, or else from standard input.
    pub(crate) fn read(file: Option<&Path>, owner: Owner<'_>) -> Result<Self, Failure> {
        if let Some(path) = file {
            return read(path, owner).map(Self::Saved);
        }
        let text = standard_input("expected saved tokens, or one token")?;
        if is_one_credential(&text) {
            return Ok(Self::Bare(text));
        }
        if text.contains('{') {
            return owner.restore(&text).map(Self::Saved).map_err(|failure| failure.about(&"standard input"));
        }
        Err(Failure::usage(format!("expected saved tokens, or one token, on standard input; {NO_CREDENTIAL}")))
    }

    pub(crate) fn refresh_token(self) -> Result<RefreshToken, Failure> {
        match self {
            Self::Saved(tokens) => saved_refresh_token(&tokens),
            Self::Bare(text) => Ok(RefreshToken::new(text.as_str())),
        }
    }

    pub(crate) fn access_token(self) -> AccessToken {
        match self {
            Self::Saved(tokens) => tokens.access_token().clone(),
            Self::Bare(text) => AccessToken::new(text.as_str()),
        }
    }
}

pub(crate) fn saved_refresh_token(tokens: &Tokens) -> Result<RefreshToken, Failure> {
    let missing =
        || Failure::new(crate::failure::Exit::Reauthorize, "the saved tokens hold no refresh token: log in again");
    tokens.refresh_token().cloned().ok_or_else(missing)
}

/// What is said of text that could be a code or a token with something else around it.
pub(crate) const NO_CREDENTIAL: &str =
    "a code or a token is one line of visible ASCII without quotes, braces or spaces";

/// True for one code or token alone. Anything else would be sent whole, with all the tokens that it may hold.
pub(crate) fn is_one_credential(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'`{}".contains(&byte))
}

/// One piece of text from standard input, without white space around it.
pub(crate) fn standard_input(expected: &str) -> Result<Zeroizing<String>, Failure> {
    if io::stdin().is_terminal() {
        say(&format!("{expected} on standard input; end it with Ctrl-D"));
    }
    let text = files::read_text(io::stdin().lock())
        .map_err(|error| Failure::other(format!("cannot read standard input: {error}")))?;
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Failure::usage(format!("{expected} on standard input, got nothing")));
    }
    Ok(Zeroizing::new(trimmed.to_owned()))
}

/// Tokens in the saved form on standard output. If nobody takes them, they are saved elsewhere.
pub(crate) fn print_tokens(tokens: &Tokens) -> Result<(), Failure> {
    print(&line(&tokens.to_saved())).map_err(|failure| rescue(failure, tokens))
}

/// Proves, before tokens are asked for, that standard output does not throw them away: the standard library opens the
/// null device in the place of a closed one.
pub(crate) fn prove_output() -> Result<(), Failure> {
    if goes_nowhere() {
        return Err(Failure::usage("standard output leads nowhere: the tokens would be lost; give --tokens FILE"));
    }
    Ok(())
}

#[cfg(unix)]
fn goes_nowhere() -> bool {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;
    let output = io::stdout().as_fd().try_clone_to_owned().and_then(|output| std::fs::File::from(output).metadata());
    let null = std::fs::metadata("/dev/null");
    matches!((output, null), (Ok(output), Ok(null)) if output.rdev() == null.rdev() && output.rdev() != 0)
}

#[cfg(not(unix))]
fn goes_nowhere() -> bool {
    false
}
