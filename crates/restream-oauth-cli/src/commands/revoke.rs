//! `revoke`: step 5. Revoking either token kills both.

use serde_json::json;

use crate::arguments::{Revoke, TokenKind};
use crate::configuration;
use crate::failure::{Failure, say};
use crate::token_file::TokenFile;
use crate::token_source::{Given, Owner, print_json};

use restream_oauth_core::{AccessToken, Call, Client, RefreshToken, Revoked};

pub(crate) async fn run(options: &Revoke) -> Result<(), Failure> {
    let client = configuration::anonymous_client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    let owner = Owner::Server(client.endpoints());
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

fn call(options: &Revoke, client: &Client, given: Given) -> Result<Call<Revoked>, Failure> {
    let kind = options.token.unwrap_or(match &given {
        Given::Saved(tokens) if tokens.refresh_token().is_none() => TokenKind::Access,
        _ => TokenKind::Refresh,
    });
    // Which of both a bare token is, only its owner knows.
    let hint = !options.no_hint && (options.token.is_some() || matches!(given, Given::Saved(_)));
    Ok(match kind {
        TokenKind::Access => {
            let token: AccessToken = given.access_token();
            if hint { client.revoke(&token) } else { client.revoke_without_hint(&token) }
        }
        TokenKind::Refresh => {
            let token: RefreshToken = given.refresh_token()?;
            if hint { client.revoke(&token) } else { client.revoke_without_hint(&token) }
        }
    })
}
