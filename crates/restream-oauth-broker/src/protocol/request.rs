//! A request as the protocol sees it.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};

/// A request whose body was read to its end.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The path of its URL, not decoded: ours need no encoding.
    pub path: &'a str,
    /// The query of its URL, without the question mark. Empty without one.
    pub query: &'a str,
    /// Its header fields.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
}

/// What browsers send with a request that no person has made yet.
const PREFETCH: [&str; 3] = ["sec-purpose", "purpose", "x-moz"];

impl Request<'_> {
    /// True if a browser fetches the URL in advance: perhaps nobody follows the link.
    pub fn is_prefetch(&self) -> bool {
        let fields = PREFETCH.into_iter().flat_map(|name| self.headers.get_all(name));
        fields.filter_map(|value| value.to_str().ok()).any(|value| value.to_ascii_lowercase().contains("prefetch"))
    }

    /// True if the body is a form (RFC 6749 §4.1.3).
    pub(super) fn has_form(&self) -> bool {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }
}

/// Shows nothing of the query, of the header fields or of the body: they hold secrets. A method may be any word, so only
/// ours are shown.
impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let method =
            [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS].into_iter().find(|it| it == self.method);
        f.debug_struct("Request").field("method", &method).finish_non_exhaustive()
    }
}
