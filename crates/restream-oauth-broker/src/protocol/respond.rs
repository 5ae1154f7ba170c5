//! Answers, and the header fields that each of them has.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::metrics::Outcome;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer with a JSON body.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Bytes> {
    bare(status, JSON, body.into())
}

/// An answer of nothing but its status and its header fields.
pub(super) fn empty(status: StatusCode) -> Response<Bytes> {
    bare(status, HeaderValue::from_static("text/plain"), Bytes::new())
}

/// An error in RFC 6749's flat form (§5.2).
pub(super) fn error(status: StatusCode, code: &str, description: &str) -> Response<Bytes> {
    #[derive(Serialize)]
    struct Body<'a> {
        error: &'a str,
        error_description: &'a str,
    }
    let answer = json(status, to_json(&Body { error: code, error_description: description }));
    match code {
        "invalid_grant" => told(answer, Outcome::InvalidGrant),
        _ => answer,
    }
}

/// Notes how the request ended, where the status does not say it.
pub(super) fn told(mut answer: Response<Bytes>, outcome: Outcome) -> Response<Bytes> {
    answer.extensions_mut().insert(outcome);
    answer
}

/// A malformed request (RFC 6749 §5.2).
pub(super) fn invalid_request(description: &str) -> Response<Bytes> {
    error(StatusCode::BAD_REQUEST, "invalid_request", description)
}

/// A request that must not be made in advance.
pub(super) fn not_in_advance() -> Response<Bytes> {
    empty(StatusCode::SERVICE_UNAVAILABLE)
}

pub(super) fn wrong_method(allowed: &'static str) -> Response<Bytes> {
    let mut answer = empty(StatusCode::METHOD_NOT_ALLOWED);
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// A redirect of a browser. 303, so that it always arrives as a GET (RFC 9700 §4.12).
pub(super) fn see_other(location: &str) -> Response<Bytes> {
    let mut answer = empty(StatusCode::SEE_OTHER);
    match HeaderValue::from_str(location) {
        Ok(location) => {
            answer.headers_mut().insert(header::LOCATION, location);
        }
        // Redirect URIs are ASCII without controls: the configuration was checked.
        Err(_) => *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    answer
}

/// Something that passes: the broker cannot serve this request now (RFC 9110 §15.6.4).
pub fn unavailable(wait: Duration, description: &str) -> Response<Bytes> {
    let answer = error(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", description);
    with_retry_after(answer, wait)
}

/// Too many requests (RFC 6585 §4). OBS treats 503 as a passing failure, and knows no 429.
pub fn busy(wait: Duration, is_obs: bool) -> Response<Bytes> {
    let mut answer = unavailable(wait, "too many requests: wait for Retry-After");
    if !is_obs {
        *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    }
    told(answer, Outcome::Limited)
}

/// A body that is longer than any form of a client (RFC 9110 §15.5.14).
pub fn too_large() -> Response<Bytes> {
    error(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "the body is longer than 64 KiB")
}

/// A body that did not arrive in time, or not whole (RFC 9110 §15.5.9).
pub fn incomplete() -> Response<Bytes> {
    error(StatusCode::REQUEST_TIMEOUT, "invalid_request", "the body did not arrive whole within a minute")
}

pub(super) fn with_retry_after(mut answer: Response<Bytes>, wait: Duration) -> Response<Bytes> {
    let seconds = wait.as_secs().max(1);
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

/// Numbers and text alone: nothing that could fail.
pub(super) fn to_json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}

/// Nothing of this broker is stored by a cache, shown in a frame, or named to other servers.
pub(super) fn bare(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Bytes> {
    const FIELDS: [(HeaderName, &str); 6] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ];
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    for (name, value) in FIELDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}
