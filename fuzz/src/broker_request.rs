//! A request to the broker, up to what it decides: nothing is opened or awaited.
//!
//! - What a decision holds is what an independent reader finds in the form: `form_urlencoded`, after a check of the encoding
//!   byte by byte. A field that is doubled, an encoding that is broken, a secret and a foreign origin are refused; what
//!   nothing is wrong with is not.
//! - A redirect leads to where the client registered, and nowhere else.
//! - No answer is stored by a cache, shown in a frame, or sets a cookie.
//! - No secret of the settings is printed or answered. `$k` is a handle, and `$s`, `$r` as elsewhere: what the request
//!   brings is in no answer but the page that leads on, and the redirect that brings `state` back.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use percent_encoding::percent_decode_str;
use restream_oauth_broker::devices::Owner;
use restream_oauth_broker::protocol::{Decision, Door, Protocol, Request, Rules};
use restream_oauth_broker::settings::{Environment, Settings};
use restream_oauth_core::error::Operation;

use crate::allocation::peak;
use crate::canary::{SECRET, Silence, WORD, echo};
use crate::expand::expand;

const SETTINGS: &str = r#"
    listen = "127.0.0.1:8080"
    issuer = "https://broker.example"
    [restream]
    client_id = "app"
    [store]
    kind = "file"
    path = "/var/lib/broker"
    [obs]
    [[clients]]
    id = "overlay"
    redirect_uris = ["https://overlay.example/callback", "http://127.0.0.1/callback"]
    origins = ["https://overlay.example"]
    [[clients]]
    id = "bot"
    redirect_uris = ["com.example.bot:/callback"]
    origins = ["https://bot.example"]
"#;
/// Each client, with the origin of its pages.
const CLIENTS: [(&str, &str); 2] = [("overlay", "https://overlay.example"), ("bot", "https://bot.example")];

static SETTING: LazyLock<Settings> =
    LazyLock::new(|| Settings::parse(SETTINGS, &Environment::with_secret(SECRET)).expect("they are right").settings);
static PROTOCOL: LazyLock<Protocol> = LazyLock::new(|| Protocol::new(Rules::from(&*SETTING)));

/// A handle: the name of a device, and a secret that has the word in it.
fn key() -> String {
    let word = WORD.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    format!("{}{:0<64}", "0123456789abcdef".repeat(2), word)
}

/// The oracle. `data` is a request: method and URL, header fields, an empty line, the body.
pub fn broker_request(data: &[u8]) {
    judge(data);
}

/// Returns what was decided; `None` for what is no request.
fn judge(data: &[u8]) -> Option<&'static str> {
    let bytes = replace(&echo(&expand(data), Operation::Refresh), b"$k", key().as_bytes());
    let sent = Sent::read(&bytes)?;
    let request = Request {
        method: &sent.method,
        path: sent.uri.path(),
        query: sent.uri.query().unwrap_or_default(),
        headers: &sent.headers,
        body: &sent.body,
    };
    let (decision, most) = peak(|| PROTOCOL.decide(&request));
    // A page repeats what it was asked for, encoded twice, and takes it apart on the way.
    assert!(most <= 64 * bytes.len() + 64 * 1024, "{most} bytes were allocated for an input of {}", bytes.len());
    let silence = Silence::after(data);
    silence.check(&format!("{request:?} {:?} {:?}", *PROTOCOL, *SETTING));
    let is_way_out = matches!(request.path, "/authorize" | "/authorize/continue");
    if !is_way_out {
        silence.check(&format!("{decision:?}"));
    }
    let expected = expected(&request);
    match decision {
        Decision::Redeem(redeem) => {
            assert_eq!(expected, Some(Wanted::Redeem(redeem.code.expose_secret().to_owned())));
            assert_eq!(redeem.door == Door::Obs, redeem.owner == Owner::Obs);
            let form = form(&request);
            let shown = redeem.shown().map(|(uri, verifier)| (uri.to_owned(), verifier.to_owned()));
            let sent =
                (redeem.door == Door::Plain).then(|| (form["redirect_uri"].clone(), form["code_verifier"].clone()));
            assert_eq!(shown, sent);
            check_owner(&redeem.owner, &request);
            Some("redeem")
        }
        Decision::Refresh(refresh) => {
            assert_eq!(expected, Some(Wanted::Refresh(refresh.handle.expose_secret().to_owned())));
            check_owner(&refresh.owner, &request);
            Some("refresh")
        }
        Decision::Revoke(revoke) => {
            assert_eq!(expected, Some(Wanted::Revoke(revoke.expose_token().to_owned())));
            check_owner(&revoke.owner, &request);
            Some("revoke")
        }
        Decision::Answer(mut answer) => {
            assert_eq!(expected, None, "{answer:?}");
            PROTOCOL.allow_origin(&request, &mut answer);
            check_answer(&request, &answer);
            if !is_way_out {
                silence.check(&format!("{answer:?} {}", String::from_utf8_lossy(answer.body())));
            }
            Some(if answer.status().is_redirection() { "redirect" } else { "answer" })
        }
        Decision::Ask(ask) => {
            assert!(request.path == "/authorize");
            let page = ask.page(PROTOCOL.rules(), [7; 32]);
            assert!(is_registered(&parameter(request.query, "redirect_uri")), "{request:?}");
            assert_eq!(page.status(), 200);
            assert!(!String::from_utf8_lossy(page.body()).contains("<script"));
            Some("ask")
        }
        Decision::Begin(_) => {
            let is_obs = request.path.starts_with("/obs/");
            assert!(is_obs || request.query.contains("&confirm="), "nobody goes past the page");
            assert!(*request.method == Method::GET && !request.is_prefetch());
            Some("begin")
        }
        Decision::CallBack(back) => {
            assert!(request.path == "/callback" && *request.method == Method::GET && !request.is_prefetch());
            assert_eq!(back.expose_query(), request.query);
            Some("callback")
        }
        _ => panic!("a decision that is not known here"),
    }
}

/// A request as it was sent.
struct Sent {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Sent {
    /// `None` for what no HTTP server passes on.
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap_or(bytes.len());
        let (head, body) = (&bytes[..end], bytes.get(end + 2..).unwrap_or_default());
        let mut lines = head.split(|byte| *byte == b'\n');
        let first = lines.next()?;
        let space = first.iter().position(|byte| *byte == b' ')?;
        let mut headers = HeaderMap::new();
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            headers.append(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?);
        }
        let method = Method::from_bytes(&first[..space]).ok()?;
        Some(Self { method, uri: Uri::try_from(&first[space + 1..]).ok()?, headers, body: body.to_owned() })
    }
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// What a form asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Redeem(String),
    Refresh(String),
    Revoke(String),
}

/// What must be decided, by the RFCs and read independently. `None` if the request is to be answered, or leads elsewhere.
fn expected(request: &Request<'_>) -> Option<Wanted> {
    let obs = matches!(request.path, "/obs/v1/restream/token" | "/obs/app-auth/restream-token");
    let known: &[&str] = match request.path {
        "/token" => &[
            "grant_type",
            "client_id",
            "code",
            "redirect_uri",
            "code_verifier",
            "refresh_token",
            "client_secret",
            "client_assertion",
        ],
        "/revoke" => &["client_id", "token", "client_secret", "client_assertion"],
        _ if obs => &["grant_type", "code", "refresh_token", "client_secret"],
        _ => return None,
    };
    if *request.method != Method::POST
        || request.headers.contains_key("authorization")
        || !is_well_encoded(request.body)
    {
        return None;
    }
    let names: Vec<_> = form_urlencoded::parse(request.body).map(|(name, _)| name.into_owned()).collect();
    if known.iter().any(|known| names.iter().filter(|name| name == known).count() > 1) {
        return None;
    }
    let form = form(request);
    if form.contains_key("client_secret") || !obs && form.contains_key("client_assertion") {
        return None;
    }
    let origins: Vec<_> = request.headers.get_all("origin").iter().collect();
    if obs {
        if !origins.is_empty() {
            return None;
        }
    } else {
        let media_type = request.headers.get("content-type")?.to_str().ok()?.split(';').next()?.trim();
        let origin = CLIENTS.iter().find(|(id, _)| form.get("client_id").is_some_and(|sent| sent == id))?.1;
        let is_from_there = origins.is_empty() || origins.len() == 1 && *origins[0] == *origin;
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") || !is_from_there {
            return None;
        }
    }
    if request.path == "/revoke" {
        return form.get("token").cloned().map(Wanted::Revoke);
    }
    let is_key = |text: &&String| text.len() == 96 && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
    match form.get("grant_type")?.as_str() {
        "authorization_code" if obs || form.contains_key("redirect_uri") && form.contains_key("code_verifier") => {
            form.get("code").filter(is_key).cloned().map(Wanted::Redeem)
        }
        "refresh_token" => form.get("refresh_token").filter(is_key).cloned().map(Wanted::Refresh),
        _ => None,
    }
}

/// The fields of a form that have a value (RFC 6749 §3.2: a field without one counts as omitted).
fn form(request: &Request<'_>) -> BTreeMap<String, String> {
    form_urlencoded::parse(request.body).into_owned().filter(|(_, value)| !value.is_empty()).collect()
}

/// True if each escape is whole, and each name and value is UTF-8.
fn is_well_encoded(body: &[u8]) -> bool {
    body.split(|byte| *byte == b'&').flat_map(|pair| pair.split(|byte| *byte == b'=')).all(|part| {
        let (mut decoded, mut rest) = (Vec::new(), part);
        while let [first, after @ ..] = rest {
            rest = after;
            let byte = match (first, after) {
                (b'%', [high, low, after @ ..]) => {
                    let digit = |byte: &u8| char::from(*byte).to_digit(16);
                    let (Some(high), Some(low)) = (digit(high), digit(low)) else { return false };
                    rest = after;
                    u8::try_from(high * 16 + low).expect("two digits")
                }
                (b'%', _) => return false,
                _ => *first,
            };
            decoded.push(byte);
        }
        String::from_utf8(decoded).is_ok()
    })
}

fn check_owner(owner: &Owner, request: &Request<'_>) {
    match owner {
        Owner::Obs => assert!(request.path.starts_with("/obs/")),
        Owner::Client(id) => assert_eq!(Some(id), form(request).get("client_id")),
    }
}

fn check_answer(request: &Request<'_>, answer: &http::Response<bytes::Bytes>) {
    let field = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().expect("it is ASCII"));
    assert_eq!((field("cache-control"), field("referrer-policy")), ("no-store", "no-referrer"));
    assert!(field("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(field("set-cookie"), "");
    let allowed = field("access-control-allow-origin");
    if !allowed.is_empty() {
        assert!(CLIENTS.iter().any(|(_, origin)| *origin == allowed), "{allowed}");
        assert_eq!(request.headers.get_all("origin").iter().count(), 1);
    }
    let is_for_obs = request.path.ends_with("restream/token") || request.path.ends_with("restream-token");
    if field("content-type") == "application/json" && !request.path.starts_with("/.well-known/") {
        let body: serde_json::Value = serde_json::from_slice(answer.body()).expect("it is JSON");
        let error = body["error"].as_str().expect("it is flat");
        assert!(body["error_description"].is_string());
        // OBS reads the reason with the status 200 alone, and asks for a login then.
        let asks_for_login = is_for_obs && request.path.starts_with("/obs/") && error == "invalid_grant";
        assert_eq!(answer.status() == 200, asks_for_login, "{answer:?}");
    }
    if answer.status().is_redirection() {
        assert!(request.path.starts_with("/authorize"), "{request:?}");
        let registered = parameter(request.query, "redirect_uri");
        assert!(is_registered(&registered), "{registered}");
        let location = field("location");
        let answer = location.strip_prefix(registered.as_str()).expect("it leads to where it is registered");
        assert!(answer.starts_with("?error="), "{location}");
        assert_eq!(parameter(&answer[1..], "iss"), "https://broker.example");
        let state = parameter(request.query, "state");
        assert!(state.len() > 2048 || parameter(&answer[1..], "state") == state, "{location}");
    }
}

/// True for the redirect URIs of the settings. One on this machine may have any port (RFC 8252 §7.3).
fn is_registered(uri: &str) -> bool {
    let port = uri.strip_prefix("http://127.0.0.1").and_then(|rest| rest.strip_suffix("/callback"));
    let is_port = |port: &str| port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    uri == "https://overlay.example/callback"
        || uri == "com.example.bot:/callback"
        || port.is_some_and(|port| port.is_empty() || is_port(port))
}

/// A parameter of a query; empty if there is none.
fn parameter(query: &str, name: &str) -> String {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    pairs
        .map(|(key, value)| (decoded(key), value))
        .find(|(key, _)| key == name)
        .map_or(String::new(), |(_, value)| decoded(value))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_corpus_reaches_every_decision() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/broker_request");
        let files = std::fs::read_dir(folder).unwrap();
        let decided: BTreeSet<_> = files.map(|file| judge(&std::fs::read(file.unwrap().path()).unwrap())).collect();
        let all = ["answer", "ask", "begin", "callback", "redeem", "redirect", "refresh", "revoke"];
        assert_eq!(decided, all.into_iter().map(Some).chain([None]).collect());
    }
}
