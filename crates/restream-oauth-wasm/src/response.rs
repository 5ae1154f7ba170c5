//! The head of a `Response`, and its body piece by piece.

use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use js_sys::futures::JsFuture;
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use zeroize::Zeroizing;

use crate::platform::{call, get};
use crate::time_limit::TimeLimit;

/// What a reader looks at, without `Content-Length`: it counts the bytes on the wire, and the runtime may have decoded
/// them. Looked up by name, because parsing any name at all costs a page 7 KB.
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
        // Several of one name come joined by commas, which is how a list is written anyway.
        let value = call(&from, "get", &text.into())?.as_string();
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    Ok(headers)
}

/// The body of an answer. Dropping it tells the runtime that no more is wanted.
pub(crate) enum Chunks {
    /// A stream's reader.
    Stream(JsValue),
    /// Where bodies are no streams, or there is none: all of it at once, promised.
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

    /// The next piece; `None` at the end.
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
            // Whether it works is nobody's business, but a rejected promise that nobody heard of ends a Node process.
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
    fn the_texts_are_the_names() {
        for (name, text) in HEADERS {
            assert_eq!(name, text);
        }
    }
}
