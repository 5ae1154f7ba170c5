//! The use of an access token: the header of an API call, the challenge of a refused call, and the profile call.

use crate::support;
use crate::support::{DOCUMENTED, Ending, Got, Reply, client, error_of, outcome, sent_at, tokens};
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use restream_oauth_core::error::{Challenge, ErrorCode, ErrorKind, Malformed, Operation};
use restream_oauth_core::token::{BearerError, TokenType};
use restream_oauth_core::{AccessToken, Profile};

fn challenge_of(values: &[&str]) -> Option<Challenge> {
    let headers = values.iter().map(|value| (WWW_AUTHENTICATE, HeaderValue::from_bytes(value.as_bytes()).unwrap()));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name, value);
    }
    Challenge::from_headers(&map)
}

fn profile(body: &str) -> Profile {
    match outcome(Operation::Profile, Some(&Reply::ok(body)), Ending::Finish) {
        Ok(Got::Profile(profile)) => profile,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn rfc_6750_2_1_a_token_is_sent_unchanged_and_marked_sensitive() {
    // Every character of a `b64token` (RFC 6750 §2.1).
    for token in ["a", "AZaz09-._~+/", "AZaz09-._~+/==", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", &"x".repeat(8000)] {
        let header = AccessToken::new(token).bearer_header().unwrap();
        assert_eq!(header.as_bytes(), format!("Bearer {token}").as_bytes());
        assert!(header.is_sensitive());
        assert!(!format!("{header:?}").contains(token));
    }
}

/// RUSTSEC-2024-0008.
#[test]
fn rfc_6750_2_1_an_invalid_bearer_token_is_an_error_and_not_a_panic() {
    let tokens = ["", " ", "a b", "a\r\nX-Evil: 1", "a\n", "a\r", "a\0", "a\t", "é", "\u{7F}", "a\u{A0}", "🦀"];
    for token in tokens {
        assert_eq!(AccessToken::new(token).bearer_header(), Err(BearerError::InvalidCharacter), "{token:?}");
        assert!(client().profile(&AccessToken::new(token)).is_err(), "{token:?}");
    }
}

#[test]
fn an_invalid_bearer_token_can_still_be_refreshed_and_revoked() {
    // The pair is kept, because a form can carry any text.
    let read = tokens(r#"{"access_token":"a\r\nb","refresh_token":"r"}"#);
    assert_eq!(read.bearer_header(), Err(BearerError::InvalidCharacter));
    let (request, _) = client().revoke(read.access_token()).into_parts(sent_at());
    assert_eq!(support::form(&request)[0], ("token".to_owned(), "a\r\nb".to_owned()));
    assert_eq!(read.token_type(), &TokenType::Bearer);
}

#[test]
fn rfc_6750_3_the_bearer_challenge_is_read() {
    let expired = "Bearer realm=\"example\", error=\"invalid_token\", error_description=\"The access token expired\"";
    let read = challenge_of(&[expired]).unwrap();
    assert_eq!(read.error(), Some(&ErrorCode::InvalidToken));
    assert_eq!(read.error_description(), Some("The access token expired"));
    assert_eq!(read.scopes(), None);

    let cases = [
        ("Bearer realm=\"example\"", None),
        ("Bearer", None),
        ("Bearer error=\"\"", None),
        ("Bearer error=\"invalid_token\", error=\"\"", Some(ErrorCode::InvalidToken)),
        ("bearer error=invalid_token", Some(ErrorCode::InvalidToken)),
        ("BEARER\terror = \"insufficient_scope\"", Some(ErrorCode::InsufficientScope)),
        ("Bearer error=\"invalid_request\",scope=\"a\"", Some(ErrorCode::InvalidRequest)),
        ("Bearer ERROR=\"invalid_token\"", Some(ErrorCode::InvalidToken)),
        // RFC 9110 §11.6.1: one header may hold several challenges. A parameter belongs to the scheme before it.
        ("Basic realm=\"a, Bearer error=x\", Bearer error=\"invalid_token\"", Some(ErrorCode::InvalidToken)),
        ("Bearer error=\"invalid_token\", Digest error=\"other\"", Some(ErrorCode::InvalidToken)),
        ("Negotiate YWJj==, Bearer error=\"invalid_token\"", Some(ErrorCode::InvalidToken)),
        ("Bearer realm=\"q\\\"uote, \\\\\", error=\"invalid_token\"", Some(ErrorCode::InvalidToken)),
        (", ,Bearer , error=\"invalid_token\",", Some(ErrorCode::InvalidToken)),
    ];
    for (header, error) in cases {
        assert_eq!(challenge_of(&[header]).unwrap().error().cloned(), error, "{header}");
    }
    let second =
        challenge_of(&["Basic realm=\"x\"", "Bearer error=\"insufficient_scope\", scope=\"chat.read chat.write\""]);
    assert_eq!(second.unwrap().scopes().unwrap().as_str(), "chat.read chat.write");
    for other in [&["Basic realm=\"Bearer\""][..], &["Bearers error=x"], &["", "é", "=,\""], &[]] {
        assert_eq!(challenge_of(other), None, "{other:?}");
    }
}

#[test]
fn the_message_of_a_challenge_is_escaped_and_truncated() {
    let hostile = "\u{1F980}\u{202E}".repeat(1000);
    let read = challenge_of(&[&format!("Bearer error=\"x{hostile}\", error_description=\"y{hostile}\"")]).unwrap();
    let shown = [read.error().unwrap().as_str(), read.error_description().unwrap()];
    assert!(shown.iter().all(|text| text.len() <= 515 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))));
}

/// CVE-2021-21240.
#[test]
fn a_hostile_challenge_takes_linear_time() {
    // Half a MiB of each. A quadratic reader would need minutes, so the test would not end.
    for piece in
        [",", "\"", "\u{A0}", ",\"\u{A0}", "a ", "a=", "a=\"", "\"\\", "Bearer ", "Basic a,", "Bearer scope=\"a b\","]
    {
        challenge_of(&[&piece.repeat((1 << 19) / piece.len())]);
    }
}

#[test]
fn the_profile_identifies_the_user_of_the_token() {
    let read = profile(r#"{"id":123456,"username":"streamer","email":"s@example.org","plan":{"x":1}}"#);
    assert_eq!((read.id(), read.username(), read.email()), ("123456", Some("streamer"), Some("s@example.org")));
    assert!(!format!("{read:?}").contains("s@example.org"));
    let cases = [
        (r#"{"id":"abc"}"#, "abc"),
        (r#"{"id":18446744073709551616}"#, "18446744073709551616"),
        (r#"{"username":null,"email":7,"id":0}"#, "0"),
        ("\u{FEFF}{\"id\":1}", "1"),
        (r#"{"error":null,"id":1}"#, "1"),
        (r#"{"id":5,"x":1e400,"y":"\ud800"}"#, "5"),
    ];
    for (body, id) in cases {
        let read = profile(body);
        assert_eq!((read.id(), read.username(), read.email()), (id, None, None), "{body}");
    }
}

#[test]
fn a_profile_without_an_id_is_malformed() {
    for body in ["{}", r#"{"id":null}"#, r#"{"id":""}"#, r#"{"id":{}}"#, r#"{"id":true}"#, DOCUMENTED] {
        let error = error_of(Operation::Profile, &Reply::ok(body));
        assert_eq!(error.kind(), &ErrorKind::Malformed(Malformed::NoId), "{body}");
    }
    let error = error_of(Operation::Profile, &Reply::ok(r#"{"error":{"statusCode":401,"message":"m"}}"#));
    assert_eq!(error.kind(), &ErrorKind::Status(StatusCode::UNAUTHORIZED));
    // A number at the end of a truncated body may be truncated itself.
    for body in ["{\"id\":12", "{\"id\":12 "] {
        assert!(outcome(Operation::Profile, Some(&Reply::ok(body)), Ending::Finish).is_err(), "{body}");
    }
}
