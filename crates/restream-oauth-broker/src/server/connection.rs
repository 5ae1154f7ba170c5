//! One connection: reads requests within bounds, and lets the broker answer them.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};

use super::admin;
use super::broker::Broker;
use super::idle::{Idle, Progress, Watched, until_idle};
use super::observe::Observed;
use super::steady_write::SteadyWrite;
use crate::metrics::Bound;
use crate::protocol::{incomplete, too_large, unavailable};

/// How long the head of a request may take, a handshake of TLS, and how long a connection may be silent.
pub(super) const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// The longest head, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;
/// The longest body, in bytes.
const LONGEST_BODY: usize = 64 * 1024;
/// How long a whole request may take, from its head to its answer.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// How long an answer may wait for its reader.
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Devices and browsers.
    Devices,
    /// Metrics and health.
    Admin,
}

/// Serves one connection to its end. Once `stopping` is true, it ends after the request that is under way.
///
/// Between two requests, and before the first one, nothing of the connection is in memory but its socket.
pub(super) async fn serve_connection<S>(
    stream: S,
    peer: IpAddr,
    broker: Arc<Broker>,
    purpose: Purpose,
    mut stopping: tokio::sync::watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = SteadyWrite::new(stream, WRITE_LIMIT);
    let mut received = Bytes::new();
    loop {
        if received.is_empty() {
            match first_byte(&mut stream, &mut stopping).await {
                Some(byte) => received = byte,
                None => break,
            }
        }
        let requests = serve_requests(stream, received, peer, Arc::clone(&broker), purpose, &mut stopping);
        // In a box, so that a silent connection does not take its place.
        match Box::pin(requests).await {
            Some(idle) => (stream, received) = (idle.stream, idle.received),
            None => return,
        }
    }
    // TLS says that it was meant. There is nobody who has to hear it.
    drop(timeout(HEAD_LIMIT, stream.shutdown()).await);
}

/// Waits for the first byte of a request. `None` if none comes: the other end has hung up or is silent for too long, or the
/// broker stops.
async fn first_byte(
    stream: &mut (impl AsyncRead + Unpin),
    stopping: &mut tokio::sync::watch::Receiver<bool>,
) -> Option<Bytes> {
    let mut byte = [0];
    let read = tokio::select! {
        read = timeout(HEAD_LIMIT, stream.read(&mut byte)) => read,
        () = stop(stopping) => return None,
    };
    matches!(read, Ok(Ok(1..))).then(|| Bytes::copy_from_slice(&byte))
}

/// Serves requests until the connection ends, or until it is silent.
async fn serve_requests<S>(
    stream: SteadyWrite<S>,
    received: Bytes,
    peer: IpAddr,
    broker: Arc<Broker>,
    purpose: Purpose,
    stopping: &mut tokio::sync::watch::Receiver<bool>,
) -> Option<Idle<SteadyWrite<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let observer = Arc::clone(broker.observer());
    let progress = Arc::new(Progress::default());
    let of_service = Arc::clone(&progress);
    let service = service_fn(move |request| {
        let (broker, progress) = (Arc::clone(&broker), Arc::clone(&of_service));
        async move {
            progress.begun();
            let answer = match purpose {
                Purpose::Devices => answer(&broker, peer, request, &progress).await.map(Full::new),
                Purpose::Admin => admin::answer(&broker, &request),
            };
            progress.answered();
            Ok::<_, Infallible>(answer)
        }
    });
    let stream = TokioIo::new(Watched::new(stream, received, Arc::clone(&progress)));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        // The buffer may grow beyond its limit, which only says when reading ends. The head has a limit of its own.
        .max_buf_size(LONGEST_HEAD)
        .max_header_size(LONGEST_HEAD)
        .serve_connection(stream, service);
    let ended = tokio::select! {
        ended = until_idle(&mut connection, &progress) => ended,
        () = stop(stopping) => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            Some((&mut connection).await)
        }
    };
    if let Some(result) = ended {
        // What else goes wrong with a connection is the other end's affair.
        if result.is_err_and(|error| error.is_parse_too_large()) {
            observer.metrics.turned_away(Bound::Size);
        }
        return None;
    }
    let parts = connection.into_parts();
    Some(Idle::new(parts.io.into_inner(), &parts.read_buf))
}

/// Waits until the broker stops.
async fn stop(stopping: &mut tokio::sync::watch::Receiver<bool>) {
    drop(stopping.wait_for(|stopping| *stopping).await);
}

async fn answer(
    broker: &Arc<Broker>,
    peer: IpAddr,
    request: Request<Incoming>,
    progress: &Progress,
) -> Response<Bytes> {
    let now = Instant::now();
    let deadline = now.checked_add(REQUEST_LIMIT).unwrap_or(now);
    let (head, body) = request.into_parts();
    let address = broker.address(peer, &head.headers);
    let observed = Observed::begin(broker.observer(), &head.method, broker.protocol.route(head.uri.path()), address);
    let answer = match broker.admit(address, head.uri.path()) {
        Ok(()) => read_and_answer(broker, address, head, body, deadline, progress).await,
        Err(refusal) => *refusal,
    };
    observed.answered(&answer);
    answer
}

async fn read_and_answer(
    broker: &Arc<Broker>,
    address: IpAddr,
    head: Parts,
    body: Incoming,
    deadline: Instant,
    progress: &Progress,
) -> Response<Bytes> {
    let turned_away = |bound: Bound| broker.observer().metrics.turned_away(bound);
    let body = match timeout_at(deadline, Limited::new(body, LONGEST_BODY).collect()).await {
        Ok(Ok(body)) => {
            progress.body_read();
            body.to_bytes()
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            turned_away(Bound::Size);
            return closing(too_large());
        }
        // Cut off.
        Ok(Err(_)) => return closing(incomplete()),
        Err(_) => {
            turned_away(Bound::Time);
            return closing(incomplete());
        }
    };
    timeout_at(deadline, broker.answer(address, head, body)).await.unwrap_or_else(|_| {
        turned_away(Bound::Time);
        closing(unavailable(Duration::from_secs(5), "the request took longer than a minute"))
    })
}

/// What is left of the body would be taken for the next request.
fn closing(mut answer: Response<Bytes>) -> Response<Bytes> {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

#[cfg(test)]
mod tests;
