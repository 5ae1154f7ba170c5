//! A pair is never lost because the response around it is strange: its status, content type, encoding, or other JSON.

use crate::support::{
    ACCESS, DOCUMENTED, Json, REFRESH, Reply, SECRET, builder, error_of, exchange, known_code, oddities, pair, refresh,
    tokens,
};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use restream_oauth_core::error::{ErrorCode, ErrorKind, Malformed, Operation, Salvaged};
use restream_oauth_core::token::Oddity;
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{Advice, Delivery, Tokens};

fn read(reply: &Reply) -> Tokens {
    let tokens = reply.finish(refresh()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(pair(&tokens), (ACCESS, Some(REFRESH)));
    tokens
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    "\u{FEFF}".encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
}

#[test]
fn any_success_status_may_carry_the_pair() {
    for status in [201, 202, 203, 206, 226, 299] {
        assert_eq!(oddities(&read(&Reply::of(status, DOCUMENTED))), [Oddity::Status], "{status}");
    }
}

#[test]
fn any_content_type_may_carry_the_pair() {
    for fine in ["application/json", "application/json;charset=UTF-8", "Application/JSON ; charset=\"utf-8\""] {
        assert_eq!(oddities(&read(&Reply::ok(DOCUMENTED).header(CONTENT_TYPE, fine))), [], "{fine}");
    }
    for odd in ["text/html", "text/plain; charset=utf-8", "application/jsonp", "application/octet-stream", "", "é"] {
        let reply = Reply::ok(DOCUMENTED).header(CONTENT_TYPE, odd);
        assert_eq!(oddities(&read(&reply)), [Oddity::ContentType], "{odd}");
    }
    assert_eq!(oddities(&read(&Reply::ok(DOCUMENTED).without_header(&CONTENT_TYPE))), [Oddity::ContentType]);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(oddities(&read(&Reply::ok(format!("\u{FEFF}{DOCUMENTED}")))), [Oddity::Encoding]);
}

#[test]
fn utf_16_with_a_byte_order_mark_is_decoded() {
    let text = Json::documented().push("name", "\"Zoë 🦀\"").text();
    for body in [utf16(&text, u16::to_le_bytes), utf16(&text, u16::to_be_bytes)] {
        assert_eq!(oddities(&read(&Reply::ok(body))), [Oddity::Encoding]);
    }
}

#[test]
fn invalid_utf_8_affects_only_its_own_scope() {
    let body = [br#"{"access_token":"a1","refresh_token":"r1","scope":"a b"#, &b"\xE9 c\"}"[..]].concat();
    let read = tokens(body);
    assert_eq!(read.scopes().unwrap().as_str(), "a c");
    assert!(oddities(&read).contains(&Oddity::ScopeUnusable));
}

#[test]
fn invalid_utf_8_affects_only_its_own_member() {
    // Latin-1 in a member that is not read.
    for place in ["name", "scopeJson"] {
        let text = Json::documented().without(&["scopeJson"]).push_front(place, "\"Zo?\"").text();
        let body: Vec<u8> = text.bytes().map(|byte| if byte == b'?' { 0xEB } else { byte }).collect();
        assert!(oddities(&read(&Reply::ok(body))).contains(&Oddity::Encoding), "{place}");
    }
    // A token with invalid bytes is unusable; its twin counts.
    let text = Json::documented().set("access_token", "\"Zo?\"").text();
    let body: Vec<u8> = text.bytes().map(|byte| if byte == b'?' { 0xEB } else { byte }).collect();
    let found = oddities(&read(&Reply::ok(body)));
    assert!(found.contains(&Oddity::UnusableToken) && found.contains(&Oddity::Encoding), "{found:?}");
}

#[test]
fn rfc_6749_5_1_unknown_members_are_ignored_whatever_their_value() {
    let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep_object = format!("{}1{}", r#"{"a":"#.repeat(20_000), "}".repeat(20_000));
    let junk =
        ["1e400", "-1e-400", r#""\ud800""#, r#""\udfff\ud800""#, &deep, &deep_object, "123456789012345678901234567890"];
    for raw in junk {
        let shown: String = raw.chars().take(20).collect();
        for body in [Json::documented().push_front("x", raw), Json::documented().push("x", raw)] {
            // The deepest value is longer than the default limit.
            let client = builder().secret(SECRET).body_limit(1 << 20).build().unwrap();
            let tokens = Reply::ok(body.text()).finish(client.exchange(&known_code())).unwrap();
            assert_eq!(pair(&tokens), (ACCESS, Some(REFRESH)), "{shown}");
            assert_eq!(oddities(&tokens), [], "{shown}");
        }
    }
    let body = Json::documented().push_front(r"\ud800", "1").push_front("", "2").push("\u{202E}", "{}");
    assert_eq!(oddities(&read(&Reply::ok(body.text()))), []);
}

#[test]
fn rfc_6749_5_1_five_hundred_unknown_members_change_nothing() {
    let expected = tokens(DOCUMENTED);
    let values = ["null", "{}", "[1,[2]]", "\"text\"", "3.5", "false"];
    let body = (0..500).fold(Json::documented(), |body, index| {
        let name = format!("unknown_{index}");
        let raw = values[index % values.len()];
        if index % 2 == 0 { body.push(&name, raw) } else { body.push_front(&name, raw) }
    });
    assert_eq!(tokens(body.text()), expected);
}

/// RUSTSEC-2024-0012.
#[test]
fn deep_nesting_in_a_known_member_affects_only_that_member() {
    // Each value takes only a part of the limit, so that the whole response arrives.
    let deep = format!("{}{}", "[".repeat(9_000), "]".repeat(9_000));
    let body = ["expires_in", "scope", "token_type", "expires", "accessTokenExpiresIn", "scopeJson", "tokenType"]
        .iter()
        .fold(Json::documented(), |body, name| body.set(name, &deep));
    let body = body.push_front("access_token", &deep).push("refresh_token", &deep).push("error", &deep);
    let tokens = read(&Reply::ok(body.text()));
    assert_eq!(tokens.scopes(), None);
    assert_eq!(tokens.lifetime().as_secs(), 3600);
    assert!(oddities(&tokens).contains(&Oddity::ErrorBesideTokens));
}

#[test]
fn broken_json_after_two_whole_tokens_is_an_oddity() {
    let head = DOCUMENTED.strip_suffix("\n}").unwrap();
    for tail in [",}", "]", ",\"x\":tru}", ",\"x\":01}", " garbage", ",\"x\":\"\n\"}", "}}", "} <html>", "}\0\0"] {
        let found = oddities(&read(&Reply::ok(format!("{head}{tail}"))));
        assert_eq!(found, [Oddity::BrokenJson], "{tail:?}");
    }
    for tail in ["", ",", ",\"x", ",\"x\":", ",\"x\":[", ",\"x\":{\"a\":1", ",\"x\":tr"] {
        let found = oddities(&read(&Reply::ok(format!("{head}{tail}"))));
        assert_eq!(found, [Oddity::Truncated], "{tail:?}");
    }
}

#[test]
fn whitespace_around_the_body_is_ignored() {
    for body in [format!("\r\n\t {DOCUMENTED} \r\n"), DOCUMENTED.replace("\n  ", ""), DOCUMENTED.replace('\n', "\r\n")]
    {
        let tokens = Reply::ok(body).finish(refresh()).unwrap();
        assert_eq!(oddities(&tokens), []);
        assert_eq!(pair(&tokens), (ACCESS, Some(REFRESH)));
    }
}

#[test]
fn rfc_6749_5_2_a_200_with_an_oauth_error_is_that_error() {
    let flat = |code: &str| format!(r#"{{"error":"{code}","error_description":"no"}}"#);
    let nested = |code: &str| {
        format!(r#"{{"error":{{"statusCode":400,"status":400,"code":400,"message":"no","name":"{code}"}}}}"#)
    };
    let cases = [
        ("invalid_grant", ErrorCode::InvalidGrant, Delivery::Refused, Advice::Reauthorize),
        ("invalid_client", ErrorCode::InvalidClient, Delivery::Refused, Advice::FixConfiguration),
        ("invalid_request", ErrorCode::InvalidRequest, Delivery::Refused, Advice::FixConfiguration),
        ("server_error", ErrorCode::ServerError, Delivery::Unknown, Advice::Replay),
    ];
    for (name, code, delivery, advice) in cases {
        for body in [flat(name), nested(name)] {
            let error = error_of(Operation::Refresh, &Reply::ok(&body));
            assert_eq!(error.kind(), &ErrorKind::Refused(code.clone()), "{body}");
            assert_eq!((error.delivery(), error.advice()), (delivery, advice), "{body}");
            assert_eq!(error.server_message(), Some("no"), "{body}");
        }
    }
    // An unknown error code with a success status proves nothing.
    let error = error_of(Operation::Refresh, &Reply::ok(r#"{"error":"odd"}"#));
    assert_eq!(error.kind(), &ErrorKind::Refused(ErrorCode::Other("odd".into())));
    assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay));
    // Without a name, the status in the error object counts.
    let error = error_of(Operation::Exchange, &Reply::ok(r#"{"error":{"statusCode":429,"message":"slow down"}}"#));
    assert_eq!(error.kind(), &ErrorKind::Status(StatusCode::TOO_MANY_REQUESTS));
    assert_eq!((error.delivery(), error.advice()), (Delivery::Refused, Advice::Retry { after: None }));
    // A status in a body redirects nobody.
    let error = error_of(Operation::Refresh, &Reply::ok(r#"{"error":{"statusCode":304,"name":"odd"}}"#));
    assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay));
    // No body says that the server refused the request.
    for body in
        [r#"{"error":{"statusCode":304}}"#, r#"{"error":{"statusCode":200}}"#, r#"{"error":{}}"#, r#"{"error":7}"#]
    {
        let error = error_of(Operation::Refresh, &Reply::ok(body));
        assert_eq!(error.kind(), &ErrorKind::Malformed(Malformed::NoAccessToken), "{body}");
        assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay), "{body}");
    }
}

#[test]
fn an_error_beside_two_tokens_does_not_lose_them() {
    for error in ["\"invalid_grant\"", r#"{"name":"server_error"}"#] {
        for body in [Json::documented().push("error", error), Json::documented().push_front("error", error)] {
            assert_eq!(oddities(&read(&Reply::ok(body.text()))), [Oddity::ErrorBesideTokens]);
        }
    }
    for nothing in ["null", "\"\""] {
        let body = Json::documented().push_front("error", nothing);
        assert_eq!(oddities(&read(&Reply::ok(body.text()))), []);
    }
}

/// OAuth 2.1 draft §7.12.
#[test]
fn a_body_that_is_not_json_is_never_a_success_and_always_in_doubt() {
    let gzip = b"\x1F\x8B\x08\0\0\0\0\0\0\x03\xABV*H,.";
    let bodies: [(&[u8], Malformed); 9] = [
        (b"", Malformed::Empty),
        (b" \r\n", Malformed::Empty),
        (b"<html><body>Please log in to the Wi-Fi", Malformed::NotJson),
        (b"ok", Malformed::NotJson),
        (gzip, Malformed::NotJson),
        (b"[\"access_token\",\"a\"]", Malformed::NotJson),
        (b"\"access_token\"", Malformed::NotJson),
        (b"access_token=a&refresh_token=r", Malformed::NotJson),
        (b"{}", Malformed::NoAccessToken),
    ];
    for (body, malformed) in bodies {
        for (step, advice) in [(Operation::Exchange, Advice::Reauthorize), (Operation::Refresh, Advice::Replay)] {
            let error = error_of(step, &Reply::ok(body));
            assert_eq!(error.kind(), &ErrorKind::Malformed(malformed), "{body:?}");
            assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, advice), "{body:?}");
            assert_eq!(error.salvaged(), None);
        }
    }
    let error = error_of(Operation::Refresh, &Reply::ok(gzip).header(CONTENT_ENCODING, "gzip"));
    assert_eq!(error.kind(), &ErrorKind::Malformed(Malformed::Compressed));
    assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay));
}

#[test]
fn a_body_that_the_stack_has_decoded_is_read() {
    // The header still says gzip, and Content-Length counts the bytes before decoding.
    for promised in ["300", "99999"] {
        let reply = Reply::ok(DOCUMENTED).header(CONTENT_ENCODING, "gzip").header(CONTENT_LENGTH, promised);
        assert_eq!(oddities(&read(&reply)), [], "{promised}");
    }
    // `identity` means no encoding.
    let identity = |body: &str| Reply::ok(body).header(CONTENT_ENCODING, "identity");
    assert_eq!(oddities(&read(&identity(DOCUMENTED))), []);
    assert_eq!(oddities(&read(&identity(DOCUMENTED).header(CONTENT_LENGTH, "99999"))), [Oddity::Truncated]);
    let error = error_of(Operation::Refresh, &identity("<html>"));
    assert_eq!(error.kind(), &ErrorKind::Malformed(Malformed::NotJson));
}

#[test]
fn a_refresh_token_without_an_access_token_is_salvaged_and_used_next() {
    let body = Json::documented().without(&["access_token", "accessToken"]).text();
    for call in [refresh(), exchange()] {
        let error = Reply::ok(&body).finish(call).unwrap_err();
        assert_eq!((error.delivery(), error.advice()), (Delivery::Completed, Advice::Refresh));
        assert!(matches!(error.salvaged(), Some(Salvaged::RefreshToken(token)) if token.expose_secret() == REFRESH));
    }
    let cut = body.split_once("refreshToken\"").unwrap().0;
    let error = error_of(Operation::Refresh, &Reply::ok(cut));
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Interrupted));
    assert_eq!(error.delivery(), Delivery::Completed);
}
