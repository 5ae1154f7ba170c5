//! A protocol with some clients, and requests to it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};

use crate::settings::RedirectUri;

use crate::protocol::{Client, Decision, Protocol, Request, Rules};

pub(super) const CALLBACK: &str = "https://overlay.example/callback";
/// RFC 7636 appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) fn protocol() -> Protocol {
    let client = |id: &str, redirect_uris: &[&str], origins: &[&str]| Client {
        id: id.into(),
        redirect_uris: redirect_uris.iter().map(|uri| RedirectUri::new(uri).unwrap()).collect(),
        origins: origins.iter().map(|&origin| origin.into()).collect(),
    };
    Protocol::new(Rules {
        issuer: "https://broker.example".into(),
        clients: vec![
            client("overlay", &[CALLBACK, "https://overlay.example/cb?tenant=1"], &["https://overlay.example"]),
            client("<bot>", &["http://127.0.0.1/callback"], &["https://bot.example"]),
        ],
        obs_prefix: Some("/obs/".into()),
        is_relay: false,
    })
}

/// A request in the making.
pub(super) struct Sent {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: String,
}

pub(super) fn get(url: &str) -> Sent {
    Sent { method: Method::GET, url: url.into(), headers: HeaderMap::new(), body: String::new() }
}

/// A form, as programs send it.
pub(super) fn post(url: &str, form: &[(&str, &str)]) -> Sent {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    raw_post(url, &body)
}

/// A form whose pieces are put together as they are.
pub(super) fn raw_post(url: &str, body: &str) -> Sent {
    Sent { method: Method::POST, body: body.into(), ..get(url) }
        .with("content-type", "application/x-www-form-urlencoded")
}

impl Sent {
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    pub(super) fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    pub(super) fn decide(&self) -> Decision {
        let protocol = protocol();
        let (path, query) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let body = self.body.as_bytes();
        let request = Request { method: &self.method, path, query, headers: &self.headers, body };
        match protocol.decide(&request) {
            Decision::Answer(mut answer) => {
                protocol.allow_origin(&request, &mut answer);
                Decision::Answer(answer)
            }
            other => other,
        }
    }

    pub(super) fn answer(&self) -> Response<Bytes> {
        match self.decide() {
            Decision::Answer(answer) => answer,
            other => panic!("{} {}: {other:?}", self.method, self.url),
        }
    }

    /// The status and the error code of a refusal.
    pub(super) fn refusal(&self) -> (u16, String) {
        let answer = self.answer();
        let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_else(|_| panic!("{answer:?}"));
        (answer.status().as_u16(), body["error"].as_str().unwrap().to_owned())
    }
}

pub(super) fn field<'a>(answer: &'a Response<Bytes>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

pub(super) fn text(answer: &Response<Bytes>) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

/// The parameters of a URL.
pub(super) fn query_of(url: &str) -> Vec<(String, String)> {
    let query = url.split_once('?').unwrap().1;
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}
