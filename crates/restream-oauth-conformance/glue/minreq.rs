//! The core over minreq, a small blocking client.

use std::io::Read as _;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode};
use restream_oauth_core::transport::{Failure, FailureKind, Stage};
use restream_oauth_core::{Answer, Call};

pub(crate) fn receive<T>(call: Call<T>, limit: Duration) -> Answer<T> {
    let (request, mut reader) = call.into_parts(SystemTime::now());
    let method = minreq::Method::Custom(request.method().to_string());
    let mut outgoing = minreq::Request::new(method, request.uri().to_string())
        .with_follow_redirects(false)
        // minreq counts whole seconds, and 0 would be no limit.
        .with_timeout(limit.saturating_add(Duration::from_nanos(999_999_999)).as_secs())
        .with_header("Connection", "close");
    for (name, value) in request.headers() {
        outgoing = outgoing.with_header(name.as_str(), value.to_str().unwrap_or_default());
    }
    let mut response = match outgoing.with_body(request.body().as_ref()).send_lazy() {
        Ok(response) => response,
        Err(error) => return reader.fail(Stage::AwaitingHead, error.into()),
    };
    let Ok(status) = StatusCode::from_u16(response.status_code) else {
        return reader.fail(Stage::AwaitingHead, Failure::new(FailureKind::Protocol));
    };
    let header = |(name, value): &(String, String)| Some((name.parse().ok()?, value.parse().ok()?));
    let headers: HeaderMap<HeaderValue> = response.headers.iter().filter_map(header).collect();
    let mut flow = reader.head(status, &headers);
    let mut piece = [0; 1024];
    while flow.is_continue() {
        flow = match response.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => reader.chunk(&piece[..length]),
            Err(error) => return reader.fail(Stage::ReadingBody, error.into()),
        };
    }
    reader.finish()
}
