//! Metrics and health, on a listener of their own: what operators and supervisors read, and nobody else should.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use super::broker::Broker;
use crate::metrics;

/// Answers `/healthz` and `/metrics`.
pub(super) fn answer(broker: &Arc<Broker>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let observer = broker.observer();
    let is_get = *request.method() == Method::GET || *request.method() == Method::HEAD;
    let (status, content_type, body) = match request.uri().path() {
        _ if !is_get => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", String::new()),
        "/healthz" => {
            let health = observer.health();
            (health.status_code(), "application/json", health.to_json())
        }
        "/metrics" => {
            observer.metrics.set_lines_dropped(observer.log.dropped());
            (StatusCode::OK, metrics::CONTENT_TYPE, observer.metrics.text())
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", String::new()),
    };
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
