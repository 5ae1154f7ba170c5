//! OBS's door: the paths and the habits of the broker that OBS Studio is built for.
//!
//! OBS opens `v1/restream/redirect` in an embedded browser and looks at every URL that begins with its base: it takes what
//! follows the first `code=`, and closes the browser before the request for that URL has left. So the exchange at Restream
//! is made at `/callback`, which is outside of the base, and the code in the last URL is one of the broker's own.
//!
//! OBS posts forms whose pieces it does not encode, without a redirect URI and without cookies. It waits for five seconds.
//! It reads no answer with a status of 400 or more; an `invalid_grant` with the status 200 makes it ask the user to log in.
//! It keeps the first refresh token that it gets for ever.

use bytes::Bytes;
use http::header::{AUTHORIZATION, ORIGIN};
use http::{Response, StatusCode};
use restream_oauth_core::Scope;
use serde::Deserialize;

use super::authorize::Begin;
use super::decision::Decision;
use super::methods::{get, navigation, post};
use super::origin;
use super::page;
use super::parameters::{self, Malformed, Value};
use super::request::Request;
use super::rules::Rules;
use super::token::{Redeem, Refresh, TokenRequest, malformed, unsupported_grant_type};
use super::token_answer::{Door, Refusal, refused};
use crate::devices::{Key, Owner};

/// The scopes that OBS is built for.
const SCOPES: [&str; 2] = ["stream.default.read", "chat.default.read"];

/// Decides about a path behind the base.
pub(super) fn decide(rules: &Rules, request: &Request<'_>, path: &str) -> Decision {
    let scopes = || SCOPES.map(Scope::new).into_iter().flatten().collect();
    let begin = || navigation(request, || Begin::of_obs(rules, request, scopes()).into());
    match path {
        "v1/restream/redirect" => begin(),
        "v1/restream/finalise" => get(request, finalised),
        "v1/restream/token" | "app-auth/restream-token" => post(request, || token(request).into()),
        "app-auth/restream" | "app-auth/restream-auth.php" => match asks_for_redirect(request) {
            Ok(true) => begin(),
            Ok(false) => get(request, finalised),
            Err(Malformed(reason)) => Decision::Answer(page::refused(reason)),
        },
        _ => Decision::Answer(page::not_found()),
    }
}

/// The name of a route, for logs.
pub(super) fn route(path: &str) -> &'static str {
    match path {
        "v1/restream/redirect" => "obs_redirect",
        "v1/restream/finalise" => "obs_finalise",
        "v1/restream/token" | "app-auth/restream-token" => "obs_token",
        "app-auth/restream" | "app-auth/restream-auth.php" => "obs_older",
        _ => "obs_none",
    }
}

/// OBS has closed its browser by now. Another one shows this.
fn finalised() -> Decision {
    let body = "<p>You are logged in. You can close this window.</p>";
    Decision::Answer(page::page(StatusCode::OK, "Logged in", body))
}

fn asks_for_redirect(request: &Request<'_>) -> Result<bool, Malformed> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Query {
        action: Value,
    }
    let query: Query = parameters::read(request.query.as_bytes())?;
    Ok(query.action.get() == Some("redirect"))
}

fn token(request: &Request<'_>) -> Result<TokenRequest, Box<Response<Bytes>>> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Form {
        grant_type: Value,
        code: Value,
        refresh_token: Value,
        client_secret: Value,
    }
    // OBS is no page.
    if request.headers.contains_key(ORIGIN) {
        return Err(origin::foreign().into());
    }
    let form: Form = parameters::read(request.body).map_err(|Malformed(reason)| malformed(reason))?;
    if form.client_secret.get().is_some() || request.headers.contains_key(AUTHORIZATION) {
        return Err(malformed("a device has no secret"));
    }
    let (door, owner) = (Door::Obs, Owner::Obs);
    match (form.grant_type.get(), form.code.get(), form.refresh_token.get()) {
        (Some("authorization_code"), Some(code), _) => {
            let code = Key::parse(code).ok_or_else(|| refused(door, Refusal::Code))?;
            Ok(TokenRequest::Redeem(Redeem { door, owner, code, shown: None }))
        }
        (Some("refresh_token"), _, Some(handle)) => {
            let handle = Key::parse(handle).ok_or_else(|| refused(door, Refusal::Handle))?;
            Ok(TokenRequest::Refresh(Refresh { door, owner, handle }))
        }
        (Some("authorization_code" | "refresh_token"), _, _) => Err(malformed("expected a code or a refresh token")),
        (Some(_), ..) => Err(unsupported_grant_type()),
        (None, ..) => Err(malformed("expected grant_type")),
    }
}
