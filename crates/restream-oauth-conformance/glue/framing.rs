//! Puts the framing of HTTP/1.1 around a request, and takes it off an answer's body (RFC 9112).

use http::{HeaderMap, Request};
use httparse::{Status, parse_chunk_size};
use restream_oauth_core::Body;

/// The last request of its connection.
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

/// The content, and whether that is all of it.
pub(crate) fn unframed(headers: &HeaderMap, mut bytes: &[u8]) -> (Vec<u8>, bool) {
    if !headers.contains_key("transfer-encoding") {
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
        bytes = bytes.get(end.saturating_add(2)..).unwrap_or_default();
    }
    (content, false)
}
