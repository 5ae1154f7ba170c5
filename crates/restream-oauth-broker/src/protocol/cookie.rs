//! The cookie that binds a login to the browser in which it began.
//!
//! Without it, an attacker could begin a login, approve it himself, and let somebody else's browser follow the way back
//! (RFC 6749 §10.12). It is one random value a browser, which all its logins share, so that several can go on at once.

use std::fmt;

use http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use zeroize::Zeroizing;

use super::rules::Rules;
use crate::devices::Hash;
use crate::devices::key::hex;

/// The value of the cookie: 64 hexadecimal digits that only this browser and the broker know.
#[derive(Clone, PartialEq, Eq)]
pub struct Browser(Zeroizing<String>);

impl Browser {
    /// A browser that has no cookie yet, from random bytes of the operating system.
    pub fn new(random: [u8; 32]) -> Self {
        let random = Zeroizing::new(random);
        Self(Zeroizing::new(hex(random.as_slice())))
    }

    /// What a login remembers of it.
    pub fn hash(&self) -> Hash {
        Hash::of(self.0.as_bytes())
    }

    /// The cookie that this request brought, if it is one of ours.
    pub(super) fn of(rules: &Rules, headers: &HeaderMap) -> Option<Self> {
        let fields = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies = fields.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        let mut ours = cookies.filter(|(name, _)| *name == cookie_name(rules)).map(|(_, value)| value);
        let is_ours = |value: &&str| {
            value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        ours.find(is_ours).map(|value| Self(Zeroizing::new(value.to_owned())))
    }

    /// The header field that sets it. It goes when the browser is closed.
    pub(super) fn set(&self, rules: &Rules) -> (http::HeaderName, HeaderValue) {
        let secure = if rules.is_https() { "; Secure" } else { "" };
        let text = format!("{}={}; Path=/; HttpOnly; SameSite=Lax{secure}", cookie_name(rules), &*self.0);
        let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        (SET_COOKIE, value)
    }

    /// The cookie itself. No other method returns it: search for this name to find every use.
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

/// The prefix keeps other hosts of the same site from setting it (RFC 6265bis §4.1.3.2). Browsers take it over https only.
fn cookie_name(rules: &Rules) -> &'static str {
    if rules.is_https() { "__Host-restream-oauth-broker" } else { "restream-oauth-broker" }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Browser(redacted)")
    }
}
