//! Asks the API whose an access token is, which also tells whether the token is alive.

use std::time::Duration;

use http::StatusCode;
use restream_oauth_core::{AccessToken, Client, Error, Profile};
use restream_oauth_keeper::Record;

use crate::failure::{Exit, Failure};
use crate::tokens::owner::Owner;
use crate::transport::Transport;

/// The longest wait for what the API says of an access token whose refresh is in doubt.
pub(crate) const WITNESS_LIMIT: Duration = Duration::from_secs(15);

/// Asks for the profile.
pub(crate) async fn profile(token: &AccessToken, client: &Client, transport: &Transport) -> Result<Profile, Asked> {
    let call = client.profile(token).map_err(|error| Asked::Unusable(error.to_string()))?;
    transport.send(call).await.map_err(Asked::Failed)
}

/// Why there is no profile.
pub(crate) enum Asked {
    /// The token cannot be sent in a header.
    Unusable(String),
    /// The request failed, or was refused.
    Failed(Error),
}

impl From<Asked> for Failure {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Unusable(message) => Self::other(message),
            Asked::Failed(error) => error.into(),
        }
    }
}

/// Checks a record: sends one request, unless the answer is known or the tokens belong to another owner. Returns what is
/// known of the grant then, in words, and how the check ends.
pub(crate) async fn ask(
    record: &Record,
    owner: Owner<'_>,
    client: &Client,
    transport: &Transport,
) -> (String, Result<(), Failure>) {
    if let Err(failure) = owner.accept(&record.tokens) {
        return ("nothing was sent: the tokens are those of another client or server".to_owned(), Err(failure));
    }
    if let Some(death) = record.death {
        let failure = Failure::new(Exit::Reauthorize, format!("dead: {}; log in again", death.why));
        return ("nothing was sent: the account is dead".to_owned(), Err(failure));
    }
    check(record, client, transport).await
}

/// Sends one request with the access token of a record. Returns what the answer says of the grant, in words, and how the
/// check ends. A refused access token does not prove that the grant is dead: its refresh token may live.
async fn check(record: &Record, client: &Client, transport: &Transport) -> (String, Result<(), Failure>) {
    let (words, failure) = match profile(record.tokens.access_token(), client, transport).await {
        Ok(_) => ("the API accepts the access token".to_owned(), None),
        // The token is alive, and has not the scope of the profile.
        Err(Asked::Failed(error)) if error.status() == Some(StatusCode::FORBIDDEN) => {
            ("the API accepts the access token, but not for the profile".to_owned(), None)
        }
        Err(Asked::Failed(error)) if error.status() == Some(StatusCode::UNAUTHORIZED) => {
            let words = "the API refuses the access token; a refresh may help";
            (words.to_owned(), Some(Failure::from(error)))
        }
        Err(asked) => ("not known: the API could not be asked".to_owned(), Some(Failure::from(asked))),
    };
    if record.doubt.is_some() && record.death.is_none() {
        let message = format!("a refresh is in doubt: its answer was lost ({words})");
        return (words, Err(Failure::new(Exit::TryAgain, message)));
    }
    (words, failure.map_or(Ok(()), |failure| Err(failure.ending_with(Exit::TryAgain))))
}
