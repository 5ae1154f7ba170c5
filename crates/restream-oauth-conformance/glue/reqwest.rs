//! The core over reqwest, which by default follows redirects, retries, keeps connections, and uses proxies.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::{Client, ClientBuilder, Request, redirect, retry};
use restream_oauth_core::transport::{Failure, FailureKind, Stage};
use restream_oauth_core::{Answer, Call};

/// Switches off the defaults that could send a one-time credential twice, or to another server.
pub(crate) fn configure(builder: ClientBuilder, limit: Duration) -> ClientBuilder {
    builder.no_proxy().redirect(redirect::Policy::none()).retry(retry::never()).pool_max_idle_per_host(0).timeout(limit)
}

pub(crate) async fn receive<T>(client: &Client, call: Call<T>) -> Answer<T> {
    let (request, mut reader) = call.into_parts(SystemTime::now());
    let sent = match Request::try_from(request.map(Bytes::from)) {
        Ok(request) => client.execute(request).await,
        Err(error) => return reader.fail(Stage::BeforeBody, error.into()),
    };
    let mut response = match sent {
        Ok(response) => response,
        Err(error) => return reader.fail(Stage::AwaitingHead, failure(error)),
    };
    let mut flow = reader.head(response.status(), response.headers());
    while flow.is_continue() {
        flow = match response.chunk().await {
            Ok(Some(bytes)) => reader.chunk(&bytes),
            Ok(None) => break,
            Err(error) => return reader.fail(Stage::ReadingBody, failure(error)),
        };
    }
    reader.finish()
}

fn failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if error.is_timeout() { Failure::new(FailureKind::Timeout).with_source(error) } else { error.into() }
}
