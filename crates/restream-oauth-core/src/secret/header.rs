//! Header values that hold a secret.

use bytes::Bytes;
use http::HeaderValue;

use super::text::SecretText;

/// A header value that is marked sensitive and whose memory is wiped, and a handle to its bytes. `None` if the text is
/// not a valid header value.
pub(crate) fn sensitive_header(text: SecretText) -> Option<(HeaderValue, Bytes)> {
    let bytes = Bytes::from_owner(text);
    let mut value = HeaderValue::from_maybe_shared(bytes.clone()).ok()?;
    value.set_sensitive(true);
    Some((value, bytes))
}
