//! The way to a living access token for the commands that use one: what the file holds, and a refresh only if it is
//! needed.

use std::path::Path;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use restream_oauth_core::token::Binding;
use restream_oauth_core::{AccessToken, Client};
use restream_oauth_keeper::Record;
use tokio::time::timeout;

use crate::arguments::ClientOptions;
use crate::configuration;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::terminal::say;
use crate::tokens::asking::{self, Asked, WITNESS_LIMIT};
use crate::tokens::file::TokenFile;
use crate::tokens::living::{Living, at_hand, gone};
use crate::tokens::owner::Owner;
use crate::tokens::place::{Place, TokensPath};
use crate::tokens::rotation::{Rotation, words};
use crate::tokens::source::{STANDARD_INPUT, standard_input};
use crate::transport::Transport;

/// The tokens of one place.
pub(crate) struct Access<'a> {
    pub(crate) place: &'a Place,
    pub(crate) options: &'a ClientOptions,
    /// How long the access token must live on.
    pub(crate) valid_for: Duration,
}

impl<'a> Access<'a> {
    /// Returns the access token that is there, without a request; `None` if a refresh is needed. Needs no client secret.
    ///
    /// Tokens from standard input may be in doubt. The API has `refused` a token, if there is one: another must be
    /// returned.
    pub(crate) fn at_hand(&self, refused: Option<&AccessToken>) -> Result<Option<Living>, Failure> {
        let Some(place) = self.place.file() else { return self.given().map(Some) };
        let file = TokenFile::at(place, Duration::ZERO)?;
        let record = file.record()?;
        let is_over = record.as_deref().is_none_or(|record| gone(record).is_some());
        if is_over && file.has_something_left() {
            // An interrupted login may have left tokens.
            return Ok(None);
        }
        let record = record.ok_or_else(|| file.no_tokens())?;
        check_owner(&record, self.options).map_err(|failure| failure.about(&place.path().display()))?;
        if let Some(gone) = gone(&record) {
            return Err(words::gone(place.path(), gone).unwrap_or_else(|| file.no_tokens()));
        }
        if files::others_have_rights(place.path()) {
            say(&format!("warning: others can read {}: chmod 600 it", place.path().display()));
        }
        at_hand(&record, refused, self.valid_for, SystemTime::now())
    }

    /// Refreshes the tokens of a file, if that is still needed, and returns an access token: another than the one that the
    /// API has `refused`. Several calls share one `rotation`. The client is that of the saved tokens, unless the user names
    /// one.
    pub(crate) async fn renew(
        &self,
        transport: &Transport,
        rotation: &mut Option<Rotation<'a>>,
        refused: Option<&AccessToken>,
    ) -> Result<Living, Failure> {
        let place = self.place.file().ok_or_else(expired)?;
        let rotation = if let Some(rotation) = rotation {
            rotation
        } else {
            let client = client_of(place, self.options)?;
            rotation.insert(Rotation::of(place, &client, transport, self.options.timeout))
        };
        match refused {
            Some(refused) => rotation.instead_of(refused, self.valid_for).await,
            None => rotation.living(self.valid_for).await,
        }
    }

    /// Asks the API about a token whose refresh is in doubt. Fails if the API refuses it; after any other answer it may be
    /// alive.
    pub(crate) async fn ask_about(&self, living: &Living) -> Result<(), Failure> {
        let transport = configuration::transport(self.options)?;
        if is_refused(&living.access_token, self.options, &transport).await? { Err(replaced()) } else { Ok(()) }
    }

    /// Reads saved tokens from standard input. They are never rotated: the new pair would have no place.
    fn given(&self) -> Result<Living, Failure> {
        let about = |failure: Failure| failure.about(&STANDARD_INPUT);
        let text = standard_input("expected saved tokens")?;
        let record = Record::from_saved(text.as_bytes()).map_err(|error| about(error.into()))?;
        check_owner(&record, self.options).map_err(about)?;
        let dead = gone(&record).and_then(|gone| words::gone(Path::new(STANDARD_INPUT), gone));
        if let Some(failure) = dead {
            return Err(failure);
        }
        if !record.tokens.is_fresh(SystemTime::now(), Duration::ZERO) {
            return Err(expired());
        }
        Ok(Living::from(&record))
    }
}

/// Fails if the tokens belong to another server, or to another client than the one that the user names.
pub(crate) fn check_owner(record: &Record, options: &ClientOptions) -> Result<(), Failure> {
    let client = configuration::anonymous_client(options)?;
    Owner::of(options, &client).accept(&record.tokens).map(drop)
}

/// True if the API refuses an access token whose refresh is in doubt; after any other answer it may be alive.
pub(crate) async fn is_refused(
    token: &AccessToken,
    options: &ClientOptions,
    transport: &Transport,
) -> Result<bool, Failure> {
    let client = configuration::anonymous_client(options)?;
    let asked = timeout(WITNESS_LIMIT, asking::profile(token, &client, transport)).await;
    let status = match asked {
        Ok(Err(Asked::Failed(error))) => error.status(),
        _ => None,
    };
    Ok(status == Some(StatusCode::UNAUTHORIZED))
}

/// Builds the client that the user names, or else the one that the tokens of the file belong to.
pub(crate) fn client_of(place: &TokensPath, options: &ClientOptions) -> Result<Client, Failure> {
    if named_client(options).is_some() {
        return configuration::client(options);
    }
    let file = TokenFile::at(place, Duration::ZERO)?;
    let record = file.record()?;
    if record.is_none() && !file.has_something_left() {
        return Err(file.no_tokens());
    }
    configuration::client(&options_of(record.as_deref(), options))
}

/// The options with the client that the user names, or else the one that the tokens of a record belong to.
pub(crate) fn options_of(record: Option<&Record>, options: &ClientOptions) -> ClientOptions {
    let binding = record.and_then(|record| record.tokens.binding());
    let client_id = named_client(options).or(binding.map(Binding::client_id)).map(str::to_owned);
    ClientOptions { client_id, ..options.clone() }
}

/// An empty variable counts as unset.
fn named_client(options: &ClientOptions) -> Option<&str> {
    options.client_id.as_deref().filter(|id| !id.is_empty())
}

fn expired() -> Failure {
    let message = "the access token on standard input is no longer accepted, and tokens from there are never refreshed";
    Failure::new(Exit::Refresh, message)
}

fn replaced() -> Failure {
    let message = "the API refuses the access token on standard input: a refresh whose answer was lost may have replaced \
                   it; `refresh --tokens -` sends the refresh token again";
    Failure::new(Exit::Refresh, message)
}
