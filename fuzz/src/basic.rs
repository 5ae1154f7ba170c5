//! Client authentication in the Basic header.
//!
//! - An independent decoder reads back what was put in: `base64`, then a form decoder or a percent decoder (for the raw
//!   encoding, neither).
//! - Credentials are refused for a documented reason only.
//! - `$s` in the secret stands for a canary. Neither client nor request prints it.
//! - The header is marked sensitive, and the request has no other authentication.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use restream_oauth_core::config::{BasicEncoding, ConfigError};
use restream_oauth_core::{Client, RefreshToken};

use crate::canary::{SECRET, Silence};
use crate::client::REDIRECT_URI;

/// The oracle. `data` is an identifier, a line feed, and a secret.
pub fn basic(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (id, secret) = text.split_once('\n').unwrap_or((&text, "secret"));
    let secret = &*secret.replace("$s", SECRET);
    let silence = Silence::after(data);
    let sent = [BasicEncoding::Form, BasicEncoding::Raw].map(|encoding| {
        let raw = encoding == BasicEncoding::Raw;
        match Client::builder(id).secret_encoded(secret, encoding).redirect_uri(REDIRECT_URI).build() {
            Ok(client) => {
                assert!(is_usable(id, secret, raw), "accepted");
                Some(credentials(&client, &silence))
            }
            Err(error) => {
                assert!(!is_usable(id, secret, raw), "refused: {error}");
                check_refusal(&error, id, secret);
                silence.check(&format!("{error} {error:?}"));
                None
            }
        }
    });
    let [form, raw] = &sent;
    if let Some((sent_id, sent_secret)) = form.as_deref().and_then(|pair| pair.split_once(':')) {
        let form_decoded = |text: &str| match form_urlencoded::parse(format!("={text}").as_bytes()).next() {
            Some((_, value)) => value.into_owned(),
            None => String::new(),
        };
        let percent_decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        for decoded in [form_decoded(sent_id), percent_decoded(sent_id)] {
            assert_eq!(decoded, id);
        }
        for decoded in [form_decoded(sent_secret), percent_decoded(sent_secret)] {
            assert_eq!(decoded, secret);
        }
    }
    if let Some(pair) = raw {
        assert_eq!(pair.split_once(':'), Some((id, secret)), "raw");
    }
    if let [Some(form), Some(raw)] = &sent {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        assert_eq!(form == raw, plain_pair(id, secret, plain), "{form} and {raw}");
    }
}

fn plain_pair(id: &str, secret: &str, plain: impl Fn(&str) -> bool) -> bool {
    // An asterisk is not encoded either.
    let without = |text: &str| text.replace('*', "");
    plain(&without(id)) && plain(&without(secret))
}

/// The decoded credentials of a request. It has them in its header and nowhere else.
fn credentials(client: &Client, silence: &Silence) -> String {
    let call = client.refresh(&RefreshToken::new("r"));
    silence.check(&format!("{client:?} {:?}", call.request()));
    let mut headers = call.request().headers().get_all(AUTHORIZATION).iter();
    let header = headers.next().expect("there is a header");
    assert!(headers.next().is_none() && header.is_sensitive());
    assert_eq!(call.request().body().as_ref(), b"grant_type=refresh_token&refresh_token=r");
    let encoded = header.to_str().expect("it is ASCII").strip_prefix("Basic ").expect("it is Basic");
    String::from_utf8(STANDARD.decode(encoded).expect("it is base64")).expect("it is UTF-8")
}

/// The documented rules, written a second time. Both: 1 to 4,096 bytes, no invisible characters, no space at either
/// end. The identifier: no other white space and no quotes; for the raw encoding no colon.
fn is_usable(id: &str, secret: &str, raw: bool) -> bool {
    // The soft hyphen, the invisible marks of General Punctuation, and the byte order mark.
    let invisible =
        |c: char| matches!(u32::from(c), 0xAD | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF);
    let both_are =
        |text: &str| (1..=4096).contains(&text.len()) && !text.chars().any(|c| c.is_control() || invisible(c));
    let id_is = id.trim() == id && !id.chars().any(|c| (c.is_whitespace() && c != ' ') || "\"'`".contains(c));
    both_are(id) && both_are(secret) && id_is && secret.trim() == secret && !(raw && id.contains(':'))
}

fn check_refusal(error: &ConfigError, id: &str, secret: &str) {
    let printed = format!("{error} {error:?}");
    // Only long values: a short one may be a word of the message itself.
    for value in [id, secret].into_iter().filter(|value| value.len() > 40) {
        assert!(!printed.contains(value), "{printed}");
    }
}
