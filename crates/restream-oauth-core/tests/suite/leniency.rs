//! A pair is never lost because a member of its response is strange. Tests each member.

use std::time::Duration;

use crate::support::{
    ACCESS, DOCUMENTED, Json, REFRESH, Reply, SENT_REFRESH, error_of, exchange, oddities, pair, refresh, sent_at,
    tokens,
};
use restream_oauth_core::error::{ErrorKind, Malformed, Operation, Salvaged};
use restream_oauth_core::token::{BearerError, Oddity, TokenType};
use restream_oauth_core::{Advice, Delivery};

const HOUR: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(31_536_000);

/// RFC 6749 §6.
#[test]
fn the_documented_response_is_read_completely_and_without_oddities() {
    for call in [exchange(), refresh()] {
        let tokens = Reply::ok(DOCUMENTED).finish(call).unwrap();
        assert_eq!(pair(&tokens), (ACCESS, Some(REFRESH)));
        assert_eq!((tokens.lifetime(), tokens.refresh_lifetime()), (HOUR, YEAR));
        assert_eq!(tokens.token_type(), &TokenType::Bearer);
        assert_eq!(tokens.scopes().unwrap().as_str(), "profile.read channels.read chat.read stream.read");
        assert_eq!(tokens.sent_at(), sent_at());
        assert_eq!(tokens.expires_at(), sent_at() + HOUR);
        assert_eq!(tokens.refresh_expires_at(), sent_at() + YEAR);
        let unix = |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(tokens.server_expires_at().map(unix), Some(1_520_280_067));
        assert_eq!(tokens.server_refresh_expires_at().map(unix), Some(1_551_812_467));
        assert_eq!(oddities(&tokens), []);
    }
}

#[test]
fn either_half_of_the_documented_response_is_enough() {
    let snake = tokens(Json::snake_half().text());
    assert_eq!(pair(&snake), (ACCESS, Some(REFRESH)));
    assert_eq!((snake.lifetime(), snake.refresh_lifetime()), (HOUR, YEAR));
    assert_eq!(oddities(&snake), [Oddity::RefreshLifetimeAssumed]);

    let camel = tokens(Json::camel_half().text());
    assert_eq!(pair(&camel), (ACCESS, Some(REFRESH)));
    assert_eq!((camel.lifetime(), camel.refresh_lifetime()), (HOUR, YEAR));
    assert_eq!(camel.token_type(), &TokenType::Bearer);
    assert_eq!(camel.scopes(), snake.scopes());
    assert_eq!(oddities(&camel), []);
}

#[test]
fn a_missing_member_is_taken_from_the_other_half() {
    let whole = tokens(DOCUMENTED);
    let names = [
        "access_token",
        "accessToken",
        "refresh_token",
        "refreshToken",
        "expires_in",
        "accessTokenExpiresIn",
        "scope",
        "scopeJson",
        "token_type",
        "tokenType",
    ];
    for name in names {
        let read = tokens(Json::documented().without(&[name]).text());
        assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{name}");
        assert_eq!(
            (read.lifetime(), read.scopes(), read.token_type()),
            (whole.lifetime(), whole.scopes(), whole.token_type()),
            "{name}"
        );
    }
    for mixed in [["access_token", "refreshToken"], ["accessToken", "refresh_token"]] {
        assert_eq!(pair(&tokens(Json::documented().without(&mixed).text())), (ACCESS, Some(REFRESH)), "{mixed:?}");
    }
}

#[test]
fn an_unusable_member_is_taken_from_the_other_half() {
    for (snake, camel) in [("access_token", "accessToken"), ("refresh_token", "refreshToken")] {
        for nothing in ["null", "\"\"", "12", "[\"x\"]", "{}", "true", r#""\ud800""#] {
            for name in [snake, camel] {
                let read = tokens(Json::documented().set(name, nothing).text());
                assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{name} {nothing}");
                let odd = !matches!(nothing, "null" | "\"\"");
                assert_eq!(oddities(&read).contains(&Oddity::UnusableToken), odd, "{name} {nothing}");
            }
        }
    }
}

#[test]
fn when_twins_differ_the_rfc_6749_name_wins_and_it_is_an_oddity() {
    let cases = [
        ("accessToken", "\"other\""),
        ("refreshToken", "\"other\""),
        ("accessTokenExpiresIn", "60"),
        ("scopeJson", r#"["chat.write"]"#),
        ("scopeJson", r#"["profile.read"]"#),
        ("tokenType", "\"mac\""),
    ];
    let whole = tokens(DOCUMENTED);
    for (name, raw) in cases {
        for body in [
            Json::documented().set(name, raw),
            // The order does not matter.
            Json::documented().without(&[name]).push_front(name, raw),
        ] {
            let read = tokens(body.text());
            assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{name}");
            assert_eq!(read.lifetime(), HOUR, "{name}");
            assert_eq!((read.scopes(), read.token_type()), (whole.scopes(), whole.token_type()), "{name}");
            assert_eq!(oddities(&read), [Oddity::TwinsDiffer], "{name}");
        }
    }
}

/// OAuth 2.1 draft §3.2.3.
#[test]
fn rfc_6749_5_1_the_token_type_may_be_missing_or_of_any_case() {
    let read = |raw: &str| tokens(Json::snake_half().set("token_type", raw).text());
    for raw in ["\"Bearer\"", "\"bearer\"", "\"BEARER\"", r#""\u0042earer""#, "\"Bearer \"", "\" bearer\\n\""] {
        assert_eq!(read(raw).token_type(), &TokenType::Bearer, "{raw}");
        assert!(read(raw).bearer_header().is_ok());
        assert!(!oddities(&read(raw)).contains(&Oddity::TokenTypeMissing), "{raw}");
    }
    for missing in [Json::snake_half().without(&["token_type"]), Json::snake_half().set("token_type", "null")] {
        let read = tokens(missing.text());
        assert_eq!(read.bearer_header().unwrap().as_bytes(), format!("Bearer {ACCESS}").as_bytes());
        assert!(oddities(&read).contains(&Oddity::TokenTypeMissing));
    }
}

#[test]
fn rfc_6749_7_1_a_pair_of_another_type_is_kept_and_not_used() {
    for raw in ["\"mac\"", "\"N_A\"", "7", "{}", "[\"Bearer\"]", r#""\udc00""#, "\"Bearer x\""] {
        let read = tokens(Json::snake_half().set("token_type", raw).text());
        assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{raw}");
        assert_ne!(read.token_type(), &TokenType::Bearer, "{raw}");
        assert_eq!(read.bearer_header(), Err(BearerError::UnsupportedTokenType), "{raw}");
        assert!(oddities(&read).contains(&Oddity::TokenTypeUnknown), "{raw}");
    }
}

#[test]
fn scopes_are_a_string_an_array_or_separated_by_commas() {
    let cases = [
        ("\"chat.read profile.read\"", "chat.read profile.read", None),
        ("\"chat.read\"", "chat.read", None),
        ("\" chat.read  chat.read \"", "chat.read", None),
        ("\"chat.read,profile.read\"", "chat.read profile.read", Some(Oddity::ScopeSpelling)),
        ("\"chat.read, profile.read\"", "chat.read profile.read", Some(Oddity::ScopeSpelling)),
        (r#"["chat.read","profile.read"]"#, "chat.read profile.read", Some(Oddity::ScopeSpelling)),
        (r#""chat.read \"quoted\"""#, "chat.read", Some(Oddity::ScopeUnusable)),
        (r#"["chat.read", 5, null]"#, "chat.read", Some(Oddity::ScopeUnusable)),
    ];
    for (raw, expected, oddity) in cases {
        let read = tokens(Json::snake_half().set("scope", raw).text());
        assert_eq!(read.scopes().unwrap().as_str(), expected, "{raw}");
        assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{raw}");
        for one in [Oddity::ScopeSpelling, Oddity::ScopeUnusable] {
            assert!(oddities(&read).contains(&one) || oddity != Some(one), "{raw}: {one:?} is missing");
        }
        assert!(oddity.is_some() || oddities(&read) == [Oddity::RefreshLifetimeAssumed], "{raw}");
    }
}

#[test]
fn twins_of_scopes_are_compared_by_their_scopes() {
    for (array, same) in [
        (r#"["a","b"]"#, true),
        (r#"[ "a" , "b" ]"#, true),
        (r#"["b","a"]"#, true),
        (r#"["\u0061","b"]"#, true),
        (r#"["b"]"#, false),
        (r#"["a","b","c"]"#, false),
        (r#"["a","c"]"#, false),
        (r#"["a","b",5]"#, false),
    ] {
        let read = tokens(Json::documented().set("scope", "\"a b\"").set("scopeJson", array).text());
        assert_eq!(oddities(&read).contains(&Oddity::TwinsDiffer), !same, "{array}");
        assert_eq!(read.scopes().unwrap().as_str(), "a b", "{array}");
    }
}

#[test]
fn at_most_256_scopes_are_read() {
    for count in [256, 257, 1000] {
        let names: Vec<String> = (0..count).map(|n| format!("s{n}")).collect();
        for raw in [format!("\"{}\"", names.join(" ")), format!("\"{}\"", names.join(",")), format!("{names:?}")] {
            let read = tokens(Json::snake_half().set("scope", &raw).text());
            assert_eq!(read.scopes().unwrap().iter().count(), 256, "{count}");
        }
    }
}

#[test]
fn a_scope_array_is_an_oddity_even_if_it_equals_its_twin() {
    let array = r#"["profile.read","channels.read","chat.read","stream.read"]"#;
    let read = tokens(Json::documented().set("scope", array).text());
    assert_eq!(read.scopes(), tokens(DOCUMENTED).scopes());
    assert_eq!(oddities(&read), [Oddity::ScopeSpelling]);
}

#[test]
fn rfc_6749_5_1_an_exchange_without_a_refresh_token_is_not_odd() {
    let body = r#"{"access_token":"a","token_type":"Bearer","expires_in":3600}"#;
    let read = Reply::ok(body).finish(exchange()).unwrap();
    assert_eq!(pair(&read), ("a", None));
    assert_eq!(oddities(&read), []);
}

#[test]
fn rfc_6749_5_1_a_response_without_usable_scopes_has_no_scopes() {
    let absent = Json::snake_half().without(&["scope"]);
    for body in [absent, Json::snake_half().set("scope", "null"), Json::snake_half().set("scope", "\"\"")] {
        let read = tokens(body.text());
        assert_eq!(read.scopes(), None);
        assert_eq!(oddities(&read), [Oddity::RefreshLifetimeAssumed]);
    }
    for strange in ["12", "{}", "true", r#""\ud800""#] {
        let read = tokens(Json::snake_half().set("scope", strange).text());
        assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{strange}");
        assert_eq!(read.scopes(), None, "{strange}");
        assert!(oddities(&read).contains(&Oddity::ScopeUnusable), "{strange}");
    }
}

/// gemini-cli #21691.
#[test]
fn a_refresh_response_without_a_refresh_token_keeps_the_one_that_was_sent() {
    let names = ["refresh_token", "refreshToken"];
    let mut bodies = vec![Json::documented().without(&names)];
    for nothing in ["null", "\"\"", "[]", "false"] {
        bodies.push(Json::documented().set(names[0], nothing).set(names[1], nothing));
        bodies.push(Json::documented().without(&names[1..]).set(names[0], nothing));
    }
    for body in bodies {
        let read = tokens(body.text());
        assert_eq!(pair(&read), (ACCESS, Some(SENT_REFRESH)), "{}", body.text());
        assert!(oddities(&read).contains(&Oddity::RefreshTokenKept));
        // A code exchange has no refresh token to keep.
        let read = Reply::ok(body.text()).finish(exchange()).unwrap();
        assert_eq!(pair(&read), (ACCESS, None));
        assert!(!oddities(&read).contains(&Oddity::RefreshTokenKept));
    }
}

/// A server that sends a refresh token has rotated, even if the token is unusable. The token that was sent is spent.
#[test]
fn an_unusable_refresh_token_is_never_replaced_by_the_one_that_was_sent() {
    for unusable in ["{}", r#"{"value":"r2"}"#, r#""\ud800""#, "7", "0", "true", r#"["r2"]"#] {
        let both = Json::documented().set("refresh_token", unusable).set("refreshToken", unusable).text();
        let one = Json::snake_half().set("refresh_token", unusable).text();
        for body in [both, one] {
            let error = error_of(Operation::Refresh, &Reply::ok(&body));
            assert_eq!(error.kind(), &ErrorKind::Malformed(Malformed::UnusableRefreshToken), "{body}");
            assert_eq!((error.delivery(), error.advice()), (Delivery::Completed, Advice::Replay), "{body}");
            assert!(matches!(error.salvaged(), Some(Salvaged::AccessToken(token)) if token.expose_secret() == ACCESS));
            // A code exchange sends no refresh token that could be mistaken for the new one.
            let read = Reply::ok(&body).finish(exchange()).unwrap();
            assert_eq!(pair(&read), (ACCESS, None));
            assert!(oddities(&read).contains(&Oddity::UnusableToken));
        }
        // The twin counts.
        let read = tokens(Json::documented().set("refresh_token", unusable).text());
        assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{unusable}");
    }
}

#[test]
fn a_token_after_an_object_that_closed_too_early_is_read() {
    for body in [
        r#"{"access_token":"A2"},"refresh_token":"R2"}"#,
        r#"{"access_token":"A2"}{"refresh_token":"R2"}"#,
        r#"{"access_token":"A2"} ,"x":1,"refreshToken" : "R2" }"#,
        r#"{"access_token":"A2"}{"data":{"refresh_token":"R2"}}"#,
        r#"{"access_token":"A2"}{"refresh_token":"R0"}{"refresh_token":"R2","refresh_token":null}"#,
        r#"{"access_token":"A2"}{"refresh_\u0074oken":"\u00522"}"#,
        r#"{"refresh_token":"R2"},"access_token":"A2"}"#,
        r#"{"access_token":"A2",oops,"refresh_token":"R2"}"#,
        r#"{"notice":"maintenance tonight"}{"access_token":"A2","refresh_token":"R2"}"#,
    ] {
        for call in [refresh(), exchange()] {
            let read = Reply::ok(body).finish(call).unwrap();
            assert_eq!(pair(&read), ("A2", Some("R2")), "{body}");
            assert!(oddities(&read).contains(&Oddity::BrokenJson), "{body}");
        }
    }
    // Tokens in the object take precedence.
    let read = tokens(r#"{"access_token":"A2","refresh_token":"R2"}{"access_token":"A3","refresh_token":"R3"}"#);
    assert_eq!(pair(&read), ("A2", Some("R2")));
    // No text after the object names a refresh token, so the server did not rotate.
    for body in [r#"{"access_token":"A2"} {"x":"y"}"#, r#"{"access_token":"A2"}}"#, r#"{"access_token":"A2"} trailing"#]
    {
        assert_eq!(pair(&tokens(body)), ("A2", Some(SENT_REFRESH)), "{body}");
    }
}

#[test]
fn a_truncated_refresh_token_after_the_object_is_not_replaced_by_the_one_that_was_sent() {
    for body in [
        r#"{"access_token":"A2"},"refresh_token":"R"#,
        r#"{"access_token":"A2"},"refresh_token":7}"#,
        r#"{"access_token":"A2"},"refresh_token":"\ud800"}"#,
        r#"{"access_token":"A2"} refresh_token=R2"#,
        r#"{"access_token":"A2"}REFRESH_TOKEN"#,
    ] {
        let error = error_of(Operation::Refresh, &Reply::ok(body));
        assert_eq!(error.kind(), &ErrorKind::Malformed(Malformed::UnusableRefreshToken), "{body}");
        assert_eq!((error.delivery(), error.advice()), (Delivery::Completed, Advice::Replay), "{body}");
        assert!(matches!(error.salvaged(), Some(Salvaged::AccessToken(token)) if token.expose_secret() == "A2"));
    }
    // An HTML page is not a token response, whatever its text.
    for body in [
        r#"<html>{"access_token":"A2","refresh_token":"R2"}"#,
        r#"{}"access_token":"A2""#,
        r#"[]{"access_token":"A2"}"#,
    ] {
        assert!(Reply::ok(body).finish(refresh()).is_err(), "{body}");
    }
}

#[test]
fn a_refresh_token_that_did_not_rotate_is_not_an_oddity() {
    let raw = format!("\"{SENT_REFRESH}\"");
    let read = tokens(Json::documented().set("refresh_token", &raw).set("refreshToken", &raw).text());
    assert_eq!(pair(&read), (ACCESS, Some(SENT_REFRESH)));
    assert_eq!(oddities(&read), []);
}

/// RFC 6749 §4.1.4.
#[test]
fn a_success_response_without_an_access_token_fails_and_the_refresh_token_is_salvaged() {
    let names = ["access_token", "accessToken"];
    let mut bodies = vec![Json::documented().without(&names)];
    for nothing in ["null", "\"\"", "5", "[]", r#""\ud83d""#] {
        bodies.push(Json::documented().set(names[0], nothing).set(names[1], nothing));
    }
    for step in [Operation::Exchange, Operation::Refresh] {
        for body in &bodies {
            let error = error_of(step, &Reply::ok(body.text()));
            assert_eq!(error.kind(), &ErrorKind::Malformed(Malformed::NoAccessToken));
            assert_eq!(error.delivery(), Delivery::Completed);
            let Some(Salvaged::RefreshToken(token)) = error.salvaged() else { panic!("{error:?}") };
            assert_eq!(token.expose_secret(), REFRESH);
        }
        let neither = Json::documented().without(&names).without(&["refresh_token", "refreshToken"]);
        let error = error_of(step, &Reply::ok(neither.text()));
        assert_eq!(error.kind(), &ErrorKind::Malformed(Malformed::NoAccessToken));
        assert_eq!((error.delivery(), error.salvaged()), (Delivery::Unknown, None));
    }
}

#[test]
fn the_last_usable_value_of_a_repeated_member_counts() {
    for (name, raw) in Json::documented().0 {
        for nothing in ["null", "\"\""] {
            let read = tokens(Json::documented().push(&name, nothing).text());
            assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{name} {nothing}");
            assert_eq!(read.scopes(), tokens(DOCUMENTED).scopes(), "{name} {nothing}");
            assert_eq!((read.lifetime(), read.refresh_lifetime()), (HOUR, YEAR), "{name} {nothing}");
            assert_eq!(read.token_type(), &TokenType::Bearer, "{name} {nothing}");
        }
        let read = tokens(Json::documented().push(&name, &raw).text());
        assert_eq!(oddities(&read), [], "{name} twice the same");
    }
    let read = tokens(Json::snake_half().push("access_token", "\"later\"").push("refresh_token", "\"last\"").text());
    assert_eq!(pair(&read), ("later", Some("last")));
    assert!(oddities(&read).contains(&Oddity::DoubledMember));
    let read = tokens(Json::snake_half().push("expires_in", "60").push("scope", "\"chat.write\"").text());
    assert_eq!(read.lifetime(), Duration::from_secs(60));
    assert_eq!(read.scopes().unwrap().as_str(), "chat.write");
    assert!(oddities(&read).contains(&Oddity::DoubledMember));
}

/// OAuth 2.1 draft §1.4.
#[test]
fn rfc_6749_5_1_no_size_or_spelling_of_a_token_is_assumed() {
    let long = "a".repeat(64 * 1024);
    let all_ascii: String = (' '..='~').filter(|character| !matches!(character, '"' | '\\')).collect();
    for text in ["a", &long, "eyJhbGciOiJub25lIn0.e30.", "🦀 ü\u{202E}", &all_ascii] {
        for reversed in [String::from("z"), long.chars().rev().collect()] {
            let body = Json(vec![
                ("access_token".into(), format!("\"{text}\"")),
                ("refresh_token".into(), format!("\"{reversed}\"")),
            ]);
            assert_eq!(pair(&tokens(body.text())), (text, Some(reversed.as_str())));
        }
    }
}

#[test]
fn escapes_in_tokens_and_in_member_names_are_resolved() {
    let cases = [
        (r"\u0061\u00e9\u20AC", "aé€"),
        (r"\ud83e\udd80", "🦀"),
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{C}\n\r\t"),
        (r"a\u0000b", "a\0b"),
    ];
    for (raw, text) in cases {
        let body = format!(r#"{{"access\u005ftoken":"{raw}","\u0072efresh_token":"r{raw}"}}"#);
        let read = tokens(body);
        assert_eq!(pair(&read), (text, Some(format!("r{text}").as_str())), "{raw}");
    }
}

#[test]
fn the_servers_absolute_times_are_kept_and_never_used() {
    let unix = |seconds| Some(std::time::UNIX_EPOCH + Duration::from_secs(seconds));
    for (without, with) in [("accessTokenExpiresEpoch", "expires"), ("expires", "accessTokenExpiresEpoch")] {
        let read = tokens(Json::documented().without(&[without]).set(with, "1520280068").text());
        assert_eq!(read.server_expires_at(), unix(1_520_280_068), "{with}");
    }
    let read = tokens(Json::documented().set("refreshTokenExpiresEpoch", "1551812468").text());
    assert_eq!(read.server_refresh_expires_at(), unix(1_551_812_468));
    let names = [
        "expires",
        "accessTokenExpiresAt",
        "accessTokenExpiresEpoch",
        "refreshTokenExpiresAt",
        "refreshTokenExpiresEpoch",
    ];
    for name in names {
        for raw in ["0", "-1", "1e400", "null", "\"never\"", "18446744073709551616", "[]", "9223372036854775807"] {
            let read = tokens(Json::documented().set(name, raw).text());
            assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{name} {raw}");
            assert_eq!((read.expires_at(), read.refresh_expires_at()), (sent_at() + HOUR, sent_at() + YEAR));
        }
    }
}
