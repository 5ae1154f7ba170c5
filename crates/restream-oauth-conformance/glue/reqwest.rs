//! The core over reqwest, whose habits of following, retrying, keeping connections and taking proxies are switched off.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::{Client, ClientBuilder, Request, redirect, retry};
use restream_oauth_core::{Call, Error, Failure, FailureKind, Stage};

pub(crate) fn configure(builder: ClientBuilder, limit: Duration) -> ClientBuilder {
    builder.no_proxy().redirect(redirect::Policy::none()).retry(retry::never()).pool_max_idle_per_host(0).timeout(limit)
}

pub(crate) async fn send<T>(client: &Client, call: Call<T>) -> Result<T, Error> {
    let (request, mut reader) = call.into_parts();
    let sent_at = SystemTime::now();
    let sent = match Request::try_from(request.map(Bytes::from)) {
        Ok(request) => client.execute(request).await,
        Err(error) => return reader.failed(Stage::BeforeBody, error.into(), sent_at),
    };
    let mut response = match sent {
        Ok(response) => response,
        Err(error) => return reader.failed(Stage::AwaitingHead, failure(error), sent_at),
    };
    let mut going_on = reader.head(response.status(), response.headers());
    while going_on.is_continue() {
        going_on = match response.chunk().await {
            Ok(Some(bytes)) => reader.chunk(&bytes),
            Ok(None) => break,
            Err(error) => return reader.failed(Stage::ReadingBody, failure(error), sent_at),
        };
    }
    reader.finish(sent_at)
}

fn failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if error.is_timeout() { Failure::new(FailureKind::Timeout).with_source(error) } else { error.into() }
}
