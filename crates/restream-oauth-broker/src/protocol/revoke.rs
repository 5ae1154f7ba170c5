//! The revocation endpoint (RFC 7009).

use std::fmt;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Decision;
use super::parameters::Value;
use super::request::Request;
use super::respond;
use super::rules::{Client, Rules};
use super::token::{malformed, owner, read_form};
use crate::devices::Owner;

/// A device is to be ended.
pub struct Revoke {
    /// Who asks: only its own devices are ended.
    pub owner: Owner,
    token: Zeroizing<String>,
}

impl Revoke {
    /// A handle or an access token.
    pub fn expose_token(&self) -> &str {
        &self.token
    }

    /// The answer, whatever the token was (RFC 7009 §2.2).
    pub fn done() -> Response<Bytes> {
        respond::empty(StatusCode::OK)
    }
}

/// Hides the token.
impl fmt::Debug for Revoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revoke").field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// `token_type_hint` is not read: what the token is can be seen.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Form {
    client_id: Value,
    token: Value,
    client_secret: Value,
    client_assertion: Value,
}

pub(super) fn decide(rules: &Rules, request: &Request<'_>, client_may_use: &dyn Fn(&Client) -> bool) -> Decision {
    let form: Form = match read_form(request) {
        Ok(form) => form,
        Err(answer) => return Decision::Answer(*answer),
    };
    let has_secret = form.client_secret.get().is_some() || form.client_assertion.get().is_some();
    match (owner(rules, request, form.client_id.get(), has_secret, client_may_use), form.token.take()) {
        (Err(answer), _) => Decision::Answer(*answer),
        (Ok(owner), Some(token)) => Decision::Revoke(Revoke { owner, token: Zeroizing::new(token) }),
        (Ok(_), None) => malformed("expected token"),
    }
}
