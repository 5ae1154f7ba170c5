//! Stores the tokens of a login.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use restream_oauth_core::{Client, Tokens};
use restream_oauth_keeper::store::file::private_file;
use restream_oauth_keeper::{Record, Stored, Token, TokenError};

use crate::failure::{Exit, Failure};
use crate::signals::Interruptions;
use crate::terminal::{alert, print, print_json, say};
use crate::tokens::document::line;
use crate::tokens::elsewhere::{rescue, save_elsewhere, words_of};
use crate::tokens::file::TokenFile;
use crate::tokens::keeping::{Keeping, Told};
use crate::tokens::owner::other_owner;
use crate::tokens::place::{Place, TokensPath};
use crate::tokens::source::{print_tokens, prove_output};
use crate::tokens::status::status;

/// How long a login waits for the lock: a refresh holds it for as long as its request takes.
const LOCK_PATIENCE: Duration = Duration::from_secs(100);

/// Proves that the tokens of a login can be stored, before a person or a server is asked for them.
pub(crate) fn prove(place: &Place, patience: Duration) -> Result<(), Failure> {
    let Some(file) = place.file() else { return prove_output() };
    file.create_folder()?;
    TokenFile::at(file, patience)?.prove_writable()
}

/// Prints the status of the account after a login. Prints the tokens instead if the user has asked for them, or if they
/// have no other place.
pub(crate) fn show_login(place: &Place, tokens: &Tokens, wants_tokens: bool) -> Result<(), Failure> {
    let Some(file) = place.file() else { return print_tokens(tokens) };
    if wants_tokens {
        return print(&line(&tokens.to_saved()));
    }
    let record = TokenFile::at(file, Duration::ZERO)?.record()?;
    // The user may have logged out meanwhile.
    record.map_or(Ok(()), |record| print_json(&status(file, &record, SystemTime::now())))
}

/// Stores the tokens of a login, and says so if the file held tokens of another owner. Returns what they replaced. Puts
/// off the first signal until the tokens are safe. If they cannot be put in place, the failure says where they are.
pub(crate) async fn store_login(
    place: &TokensPath,
    tokens: &Tokens,
    client: &Client,
    interruptions: &mut Interruptions,
) -> Result<Option<Box<Record>>, Failure> {
    let mut file = TokenFile::at(place, Duration::ZERO).map_err(|failure| rescue(failure, tokens))?;
    let mut keeping = Keeping::of(&mut file, client);
    keeping.log_in(tokens.clone(), LOCK_PATIENCE);
    let mut storing = Storing {
        path: place.path(),
        tokens,
        client,
        logins: keeping.file().logins(),
        replaced: None,
        stashed: false,
        copy: None,
        waits: false,
    };
    loop {
        match storing.advance(&mut keeping) {
            Some(Ok(())) => {
                storing.remove_copy();
                return Ok(storing.replaced);
            }
            Some(Err(failure)) => return Err(storing.naming_the_tokens(failure)),
            None => {}
        }
        let nap = tokio::time::sleep(keeping.nap());
        let again = tokio::select! {
            () = nap => None,
            again = interruptions.next() => Some(again),
        };
        match again {
            Some(again) if again || storing.is_safe() => {
                let failure = Failure::new(Exit::Interrupted, "given up before the tokens were in place");
                return Err(storing.naming_the_tokens(failure));
            }
            Some(_) => alert("waiting until the tokens are stored: interrupt again to give up all the same"),
            None => keeping.tick(),
        }
    }
}

struct Storing<'a> {
    path: &'a Path,
    tokens: &'a Tokens,
    client: &'a Client,
    /// The folder in which the tokens wait.
    logins: PathBuf,
    /// What the file held when it was claimed.
    replaced: Option<Box<Record>>,
    /// True once the tokens are in that folder.
    stashed: bool,
    /// Where else the tokens are, if they cannot be in that folder.
    copy: Option<PathBuf>,
    /// True once the user knows that another process has the file.
    waits: bool,
}

impl Storing<'_> {
    /// Does what can be done now. Returns how it ended, if it has.
    fn advance(&mut self, keeping: &mut Keeping<'_>) -> Option<Result<(), Failure>> {
        while let Some(request) = keeping.advance() {
            // Only a logout that another process has begun sends something. The next process finishes it.
            keeping.hung_up(request.ticket);
        }
        let (mut end, mut not_stored) = (None, None);
        while let Some(told) = keeping.told() {
            match told {
                Told::Stashed(result) => self.stashed = result.is_ok(),
                Told::Busy => self.say_waiting(),
                Told::Claimed(Stored::Grant(record)) => self.replaced = Some(record),
                Told::Claimed(_) => self.replaced = None,
                Told::NotStored(error) => not_stored = Some(Err(Failure::from(error))),
                Told::Resolved(result) => end = Some(self.judge(result, keeping.file())),
                Told::Event(_) => {}
            }
        }
        let other = || other_owner(&self.replaced.as_ref()?.tokens, self.client);
        if let (Some(Ok(())), Some(other)) = (&end, other()) {
            let path = self.path.display();
            say(&format!("warning: {path} held tokens of {other}: they are replaced, and not revoked"));
        }
        end.or(not_stored)
    }

    fn judge(&mut self, result: Result<Option<Arc<Token>>, TokenError>, file: &TokenFile) -> Result<(), Failure> {
        match result {
            Ok(Some(token)) if token.access_token() == self.tokens.access_token() => Ok(()),
            Ok(_) => {
                // The store drops the tokens of a login that was overtaken.
                self.stashed = false;
                Err(Failure::other(format!("{} holds the tokens of a later login", self.path.display())))
            }
            Err(TokenError::TimedOut { .. }) => Err(file.in_use()),
            Err(TokenError::OtherOwner(error)) => Err(error.into()),
            Err(error) => Err(Failure::other(format!("the tokens may not have been stored: {error}"))),
        }
    }

    /// Says that another process has the file, once. Before that, it sees to it that a user who stops waiting loses
    /// nothing.
    fn say_waiting(&mut self) {
        if std::mem::replace(&mut self.waits, true) {
            return;
        }
        let words = if self.stashed {
            self.words()
        } else {
            let saved = save_elsewhere(self.tokens);
            let words = match &saved {
                Ok(copy) => format!("meanwhile the new tokens are in {}", copy.display()),
                Err(_) => words_of(&saved),
            };
            self.copy = saved.ok();
            words
        };
        alert(&format!("waiting for {}, which is in use by another process; {words}", self.path.display()));
    }

    fn is_safe(&self) -> bool {
        self.stashed || self.copy.is_some()
    }

    fn words(&self) -> String {
        format!("the new tokens are in {}: the next `refresh` puts them in place", self.logins.display())
    }

    /// Adds to a failure where the tokens are.
    fn naming_the_tokens(&self, failure: Failure) -> Failure {
        match &self.copy {
            _ if self.stashed => failure.and(&self.words()),
            Some(copy) => failure.and(&words_of(&Ok(copy.clone()))),
            None => rescue(failure, self.tokens),
        }
    }

    fn remove_copy(&self) {
        let Some(copy) = &self.copy else { return };
        if let Err(error) = private_file::remove(copy) {
            say(&format!("warning: a copy of the tokens in {} cannot be removed: {error}", copy.display()));
        }
    }
}
