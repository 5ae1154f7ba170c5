//! OBS's door: the paths and the habits of the broker that OBS Studio is built for.
//!
//! OBS opens `v1/restream/redirect` in an embedded browser and looks at every URL that begins with its base: it takes what
//! follows the first `code=`, and closes the browser before the request for that URL has left. So the exchange at Restream
//! is made at `/callback`, which is outside of the base, and the code in the last URL is one of the broker's own.
//!
//! OBS posts forms whose pieces it does not encode, without a redirect URI and without cookies. It waits for five seconds.
//! It reads no answer with a status of 400 or more; an `invalid_grant` with the status 200 makes it ask the user to log in.
//! It keeps the first refresh token that it gets for ever.

use http::StatusCode;
use http::header::{AUTHORIZATION, ORIGIN};
use serde::Deserialize;

use super::authorize::Begin;
use super::page;
use super::parameters::{self, Malformed, Value};
use super::request::Request;
use super::respond;
use super::rules::Rules;
use super::token::{Redeem, Refresh, malformed};
use super::token_answer::{Door, Refusal, refused};
use super::{Decision, get, navigation, origin, post};
use crate::devices::{Key, Owner};

/// The scopes that OBS is built for.
pub(super) const SCOPES: [&str; 2] = ["stream.default.read", "chat.default.read"];

/// Decides about a path behind the base.
pub(super) fn decide(rules: &Rules, request: &Request<'_>, path: &str) -> Decision {
    let begin = || navigation(request, || Decision::Begin(Begin::of_obs(rules, request)));
    match path {
        "v1/restream/redirect" => begin(),
        "v1/restream/finalise" => get(request, finalised),
        "v1/restream/token" | "app-auth/restream-token" => post(request, || token(request)),
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

/// The URL at which OBS takes the code and closes its browser.
pub(super) fn finalise_url(rules: &Rules, code: &Key) -> String {
    let prefix = rules.obs_prefix.as_deref().unwrap_or("/");
    format!("{}{prefix}v1/restream/finalise?code={}", rules.issuer, code.expose_secret())
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

fn token(request: &Request<'_>) -> Decision {
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
        return Decision::Answer(origin::foreign());
    }
    let form: Form = match parameters::read(request.body) {
        Ok(form) => form,
        Err(Malformed(reason)) => return malformed(reason),
    };
    if form.client_secret.get().is_some() || request.headers.contains_key(AUTHORIZATION) {
        return malformed("a device has no secret");
    }
    let unknown = |refusal| Decision::Answer(refused(Door::Obs, refusal));
    match (form.grant_type.get(), form.code.get(), form.refresh_token.get()) {
        (Some("authorization_code"), Some(code), _) => Key::parse(code).map_or_else(
            || unknown(Refusal::Code),
            |code| Decision::Redeem(Redeem { door: Door::Obs, owner: Owner::Obs, code, shown: None }),
        ),
        (Some("refresh_token"), _, Some(handle)) => Key::parse(handle).map_or_else(
            || unknown(Refusal::Handle),
            |handle| Decision::Refresh(Refresh { door: Door::Obs, owner: Owner::Obs, handle }),
        ),
        (Some("authorization_code" | "refresh_token"), _, _) => malformed("expected a code or a refresh token"),
        (Some(_), ..) => Decision::Answer(respond::error(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "expected grant_type authorization_code or refresh_token",
        )),
        (None, ..) => malformed("expected grant_type"),
    }
}
