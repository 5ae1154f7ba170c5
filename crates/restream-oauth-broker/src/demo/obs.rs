//! A stand-in for OBS Studio: it does what OBS does, and nothing else. The tests have another one, which sends with curl.
//!
//! It opens the login in a browser, and takes the code out of the first URL that begins with its base. It posts forms whose
//! pieces it does not encode, waits for five seconds in all, and reads no answer with a status of 400 or more. It keeps the
//! first refresh token that it got for ever.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE, USER_AGENT};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use restream_oauth_sandbox::Sandbox;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::program::Failure;

/// How long OBS waits for an answer in all.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long everything else may take.
const LIMIT: Duration = Duration::from_secs(60);
/// The longest answer, in bytes.
const LONGEST: usize = 64 * 1024;
/// How much of a secret is shown.
const SHOWN: usize = 4;

/// OBS, with what it has on disk.
#[derive(Clone)]
pub(super) struct Obs {
    /// Where the broker is, as `127.0.0.1:8080`.
    authority: String,
    refresh_token: String,
    pub(super) access_token: String,
    pub(super) ends_at: SystemTime,
}

/// What OBS makes of an answer.
pub(super) enum Read {
    /// It has a token. The text shows the answer.
    Token(String),
    /// It asks the user to log in.
    InvalidGrant,
    /// It goes on with what it has, and tries again later. The text says why.
    Failure(String),
}

impl Obs {
    /// The user logs in. `tell` is given each step.
    pub(super) async fn log_in(
        authority: &str,
        sandbox: &Sandbox,
        now: SystemTime,
        mut tell: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let base = format!("http://{authority}/obs/");
        tell("GET  /obs/v1/restream/redirect")?;
        let away = browse(authority, "/obs/v1/restream/redirect", None).await?;
        let cookie = header(&away, SET_COOKIE.as_str()).split(';').next().unwrap_or_default().to_owned();
        tell("     303 to Restream, where the user approves")?;
        let callback = sandbox.approve(header(&away, LOCATION.as_str())).map_err(Failure::other)?;
        let path = callback.split_once(authority).map(|(_, path)| path).unwrap_or_default();
        tell(&format!("GET  {}", shown(path)))?;
        let back = browse(authority, path, Some(&cookie)).await?;
        let url = header(&back, LOCATION.as_str());
        let code = url.strip_prefix(&base).and_then(|path| path.split_once("code=")).map(|(_, code)| code);
        let code = code.and_then(|code| code.split('&').next()).ok_or_else(|| unexpected("a URL with a code"))?;
        tell(&format!("     303 to {}", shown(url)))?;
        tell("     OBS takes the code, and closes its browser before this URL is requested")?;
        let mut obs = Self {
            authority: authority.to_owned(),
            refresh_token: String::new(),
            access_token: String::new(),
            ends_at: now,
        };
        let form = format!("action=redirect&client_id=obs&grant_type=authorization_code&code={code}");
        tell(&Self::sent(&form))?;
        let answer = obs.post(form).await.map_err(|why| unexpected(&format!("tokens, got {why}")))?;
        text(&answer, "refresh_token").clone_into(&mut obs.refresh_token);
        match obs.read(Ok(answer), now) {
            Read::Token(answer) => tell(&format!("     200 {answer}"))?,
            Read::InvalidGrant | Read::Failure(_) => return Err(unexpected("tokens")),
        }
        Ok(obs)
    }

    /// Refreshes once.
    pub(super) async fn refresh(&mut self, now: SystemTime) -> Read {
        let answer = self.post(self.form()).await;
        self.read(answer, now)
    }

    /// The request of a refresh, for people.
    pub(super) fn refresh_shown(&self) -> String {
        Self::sent(&self.form())
    }

    fn form(&self) -> String {
        format!("action=redirect&client_id=obs&grant_type=refresh_token&refresh_token={}", self.refresh_token)
    }

    fn sent(form: &str) -> String {
        format!("POST /obs/v1/restream/token {}", shown(form))
    }

    async fn post(&self, form: String) -> Result<Value, String> {
        let request = Request::post("/obs/v1/restream/token")
            .header(HOST, &self.authority)
            .header(USER_AGENT, "obs-basic 31.0.0")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(form)));
        let request = request.map_err(|error| error.to_string())?;
        let answer = match timeout(PATIENCE, send(&self.authority, request)).await {
            Ok(answer) => answer.map_err(|_| "the connection broke".to_owned())?,
            Err(_) => return Err("no answer in 5 s: OBS hangs up".to_owned()),
        };
        if answer.status().as_u16() >= 400 {
            return Err(answer.status().as_u16().to_string());
        }
        serde_json::from_slice(answer.body()).map_err(|_| "no JSON".to_owned())
    }

    fn read(&mut self, answer: Result<Value, String>, now: SystemTime) -> Read {
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => return Read::Failure(why),
        };
        match text(&answer, "error") {
            "" => {}
            "invalid_grant" => return Read::InvalidGrant,
            other => return Read::Failure(other.to_owned()),
        }
        // Text counts as 0.
        let seconds = answer.get("expires_in").and_then(Value::as_u64).unwrap_or_default();
        self.ends_at = now.checked_add(Duration::from_secs(seconds)).unwrap_or(now);
        text(&answer, "access_token").clone_into(&mut self.access_token);
        Read::Token(shown_answer(answer))
    }
}

/// True if the API of Restream accepts an access token.
pub(super) async fn accepts(sandbox: &Sandbox, access_token: &str) -> bool {
    let authority = sandbox.base_url().trim_start_matches("http://");
    let request = Request::get("/v2/user/profile").header(HOST, authority);
    let request = request.header(AUTHORIZATION, format!("Bearer {access_token}")).body(Full::default());
    let Ok(request) = request else { return false };
    matches!(timeout(LIMIT, send(authority, request)).await, Ok(Ok(answer)) if answer.status() == 200)
}

/// A browser opens a page of the broker.
async fn browse(authority: &str, path: &str, cookie: Option<&str>) -> Result<Response<Bytes>, Failure> {
    let mut request = Request::get(path).header(HOST, authority);
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, cookie);
    }
    let request = request.body(Full::default()).map_err(Failure::other)?;
    let answer = timeout(LIMIT, send(authority, request)).await.map_err(|_| unexpected("a page"))?;
    let answer = answer.map_err(|_| unexpected("a page"))?;
    if answer.status() == 303 { Ok(answer) } else { Err(unexpected("a redirect")) }
}

/// Sends a request over a connection of its own.
async fn send(authority: &str, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|_| "the body broke off")?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    // In one task, so that a caller that gives up closes the connection.
    tokio::select! {
        answer = exchange => answer,
        result = connection => {
            result?;
            Err("the connection ended".into())
        }
    }
}

fn header<'r>(answer: &'r Response<Bytes>, name: &str) -> &'r str {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn text<'v>(answer: &'v Value, member: &str) -> &'v str {
    answer.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn unexpected(expected: &str) -> Failure {
    Failure::other(format!("the demonstration failed: expected {expected}"))
}

/// A form or a URL, with its secrets cut.
fn shown(text: &str) -> String {
    let cut = |pair: &str| match pair.rsplit_once('=') {
        Some((name, value)) if value.len() > SHOWN && is_secret(name) => format!("{name}={}", cut(value)),
        _ => pair.to_owned(),
    };
    text.split('&').map(cut).collect::<Vec<_>>().join("&")
}

/// True for the name of a parameter or a member whose value is a secret. A name may have a path before it.
fn is_secret(name: &str) -> bool {
    ["code", "state", "token"].iter().any(|secret| name.ends_with(secret))
}

fn shown_answer(mut answer: Value) -> String {
    if let Some(members) = answer.as_object_mut() {
        for (name, value) in members {
            if let (true, Some(text)) = (is_secret(name), value.as_str()) {
                *value = cut(text).into();
            }
        }
    }
    answer.to_string()
}

fn cut(secret: &str) -> String {
    secret.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_cut() {
        assert_eq!(shown("/callback?code=abcdefgh&state=ijklmnop"), "/callback?code=abcd…&state=ijkl…");
        assert_eq!(
            shown("grant_type=refresh_token&refresh_token=abcdefgh"),
            "grant_type=refresh_token&refresh_token=abcd…"
        );
        let answer =
            serde_json::json!({"access_token": "abcdefgh", "refresh_token": "ijklmnop", "token_type": "Bearer"});
        let shown = shown_answer(answer);
        assert_eq!(shown, r#"{"access_token":"abcd…","refresh_token":"ijkl…","token_type":"Bearer"}"#);
    }
}
