//! A response and how it arrives, as text that people can write and libFuzzer can vary.
//!
//! ```text
//! refresh 103 200 +1 +7 limit=64 reading timeout
//! Content-Length: 770
//!
//! {"access_token": …
//! ```
//!
//! The first line holds words in any order: the step; statuses, the last one final; `+n`, the sizes of the chunks,
//! which repeat; the limit of the body; and, if the HTTP stack fails, the stage and the kind of the failure. Headers
//! follow, then an empty line, then the body. [`echo`] replaces the names of secrets by the secrets. Anything else is
//! ignored, so that every input is a script.

use std::fmt::Debug;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use restream_oauth_core::error::{Operation, Salvaged};
use restream_oauth_core::transport::{Failure, FailureKind, Stage};
use restream_oauth_core::{Answer, Call, Client, Error, Profile, Reader, RefreshToken, Tokens};

use crate::canary::echo;
use crate::client::{self, sent_at};
use crate::written::Written;

pub(crate) struct Script {
    pub(crate) step: Operation,
    /// Informational ones may come first; the first final one counts.
    pub(crate) statuses: Vec<StatusCode>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) cuts: Vec<usize>,
    pub(crate) limit: usize,
    pub(crate) failure: Option<(Stage, FailureKind)>,
}

// More than any server sends, and few enough for a quick run.
const MOST_HEADERS: usize = 64;
const MOST_CUTS: usize = 16;
const MOST_STATUSES: usize = 4;

impl Script {
    pub(crate) fn read(data: &[u8]) -> Self {
        let (plan, rest) = split_line(data);
        let mut script = Self {
            step: Operation::Refresh,
            statuses: Vec::new(),
            headers: HeaderMap::new(),
            body: Vec::new(),
            cuts: Vec::new(),
            limit: 256 * 1024,
            failure: None,
        };
        let (mut stage, mut kind) = (None, FailureKind::Interrupted);
        for word in String::from_utf8_lossy(plan).split_ascii_whitespace() {
            match word {
                "exchange" => script.step = Operation::Exchange,
                "refresh" => script.step = Operation::Refresh,
                "revoke" => script.step = Operation::Revoke,
                "profile" => script.step = Operation::Profile,
                "before" => stage = Some(Stage::BeforeBody),
                "awaiting" => stage = Some(Stage::AwaitingHead),
                "reading" => stage = Some(Stage::ReadingBody),
                "connect" => kind = FailureKind::Connect,
                "timeout" => kind = FailureKind::Timeout,
                _ => script.number(word),
            }
        }
        script.failure = stage.map(|stage| (stage, kind));
        let echoed = echo(rest, script.step);
        let mut rest = echoed.as_slice();
        loop {
            let (line, after) = split_line(rest);
            if line.is_empty() {
                after.clone_into(&mut script.body);
                return script;
            }
            rest = after;
            script.header(line);
        }
    }

    fn number(&mut self, word: &str) {
        if let Some(size) = word.strip_prefix('+').and_then(|size| size.parse().ok()) {
            if self.cuts.len() < MOST_CUTS {
                self.cuts.push(size);
            }
        } else if let Some(limit) = word.strip_prefix("limit=").and_then(|limit| limit.parse().ok()) {
            self.limit = usize::clamp(limit, 1, 1 << 20);
        } else if let Ok(status) = StatusCode::from_bytes(word.as_bytes()) {
            if self.statuses.len() < MOST_STATUSES {
                self.statuses.push(status);
            }
        }
    }

    fn header(&mut self, line: &[u8]) {
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name);
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            if self.headers.len() < MOST_HEADERS {
                self.headers.append(name, value);
            }
        }
    }

    /// The status that counts: the first that is not informational.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        let switches = StatusCode::SWITCHING_PROTOCOLS;
        self.statuses.iter().copied().find(|status| !status.is_informational() || *status == switches)
    }

    /// Checks what holds for every outcome. Only a success status gives a success, and for a revocation only 200 or 204
    /// (RFC 6749 §5.1, RFC 7009 §2.2). Tokens are those that the server wrote.
    pub(crate) fn check(&self, outcome: &Result<Got, Error>) {
        let succeeds = |status: StatusCode| match self.step {
            Operation::Revoke => [StatusCode::OK, StatusCode::NO_CONTENT].contains(&status),
            _ => status.is_success(),
        };
        let written = Written::of(&self.body[..self.body.len().min(self.limit)]);
        match outcome {
            Ok(got) => {
                assert!(self.status().is_some_and(succeeds), "a success by {:?}", self.statuses);
                if let Got::Tokens(tokens) = got {
                    written.check(Ok(tokens));
                }
            }
            Err(error) => written.check(Err(error)),
        }
    }

    /// The number of bytes that a reader may have to look at: body and headers.
    pub(crate) fn len(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
        self.body.len() + headers
    }

    /// Builds the call of the script's step, and lets `way` bring it to its end.
    pub(crate) fn outcome(&self, way: impl Way) -> Result<Got, Error> {
        let built;
        let client = match self.limit {
            limit if limit == 256 * 1024 => client::client(),
            limit => {
                built = client::builder().body_limit(limit).build().expect("the configuration is right");
                &built
            }
        };
        self.outcome_with(client, way)
    }

    fn outcome_with(&self, client: &Client, way: impl Way) -> Result<Got, Error> {
        match self.step {
            Operation::Exchange => way.go(self, client::exchange(client)).map(|it| Got::Tokens(Box::new(it))),
            Operation::Revoke => way.go(self, client::revoke(client)).map(|_| Got::Revoked),
            Operation::Profile => way.go(self, client::profile(client)).map(Got::Profile),
            _ => way.go(self, client::refresh(client)).map(|it| Got::Tokens(Box::new(it))),
        }
    }

    /// Hands over the heads and the body in one piece.
    pub(crate) fn feed_whole<T>(&self, reader: Reader<T>) -> Reader<T> {
        self.feed(reader, std::iter::once(self.body.as_slice()))
    }

    /// Hands over the heads and the body in chunks.
    pub(crate) fn feed_chunks<T>(&self, reader: Reader<T>) -> Reader<T> {
        let mut rest = self.body.as_slice();
        let mut sizes = self.cuts.iter().cycle();
        let moves_on = self.cuts.iter().any(|&size| size > 0);
        let chunks = std::iter::from_fn(|| {
            let size = if moves_on { *sizes.next()? } else { rest.len() };
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            (!rest.is_empty()).then(|| {
                rest = after;
                chunk
            })
        });
        self.feed(reader, chunks)
    }

    fn feed<'a, T>(&self, mut reader: Reader<T>, mut chunks: impl Iterator<Item = &'a [u8]>) -> Reader<T> {
        // Without a head there is no body.
        let mut goes_on = false;
        for &status in &self.statuses {
            goes_on = reader.head(status, &self.headers).is_continue() && self.status().is_some();
            if self.status() == Some(status) {
                break;
            }
        }
        if goes_on {
            let _ = chunks.find(|chunk| reader.chunk(chunk).is_break());
        }
        reader
    }

    /// Ends the response as the script says, without interpreting it.
    pub(crate) fn end<T>(&self, reader: Reader<T>) -> Answer<T> {
        match self.failure {
            None => reader.finish(),
            Some((stage, kind)) => reader.fail(stage, Failure::new(kind).with_source("the stack's own words")),
        }
    }

    /// The response as an HTTP library returns it; `None` if a library would return an error.
    pub(crate) fn response(&self) -> Option<Response<&[u8]>> {
        let mut response = Response::new(self.body.as_slice());
        *response.status_mut() = self.status().filter(|_| self.failure.is_none())?;
        self.headers.clone_into(response.headers_mut());
        Some(response)
    }
}

/// One way through a call to its outcome. It is generic because each step has a result type of its own.
pub(crate) trait Way {
    fn go<T: Debug>(self, script: &Script, call: Call<T>) -> Result<T, Error>;
}

/// Hands over all at once and takes the shortest exit.
pub(crate) struct Whole;

impl Way for Whole {
    fn go<T: Debug>(self, script: &Script, call: Call<T>) -> Result<T, Error> {
        script.end(script.feed_whole(call.into_parts(sent_at()).1)).interpret()
    }
}

/// The result of any step.
#[derive(Debug)]
pub(crate) enum Got {
    Tokens(Box<Tokens>),
    Revoked,
    Profile(Profile),
}

/// An outcome as text, secrets included: two outcomes are equal if their texts are.
pub(crate) fn tell(outcome: &Result<Got, Error>) -> String {
    match outcome {
        Ok(Got::Tokens(tokens)) => {
            let refresh_token = tokens.refresh_token().map(RefreshToken::expose_secret);
            format!("{tokens:?} {} {refresh_token:?}", tokens.access_token().expose_secret())
        }
        Ok(Got::Profile(profile)) => format!("{profile:?} {:?}", profile.email()),
        Ok(Got::Revoked) => "revoked".to_owned(),
        Err(error) => {
            let salvaged = match error.salvaged() {
                Some(Salvaged::AccessToken(token)) => token.expose_secret(),
                Some(Salvaged::RefreshToken(token)) => token.expose_secret(),
                _ => "",
            };
            format!("{error} {error:?} {salvaged}")
        }
    }
}

/// The line without its end, and what follows it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(end);
    (line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default())
}
