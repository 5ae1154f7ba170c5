//! A refresh of a token that came on standard input. The pair goes to standard output.
//!
//! No file remembers a doubt here, so the run does what can be done: it sends the same refresh token again by the keeper's
//! schedule, and keeps every response that may hold a token until a pair has come.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use restream_oauth_core::error::Salvaged;
use restream_oauth_core::{Advice, Client, Delivery, Error, RefreshToken};
use restream_oauth_keeper::store::file::private_file;
use restream_oauth_keeper::{DeathCause, Policy};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::signals::{GivenUp, Interruptions};
use crate::terminal::say;
use crate::tokens::elsewhere::keep_answer_elsewhere;
use crate::tokens::kept_answer::can_hold_a_token;
use crate::tokens::rotation::{ReplayTime, words};
use crate::tokens::source::{STANDARD_INPUT, print_tokens};
use crate::transport::Transport;

/// A replay whose time passed while the one before it hung comes this long after that one ended.
const AFTER_A_LATE_ONE: Duration = Duration::from_secs(1);
/// What a run leaves behind that ends in doubt.
const IN_DOUBT: &str = "the server may have spent the refresh token, and no file remembers that: give the same token to \
                        `refresh` again, soon; if the server refuses it then, log in again";

/// Refreshes once, and prints the new pair. If a response holds a new refresh token and no access token, refreshes again
/// at once with that token. `in_doubt` is true if the answer to an earlier request with this token was lost.
pub(super) async fn refresh(
    client: Client,
    transport: Transport,
    refresh_token: &RefreshToken,
    in_doubt: bool,
) -> Result<(), Failure> {
    let mut run = Run {
        client,
        transport,
        interruptions: Interruptions::watch(),
        replay_time: ReplayTime::default(),
        kept: Vec::new(),
    };
    let first = match run.until_an_answer(refresh_token, in_doubt).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(no_pair)) => no_pair,
        Err(failure) if failure.is_interruption() => return Err(failure.and(IN_DOUBT)),
        Err(failure) => return Err(failure),
    };
    let Some(Salvaged::RefreshToken(newest)) = first.error.salvaged() else { return Err(first.into()) };
    let second = match run.until_an_answer(newest, false).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(no_pair)) => no_pair,
        Err(failure) if failure.is_interruption() => return Err(naming_newest(failure, first.kept.as_deref())),
        Err(failure) => return Err(failure),
    };
    let newest_is_in = match second.error.salvaged() {
        Some(Salvaged::RefreshToken(_)) => second.kept,
        // Both refresh tokens are dead.
        _ if second.error.advice() == Advice::Reauthorize => return Err(second.into()),
        _ => first.kept,
    };
    Err(superseded(second.error.into(), newest_is_in.as_deref()))
}

struct Run {
    client: Client,
    transport: Transport,
    /// From the first request on, signals do not end the program by themselves.
    interruptions: Interruptions,
    replay_time: ReplayTime,
    /// Where responses are kept.
    kept: Vec<PathBuf>,
}

/// Why a refresh token gave no pair, and where the last response is kept.
struct NoPair {
    error: Error,
    kept: Option<PathBuf>,
    /// True if the answer to an earlier request with the same token is not known.
    lost: bool,
}

impl Run {
    /// Sends a refresh token, and sends it again while no answer is known. Prints the pair that comes. The outer error
    /// means that the pair could not be printed, or that a signal ended the run. `in_doubt` is true if an answer was lost
    /// before.
    async fn until_an_answer(
        &mut self,
        refresh_token: &RefreshToken,
        in_doubt: bool,
    ) -> Result<Result<(), NoPair>, Failure> {
        let mut ended = None;
        let mut schedule = Policy::REPLAYS.into_iter();
        loop {
            let is_replay = in_doubt || ended.is_some();
            let Err(no_pair) = self.send(refresh_token, is_replay).await? else { return Ok(Ok(())) };
            let no_pair = NoPair { lost: is_replay, ..no_pair };
            if !is_in_doubt(&no_pair.error) {
                return Ok(Err(no_pair));
            }
            let now = Instant::now();
            let since = now.saturating_duration_since(*ended.get_or_insert(now));
            let asked = no_pair.error.retry_after().unwrap_or_default();
            let wait = schedule.next().map(|at| at.saturating_sub(since).max(AFTER_A_LATE_ONE).max(asked));
            match wait.filter(|wait| self.replay_time.has_room_after(*wait)) {
                Some(wait) => self.wait(wait, &no_pair.error).await?,
                None => return Ok(Err(no_pair)),
            }
        }
    }

    /// Sends one request, and prints the pair that arrives. A replay takes no longer than the time for replays.
    async fn send(&mut self, refresh_token: &RefreshToken, is_replay: bool) -> Result<Result<(), NoPair>, Failure> {
        let limit = if is_replay { self.replay_time.limit() } else { Duration::MAX };
        let transport = self.transport.at_most(limit);
        let answer = self.interruptions.put_off(transport.receive(self.client.refresh(refresh_token))).await;
        let answer = answer.map_err(|GivenUp| given_up("before the answer came"))?;
        let body = Zeroizing::new(answer.expose_body().to_vec());
        match answer.interpret() {
            Ok(tokens) => {
                print_tokens(&tokens)?;
                self.remove_kept();
                Ok(Ok(()))
            }
            Err(error) => {
                let kept = keep(&body, error.delivery());
                self.kept.extend(kept.clone());
                Ok(Err(NoPair { error, kept, lost: false }))
            }
        }
    }

    /// Waits for the next replay, and says why there is one. A signal ends the run.
    async fn wait(&mut self, wait: Duration, why: &Error) -> Result<(), Failure> {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        say(&format!("{}\nthe same refresh token is sent again in {seconds} s", Failure::from(why).message()));
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            _ = self.interruptions.next() => Err(given_up("before the refresh token was sent again")),
        }
    }

    /// Removes the responses that came before the pair: nothing in them is alive.
    fn remove_kept(&self) {
        for path in &self.kept {
            match private_file::remove(path) {
                Ok(()) => say(&format!("a new pair has come: {} is removed", path.display())),
                Err(error) => say(&format!("warning: {} cannot be removed: {error}", path.display())),
            }
        }
    }
}

impl From<NoPair> for Failure {
    fn from(NoPair { error, lost, .. }: NoPair) -> Self {
        let is_in_doubt = lost || is_in_doubt(&error);
        if lost && error.advice() == Advice::Reauthorize {
            return words::dead(Path::new(STANDARD_INPUT), DeathCause::LostAnswer);
        }
        let failure = Self::from(error);
        if is_in_doubt { failure.and(IN_DOUBT) } else { failure }
    }
}

/// True if the server may have spent the refresh token, and its answer gave no newer one.
fn is_in_doubt(error: &Error) -> bool {
    let may_have_acted = matches!(error.delivery(), Delivery::Unknown | Delivery::Completed);
    may_have_acted && !matches!(error.salvaged(), Some(Salvaged::RefreshToken(_)))
}

/// A signal ended the run.
fn given_up(when: &str) -> Failure {
    Failure::new(Exit::Interrupted, format!("given up {when}"))
}

/// Replaces the exit code by one that does not ask to try again: the refresh token that this run began with is dead.
fn superseded(failure: Failure, kept: Option<&Path>) -> Failure {
    naming_newest(failure.ending_with(Exit::Other), kept)
}

/// Says where the new refresh token is, which replaced the one that this run began with.
fn naming_newest(failure: Failure, kept: Option<&Path>) -> Failure {
    let Some(kept) = kept else {
        return failure.and("the refresh token is spent, and the newer one that came could not be kept: log in again");
    };
    failure.and(&format!(
        "do not use the refresh token again, it is spent: the newest one is the refresh_token in {}; give it alone, \
         soon, on standard input to `restream-oauth refresh`, and keep what that prints",
        kept.display()
    ))
}

/// Keeps the body of a response that may hold a token, and says where. The message says what an error response holds.
fn keep(body: &[u8], delivery: Delivery) -> Option<PathBuf> {
    if delivery == Delivery::Refused || !can_hold_a_token(body) {
        return None;
    }
    keep_answer_elsewhere(body)
}
