//! Reads the headers of a `Response`, and its body piece by piece.

use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use js_sys::futures::JsFuture;
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use zeroize::Zeroizing;

use crate::platform::{call, get};
use crate::time_limit::TimeLimit;

/// The headers that a reader uses, with their names as text: code that parses names would cost a page 7 KB.
/// `Content-Length` is left out, because it counts the bytes on the wire, and the runtime may have decoded them.
const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_ENCODING, "content-encoding"),
    (CONTENT_TYPE, "content-type"),
    (DATE, "date"),
    (RETRY_AFTER, "retry-after"),
    (WWW_AUTHENTICATE, "www-authenticate"),
];

pub(crate) fn headers(response: &JsValue) -> Result<HeaderMap, JsValue> {
    let from = get(response, "headers")?;
    let mut headers = HeaderMap::new();
    for (name, text) in HEADERS {
        // The runtime joins several headers of one name with commas, as HTTP writes a list.
        let value = call(&from, "get", &text.into())?.as_string();
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    Ok(headers)
}

/// The body of an answer. Dropping it cancels the rest.
pub(crate) enum Chunks {
    /// The reader of a stream.
    Stream(JsValue),
    /// The promise of the whole body, if the response has no stream.
    Whole(JsValue),
    Done,
}

impl Chunks {
    pub(crate) fn of(response: &JsValue) -> Result<Self, JsValue> {
        let stream = get(response, "body")?;
        Ok(if stream.is_falsy() {
            Self::Whole(call(response, "arrayBuffer", &JsValue::UNDEFINED)?)
        } else {
            Self::Stream(call(&stream, "getReader", &JsValue::UNDEFINED)?)
        })
    }

    /// Waits for the next piece. Returns `None` at the end.
    pub(crate) async fn next(&mut self, limit: &TimeLimit) -> Result<Option<Zeroizing<Vec<u8>>>, JsValue> {
        let bytes = match self {
            Self::Stream(reader) => {
                let piece = limit.wait_for(&call(reader, "read", &JsValue::UNDEFINED)?).await?;
                if !get(&piece, "done")?.is_falsy() {
                    return Ok(None);
                }
                get(&piece, "value")?.dyn_into::<Uint8Array>()?
            }
            Self::Whole(all) => {
                let bytes = Uint8Array::new(&limit.wait_for(all).await?);
                *self = Self::Done;
                bytes
            }
            Self::Done => return Ok(None),
        };
        Ok(Some(Zeroizing::new(bytes.to_vec())))
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        if let Self::Stream(reader) = self {
            // The result does not matter. But without a handler, a rejected promise would end a Node process.
            if let Ok(cancelled) = call(reader, "cancel", &JsValue::UNDEFINED) {
                drop(JsFuture::from(Promise::resolve(&cancelled)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_the_headers_name() {
        for (name, text) in HEADERS {
            assert_eq!(name, text);
        }
    }
}
