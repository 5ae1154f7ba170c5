//! `profile`: asks whose access token it is, and whether it is alive.

use std::time::Duration;

use serde_json::json;

use crate::arguments::Profile;
use crate::configuration;
use crate::failure::{Exit, Failure};
use crate::terminal::print_json;
use crate::tokens::file::TokenFile;
use crate::tokens::living::gone;
use crate::tokens::owner::Owner;
use crate::tokens::place::Place;
use crate::tokens::rotation::words;
use crate::tokens::source::Given;

pub(crate) async fn run(options: &Profile) -> Result<(), Failure> {
    let client = configuration::anonymous_client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    let owner = Owner::of(&options.client, &client);
    let place = Place::of(&options.tokens)?;
    let access_token = Given::read(&place, owner)?.access_token();
    let call = client.profile(&access_token).map_err(|error| Failure::other(error.to_string()))?;
    let profile = transport.send(call).await.map_err(|error| refused(&place, error.into()))?;
    print_json(&json!({ "id": profile.id(), "username": profile.username(), "email": profile.email() }))
}

/// Does not advise to refresh a grant that is known to be dead.
fn refused(place: &Place, failure: Failure) -> Failure {
    let Some(place) = place.file().filter(|_| failure.exit() == Exit::Refresh) else { return failure };
    let record = TokenFile::at(place, Duration::ZERO).and_then(|file| file.record()).ok().flatten();
    let gone = record.and_then(|record| words::gone(place.path(), gone(&record)?));
    gone.unwrap_or(failure)
}
