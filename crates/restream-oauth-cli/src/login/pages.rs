//! The pages of the callback listener. All of them are constants, and echo nothing of a request.

use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;

/// Where the browser is redirected once a code is accepted.
pub(crate) const DONE_PATH: &str = "/restream-oauth/done";

/// A page for the browser.
pub(crate) enum Page {
    /// Redirects the browser to an address without the code (RFC 6749 §3.1.2.5).
    Accepted,
    LoggedIn,
    NotLoggedIn,
    NotEnded,
    Denied,
    Refused,
    NotTrusted,
}

impl Page {
    /// Turns the page into a response with `status`, unless the page has a status of its own.
    pub(crate) fn into_response(self, status: StatusCode) -> Response<Full<Bytes>> {
        let (status, title, text) = match self {
            Self::Accepted => (StatusCode::SEE_OTHER, "One moment", "The terminal says how the login ends."),
            Self::LoggedIn => (status, "Logged in", "You can close this window and return to the terminal."),
            Self::NotLoggedIn => (status, "Not logged in", "The login did not work. The terminal says why."),
            Self::NotEnded => {
                (status, "Not finished yet", "The server takes its time. The terminal will say how the login ends.")
            }
            Self::Denied => (
                status,
                "Denied",
                "The login was denied. If that was a mistake, go back and approve it: the terminal is still waiting.",
            ),
            Self::Refused => (status, "Refused", "The server refused the login. The terminal says why."),
            Self::NotTrusted if status == StatusCode::OK => (StatusCode::BAD_REQUEST, "Not this one", NOT_TRUSTED),
            Self::NotTrusted => (status, "Not this one", NOT_TRUSTED),
        };
        let mut response = Response::new(Full::from(html(title, text)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        for (name, value) in PAGE_HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if status == StatusCode::SEE_OTHER {
            headers.insert(header::LOCATION, HeaderValue::from_static(DONE_PATH));
        }
        response
    }
}

const NOT_TRUSTED: &str = "This is not the answer that the terminal is waiting for.";

/// Forbid scripts and resources from other hosts, and send no referrer (RFC 6749 §3.1.2.5, RFC 9700 §4.2.4).
const PAGE_HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CONNECTION, "close"),
];

fn html(title: &str, text: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n\
         <style>:root{{color-scheme:light dark}}body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}}</style>\n\
         <h1>{title}</h1>\n<p>{text}</p>\n</html>\n"
    )
}
