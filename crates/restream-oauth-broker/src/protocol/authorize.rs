//! The first step: the page that names the client, and the way to Restream (RFC 6749 §4.1.1, RFC 7636 §4.3).

use std::fmt;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{Response, StatusCode};
use restream_oauth_core::Scope;
use restream_oauth_core::config::ConfigError;
use restream_oauth_core::login::LoginOptions;
use serde::Deserialize;

use super::callback::error_to;
use super::confirmation;
use super::cookie::Browser;
use super::page::{self, escape};
use super::parameters::{self, Malformed, Value};
use super::paths::CONTINUE;
use super::request::Request;
use super::respond;
use super::rules::Rules;
use crate::devices::{CodeBinding, Owner};

/// The longest `state` of a device, in bytes: it has to fit into the URL of its callback.
const LONGEST_STATE: usize = 2048;

/// The longest `scope` of a device, in bytes: each login that waits keeps it, and each scope is compared with the others.
const LONGEST_SCOPE: usize = 2048;

/// The page that names the client is to be shown.
#[derive(Debug)]
pub struct Ask {
    target: Target,
    known: Option<Browser>,
}

/// A login is to begin: its browser goes to Restream.
#[derive(Debug)]
pub struct Begin {
    /// What comes after Restream.
    pub target: Target,
    known: Option<Browser>,
}

/// What a login is for, and where its code goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Whom the code and the handle will be bound to.
    pub owner: Owner,
    /// What the code will be bound to besides; `None` at OBS's door.
    pub binding: Option<CodeBinding>,
    /// The `state` of the device, which goes back as it came.
    pub device_state: Option<String>,
    /// The scopes to ask Restream for.
    pub scopes: Vec<Scope>,
}

/// Hides the `state` of the device.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, scopes, .. } = self;
        f.debug_struct("Target").field("owner", owner).field("scopes", scopes).finish_non_exhaustive()
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Parameters {
    client_id: Value,
    redirect_uri: Value,
    response_type: Value,
    scope: Value,
    state: Value,
    code_challenge: Value,
    code_challenge_method: Value,
    client_secret: Value,
}

pub(super) fn ask(rules: &Rules, request: &Request<'_>) -> Result<Ask, Box<Response<Bytes>>> {
    let target = Target::read(rules, request.query)?;
    Ok(Ask { target, known: Browser::of(rules, request.headers) })
}

/// The link on the page was followed.
pub(super) fn begin(rules: &Rules, request: &Request<'_>) -> Result<Begin, Box<Response<Bytes>>> {
    let known = Browser::of(rules, request.headers);
    let query = known.as_ref().and_then(|browser| confirmation::confirmed(browser, request.query));
    let Some(query) = query else {
        let reason = "This link works only in the browser in which it was shown, with cookies. Begin the login again in the program.";
        return Err(page::refused(reason).into());
    };
    Ok(Begin { target: Target::read(rules, query)?, known })
}

impl Ask {
    /// The page: it names the client that asks, and leads on by a link. `random` becomes the cookie of a browser that has
    /// none.
    pub fn page(&self, rules: &Rules, random: [u8; 32]) -> Response<Bytes> {
        let browser = self.known.clone().unwrap_or_else(|| Browser::new(random));
        let link = format!("{CONTINUE}?{}", confirmation::confirm(&browser, &self.target.query()));
        let name = escape(self.target.owner.client_id());
        let back = self.target.binding.as_ref().map(|binding| escape(place(&binding.redirect_uri))).unwrap_or_default();
        let body = format!(
            "<p><strong>{name}</strong> asks for access to your Restream account. \
             Afterwards you return to <strong>{back}</strong>.</p>\n\
             <p><a href=\"{}\">Continue to Restream</a></p>\n\
             <p>If you have not begun this login in {name} yourself, close this page.</p>",
            escape(&link)
        );
        let mut answer = page::page(StatusCode::OK, "Log in with Restream", &body);
        if self.known.is_none() {
            answer.headers_mut().extend([browser.set(rules)]);
        }
        answer
    }
}

impl Begin {
    /// A login through OBS's door, for these scopes.
    pub(super) fn of_obs(rules: &Rules, request: &Request<'_>, scopes: Vec<Scope>) -> Self {
        let target = Target { owner: Owner::Obs, binding: None, device_state: None, scopes };
        Self { target, known: Browser::of(rules, request.headers) }
    }

    /// The browser in which the login begins. `random` becomes the cookie of one that has none.
    pub fn browser(&self, random: [u8; 32]) -> Browser {
        self.known.clone().unwrap_or_else(|| Browser::new(random))
    }

    /// How Restream is asked.
    ///
    /// # Errors
    /// [`ConfigError`] if the authorization URL of the configuration has a parameter of its own that is in the way.
    pub fn options(&self) -> Result<LoginOptions, ConfigError> {
        let options = LoginOptions::new().scopes(self.target.scopes.iter().cloned());
        match self.target.owner {
            Owner::Obs => options.parameter("include_granted_scopes", "true"),
            Owner::Client(_) => Ok(options),
        }
    }

    /// Leads the browser to Restream.
    pub fn leave(&self, rules: &Rules, browser: &Browser, authorization_url: &str) -> Response<Bytes> {
        let mut answer = respond::see_other(authorization_url);
        if self.known.is_none() {
            answer.headers_mut().extend([browser.set(rules)]);
        }
        answer
    }
}

impl Target {
    /// Reads and checks an authorization request.
    ///
    /// Until client and redirect URI are known to be right, a person gets the reason, and no redirect is made: otherwise the
    /// broker would lead browsers wherever somebody likes (RFC 6749 §4.1.2.1, §10.15).
    fn read(rules: &Rules, query: &str) -> Result<Self, Box<Response<Bytes>>> {
        let told = |reason: &str| Box::new(page::refused(reason));
        let parameters: Parameters = parameters::read(query.as_bytes()).map_err(|Malformed(reason)| told(reason))?;
        let client_id = parameters.client_id.get().ok_or_else(|| told("The request names no client (client_id)."))?;
        let client = rules.client(client_id).ok_or_else(|| told("The client (client_id) is not known here."))?;
        let redirect_uri =
            parameters.redirect_uri.get().ok_or_else(|| told("The request names no redirect URI (redirect_uri)."))?;
        if !client.may_use(redirect_uri) {
            return Err(told("The redirect URI (redirect_uri) is not registered for this client."));
        }
        let state = parameters.state.get();
        let short_state = state.filter(|state| state.len() <= LONGEST_STATE);
        let error = |code: &str, reason: &str| Box::new(error_to(rules, redirect_uri, short_state, code, reason));
        if state != short_state {
            return Err(error("invalid_request", "state is longer than 2048 bytes"));
        }
        if parameters.client_secret.get().is_some() {
            return Err(error("invalid_request", "a public client has no secret, and a URL is no place for one"));
        }
        match parameters.response_type.get() {
            Some("code") => {}
            Some(_) => return Err(error("unsupported_response_type", "expected response_type=code")),
            None => return Err(error("invalid_request", "expected response_type=code, got none")),
        }
        let challenge = parameters.code_challenge.get().filter(|challenge| is_s256_challenge(challenge));
        let (Some(challenge), Some("S256")) = (challenge, parameters.code_challenge_method.get()) else {
            let reason = "expected PKCE: a code_challenge of 43 characters with code_challenge_method=S256";
            return Err(error("invalid_request", reason));
        };
        let scope = parameters.scope.get().unwrap_or_default();
        if scope.len() > LONGEST_SCOPE {
            return Err(error("invalid_scope", "scope is longer than 2048 bytes"));
        }
        let scopes = scope.split(' ').filter(|scope| !scope.is_empty());
        let scopes: Result<Vec<Scope>, _> = scopes.map(Scope::new).collect();
        Ok(Self {
            owner: Owner::Client(client.id.clone()),
            binding: Some(CodeBinding { redirect_uri: redirect_uri.to_owned(), code_challenge: challenge.to_owned() }),
            device_state: state.map(str::to_owned),
            scopes: scopes.map_err(|_| error("invalid_scope", "scope has a character that no scope has"))?,
        })
    }

    /// The authorization request, built anew from what was read.
    fn query(&self) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("client_id", self.owner.client_id()).append_pair("response_type", "code");
        if let Some(binding) = &self.binding {
            query.append_pair("redirect_uri", &binding.redirect_uri);
            query.append_pair("code_challenge", &binding.code_challenge).append_pair("code_challenge_method", "S256");
        }
        if let Some(state) = &self.device_state {
            query.append_pair("state", state);
        }
        if !self.scopes.is_empty() {
            query.append_pair("scope", &self.scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" "));
        }
        query.finish()
    }
}

/// An S256 challenge is a SHA-256 in base64url without padding (RFC 7636 §4.2).
fn is_s256_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Scheme and host of a redirect URI, or the scheme of a program's own.
fn place(redirect_uri: &str) -> &str {
    let end = redirect_uri.find("://").and_then(|scheme| {
        let host = scheme.checked_add(3)?;
        redirect_uri.get(host..)?.find(['/', '?']).and_then(|length| host.checked_add(length))
    });
    end.and_then(|end| redirect_uri.get(..end)).unwrap_or(redirect_uri)
}
