//! `refresh`: step 4. The refresh token is spent as soon as the server sees it. So everything that can fail on this
//! side is tried before, and every response that arrives is kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use restream_oauth_core::error::Salvaged;
use restream_oauth_core::{Advice, Client, Delivery, Error, RefreshToken};
use restream_oauth_hyper::Transport;
use zeroize::Zeroizing;

use crate::arguments::Refresh;
use crate::configuration;
use crate::failure::{Exit, Failure};
use crate::signals::{GivenUp, Interruptions};
use crate::terminal::say;
use crate::tokens::elsewhere::keep_answer_elsewhere;
use crate::tokens::file::{Place, TokenFile, put_in_place};
use crate::tokens::owner::Owner;
use crate::tokens::source::{Given, print_tokens, prove_output, saved_refresh_token};

/// How much longer than its request another refresh may hold the lock.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(options: &Refresh) -> Result<(), Failure> {
    let client = configuration::client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    let file = match &options.tokens.file {
        None => {
            prove_output()?;
            None
        }
        Some(path) => Some(TokenFile::lock_existing(path, options.client.timeout.saturating_add(PATIENCE))?),
    };
    let refresh_token = match &file {
        None => Given::read(None, Owner::Client(&client))?.refresh_token()?,
        Some(file) => saved_refresh_token(&file.read(Owner::Client(&client))?)?,
    };
    Run { client, transport, file }.refresh(&refresh_token).await
}

/// The error of a response that gave no pair, and where the response is kept.
struct NoPair {
    error: Error,
    kept: Option<PathBuf>,
}

struct Run {
    client: Client,
    transport: Transport,
    /// The locked token file. Without one, the pair goes to standard output.
    file: Option<TokenFile>,
}

impl Run {
    /// Refreshes once. If the response holds a new refresh token and no access token, refreshes again at once with that
    /// token.
    async fn refresh(&self, refresh_token: &RefreshToken) -> Result<(), Failure> {
        let first = match self.refresh_once(refresh_token, self.prepare()?).await? {
            Ok(()) => return Ok(()),
            Err(no_pair) => no_pair,
        };
        let Some(Salvaged::RefreshToken(newest)) = first.error.salvaged() else {
            return Err(first.error.into());
        };
        let room = self.prepare().map_err(|failure| superseded(failure, first.kept.as_deref()))?;
        let second = match self.refresh_once(newest, room).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(no_pair)) => no_pair,
            Err(failure) if failure.is_interruption() => return Err(naming_newest(failure, first.kept.as_deref())),
            Err(failure) => return Err(failure),
        };
        let newest_is_in = match second.error.salvaged() {
            Some(Salvaged::RefreshToken(_)) => second.kept,
            // Both refresh tokens are dead.
            _ if second.error.advice() == Advice::Reauthorize => return Err(second.error.into()),
            _ => first.kept,
        };
        Err(superseded(second.error.into(), newest_is_in.as_deref()))
    }

    /// Proves that the file can be replaced, before a request is sent.
    fn prepare(&self) -> Result<Option<Place>, Failure> {
        self.file.as_ref().map(TokenFile::prepare).transpose()
    }

    /// Sends one request, and stores the pair that arrives. The outer error means that the pair could not be stored, or
    /// that a second signal ended the wait.
    async fn refresh_once(
        &self,
        refresh_token: &RefreshToken,
        room: Option<Place>,
    ) -> Result<Result<(), NoPair>, Failure> {
        let call = self.client.refresh(refresh_token);
        let answer = Interruptions::watch().put_off(self.transport.receive(call)).await;
        let answer = answer.map_err(|GivenUp| {
            let message = "given up before the answer came: the server may have spent the refresh token; \
                           if `refresh` says so, log in again";
            Failure::new(Exit::Interrupted, message)
        })?;
        let body = Zeroizing::new(answer.expose_body().to_vec());
        match (answer.interpret(), self.file.as_ref().zip(room)) {
            (Ok(tokens), None) => print_tokens(&tokens).map(Ok),
            (Ok(tokens), Some((file, room))) => {
                put_in_place(file, room, &tokens)?;
                say("refreshed");
                Ok(Ok(()))
            }
            (Err(error), place) => {
                let kept = keep(&body, error.delivery(), place);
                Ok(Err(NoPair { error, kept }))
            }
        }
    }
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

/// Keeps the body of a response, and says where. Does not keep an empty body. Without a token file it does not keep an
/// error response either: the error message says what it holds.
fn keep(body: &[u8], delivery: Delivery, place: Option<(&TokenFile, Place)>) -> Option<PathBuf> {
    match place {
        _ if body.is_empty() => None,
        Some((file, room)) => Some(file.keep_answer(room, body, delivery)),
        None if delivery == Delivery::Refused => None,
        None => keep_answer_elsewhere(body),
    }
}
