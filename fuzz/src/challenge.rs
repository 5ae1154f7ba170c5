//! The `WWW-Authenticate` header of a refused call.
//!
//! - A challenge that follows RFC 6750 and RFC 9110 and stands between others is read back.
//! - The result is plain text and bounded, for every header.
//! - The error of a call that receives the header prints no secret of the call.

use std::fmt::Debug;

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use restream_oauth_core::error::{Challenge, ErrorKind, Operation};
use restream_oauth_core::{Call, Scopes};

use crate::allocation::bounded;
use crate::canary::{Silence, WORD, echo};
use crate::client::{client, profile, refresh, sent_at};
use crate::expand::expand_within;

/// The longest head that HTTP stacks accept, in bytes.
const LONGEST: usize = 32 * 1024;

/// The oracle. Each line of `data` is one header.
pub fn challenge(data: &[u8]) {
    let expanded = expand_within(data, LONGEST);
    let headers = headers(&expanded);
    let read = bounded(expanded.len(), || Challenge::from_headers(&headers));
    if let Some(challenge) = &read {
        check_words(challenge);
    }
    let says_bearer = expanded.to_ascii_lowercase().windows(6).any(|word| word == b"bearer");
    assert!(read.is_none() || says_bearer, "a challenge out of nothing");

    let silence = Silence::after(data);
    check_call(profile(client()), Operation::Profile, &expanded, &silence);
    check_call(refresh(client()), Operation::Refresh, &expanded, &silence);
    check_written(&String::from_utf8_lossy(&expanded));
}

fn headers(lines: &[u8]) -> HeaderMap {
    let values = lines.split(|&byte| byte == b'\n').take(64).filter_map(|line| HeaderValue::from_bytes(line).ok());
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(WWW_AUTHENTICATE, value);
    }
    headers
}

fn check_words(challenge: &Challenge) {
    let plain = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if let Some(error) = challenge.error() {
        assert!(plain(error.as_str()) && error.as_str().len() <= 64 + "...".len(), "{error}");
    }
    let description = challenge.error_description().unwrap_or_default();
    assert!(plain(description) && description.len() <= 512 + "...".len(), "{description}");
    for scope in challenge.scopes().into_iter().flat_map(Scopes::iter) {
        assert!(scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'), "{scope}");
    }
}

/// Answers a call with 401, these headers and no body.
fn check_call<T: Debug>(call: Call<T>, step: Operation, lines: &[u8], silence: &Silence) {
    let echoed = echo(lines, step);
    let headers = headers(&echoed);
    let read = Challenge::from_headers(&headers);
    let mut response = Response::new(b"");
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    *response.headers_mut() = headers;
    let error = call.into_parts(sent_at()).1.read(response).expect_err("401 is no success");
    silence.check_error(&error);
    // Where a secret was cut out, no error may be left.
    if echoed == lines && !String::from_utf8_lossy(lines).contains(WORD) {
        // No access token is sent to the token endpoint, so a challenge from there says nothing.
        let told = step == Operation::Profile && read.is_some_and(|challenge| challenge.error().is_some());
        assert_eq!(matches!(error.kind(), ErrorKind::Refused(_)), told, "{error}");
    }
}

/// Writes a challenge with `text` in it, and reads it back.
fn check_written(text: &str) {
    // The characters that a quoted string can hold (RFC 9110 §5.6.4).
    let words: String = text.chars().filter(|c| matches!(c, ' '..='~')).take(400).collect();
    let quoted = words.replace('\\', "\\\\").replace('"', "\\\"");
    let code: String = words.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(60).collect();
    if code.is_empty() {
        return;
    }
    let header = format!(
        "Basic realm=\"{quoted}\", Negotiate YWJj==, bEARER realm=\"{quoted}\" , error = \"{code}\",\
         ERROR_DESCRIPTION=\"{quoted}\", scope=\"a {code}\", Digest error=\"other\", scope=\"c\""
    );
    let value = HeaderValue::from_str(&header).expect("it is visible ASCII");
    let read = Challenge::from_headers(&HeaderMap::from_iter([(WWW_AUTHENTICATE, value)])).expect("there is one");
    assert_eq!(read.error().map(ToString::to_string).as_deref(), Some(code.as_str()));
    // Only quotes and backslashes are escaped, which makes each two characters long.
    let mut escaped = String::new();
    for character in words.chars() {
        let width = if "\"\\".contains(character) { 2 } else { 1 };
        if escaped.len() + width > 512 {
            escaped.push_str("...");
            break;
        }
        escaped.extend((width == 2).then_some('\\'));
        escaped.push(character);
    }
    assert_eq!(read.error_description(), Some(escaped.as_str()));
    let scopes: Vec<&str> = read.scopes().into_iter().flat_map(Scopes::iter).collect();
    let expected = if code == "a" { vec!["a"] } else { vec!["a", &code] };
    assert_eq!(scopes, expected);
}
