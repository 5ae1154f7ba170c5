//! Sends each call by the hyper adapter. Shows the request and its answer if the user asked for details, and says what it
//! waits for when that takes longer than a second.
//!
//! What is shown holds no part of a secret: no value of a query or a form, no user in a URL, no header that is marked as
//! sensitive but its scheme, and nothing of a body but its size.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use http::{Request, Response, Uri};
use hyper::body::{Bytes, Incoming};
use restream_oauth_core::transport::Failure;
use restream_oauth_core::{Answer, Call, Error};

use crate::terminal::{detail, end_progress, show_progress};

/// A wait that is shorter is not worth a word; a longer one is counted in these steps.
const STEP: Duration = Duration::from_secs(1);

/// Sends calls. It is cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Transport(restream_oauth_hyper::Transport);

impl Transport {
    /// Wraps an adapter.
    pub(crate) fn over(adapter: restream_oauth_hyper::Transport) -> Self {
        Self(adapter)
    }

    /// Returns a transport whose calls take no longer than this. What has arrived by then is read.
    pub(crate) fn at_most(&self, total: Duration) -> Self {
        Self(self.0.clone().at_most(total))
    }

    /// Sends a call and interprets its answer.
    pub(crate) async fn send<T>(&self, call: Call<T>) -> Result<T, Error> {
        self.receive(call).await.interpret()
    }

    /// Sends a call and returns its answer, not yet interpreted.
    pub(crate) async fn receive<T>(&self, call: Call<T>) -> Answer<T> {
        detail(|| words_of_request(call.request()));
        let host = call.request().uri().host().unwrap_or_default().to_owned();
        let begun = Instant::now();
        let answer = with_progress(&host, self.0.receive(call)).await;
        detail(|| words_of_answer(&answer, begun.elapsed()));
        answer
    }

    /// Sends a request that is no step of the flow, and returns the head of its answer.
    pub(crate) async fn request(&self, request: Request<Bytes>) -> Result<Response<Incoming>, Failure> {
        detail(|| words_of_request(&request));
        let host = request.uri().host().unwrap_or_default().to_owned();
        let begun = Instant::now();
        let answer = with_progress(&host, self.0.request(request)).await;
        detail(|| match &answer {
            Ok(response) => format!("← {} after {} ms", response.status(), begun.elapsed().as_millis()),
            Err(_) => no_answer(begun.elapsed()),
        });
        answer
    }
}

/// Waits for the answer of a host, and shows for how long.
async fn with_progress<T>(host: &str, answer: impl Future<Output = T>) -> T {
    let _shown = Shown;
    let mut answer = pin!(answer);
    let mut seconds: u32 = 0;
    loop {
        match tokio::time::timeout(STEP, answer.as_mut()).await {
            Ok(answer) => return answer,
            Err(_elapsed) => {
                seconds = seconds.saturating_add(1);
                show_progress(&format!("waiting for {host} ({seconds} s)"));
            }
        }
    }
}

/// Removes the line about progress also if the wait is given up.
struct Shown;

impl Drop for Shown {
    fn drop(&mut self) {
        end_progress();
    }
}

fn words_of_request(request: &Request<impl AsRef<[u8]>>) -> String {
    let mut lines = vec![format!("→ {} {}", request.method(), without_secrets(request.uri()))];
    lines.extend(request.headers().iter().map(|(name, value)| format!("  {name}: {}", shown(name, value))));
    let body = request.body().as_ref();
    let is_form = request.headers().get(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM))
    });
    if is_form {
        lines.push(format!("  {}", names(&String::from_utf8_lossy(body))));
    } else if !body.is_empty() {
        lines.push(format!("  {}", bytes(body.len())));
    }
    lines.join("\n")
}

fn words_of_answer<T>(answer: &Answer<T>, took: Duration) -> String {
    let Some(status) = answer.status() else {
        return no_answer(took);
    };
    let whole = if answer.is_whole() { "" } else { ", incomplete" };
    format!("← {status} after {} ms, {}{whole}", took.as_millis(), bytes(answer.expose_body().len()))
}

fn no_answer(took: Duration) -> String {
    format!("← no answer after {} ms", took.as_millis())
}

const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// Formats a URL without the user in its authority, and without the values in its query.
fn without_secrets(uri: &Uri) -> String {
    let authority = uri.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default());
    let place = match (uri.scheme_str(), authority) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => String::new(),
    };
    let query = uri.query().map(|query| format!("?{}", names(query))).unwrap_or_default();
    format!("{place}{}{query}", uri.path())
}

/// Returns the names in a query or a form. A part that is no pair may be a secret, and has no name.
fn names(pairs: &str) -> String {
    let shown: Vec<_> = pairs
        .split('&')
        .map(|pair| pair.split_once('=').map_or_else(|| "…".to_owned(), |(name, _)| format!("{name}=…")))
        .collect();
    shown.join("&")
}

/// Returns the value of a header, or the scheme alone if it holds a secret.
fn shown(name: &HeaderName, value: &HeaderValue) -> String {
    let text = value.to_str().unwrap_or("…");
    if !value.is_sensitive() && ![AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name) {
        return text.to_owned();
    }
    text.split_once(' ').map_or_else(|| "…".to_owned(), |(scheme, _)| format!("{scheme} …"))
}

fn bytes(count: usize) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_user_and_the_values_of_its_query() {
        for (url, shown) in [
            ("https://api.restream.io/oauth/token", "https://api.restream.io/oauth/token"),
            ("https://u:s3cret@api.example:8443/a?code=s3cret&x=", "https://api.example:8443/a?code=…&x=…"),
            ("https://api.example/?s3cret", "https://api.example/?…"),
            ("https://api.example/?a=s3=cret&&s3cret", "https://api.example/?a=…&…&…"),
        ] {
            assert_eq!(without_secrets(&url.parse().unwrap()), shown);
        }
    }

    #[test]
    fn a_header_with_credentials_is_shown_as_its_scheme_whether_marked_or_not() {
        let mut marked = HeaderValue::from_static("Key s3cret");
        marked.set_sensitive(true);
        let plain = HeaderValue::from_static;
        for (name, value, expected) in [
            (AUTHORIZATION, plain("Bearer s3cret"), "Bearer …"),
            (AUTHORIZATION, plain("s3cret"), "…"),
            (PROXY_AUTHORIZATION, plain("Basic s3cret"), "Basic …"),
            (COOKIE, plain("a=s3cret"), "…"),
            (HeaderName::from_static("x-key"), marked, "Key …"),
            (CONTENT_TYPE, plain("application/json"), "application/json"),
        ] {
            assert_eq!(shown(&name, &value), expected, "{name}");
        }
    }

    #[test]
    fn a_form_is_shown_by_its_names_and_another_body_by_its_size() {
        let form = Request::post("https://api.example/")
            .header(CONTENT_TYPE, "Application/X-WWW-Form-Urlencoded; charset=utf-8")
            .body("grant_type=s3cret&refresh_token=s3cret");
        let words = words_of_request(&form.unwrap());
        assert!(words.ends_with("\n  grant_type=…&refresh_token=…"), "{words}");
        let json = Request::post("https://api.example/").body(r#"{"a=b":"s3cret"}"#);
        let words = words_of_request(&json.unwrap());
        assert_eq!(words, "→ POST https://api.example/\n  16 bytes");
    }
}
