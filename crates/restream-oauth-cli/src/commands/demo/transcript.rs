//! Requests and responses for people to read. Secrets are cut to their first characters.

use http::{Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use restream_oauth_core::Body;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::failure::Failure;

/// The members of a form, a query or a response that are shown whole.
const PUBLIC: [&str; 22] = [
    "grant_type",
    "redirect_uri",
    "client_id",
    "token_type_hint",
    "response_type",
    "code_challenge_method",
    "scope",
    "scopeJson",
    "token_type",
    "tokenType",
    "expires",
    "expires_in",
    "accessTokenExpiresIn",
    "accessTokenExpiresAt",
    "accessTokenExpiresEpoch",
    "refreshTokenExpiresIn",
    "refreshTokenExpiresAt",
    "refreshTokenExpiresEpoch",
    "error",
    "id",
    "username",
    "email",
];
/// How many characters of a secret are shown.
const SHOWN: usize = 4;

/// Formats a request: method and URL, headers, form.
pub(super) fn request(request: &Request<Body>) -> String {
    let mut lines = vec![format!("   → {} {}", request.method(), request.uri())];
    lines.extend(request.headers().iter().map(|(name, value)| {
        let text = value.to_str().unwrap_or_default();
        match text.split_once(' ') {
            Some((scheme, secret)) if value.is_sensitive() => format!("     {name}: {scheme} {}", cut(secret)),
            _ => format!("     {name}: {text}"),
        }
    }));
    let form = String::from_utf8_lossy(request.body().as_ref());
    if !form.is_empty() {
        lines.push(format!("     {}", pairs(&form)));
    }
    lines.join("\n")
}

/// Formats a response: status and body.
pub(super) fn answer(status: Option<StatusCode>, body: &[u8]) -> String {
    let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let body = match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            cut_members(&mut value);
            value.to_string()
        }
        Err(_) if body.is_empty() => "(empty)".to_owned(),
        Err(_) => format!("({} bytes)", body.len()),
    };
    format!("   ← {status}\n     {body}")
}

/// Formats a URL, with the secrets of its query cut.
pub(super) fn url(url: &str) -> String {
    match url.split_once('?') {
        Some((place, query)) => format!("   → GET {place}?{}", pairs(query)),
        None => format!("   → GET {url}"),
    }
}

/// Requests a page as a browser does, over a connection of its own.
pub(super) async fn visit(url: &str) -> Result<(), Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::other(format!("the callback could not be delivered: {error}"));
    let uri: Uri = url.parse().map_err(|error| failed(&error))?;
    let authority = uri.authority().ok_or_else(|| failed(&"it has no host"))?.to_string();
    let stream = TcpStream::connect(&authority).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path).header("host", authority).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| failed(&error))?;
    let (response, closed) = tokio::join!(sender.send_request(request), connection);
    closed.map_err(|error| failed(&error))?;
    response.map(drop).map_err(|error| failed(&error))
}

fn pairs(form: &str) -> String {
    let shown: Vec<_> = form
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if !PUBLIC.contains(&name) => format!("{name}={}", cut(value)),
            _ => pair.to_owned(),
        })
        .collect();
    shown.join("&")
}

fn cut_members(value: &mut Value) {
    let Value::Object(members) = value else { return };
    for (_, member) in members.iter_mut().filter(|(name, _)| !PUBLIC.contains(&name.as_str())) {
        if let Value::String(text) = member {
            *text = cut(text);
        }
    }
}

fn cut(secret: &str) -> String {
    let shown: String = secret.chars().take(SHOWN).collect();
    format!("{shown}…")
}
