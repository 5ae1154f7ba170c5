//! `revoke`: step 5. Revoking either token kills the pair.

use restream_oauth_core::config::RevocationOptions;
use restream_oauth_core::{Call, Client, Revoked};
use serde_json::json;

use crate::arguments::{Revoke, TokenKind};
use crate::configuration;
use crate::failure::Failure;
use crate::terminal::{print_json, say};
use crate::tokens::file::TokenFile;
use crate::tokens::owner::Owner;
use crate::tokens::source::Given;

pub(crate) async fn run(options: &Revoke) -> Result<(), Failure> {
    let client = if authenticates(options) {
        configuration::client(&options.client)?
    } else {
        configuration::anonymous_client(&options.client)?
    };
    let owner = if authenticates(options) { Owner::Client(&client) } else { Owner::Server(client.endpoints()) };
    let transport = configuration::transport(&options.client)?;
    let Some(path) = options.tokens.file.as_deref() else {
        transport.send(call(options, &client, Given::read(None, owner)?)?).await?;
        return print_json(&json!({ "revoked": true }));
    };
    let file = TokenFile::lock_existing(path, options.client.timeout)?;
    transport.send(call(options, &client, Given::Saved(file.read(owner)?))?).await?;
    file.remove().map_err(|error| {
        Failure::other(format!("revoked, but {} cannot be removed: {error}; its tokens are dead", path.display()))
    })?;
    say(&format!("revoked; {} is removed", path.display()));
    Ok(())
}

/// True if the request authenticates the client. Restream does not document that; other servers ask for it (RFC 7009
/// §2.1).
fn authenticates(options: &Revoke) -> bool {
    options.client.client_auth.is_some()
}

fn call(options: &Revoke, client: &Client, given: Given) -> Result<Call<Revoked>, Failure> {
    let kind = options.token.unwrap_or(match &given {
        Given::Saved(tokens) if tokens.refresh_token().is_none() => TokenKind::Access,
        _ => TokenKind::Refresh,
    });
    // Only the user knows which kind a bare token is, so it is sent without a hint unless the user names the kind.
    let hint = !options.no_hint && (options.token.is_some() || matches!(given, Given::Saved(_)));
    let mut request = RevocationOptions::new();
    if !hint {
        request = request.without_hint();
    }
    if authenticates(options) {
        request = request.client_authentication();
    }
    Ok(match kind {
        TokenKind::Access => client.revoke_with(&given.access_token(), request),
        TokenKind::Refresh => client.revoke_with(&given.refresh_token()?, request),
    })
}
