//! The pages that people see. They are text and links: no script, no style, and nothing from elsewhere.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};

use super::respond;

/// A page. `body` is HTML: everything in it that is not ours went through [`escape`].
pub(super) fn page(status: StatusCode, title: &str, body: &str) -> Response<Bytes> {
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title></head>\
         <body><h1>{title}</h1>\n{body}\n</body></html>\n",
        title = escape(title)
    );
    respond::bare(status, HeaderValue::from_static("text/html; charset=utf-8"), html.into())
}

/// A request that no client sends, with the reason for the person who sees it.
pub(super) fn refused(reason: &str) -> Response<Bytes> {
    page(StatusCode::BAD_REQUEST, "This login cannot begin", &format!("<p>{}</p>", escape(reason)))
}

pub(super) fn not_found() -> Response<Bytes> {
    page(StatusCode::NOT_FOUND, "Nothing is here", "<p>This is a broker for logins at Restream.</p>")
}

/// Text as HTML shows it, also inside of a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
