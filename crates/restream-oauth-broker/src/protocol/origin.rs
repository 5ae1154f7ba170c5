//! Pages of other origins (the CORS protocol of the Fetch standard).
//!
//! Browsers let every page post a form to us, and only keep the answer from it. So an origin that is not listed is refused
//! before anything is done, and that includes `null`.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};

use super::request::Request;
use super::respond;
use super::rules::{Client, Rules};
use super::{Decision, METADATA, REVOKE, TOKEN};

/// Decides about a request to an endpoint that pages may use. `decide` is told whether the origin of the request may act
/// for a client.
pub(super) fn guard(
    rules: &Rules,
    request: &Request<'_>,
    decide: impl FnOnce(&dyn Fn(&Client) -> bool) -> Decision,
) -> Decision {
    match Origin::of(rules, request.headers) {
        Origin::Absent => decide(&|_| true),
        Origin::Foreign => Decision::Answer(foreign()),
        Origin::Listed(_) if *request.method == Method::OPTIONS => Decision::Answer(preflight()),
        Origin::Listed(origin) => decide(&|client| is_of(client, origin)),
    }
}

/// The answer to an origin that is not listed.
pub(super) fn foreign() -> Response<Bytes> {
    respond::error(StatusCode::FORBIDDEN, "invalid_request", "the origin of this page is not registered")
}

/// Lets a page of a listed origin read an answer, whatever it is.
pub(super) fn allow(rules: &Rules, path: &str, headers: &HeaderMap, answer: &mut Response<Bytes>) {
    if !matches!(path, METADATA | TOKEN | REVOKE) {
        return;
    }
    answer.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
    if let Origin::Listed(origin) = Origin::of(rules, headers)
        && let Ok(origin) = HeaderValue::from_str(origin)
    {
        answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static("retry-after");
        answer.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

fn preflight() -> Response<Bytes> {
    let mut answer = respond::empty(StatusCode::NO_CONTENT);
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn is_of(client: &Client, origin: &str) -> bool {
    client.origins.iter().any(|listed| listed == origin)
}

enum Origin<'a> {
    /// The request comes from no page, or from one that only reads.
    Absent,
    /// It is `null`, not listed, or there are two of it.
    Foreign,
    Listed(&'a str),
}

impl<'a> Origin<'a> {
    fn of(rules: &Rules, headers: &'a HeaderMap) -> Self {
        let mut fields = headers.get_all(header::ORIGIN).iter();
        match (fields.next(), fields.next()) {
            (None, _) => Self::Absent,
            (Some(origin), None) => match origin.to_str() {
                Ok(origin) if rules.clients.iter().any(|client| is_of(client, origin)) => Self::Listed(origin),
                _ => Self::Foreign,
            },
            _ => Self::Foreign,
        }
    }
}
