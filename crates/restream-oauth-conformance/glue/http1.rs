//! Reads an answer of HTTP/1.1 from its bytes, for glue whose stack returns only bytes.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use httparse::{EMPTY_HEADER, Header, Response, Status};
use restream_oauth_core::transport::{Failure, FailureKind, Stage};
use restream_oauth_core::{Answer, Reader};

/// `body` returns the content in the bytes after the head, and whether it is whole. `failure` is that of the stack.
pub(crate) fn read<T>(
    mut reader: Reader<T>,
    mut bytes: &[u8],
    body: impl FnOnce(&HeaderMap, &[u8]) -> (Vec<u8>, bool),
    failure: Option<Failure>,
) -> Answer<T> {
    // An answer can break off although the stack reported no failure.
    let failure = failure.unwrap_or_else(|| Failure::new(FailureKind::Interrupted));
    let (status, headers) = loop {
        let mut fields = [EMPTY_HEADER; 64];
        let mut head = Response::new(&mut fields);
        let Ok(Status::Complete(length)) = head.parse(bytes) else {
            return reader.fail(Stage::AwaitingHead, failure);
        };
        bytes = &bytes[length..];
        let status = StatusCode::from_u16(head.code.unwrap_or_default()).unwrap_or(StatusCode::CONTINUE);
        // The final answer follows an informational one, except after 101.
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            break (status, head.headers.iter().filter_map(|field| header(field)).collect());
        }
    };
    let (content, is_whole) = body(&headers, bytes);
    let is_enough = reader.head(status, &headers).is_break() || reader.chunk(&content).is_break();
    if is_enough || is_whole { reader.finish() } else { reader.fail(Stage::ReadingBody, failure) }
}

fn header(field: &Header<'_>) -> Option<(HeaderName, HeaderValue)> {
    Some((HeaderName::try_from(field.name).ok()?, HeaderValue::from_bytes(field.value).ok()?))
}
