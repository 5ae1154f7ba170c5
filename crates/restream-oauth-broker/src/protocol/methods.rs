//! Which methods a path has.

use http::Method;

use super::decision::Decision;
use super::request::Request;
use super::respond;

/// A page or a document, which uses nothing up.
pub(super) fn get(request: &Request<'_>, decide: impl FnOnce() -> Decision) -> Decision {
    if *request.method == Method::GET || *request.method == Method::HEAD {
        decide()
    } else {
        Decision::Answer(respond::wrong_method("GET, HEAD"))
    }
}

/// A link that a person follows, and that uses something up. A browser that prefetches it, and a program that asks for
/// its head, must not do that in the place of the person.
pub(super) fn navigation(request: &Request<'_>, decide: impl FnOnce() -> Decision) -> Decision {
    get(request, || {
        if *request.method == Method::HEAD || request.is_prefetch() {
            Decision::Answer(respond::not_in_advance())
        } else {
            decide()
        }
    })
}

/// A form that a program sends (RFC 6749 §3.2).
pub(super) fn post(request: &Request<'_>, decide: impl FnOnce() -> Decision) -> Decision {
    if *request.method == Method::POST { decide() } else { Decision::Answer(respond::wrong_method("POST")) }
}
