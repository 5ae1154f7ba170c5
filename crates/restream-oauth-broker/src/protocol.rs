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
mod decision;
mod metadata;
mod methods;
pub mod obs;
mod origin;
mod page;
mod parameters;
mod paths;
mod request;
mod respond;
mod revoke;
mod rules;
mod token;
mod token_answer;

use bytes::Bytes;
use http::{Response, StatusCode};

use self::methods::{get, navigation, post};
use self::paths::{AUTHORIZE, CALLBACK, CONTINUE, METADATA, REVOKE, TOKEN};
use crate::metrics;

pub use self::authorize::{Ask, Begin, Target};
pub use self::callback::{CallBack, denials, denied, failed_login, returned, strange_callback};
pub use self::cookie::Browser;
pub use self::decision::Decision;
pub use self::request::Request;
pub use self::respond::{busy, incomplete, too_large, unavailable};
pub use self::revoke::Revoke;
pub use self::rules::{Client, Rules};
pub use self::token::{Redeem, Refresh, Relayed};
pub use self::token_answer::{Door, Granted, Refusal, granted, granted_again, refused};

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
            METADATA | TOKEN | REVOKE => match origin::guard(rules, request) {
                Err(answer) => Decision::Answer(*answer),
                Ok(page) => match request.path {
                    METADATA => get(request, || Decision::Answer(respond::json(StatusCode::OK, self.metadata.clone()))),
                    TOKEN => post(request, || token::read(rules, request, &page).into()),
                    _ => post(request, || revoke::read(rules, request, &page).into()),
                },
            },
            AUTHORIZE => get(request, || authorize::ask(rules, request).into()),
            CONTINUE => navigation(request, || authorize::begin(rules, request).into()),
            CALLBACK => navigation(request, || callback::read(rules, request).into()),
            path => match rules.obs_prefix.as_deref().and_then(|prefix| path.strip_prefix(prefix)) {
                Some(path) => obs::decide(rules, request, path),
                None => Decision::Answer(page::not_found()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
