//! The tasks, written by hand with the least work that is correct for well-formed input.
//!
//! Every constant is computed beforehand. This code returns plain text, checks only what it needs to find the values,
//! classifies no errors and wipes no memory.

use std::borrow::Cow;
use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::fixtures::{
    AUTHORIZATION_URL, CLIENT_ID, CLIENT_SECRET, CODE, ENTROPY, NESTED_ERROR, REDIRECT_URI, REFRESH_TOKEN, SUCCESS,
    TOKEN_URL, callback, response,
};
use crate::task::Task;

/// Everything that never changes.
pub(crate) struct Constants {
    token_uri: Uri,
    basic: Option<HeaderValue>,
    exchange_prefix: String,
    suffix: String,
    authorization_prefix: String,
    verifier: String,
}

impl Constants {
    /// With the secret in a Basic header.
    pub(crate) fn basic() -> Self {
        let redirect_uri: String = form_urlencoded::byte_serialize(REDIRECT_URI.as_bytes()).collect();
        let basic = STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
        Self {
            token_uri: Uri::from_static(TOKEN_URL),
            basic: Some(HeaderValue::try_from(format!("Basic {basic}")).expect("base64 is a header")),
            exchange_prefix: format!("grant_type=authorization_code&redirect_uri={redirect_uri}&code="),
            suffix: String::new(),
            authorization_prefix: format!(
                "{AUTHORIZATION_URL}?response_type=code&client_id={CLIENT_ID}&redirect_uri={redirect_uri}&state="
            ),
            verifier: URL_SAFE_NO_PAD.encode(&ENTROPY[32..]),
        }
    }

    /// With the secret in the body.
    pub(crate) fn in_body() -> Self {
        let suffix = format!("&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}");
        Self { basic: None, suffix, ..Self::basic() }
    }

    /// The exchange's request.
    pub(crate) fn exchange(&self, code: &str) -> Request<Vec<u8>> {
        self.post(&[&self.exchange_prefix, code, "&code_verifier=", &self.verifier, &self.suffix])
    }

    /// The refresh's request.
    pub(crate) fn refresh(&self, refresh_token: &str) -> Request<Vec<u8>> {
        self.post(&["grant_type=refresh_token&refresh_token=", refresh_token, &self.suffix])
    }

    /// Every second piece is a value, which may have to be encoded.
    fn post(&self, pieces: &[&str]) -> Request<Vec<u8>> {
        let mut body = Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
        for (index, piece) in pieces.iter().enumerate() {
            if index % 2 == 0 || piece.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*-._".contains(&byte)) {
                body.extend_from_slice(piece.as_bytes());
            } else {
                form_urlencoded::byte_serialize(piece.as_bytes())
                    .for_each(|part| body.extend_from_slice(part.as_bytes()));
            }
        }
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(basic) = &self.basic {
            headers.insert(AUTHORIZATION, basic.clone());
        }
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.token_uri.clone();
        *request.headers_mut() = headers;
        request
    }

    /// The URL, `state` and the verifier.
    fn authorization_url(&self, entropy: &[u8; 64]) -> (String, [u8; 43], [u8; 43]) {
        let (state, verifier) = (text_of(&entropy[..32]), text_of(&entropy[32..]));
        let challenge = text_of(&Sha256::digest(verifier));
        let mut url = String::with_capacity(self.authorization_prefix.len() + 43 + 16 + 43 + 27);
        url.push_str(&self.authorization_prefix);
        url.push_str(ascii(&state));
        url.push_str("&code_challenge=");
        url.push_str(ascii(&challenge));
        url.push_str("&code_challenge_method=S256");
        (url, state, verifier)
    }
}

fn text_of(bytes: &[u8]) -> [u8; 43] {
    let mut text = [0; 43];
    URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).expect("32 bytes are 43 characters");
    text
}

fn ascii(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("base64 is ASCII")
}

/// Every member of the documented response.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Documented<'a> {
    #[serde(borrow, rename = "access_token")]
    snake_access_token: Cow<'a, str>,
    expires: Option<u64>,
    #[serde(rename = "expires_in")]
    snake_expires_in: u64,
    #[serde(borrow, rename = "refresh_token")]
    snake_refresh_token: Cow<'a, str>,
    #[serde(borrow)]
    scope: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "token_type")]
    snake_token_type: Cow<'a, str>,
    #[serde(borrow)]
    access_token: Option<&'a str>,
    access_token_expires_in: Option<u64>,
    #[serde(borrow)]
    access_token_expires_at: Option<&'a str>,
    access_token_expires_epoch: Option<u64>,
    #[serde(borrow)]
    refresh_token: Option<&'a str>,
    refresh_token_expires_in: Option<u64>,
    #[serde(borrow)]
    refresh_token_expires_at: Option<&'a str>,
    refresh_token_expires_epoch: Option<u64>,
    scope_json: Option<Words>,
    #[serde(borrow)]
    token_type: Option<&'a str>,
}

/// The number of words in an array. A comparison with `scope` begins with it.
struct Words(usize);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Count;
        impl<'de> serde::de::Visitor<'de> for Count {
            type Value = Words;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array of text")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut words: A) -> Result<Words, A::Error> {
                let mut count = 0;
                while words.next_element::<&str>()?.is_some() {
                    count += 1;
                }
                Ok(Words(count))
            }
        }
        deserializer.deserialize_seq(Count)
    }
}

/// Access token, refresh token, scopes, and both lifetimes in seconds.
type Tokens = (String, String, Option<String>, u64, Option<u64>);

/// Reads the documented response.
pub(crate) fn tokens(body: &[u8]) -> Tokens {
    let read: Documented<'_> = serde_json::from_slice(body).expect("the answer is a success");
    black_box((read.expires, read.access_token_expires_at, read.refresh_token_expires_at, &read.snake_token_type));
    black_box((
        read.access_token_expires_epoch,
        read.refresh_token_expires_epoch,
        read.scope_json.map(|words| words.0),
    ));
    black_box((read.access_token, read.refresh_token, read.token_type, read.access_token_expires_in));
    (
        read.snake_access_token.into_owned(),
        read.snake_refresh_token.into_owned(),
        read.scope.map(Cow::into_owned),
        read.snake_expires_in,
        read.refresh_token_expires_in,
    )
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    error: Details<'a>,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    status: u16,
}

/// Reads Restream's error: name, message and status.
pub(crate) fn error(body: &[u8]) -> (String, String, u16) {
    let Refusal { error } = serde_json::from_slice(body).expect("the answer is an error");
    (error.name.into_owned(), error.message.into_owned(), error.status)
}

/// Builds the exchange.
pub(crate) fn build_exchange(constants: Constants) -> Task {
    Task::new(move || constants.exchange(black_box(CODE)))
}

/// Builds the refresh.
pub(crate) fn build_refresh() -> Task {
    let constants = Constants::basic();
    Task::new(move || constants.refresh(black_box(REFRESH_TOKEN)))
}

/// Makes the authorization URL from random bytes.
pub(crate) fn authorization_url() -> Task {
    let constants = Constants::basic();
    Task::new(move || constants.authorization_url(black_box(&ENTROPY)))
}

/// Reads a response with status 200 in one piece.
pub(crate) fn read(body: &'static str) -> Task {
    Task::with_input(move || response(StatusCode::OK, body), |response| tokens(response.body()))
}

/// Reads a response with status 200 in pieces.
pub(crate) fn read_in_chunks(body: &'static str, size: usize) -> Task {
    Task::with_input(
        move || response(StatusCode::OK, body),
        move |response| {
            let mut whole = Vec::with_capacity(response.body().len());
            for chunk in response.body().chunks(size) {
                whole.extend_from_slice(black_box(chunk));
            }
            tokens(&whole)
        },
    )
}

/// Reads Restream's error.
pub(crate) fn read_error() -> Task {
    Task::with_input(|| response(StatusCode::BAD_REQUEST, NESTED_ERROR), |response| error(response.body()))
}

/// Builds the exchange and reads the documented response.
pub(crate) fn round() -> Task {
    let constants = Constants::basic();
    Task::with_input(
        || response(StatusCode::OK, SUCCESS),
        move |response: Response<Vec<u8>>| {
            drop(black_box(constants.exchange(black_box(CODE))));
            tokens(response.body())
        },
    )
}

/// Builds the exchange and reads Restream's error.
pub(crate) fn refused_round() -> Task {
    let constants = Constants::basic();
    Task::with_input(
        || response(StatusCode::BAD_REQUEST, NESTED_ERROR),
        move |response: Response<Vec<u8>>| {
            drop(black_box(constants.exchange(black_box(CODE))));
            error(response.body())
        },
    )
}

/// Finds the code in a callback.
pub(crate) fn read_callback() -> Task {
    let state = URL_SAFE_NO_PAD.encode(&ENTROPY[..32]);
    let uri = callback(&state);
    Task::new(move || {
        let query = black_box(&uri).strip_prefix(REDIRECT_URI).and_then(|rest| rest.strip_prefix('?'));
        let (mut code, mut came_back) = (None, None);
        for (name, value) in form_urlencoded::parse(query.expect("the redirect URI").as_bytes()) {
            match &*name {
                "code" => code = Some(value),
                "state" => came_back = Some(value),
                _ => {}
            }
        }
        assert_eq!(came_back.as_deref(), Some(state.as_str()));
        code.map(Cow::into_owned).expect("a code")
    })
}
