//! `revoke`: step 5. Revoking either token kills the pair.

use restream_oauth_core::{Call, Client, Revoked};
use serde_json::json;

use crate::arguments::{Revoke, TokenKind};
use crate::configuration;
use crate::failure::Failure;
use crate::terminal::print_json;
use crate::tokens::file::TokenFile;
use crate::tokens::owner::Owner;
use crate::tokens::place::Place;
use crate::tokens::revocation::{Ending, Manner};
use crate::tokens::source::Given;

pub(crate) async fn run(options: &Revoke) -> Result<(), Failure> {
    let manner = Manner { token: options.token, hint: !options.no_hint, ..Manner::of(&options.client) };
    let client = manner.client(&options.client)?;
    let owner = Owner::of(&options.client, &client);
    let transport = configuration::transport(&options.client)?;
    let place = Place::of(&options.tokens)?;
    let Some(path) = place.file() else {
        transport.send(call(&client, Given::read(&place, owner)?, manner)?).await?;
        return print_json(&json!({ "revoked": true }));
    };
    let mut file = TokenFile::at(path, options.client.timeout)?;
    let claimed = file.claim_to_end()?;
    let ending = Ending::of(&claimed, &client, owner).map_err(|failure| failure.about(&path.path().display()))?;
    let ending = ending.ok_or_else(|| file.no_tokens())?;
    ending.revoke(&client, &transport, manner).await?;
    ending.remove(&mut file, &claimed)
}

/// Makes the request for tokens from standard input.
fn call(client: &Client, given: Given, manner: Manner) -> Result<Call<Revoked>, Failure> {
    let kind = manner.token.unwrap_or(match &given {
        Given::Saved(record) if record.refresh_token().is_none() => TokenKind::Access,
        _ => TokenKind::Refresh,
    });
    // Only the user knows which kind a bare token is, so it is sent without a hint unless the user names the kind.
    let hint = manner.hint && (manner.token.is_some() || matches!(given, Given::Saved(_)));
    let request = Manner { hint, ..manner }.options();
    Ok(match kind {
        TokenKind::Access => client.revoke_with(&given.access_token(), request),
        TokenKind::Refresh => client.revoke_with(&given.refresh_token()?, request),
    })
}
