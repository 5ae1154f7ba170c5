//! The common parts of the tests: a client, a call for each step, the documented response, and a simulated HTTP stack.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use restream_oauth_core::error::Operation;
use restream_oauth_core::generators::Pieces;
use restream_oauth_core::login::CodeVerifier;
use restream_oauth_core::token::Oddity;
use restream_oauth_core::transport::{Failure, FailureKind, Stage, Unread};
use restream_oauth_core::{
    AccessToken, Answer, AuthorizationCode, Body, Call, Client, ClientBuilder, Entropy, Error, Login, Profile, Reader,
    RefreshToken, Tokens,
};

/// The documented response to a code exchange, byte for byte.
pub(crate) const DOCUMENTED: &str = include_str!("../documents/code-exchange.json");
/// The tokens in [`DOCUMENTED`].
pub(crate) const ACCESS: &str = "2a407cfcfdf8920242fd6dc7e5f83c86374ef925";
pub(crate) const REFRESH: &str = "9ca0e1e99ae3eae136a2bd98fc9c1534ea928ed3";

pub(crate) const CLIENT_ID: &str = "client-id";
pub(crate) const SECRET: &str = "c4nary-client-secret";
pub(crate) const REDIRECT_URI: &str = "https://app.example/callback";
pub(crate) const CODE: &str = "c4nary-code";
pub(crate) const VERIFIER: &str = "c4nary-verifier-c4nary-verifier-c4nary-veri";
pub(crate) const SENT_REFRESH: &str = "c4nary-refresh-token";
pub(crate) const SENT_ACCESS: &str = "c4nary-access-token";

/// The time at which every request is sent.
pub(crate) fn sent_at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

pub(crate) fn builder() -> ClientBuilder {
    Client::builder(CLIENT_ID).redirect_uri(REDIRECT_URI)
}

pub(crate) fn client() -> Client {
    builder().secret(SECRET).build().unwrap()
}

pub(crate) fn entropy(seed: u8) -> Entropy {
    Entropy::from(std::array::from_fn(|n| u8::try_from(n).unwrap().wrapping_mul(7) ^ seed))
}

/// The code from a valid callback of `login`.
pub(crate) fn code_of(login: &mut Login) -> AuthorizationCode {
    let query = format!("code={CODE}&state={}", login.state().expose_secret());
    login.read_callback(&query).unwrap()
}

/// A known code with a known verifier.
pub(crate) fn known_code() -> AuthorizationCode {
    AuthorizationCode::without_state_check(CODE, REDIRECT_URI, Some(CodeVerifier::new(VERIFIER).unwrap()))
}

pub(crate) fn exchange() -> Call<Tokens> {
    client().exchange(&known_code())
}

pub(crate) fn refresh() -> Call<Tokens> {
    client().refresh(&RefreshToken::new(SENT_REFRESH))
}

/// The bytes of the header; empty if it is absent.
pub(crate) fn header(request: &Request<Body>, name: HeaderName) -> Option<&[u8]> {
    request.headers().get(name).map(HeaderValue::as_bytes)
}

/// The form of a request, read by an independent decoder.
pub(crate) fn form(request: &Request<Body>) -> Vec<(String, String)> {
    serde_urlencoded::from_bytes(request.body().as_ref()).unwrap()
}

pub(crate) fn oddities(tokens: &Tokens) -> Vec<Oddity> {
    tokens.oddities().collect()
}

/// Both tokens as text.
pub(crate) fn pair(tokens: &Tokens) -> (&str, Option<&str>) {
    (tokens.access_token().expose_secret(), tokens.refresh_token().map(RefreshToken::expose_secret))
}

/// A JSON object as text: a list of members in order. The values are raw text, so they may be invalid.
#[derive(Clone)]
pub(crate) struct Json(pub(crate) Vec<(String, String)>);

impl Json {
    pub(crate) const SNAKE: [&str; 6] =
        ["access_token", "expires", "expires_in", "refresh_token", "scope", "token_type"];

    /// The documented response.
    pub(crate) fn documented() -> Self {
        let document: serde_json::Map<String, serde_json::Value> = serde_json::from_str(DOCUMENTED).unwrap();
        Self(document.into_iter().map(|(key, value)| (key, value.to_string())).collect())
    }

    /// The members of the documented response with the names of RFC 6749, and `expires`.
    pub(crate) fn snake_half() -> Self {
        Self::documented().only(|key| Self::SNAKE.contains(&key))
    }

    /// The camelCase members of the documented response.
    pub(crate) fn camel_half() -> Self {
        Self::documented().only(|key| !Self::SNAKE.contains(&key))
    }

    pub(crate) fn only(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|(key, _)| keep(key));
        self
    }

    pub(crate) fn without(self, names: &[&str]) -> Self {
        self.only(|key| !names.contains(&key))
    }

    /// Changes the value of a member, in its place.
    pub(crate) fn set(mut self, name: &str, raw: &str) -> Self {
        let member = self.0.iter_mut().find(|(key, _)| key == name).unwrap_or_else(|| panic!("no member {name}"));
        raw.clone_into(&mut member.1);
        self
    }

    /// Adds a member at the end, even if the name is already there.
    pub(crate) fn push(mut self, name: &str, raw: &str) -> Self {
        self.0.push((name.to_owned(), raw.to_owned()));
        self
    }

    /// Adds a member at the beginning.
    pub(crate) fn push_front(mut self, name: &str, raw: &str) -> Self {
        self.0.insert(0, (name.to_owned(), raw.to_owned()));
        self
    }

    pub(crate) fn text(&self) -> String {
        let members: Vec<_> = self.0.iter().map(|(key, raw)| format!("\"{key}\": {raw}")).collect();
        format!("{{\n  {}\n}}", members.join(",\n  "))
    }
}

/// A response as an HTTP stack feeds it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Status 200, with a JSON content type.
    pub(crate) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::of(200, body)
    }

    /// Any status, with a JSON content type.
    pub(crate) fn of(status: u16, body: impl AsRef<[u8]>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Self { status: StatusCode::from_u16(status).unwrap(), headers, body: body.as_ref().to_owned() }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    pub(crate) fn without_header(mut self, name: &HeaderName) -> Self {
        self.headers.remove(name);
        self
    }

    /// Feeds the head, and the body in chunks of `size` bytes, until the reader returns `Break`.
    pub(crate) fn feed<T>(&self, reader: Reader<T>, size: usize) -> Reader<T> {
        self.feed_all(reader, self.body.chunks(size.max(1)))
    }

    /// Feeds the head, and these chunks of the body, until the reader returns `Break`.
    fn feed_all<'a, T>(&self, mut reader: Reader<T>, mut pieces: impl Iterator<Item = &'a [u8]>) -> Reader<T> {
        if reader.head(self.status, &self.headers).is_continue() {
            let _ = pieces.find(|piece| reader.chunk(piece).is_break());
        }
        reader
    }

    /// The response ends normally.
    pub(crate) fn finish<T>(&self, call: Call<T>) -> Result<T, Error> {
        self.feed(call.into_parts(sent_at()).1, usize::MAX).finish().interpret()
    }

    /// The stack fails after the last byte.
    pub(crate) fn then_fail<T>(&self, call: Call<T>) -> Result<T, Error> {
        let failure = Failure::new(FailureKind::Interrupted);
        self.feed(call.into_parts(sent_at()).1, usize::MAX).fail(Stage::ReadingBody, failure).interpret()
    }
}

/// The tokens of a success response to a refresh.
pub(crate) fn tokens(body: impl AsRef<[u8]>) -> Tokens {
    let body = body.as_ref();
    let read = Reply::ok(body).finish(refresh());
    read.unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(body).chars().take(300).collect::<String>())
    })
}

/// The result of any step.
#[derive(Debug)]
pub(crate) enum Got {
    Tokens(Box<Tokens>),
    Revoked,
    Profile(Profile),
}

pub(crate) const STEPS: [Operation; 4] =
    [Operation::Exchange, Operation::Refresh, Operation::Revoke, Operation::Profile];

/// How the response to a call ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Finish,
    Failed(Stage, FailureKind),
}

/// Runs one step with the known credentials. Without a reply, no response head arrives.
pub(crate) fn outcome(step: Operation, reply: Option<&Reply>, ending: Ending) -> Result<Got, Error> {
    step_through(step, |call| receive(call, reply, ending, None))
}

/// Like [`outcome`], with the body in these chunks.
pub(crate) fn outcome_in_pieces(
    step: Operation,
    reply: Option<&Reply>,
    ending: Ending,
    pieces: &Pieces,
) -> Result<Got, Error> {
    step_through(step, |call| receive(call, reply, ending, Some(pieces)))
}

/// Like [`outcome`], but saves the answer, and restores it with a new call later.
pub(crate) fn outcome_of_saved(step: Operation, reply: Option<&Reply>, ending: Ending) -> Result<Got, Error> {
    let mut saved = None;
    let _ = step_through(step, |call| {
        let answer = receive(call, reply, ending, None);
        saved = Some(answer.to_saved());
        answer
    });
    step_through(step, |call| {
        let (_, reader) = call.into_parts(sent_at() + Duration::from_secs(86_400));
        reader.restore_answer(saved.unwrap().expose_secret()).unwrap()
    })
}

/// Like [`outcome`], but by [`Reader::read`].
pub(crate) fn outcome_at_once(step: Operation, reply: &Reply) -> Result<Got, Error> {
    fn read<T>(call: Call<T>, reply: &Reply) -> Result<T, Error> {
        let mut response = http::Response::new(&reply.body);
        *response.status_mut() = reply.status;
        reply.headers.clone_into(response.headers_mut());
        call.into_parts(sent_at()).1.read(response)
    }
    let access = AccessToken::new(SENT_ACCESS);
    match step {
        Operation::Exchange => read(exchange(), reply).map(|tokens| Got::Tokens(Box::new(tokens))),
        Operation::Refresh => read(refresh(), reply).map(|tokens| Got::Tokens(Box::new(tokens))),
        Operation::Revoke => read(client().revoke(&access), reply).map(|_| Got::Revoked),
        Operation::Profile => read(client().profile(&access).unwrap(), reply).map(Got::Profile),
        other => panic!("no call for {other}"),
    }
}

fn receive(call: Call<Unread>, reply: Option<&Reply>, ending: Ending, pieces: Option<&Pieces>) -> Answer<Unread> {
    let (_, reader) = call.into_parts(sent_at());
    let reader = match (reply, pieces) {
        (Some(reply), Some(pieces)) => reply.feed_all(reader, pieces.of(&reply.body)),
        (Some(reply), None) => reply.feed(reader, usize::MAX),
        (None, _) => reader,
    };
    match ending {
        Ending::Finish => reader.finish(),
        Ending::Failed(stage, kind) => reader.fail(stage, Failure::new(kind)),
    }
}

/// One closure sends the calls of every step.
pub(crate) fn step_through(
    step: Operation,
    receive: impl FnOnce(Call<Unread>) -> Answer<Unread>,
) -> Result<Got, Error> {
    fn end<T>(call: Call<T>, receive: impl FnOnce(Call<Unread>) -> Answer<Unread>) -> Result<T, Error> {
        let (call, interpreter) = call.unread();
        interpreter.interpret(receive(call))
    }
    let access = AccessToken::new(SENT_ACCESS);
    match step {
        Operation::Exchange => end(exchange(), receive).map(|tokens| Got::Tokens(Box::new(tokens))),
        Operation::Refresh => end(refresh(), receive).map(|tokens| Got::Tokens(Box::new(tokens))),
        Operation::Revoke => end(client().revoke(&access), receive).map(|_| Got::Revoked),
        Operation::Profile => end(client().profile(&access).unwrap(), receive).map(Got::Profile),
        other => panic!("no call for {other}"),
    }
}

/// The error of a complete response.
pub(crate) fn error_of(step: Operation, reply: &Reply) -> Error {
    outcome(step, Some(reply), Ending::Finish).expect_err("this response is not a success")
}
