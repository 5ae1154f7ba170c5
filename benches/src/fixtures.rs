//! The input of all sides: the bodies that Restream documents, and values as long as Restream's.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

/// A client identifier, shaped like a UUID.
pub(crate) const CLIENT_ID: &str = "0b0b9c1c-4c5e-4f0a-9a53-3f2d1c0e7a11";
/// A client secret, shaped like a UUID.
pub(crate) const CLIENT_SECRET: &str = "5d3a6e0f-92b7-4d7c-8a1e-6b1f0c9d2e33";
/// A redirect URI. It must be percent-encoded.
pub(crate) const REDIRECT_URI: &str = "https://app.example/oauth/callback";
/// The URL that the browser opens.
pub(crate) const AUTHORIZATION_URL: &str = "https://api.restream.io/login";
/// The token endpoint.
pub(crate) const TOKEN_URL: &str = "https://api.restream.io/oauth/token";
/// A code.
pub(crate) const CODE: &str = "1b0c3d2e7f5a49688c9d0e1f2a3b4c5d6e7f8091";
/// A refresh token.
pub(crate) const REFRESH_TOKEN: &str = "9ca0e1e99ae3eae136a2bd98fc9c1534ea928ed3";
/// In place of random bytes: the first half becomes `state`, the second half the PKCE verifier.
pub(crate) const ENTROPY: [u8; 64] = *b"state: thirty-two bytes of chaosverifier: 32 more bytes of chaos";

/// The documented response to a code exchange and to a refresh.
pub(crate) const SUCCESS: &str = r#"{
  "access_token": "2a407cfcfdf8920242fd6dc7e5f83c86374ef925",
  "expires": 1520280067,
  "expires_in": 3600,
  "refresh_token": "9ca0e1e99ae3eae136a2bd98fc9c1534ea928ed3",
  "scope": "profile.read channels.read chat.read stream.read",
  "token_type": "Bearer",
  "accessToken": "2a407cfcfdf8920242fd6dc7e5f83c86374ef925",
  "accessTokenExpiresIn": 3600,
  "accessTokenExpiresAt": "2018-03-05T20:01:07.215Z",
  "accessTokenExpiresEpoch": 1520280067,
  "refreshToken": "9ca0e1e99ae3eae136a2bd98fc9c1534ea928ed3",
  "refreshTokenExpiresIn": 31536000,
  "refreshTokenExpiresAt": "2019-03-05T19:01:07.215Z",
  "refreshTokenExpiresEpoch": 1551812467,
  "scopeJson": [
    "profile.read",
    "channels.read",
    "chat.read",
    "stream.read"
  ],
  "tokenType": "Bearer"
}"#;

/// An error as Restream writes it: an object in a member `error`.
pub(crate) const NESTED_ERROR: &str = r#"{"error":{"statusCode":400,"status":400,"code":400,"message":"Invalid grant: refresh token is invalid","name":"invalid_grant"}}"#;

/// The same error in the form of RFC 6749 §5.2, the only form that the peer can read.
pub(crate) const FLAT_ERROR: &str =
    r#"{"error":"invalid_grant","error_description":"Invalid grant: refresh token is invalid"}"#;

/// A response with an access token of `length` bytes, and with the members of RFC 6749 only.
pub(crate) fn success_with_token(length: usize) -> String {
    let token = "a".repeat(length);
    format!(r#"{{"access_token":"{token}","refresh_token":"{REFRESH_TOKEN}","expires_in":3600,"token_type":"Bearer"}}"#)
}

/// The response as an HTTP stack returns it.
pub(crate) fn response(status: StatusCode, body: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(body.as_bytes().to_vec());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}

/// The callback with which the browser comes back.
pub(crate) fn callback(state: &str) -> String {
    format!("{REDIRECT_URI}?code={CODE}&scope=profile.read%20channels.read%20chat.read%20stream.read&state={state}")
}
