//! `profile`: asks whose access token it is, and whether it is alive.

use serde_json::json;

use crate::arguments::Profile;
use crate::configuration;
use crate::failure::Failure;
use crate::terminal::print_json;
use crate::tokens::owner::Owner;
use crate::tokens::source::Given;

pub(crate) async fn run(options: &Profile) -> Result<(), Failure> {
    let client = configuration::anonymous_client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    let access_token = Given::read(options.tokens.file.as_deref(), Owner::Server(client.endpoints()))?.access_token();
    let call = client.profile(&access_token).map_err(|error| Failure::other(error.to_string()))?;
    let profile = transport.send(call).await?;
    print_json(&json!({ "id": profile.id(), "username": profile.username(), "email": profile.email() }))
}
