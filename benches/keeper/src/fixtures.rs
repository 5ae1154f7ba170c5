//! What both sides keep: pairs of two 40-byte tokens that live for an hour.

use std::time::{Duration, SystemTime};

use http::Response;
use restream_oauth_core::{Client, RefreshToken, Tokens};
use restream_oauth_keeper::Record;

/// The life of an access token.
pub(crate) const LIFE: Duration = Duration::from_hours(1);

pub(crate) fn client() -> Client {
    let client = Client::builder("id").secret("secret").redirect_uri("https://app.example/callback").build();
    client.expect("the client is complete")
}

/// A 40-byte token: Restream's are of this length.
pub(crate) fn text(kind: char, number: usize) -> String {
    format!("{kind}{number:039}")
}

/// The pair of a grant, issued at this time.
pub(crate) fn tokens(number: usize, sent_at: SystemTime) -> Tokens {
    let (_, reader) = client().refresh(&RefreshToken::new("r")).into_parts(sent_at);
    let (access, refresh) = (text('a', number), text('r', number));
    let body = format!(
        r#"{{"access_token":"{access}","refresh_token":"{refresh}","token_type":"Bearer","expires_in":{}}}"#,
        LIFE.as_secs()
    );
    reader.read(Response::new(body)).expect("the body is complete")
}

/// What a store holds of a grant.
pub(crate) fn record(number: usize, sent_at: SystemTime) -> Record {
    Record::of_login(tokens(number, sent_at), sent_at + LIFE - Duration::from_mins(1))
}

/// A number that looks random (`SplitMix64`, Steele et al. 2014).
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
