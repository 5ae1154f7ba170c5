//! A provider without a network: it takes a while, and answers each refresh with a new pair.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use restream_oauth_core::{Answer, Call};

static PAIRS: AtomicU64 = AtomicU64::new(0);

/// The answer that Restream documents.
pub(crate) fn answer<T>(call: Call<T>, sent_at: SystemTime) -> Answer<T> {
    let pair = PAIRS.fetch_add(1, Ordering::Relaxed);
    // Digits without a pattern that a compressor could use.
    let token = |kind: u64| -> String {
        let digits = |part: u64| (pair << 8 | kind << 4 | part).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        [0, 1, 2, 3, 4].map(|part| format!("{:08x}", digits(part))).concat()
    };
    let (access, refresh) = (token(0), token(1));
    let body = format!(
        r#"{{"access_token":"{access}","expires":1520280067,"expires_in":3600,"refresh_token":"{refresh}","scope":"profile.read channels.read chat.read stream.read","token_type":"Bearer","accessToken":"{access}","accessTokenExpiresIn":3600,"accessTokenExpiresAt":"2018-03-05T20:01:07.215Z","accessTokenExpiresEpoch":1520280067,"refreshToken":"{refresh}","refreshTokenExpiresIn":31536000,"refreshTokenExpiresAt":"2019-03-05T19:01:07.215Z","refreshTokenExpiresEpoch":1551812467,"scopeJson":["profile.read","channels.read","chat.read","stream.read"],"tokenType":"Bearer"}}"#
    );
    let (_, mut reader) = call.into_parts(sent_at);
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    if reader.head(StatusCode::OK, &headers).is_continue() {
        let _ = reader.chunk(body.as_bytes());
    }
    reader.finish()
}
