//! `api`: calls Restream's API with the living access token. The body of the response goes to standard output, whatever
//! the status.

mod target;

use std::fs::File;
use std::future::Future;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use restream_oauth_core::AccessToken;
use restream_oauth_core::transport::FailureKind;

use crate::arguments::Api;
use crate::configuration;
use crate::failure::{Exit, Failure};
use crate::terminal::print_bytes;
use crate::tokens::access::Access;
use crate::tokens::place::Place;
use crate::tokens::rotation::Rotation;
use crate::transport::Transport;

const RESTREAM: &str = "https://api.restream.io";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The longest body of a request, which is in memory as a whole.
const LONGEST_INPUT: u64 = 16 * 1024 * 1024;
/// How long a token must live on: a call may take a while.
const VALID_FOR: Duration = Duration::from_secs(60);
/// The file that means standard input.
const STANDARD_INPUT: &str = "-";

pub(crate) async fn run(options: &Api) -> Result<(), Failure> {
    let place = Place::of(&options.tokens)?;
    let call = ApiCall {
        method: method(options),
        uri: target::uri(base(options), &options.path)?,
        body: options.input.as_deref().map(|input| read(input, &place)).transpose()?,
        limit: options.client.timeout,
    };
    let transport = configuration::transport(&options.client)?;
    let access = Access { place: &place, options: &options.client, valid_for: VALID_FOR };
    let mut rotation = None;

    let token = match access.at_hand(None)? {
        Some(living) => living,
        None => access.renew(&transport, &mut rotation, None).await?,
    };
    let token = token.access_token;
    let response = interruptible(&mut rotation, call.send(&transport, &token)).await?;
    if response.status() != StatusCode::UNAUTHORIZED || place.file().is_none() {
        return interruptible(&mut rotation, show(response, call.limit)).await;
    }
    // The token was replaced a moment ago, or is dead.
    let another = match access.at_hand(Some(&token)) {
        Ok(None) => access.renew(&transport, &mut rotation, Some(&token)).await,
        Ok(Some(living)) => Ok(living),
        Err(failure) => Err(failure),
    };
    let another = match another {
        Ok(another) => another.access_token,
        Err(failure) => {
            // The body may say more. Why there is no other token is the exit code.
            let _ = interruptible(&mut rotation, show(response, call.limit)).await;
            return Err(failure);
        }
    };
    let response = interruptible(&mut rotation, call.send(&transport, &another)).await?;
    interruptible(&mut rotation, show(response, call.limit)).await
}

/// An empty variable counts as unset.
fn base(options: &Api) -> &str {
    let base = options.client.base_url.as_str();
    if base.is_empty() { RESTREAM } else { base }
}

/// Without a method, a request with a body is a POST.
fn method(options: &Api) -> Method {
    let usual = if options.input.is_some() { Method::POST } else { Method::GET };
    options.method.clone().unwrap_or(usual)
}

/// Reads the body of the request.
fn read(input: &Path, place: &Place) -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    let read = if input.as_os_str() == STANDARD_INPUT {
        if place.file().is_none() {
            return Err(Failure::usage("the tokens and --input cannot both come from standard input"));
        }
        io::stdin().lock().take(LONGEST_INPUT).read_to_end(&mut body)
    } else {
        File::open(input).and_then(|file| file.take(LONGEST_INPUT).read_to_end(&mut body))
    };
    let length = read.map_err(|error| Failure::usage(format!("cannot read {}: {error}", input.display())))?;
    if u64::try_from(length).unwrap_or(u64::MAX) >= LONGEST_INPUT {
        return Err(Failure::usage(format!("{} is longer than 16 MiB", input.display())));
    }
    Ok(body.into())
}

/// One call of the API, which can be sent with one token and again with another.
struct ApiCall {
    method: Method,
    uri: Uri,
    body: Option<Bytes>,
    limit: Duration,
}

impl ApiCall {
    async fn send(&self, transport: &Transport, token: &AccessToken) -> Result<Response<Incoming>, Failure> {
        let bearer = token.bearer_header().map_err(|error| Failure::other(error.to_string()))?;
        let mut request = Request::new(self.body.clone().unwrap_or_default());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(ACCEPT, JSON);
        request.headers_mut().insert(AUTHORIZATION, bearer);
        if self.body.is_some() {
            request.headers_mut().insert(CONTENT_TYPE, JSON);
        }
        transport.request(request).await.map_err(|failure| {
            let kind = failure.kind();
            let sent = !matches!(kind, FailureKind::Connect | FailureKind::Tls);
            let doubt = if sent && !self.method.is_safe() { ": the server may have acted" } else { "" };
            Failure::new(Exit::TryAgain, format!("{kind}{doubt}"))
        })
    }
}

/// Writes the body of a response to standard output as it comes. Fails if the status is no success.
async fn show(response: Response<Incoming>, limit: Duration) -> Result<(), Failure> {
    let status = response.status();
    let mut body = response.into_body();
    let cut = |why: &str| Failure::new(Exit::TryAgain, format!("the response is not complete: {why}"));
    loop {
        let frame = tokio::time::timeout(limit, body.frame()).await.map_err(|_| cut("the time limit passed"))?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| cut("it ended early"))?;
        if let Some(bytes) = frame.data_ref() {
            print_bytes(bytes)?;
        }
    }
    let exit = match status.as_u16() {
        200..=299 => return Ok(()),
        401 => Exit::Refresh,
        403 => Exit::Denied,
        429 | 500..=599 => Exit::TryAgain,
        _ => Exit::Other,
    };
    Err(Failure::new(exit, format!("the API answered with status {status}")))
}

/// After a refresh, signals do not end the program by themselves any more.
async fn interruptible<T>(
    rotation: &mut Option<Rotation<'_>>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let Some(interruptions) = rotation.as_mut().and_then(Rotation::interruptions) else { return work.await };
    tokio::select! {
        result = work => result,
        _ = interruptions.next() => Err(Failure::new(Exit::Interrupted, "interrupted; the tokens are stored")),
    }
}
