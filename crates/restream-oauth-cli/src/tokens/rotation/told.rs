//! What the machine tells of a run, and what that means for the run.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use restream_oauth_core::Error;
use restream_oauth_keeper::{EventKind, Gone, Problem, Record, Token, TokenError};

use super::replay_time::has_lost_an_answer;
use super::run::{Done, How, Run, Want};
use super::words;
use crate::failure::{Exit, Failure};
use crate::terminal::say;
use crate::tokens::elsewhere::{save_document_elsewhere, words_of};
use crate::tokens::keeping::Told;
use crate::tokens::living::Living;

impl Run<'_> {
    /// Judges everything that the machine has told.
    pub(super) fn listen(&mut self) {
        while let Some(told) = self.keeping.told() {
            match told {
                Told::Event(event) => self.happened(event),
                Told::Resolved(result) => self.resolved(result),
                Told::Busy => self.is_busy(),
                Told::Claimed(stored) => {
                    self.busy = false;
                    // The claim comes before each request, and says more than what was read before it.
                    self.in_doubt = stored.record().is_some_and(|record| record.doubt.is_some());
                }
                Told::Stashed(_) | Told::NotStored(_) => {}
            }
        }
    }

    fn is_busy(&mut self) {
        self.busy = true;
        self.keeping.say_busy();
        if has_lost_an_answer(self.record) {
            // The other process sends a replay. To wait for that is part of the time that this run has.
            self.means.replay_time.begin();
        }
    }

    fn happened(&mut self, event: EventKind) {
        match event {
            EventKind::Rotated { .. } | EventKind::Recovered { .. } => {
                if self.requests == 0 {
                    say("found the answer to an interrupted refresh, and put its tokens in place");
                }
                self.end = Some(Ok(Done { how: How::Refreshed, token: None }));
            }
            EventKind::InDoubt { error: Some(error), .. } if self.requests > 0 => {
                self.in_doubt = true;
                self.doubtful = Some(self.lost(&error));
            }
            EventKind::InDoubt { error, .. } => {
                self.in_doubt = true;
                say(match error {
                    Some(_) => "an interrupted run had left an answer, which holds no whole pair",
                    None => "an interrupted run may have sent the refresh token: it is sent again",
                });
            }
            EventKind::Dead { why } => self.end = Some(Err(words::dead(self.path, why))),
            EventKind::Failed(Problem::Request(error)) => self.trouble = Some(Failure::from(&*error)),
            // What the server said says more.
            EventKind::Failed(Problem::Store(error)) if self.trouble.is_none() && self.doubtful.is_none() => {
                self.trouble = Some(self.rescue(error.into()));
            }
            // The next replay cannot be prepared.
            EventKind::Failed(Problem::Store(_)) => self.store_fails = true,
            // So does the new pair, if it is in place.
            EventKind::Stranded { error, .. } if self.end.is_none() => {
                self.end = Some(Err(self.rescue(error.into())));
            }
            EventKind::LoggedIn { .. } => {
                say("found tokens of a login, which an interrupted run had left, and put them in place");
            }
            EventKind::LoggedOut => self.end = words::gone(self.path, Gone::LoggedOut).map(Err),
            _ => {}
        }
    }

    fn resolved(&mut self, result: Result<Option<Arc<Token>>, TokenError>) {
        self.waits = false;
        match result {
            Ok(Some(token)) if token.generation() > self.known => self.is_newer(token),
            Ok(token) => self.served = token.filter(|_| matches!(self.want, Want::Living(_))),
            Err(TokenError::TimedOut { .. }) if self.doubtful.is_some() || self.trouble.is_some() => {}
            Err(TokenError::TimedOut { last: Some(Problem::Busy) }) if self.can_go_on() => {
                say(&format!(
                    "warning: {} is still in use by another process, so nothing was refreshed\nthe access token that was \
                     there before is still used",
                    self.path.display()
                ));
                self.end.get_or_insert(Ok(Done { how: How::Kept, token: None }));
            }
            Err(error) => {
                let failure = match error {
                    TokenError::Gone(gone) => {
                        words::gone(self.path, gone).unwrap_or_else(|| self.keeping.file().no_tokens())
                    }
                    TokenError::OtherOwner(error) => Failure::from(error).about(&self.path.display()),
                    TokenError::Store(error) => error.into(),
                    TokenError::Configuration(error) => Failure::from(&*error),
                    TokenError::TimedOut { last: Some(Problem::Busy) } => self.keeping.file().in_use(),
                    error => Failure::new(Exit::TryAgain, format!("{}: {error}", self.path.display())),
                };
                self.end.get_or_insert(Err(failure));
            }
        }
    }

    /// True if the token in the file will do, although it could not be refreshed: it lives, and nobody has sent its refresh
    /// token.
    fn can_go_on(&self) -> bool {
        let lives = |record: &Record| Living::of_record(record, Duration::ZERO, SystemTime::now()).is_some();
        let record = self.keeping.file().record();
        matches!(self.want, Want::Living(_)) && record.is_ok_and(|record| record.as_deref().is_some_and(lives))
    }

    fn is_newer(&mut self, token: Arc<Token>) {
        match &mut self.end {
            Some(Ok(done)) => done.token = Some(token),
            Some(Err(_)) => {}
            None if self.want == Want::Own => {
                // Another process was faster. Its pair is rotated too.
                self.known = token.generation();
                self.wish();
                self.again = true;
            }
            None => {
                let how = if self.requests > 0 { How::Refreshed } else { How::Adopted };
                self.end = Some(Ok(Done { how, token: Some(token) }));
            }
        }
    }

    /// The response did not come, or holds no pair.
    fn lost(&self, error: &Error) -> Failure {
        Failure::from(error).ending_with(Exit::TryAgain).and(&words::of_a_doubt(self.path))
    }

    /// Saves tokens elsewhere that are in memory alone.
    fn rescue(&self, failure: Failure) -> Failure {
        match self.keeping.export() {
            None => failure,
            Some(document) => failure.and(&words_of(&save_document_elsewhere(&document))),
        }
    }
}
