//! What the broker decides: a request goes in, a decision comes out, and nothing is opened or awaited.
//!
//! ```text
//!   Request ──▶ Protocol::decide ──▶ Decision: an answer, or what to do before there is one
//!                                      └──▶ the server does it ──▶ Response
//! ```
//!
//! Two doors lead in. The plain door is OAuth 2.0 for public clients, found by discovery (RFC 8414): `/authorize`,
//! `/token` and `/revoke`, with PKCE (RFC 7636) and `iss` in the callback (RFC 9207). OBS's door has the paths and the
//! habits of the broker that OBS Studio is built for; [`obs`] says which. Both lead to Restream and back to `/callback`,
//! the one redirect URI that is registered there.
//!
//! Everything that a request may hold is read into typed fields here, and what is sent on is built anew from them.
//! Parameters that are not known are ignored (RFC 6749 §3.1). A parameter that comes twice, text that cannot be decoded
//! and a secret are refused.

mod authorize;
mod callback;
mod confirmation;
mod cookie;
mod metadata;
pub mod obs;
mod origin;
mod page;
mod parameters;
mod request;
mod respond;
mod revoke;
mod rules;
#[cfg(test)]
mod testing;
mod token;
mod token_answer;

use bytes::Bytes;
use http::{Method, Response, StatusCode};

use crate::metrics;

pub use self::authorize::{Ask, Begin, Target};
pub use self::callback::{CallBack, denials, denied, failed_login, returned, strange_callback};
pub use self::cookie::Browser;
pub use self::request::Request;
pub use self::respond::{busy, incomplete, too_large, unavailable};
pub use self::revoke::Revoke;
pub use self::rules::{Client, Rules};
pub use self::token::{Redeem, Refresh, Relayed};
pub use self::token_answer::{Door, Granted, Refusal, granted, granted_again, refused};

/// What is to be done about a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Send this answer.
    Answer(Response<Bytes>),
    /// Show the page that names the client. It needs the cookie of the browser, or a new one.
    Ask(Ask),
    /// Begin a login, and lead the browser to Restream.
    Begin(Begin),
    /// The browser comes back from Restream.
    CallBack(CallBack),
    /// Redeem a code for a handle and an access token.
    Redeem(Redeem),
    /// Give the access token that is alive to the device with this handle.
    Refresh(Refresh),
    /// Send a refresh on to Restream: this is a relay.
    Relay(Relayed),
    /// End the device that has this handle or this access token.
    Revoke(Revoke),
}

/// The paths of the plain door and of Restream's way back.
const METADATA: &str = "/.well-known/oauth-authorization-server";
const AUTHORIZE: &str = "/authorize";
const CONTINUE: &str = "/authorize/continue";
const CALLBACK: &str = "/callback";
const TOKEN: &str = "/token";
const REVOKE: &str = "/revoke";

/// The protocol with the rules of one broker.
///
/// ```
/// use http::{HeaderMap, Method};
/// use restream_oauth_broker::protocol::{Decision, Protocol, Request, Rules};
///
/// let protocol = Protocol::new(Rules { issuer: "https://broker.example".into(), ..Rules::default() });
/// let request = Request {
///     method: &Method::GET,
///     path: "/.well-known/oauth-authorization-server",
///     query: "",
///     headers: &HeaderMap::new(),
///     body: b"",
/// };
/// let Decision::Answer(answer) = protocol.decide(&request) else { panic!() };
/// assert_eq!(answer.status(), 200);
/// ```
#[derive(Debug)]
pub struct Protocol {
    rules: Rules,
    metadata: Bytes,
}

impl Protocol {
    /// The protocol with these rules.
    pub fn new(rules: Rules) -> Self {
        let metadata = metadata::document(&rules);
        Self { rules, metadata }
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The door of a path, and the name of its route for logs. The name holds nothing of the path.
    pub fn route(&self, path: &str) -> (metrics::Door, &'static str) {
        match path {
            METADATA => (metrics::Door::Plain, "metadata"),
            AUTHORIZE => (metrics::Door::Plain, "authorize"),
            CONTINUE => (metrics::Door::Plain, "continue"),
            TOKEN => (metrics::Door::Plain, "token"),
            REVOKE => (metrics::Door::Plain, "revoke"),
            CALLBACK => (metrics::Door::Callback, "callback"),
            path => match self.rules.obs_prefix.as_deref().and_then(|prefix| path.strip_prefix(prefix)) {
                Some(path) => (metrics::Door::Obs, obs::route(path)),
                None => (metrics::Door::None, "none"),
            },
        }
    }

    /// Lets a page of a listed origin read an answer (CORS), and only such a page. For every answer, whoever made it.
    pub fn allow_origin(&self, request: &Request<'_>, answer: &mut Response<Bytes>) {
        origin::allow(&self.rules, request.path, request.headers, answer);
    }

    /// Decides what is to be done about a request. Its body was read to the end.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let rules = &self.rules;
        match request.path {
            METADATA | TOKEN | REVOKE => origin::guard(rules, request, |client_may_use| match request.path {
                METADATA => get(request, || Decision::Answer(respond::json(StatusCode::OK, self.metadata.clone()))),
                TOKEN => post(request, || token::decide(rules, request, client_may_use)),
                _ => post(request, || revoke::decide(rules, request, client_may_use)),
            }),
            AUTHORIZE => get(request, || authorize::ask(rules, request)),
            CONTINUE => navigation(request, || authorize::begin(rules, request)),
            CALLBACK => navigation(request, || callback::decide(rules, request)),
            path => match rules.obs_prefix.as_deref().and_then(|prefix| path.strip_prefix(prefix)) {
                Some(path) => obs::decide(rules, request, path),
                None => Decision::Answer(page::not_found()),
            },
        }
    }
}

/// A page or a document, which uses nothing up.
fn get(request: &Request<'_>, decide: impl FnOnce() -> Decision) -> Decision {
    if *request.method == Method::GET || *request.method == Method::HEAD {
        decide()
    } else {
        Decision::Answer(respond::wrong_method("GET, HEAD"))
    }
}

/// A link that a person follows, and that uses something up. A browser that prefetches it, and a program that asks for
/// its head, must not do that in the place of the person.
fn navigation(request: &Request<'_>, decide: impl FnOnce() -> Decision) -> Decision {
    get(request, || {
        if *request.method == Method::HEAD || request.is_prefetch() {
            Decision::Answer(respond::not_in_advance())
        } else {
            decide()
        }
    })
}

/// A form that a program sends (RFC 6749 §3.2).
fn post(request: &Request<'_>, decide: impl FnOnce() -> Decision) -> Decision {
    if *request.method == Method::POST { decide() } else { Decision::Answer(respond::wrong_method("POST")) }
}

#[cfg(test)]
mod tests;
