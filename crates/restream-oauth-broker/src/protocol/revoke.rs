//! The revocation endpoint (RFC 7009).

use std::fmt;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::origin::Page;
use super::parameters::Value;
use super::request::Request;
use super::respond;
use super::rules::Rules;
use super::token::{malformed, owner, read_form};
use crate::devices::Owner;

/// A device is to be ended.
pub struct Revoke {
    /// Who asks: only its own devices are ended.
    pub owner: Owner,
    token: Zeroizing<String>,
    is_access_token: bool,
}

impl Revoke {
    /// A handle or an access token.
    pub fn expose_token(&self) -> &str {
        &self.token
    }

    /// True if the device says that it is an access token (RFC 7009 §2.1). A relay says so to Restream.
    pub fn is_access_token(&self) -> bool {
        self.is_access_token
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

#[derive(Deserialize, Default)]
#[serde(default)]
struct Form {
    client_id: Value,
    token: Value,
    token_type_hint: Value,
    client_secret: Value,
    client_assertion: Value,
}

pub(super) fn read(rules: &Rules, request: &Request<'_>, page: &Page<'_>) -> Result<Revoke, Box<Response<Bytes>>> {
    let form: Form = read_form(request)?;
    let has_secret = form.client_secret.get().is_some() || form.client_assertion.get().is_some();
    let owner = owner(rules, request, form.client_id.get(), has_secret, page)?;
    let is_access_token = form.token_type_hint.get() == Some("access_token");
    let token = form.token.take().ok_or_else(|| malformed("expected token"))?;
    Ok(Revoke { owner, token: Zeroizing::new(token), is_access_token })
}
