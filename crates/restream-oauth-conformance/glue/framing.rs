//! Takes the framing of HTTP/1.1 off a body (RFC 9112 §6).

use http::HeaderMap;
use httparse::{Status, parse_chunk_size};

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
