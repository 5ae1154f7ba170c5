//! Header values that hold a secret.

use bytes::Bytes;
use http::HeaderValue;

use super::text::SecretText;

/// A header value that owns wiped memory and is marked sensitive, and a handle to its bytes; `None` if the text cannot
/// be a header.
pub(crate) fn sensitive_header(text: SecretText) -> Option<(HeaderValue, Bytes)> {
    let bytes = Bytes::from_owner(text);
    let mut value = HeaderValue::from_maybe_shared(bytes.clone()).ok()?;
    value.set_sensitive(true);
    Some((value, bytes))
}
