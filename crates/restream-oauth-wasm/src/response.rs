//! The head of a `Response`, and its body piece by piece.

use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use js_sys::futures::JsFuture;
use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ReadableStreamDefaultReader, Response};
use zeroize::Zeroizing;

use crate::time_limit::TimeLimit;

/// What a reader looks at, without `Content-Length`: it counts the bytes on the wire, and the runtime may have decoded
/// them. Looked up by name, because reading any name at all costs a page 7 KB.
const HEADERS: [HeaderName; 5] = [CONTENT_ENCODING, CONTENT_TYPE, DATE, RETRY_AFTER, WWW_AUTHENTICATE];

pub(crate) fn headers(response: &Response) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in HEADERS {
        // Several of one name come joined by commas, which is how a list is written anyway.
        let value = response.headers().get(name.as_str()).ok().flatten();
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    headers
}

/// The body of an answer. Dropping it tells the runtime that no more is wanted.
pub(crate) enum Chunks {
    Stream(ReadableStreamDefaultReader),
    /// Where bodies are no streams, or there is none: all of it at once.
    Whole(Promise),
    Done,
}

impl Chunks {
    pub(crate) fn of(response: &Response) -> Result<Self, JsValue> {
        match response.body() {
            Some(stream) => Ok(Self::Stream(stream.get_reader().unchecked_into())),
            None => Ok(Self::Whole(response.array_buffer()?)),
        }
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self, limit: &TimeLimit) -> Result<Option<Zeroizing<Vec<u8>>>, JsValue> {
        let bytes = match self {
            Self::Stream(reader) => {
                let piece = limit.wait_for(&reader.read()).await?;
                if Reflect::get(&piece, &"done".into())?.is_truthy() {
                    return Ok(None);
                }
                Reflect::get(&piece, &"value".into())?.dyn_into::<Uint8Array>()?
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
            drop(JsFuture::from(reader.cancel()));
        }
    }
}
