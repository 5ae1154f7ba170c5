//! The token endpoint of the plain door (RFC 6749 §4.1.3 and §6).

use std::fmt;

use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::origin::{self, Page};
use super::parameters::{self, Malformed, Value};
use super::request::Request;
use super::respond;
use super::rules::Rules;
use super::token_answer::{Door, Refusal, refused};
use crate::devices::{Key, Owner, Shown};

/// A code is to be redeemed.
pub struct Redeem {
    /// The door through which it came.
    pub door: Door,
    /// Who sent it.
    pub owner: Owner,
    /// The code.
    pub code: Key,
    /// The redirect URI and the verifier; `None` at OBS's door.
    pub(super) shown: Option<(String, Zeroizing<String>)>,
}

impl Redeem {
    /// What came with the code.
    pub fn shown(&self) -> Shown<'_> {
        self.shown.as_ref().map(|(redirect_uri, verifier)| (redirect_uri.as_str(), verifier.as_str()))
    }
}

/// Hides what came with the code.
impl fmt::Debug for Redeem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redeem").field("owner", &self.owner).field("code", &self.code).finish_non_exhaustive()
    }
}

/// A device asks for the access token that is alive.
#[derive(Debug)]
pub struct Refresh {
    /// The door through which it came.
    pub door: Door,
    /// Who asks.
    pub owner: Owner,
    /// The handle.
    pub handle: Key,
}

/// A device sends a refresh token of Restream, because it has its pair from a relay.
pub struct Relayed {
    /// Who sent it.
    pub owner: Owner,
    refresh_token: Zeroizing<String>,
}

impl Relayed {
    /// The refresh token.
    pub fn expose_token(&self) -> &str {
        &self.refresh_token
    }
}

/// Hides the token.
impl fmt::Debug for Relayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relayed").field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// What a device asks of the token endpoint.
pub(super) enum TokenRequest {
    Redeem(Redeem),
    Refresh(Refresh),
    Relay(Relayed),
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Form {
    grant_type: Value,
    client_id: Value,
    code: Value,
    redirect_uri: Value,
    code_verifier: Value,
    refresh_token: Value,
    client_secret: Value,
    client_assertion: Value,
}

pub(super) fn read(
    rules: &Rules,
    request: &Request<'_>,
    page: &Page<'_>,
) -> Result<TokenRequest, Box<Response<Bytes>>> {
    let form: Form = read_form(request)?;
    let has_secret = form.client_secret.get().is_some() || form.client_assertion.get().is_some();
    let owner = owner(rules, request, form.client_id.get(), has_secret, page)?;
    let door = Door::Plain;
    match form.grant_type.get() {
        Some("authorization_code") => {
            let (Some(code), Some(redirect_uri), Some(verifier)) =
                (form.code.get(), form.redirect_uri.get(), form.code_verifier.get())
            else {
                return Err(malformed("expected code, redirect_uri and code_verifier"));
            };
            let code = Key::parse(code).ok_or_else(|| refused(door, Refusal::Code))?;
            let shown = Some((redirect_uri.to_owned(), Zeroizing::new(verifier.to_owned())));
            Ok(TokenRequest::Redeem(Redeem { door, owner, code, shown }))
        }
        Some("refresh_token") if rules.is_relay => {
            let refresh_token = form.refresh_token.take().ok_or_else(|| malformed("expected refresh_token"))?;
            Ok(TokenRequest::Relay(Relayed { owner, refresh_token: Zeroizing::new(refresh_token) }))
        }
        Some("refresh_token") => {
            let handle = form.refresh_token.get().ok_or_else(|| malformed("expected refresh_token"))?;
            let handle = Key::parse(handle).ok_or_else(|| refused(door, Refusal::Handle))?;
            Ok(TokenRequest::Refresh(Refresh { door, owner, handle }))
        }
        Some(_) => Err(unsupported_grant_type()),
        None => Err(malformed("expected grant_type")),
    }
}

pub(super) fn unsupported_grant_type() -> Box<Response<Bytes>> {
    let reason = "expected grant_type authorization_code or refresh_token";
    respond::error(StatusCode::BAD_REQUEST, "unsupported_grant_type", reason).into()
}

/// Reads the form of a request to an endpoint for programs.
pub(super) fn read_form<T: serde::de::DeserializeOwned>(request: &Request<'_>) -> Result<T, Box<Response<Bytes>>> {
    if !request.has_form() {
        let reason = "expected a body of the type application/x-www-form-urlencoded";
        return Err(malformed(reason));
    }
    parameters::read(request.body).map_err(|Malformed(reason)| malformed(reason))
}

/// Who sends a form. The clients are public ones: whoever sends a secret has the wrong server, or the wrong idea of who may
/// hold it, and should not learn that any secret will do.
pub(super) fn owner(
    rules: &Rules,
    request: &Request<'_>,
    client_id: Option<&str>,
    has_secret: bool,
    page: &Page<'_>,
) -> Result<Owner, Box<Response<Bytes>>> {
    if request.headers.contains_key(AUTHORIZATION) {
        let reason = "this is a public client: it must send client_id in the form, and no Authorization header";
        let mut answer = respond::error(StatusCode::UNAUTHORIZED, "invalid_client", reason);
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"public clients only\""));
        return Err(answer.into());
    }
    let invalid = |reason| respond::error(StatusCode::BAD_REQUEST, "invalid_client", reason);
    if has_secret {
        return Err(invalid("this is a public client: it must not send a secret").into());
    }
    let client_id = client_id.ok_or_else(|| respond::invalid_request("expected client_id"))?;
    let client = rules.client(client_id).ok_or_else(|| invalid("the client is not known here"))?;
    if !page.may_act_for(client) {
        return Err(origin::foreign().into());
    }
    Ok(Owner::Client(client.id.clone()))
}

pub(super) fn malformed(reason: &str) -> Box<Response<Bytes>> {
    respond::invalid_request(reason).into()
}
