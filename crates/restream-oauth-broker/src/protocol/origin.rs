//! Pages of other origins (the CORS protocol of the Fetch standard).
//!
//! Browsers let every page post a form to us, and only keep the answer from it. So an origin that is not listed is refused
//! before anything is done, and that includes `null`.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};

use super::paths::{METADATA, REVOKE, TOKEN};
use super::request::Request;
use super::respond;
use super::rules::{Client, Rules};

/// Lets a request to an endpoint that pages may use go on, if its origin may. Otherwise the answer is the error.
pub(super) fn guard<'a>(rules: &Rules, request: &Request<'a>) -> Result<Page<'a>, Box<Response<Bytes>>> {
    match Origin::of(rules, request.headers) {
        Origin::Absent => Ok(Page(None)),
        Origin::Foreign => Err(foreign().into()),
        Origin::Listed(_) if *request.method == Method::OPTIONS => Err(preflight().into()),
        Origin::Listed(origin) => Ok(Page(Some(origin))),
    }
}

/// The page that sent a request, by its origin; `None` for what is no page.
pub(super) struct Page<'a>(Option<&'a str>);

impl Page<'_> {
    /// True if the page may act for a client.
    pub(super) fn may_act_for(&self, client: &Client) -> bool {
        self.0.is_none_or(|origin| is_of(client, origin))
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
