//! The framing of HTTP/1.1 (RFC 9112): writes a request, and reads the body of an answer.

use http::{HeaderMap, Request};
use httparse::{Status, parse_chunk_size};
use restream_oauth_core::Body;

/// Returns the bytes of a request that is the only one on its connection.
pub(crate) fn framed(request: &Request<Body>) -> Vec<u8> {
    let (method, uri, body) = (request.method(), request.uri(), request.body());
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let mut message = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n").into_bytes();
    for (name, value) in request.headers() {
        message.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    message.extend([format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body.as_ref()].concat());
    message
}

/// Returns the content in the bytes after the head, and whether the content is whole.
pub(crate) fn unframed(headers: &HeaderMap, mut bytes: &[u8]) -> (Vec<u8>, bool) {
    if !headers.contains_key("transfer-encoding") {
        // Without a length, the content ends with the connection.
        let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        let length: usize = length.unwrap_or(bytes.len());
        return (bytes[..length.min(bytes.len())].to_vec(), length <= bytes.len());
    }
    let mut content = Vec::new();
    while let Ok(Status::Complete((start, size))) = parse_chunk_size(bytes) {
        if size == 0 {
            return (content, true);
        }
        let end = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(start);
        content.extend(&bytes[start..end.min(bytes.len())]);
        // A line break follows each chunk.
        bytes = bytes.get(end.saturating_add(2)..).unwrap_or_default();
    }
    (content, false)
}
