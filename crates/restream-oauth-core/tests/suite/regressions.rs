//! Regression tests: each case was once a defect, found by review, probing or fuzzing.

use crate::support;
use crate::support::{
    ACCESS, Json, REFRESH, Reply, SENT_REFRESH, builder, client, entropy, error_of, exchange, oddities, pair, refresh,
    sent_at, tokens,
};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use restream_oauth_core::config::{ConfigError, TextProblem, UriProblem};
use restream_oauth_core::error::{ErrorCode, ErrorKind, Operation};
use restream_oauth_core::login::{CallbackError, LoginOptions};
use restream_oauth_core::token::{Oddity, TokenType};
use restream_oauth_core::{Advice, Client, Delivery, Endpoints, SavedError, Scope, Tokens};

#[test]
fn a_secret_repeated_in_a_challenge_is_not_printed() {
    let echo = format!("Bearer error=\"unknown token {SENT_REFRESH}\"");
    let error = error_of(Operation::Refresh, &Reply::of(401, "").header(WWW_AUTHENTICATE, &echo));
    assert!(!format!("{error} {error:?}").contains(SENT_REFRESH), "{error:?}");
}

#[test]
fn a_secret_is_redacted_in_every_percent_encoding() {
    let client =
        Client::builder("id").secret("s3cret /~é").redirect_uri("https://app.example/callback").build().unwrap();
    for echo in ["s3cret%20%2f~%c3%a9", "s3cret+%2F%7E%C3%A9", "s3cret%20%2f%7e%c3%a9"] {
        let reply = Reply::of(400, format!(r#"{{"error":"invalid_request","error_description":"got {echo}"}}"#));
        let error = reply.finish(client.refresh(&restream_oauth_core::RefreshToken::new(SENT_REFRESH))).unwrap_err();
        assert_eq!(error.server_message(), Some("got [redacted]"), "{echo}");
    }
}

/// xagent #1988.
#[test]
fn a_5xx_status_with_an_error_code_does_not_mean_a_dead_grant() {
    for status in [500, 502, 503, 504] {
        for code in ["invalid_grant", "invalid_client", "invalid_request"] {
            let error = error_of(Operation::Refresh, &Reply::of(status, format!(r#"{{"error":"{code}"}}"#)));
            assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay), "{status} {code}");
        }
    }
}

#[test]
fn an_unknown_status_does_not_mean_a_dead_grant() {
    for status in [600, 999] {
        let error = error_of(Operation::Refresh, &Reply::of(status, r#"{"error":"invalid_grant"}"#));
        assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay), "{status}");
    }
}

#[test]
fn an_error_in_a_truncated_success_response_leaves_the_refresh_in_doubt() {
    for front in [r#"{"error":"invalid_grant","access_token":"aaa"#, r#"{"error":"invalid_request","x":NaN}"#] {
        // Some stacks report a truncated body as a normal end.
        for outcome in [Reply::ok(front).then_fail(refresh()), Reply::ok(front).finish(refresh())] {
            let error = outcome.unwrap_err();
            assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay), "{front}");
        }
    }
    let error = error_of(Operation::Refresh, &Reply::ok(r#"{"error":"invalid_grant"} "#));
    assert_eq!((error.delivery(), error.advice()), (Delivery::Refused, Advice::Reauthorize));
}

#[test]
fn an_empty_member_of_an_error_never_replaces_one_with_a_value() {
    for body in [
        r#"{"error":"invalid_grant","error":null}"#,
        r#"{"error":{"name":"invalid_grant","name":null}}"#,
        r#"{"error":{"name":null,"code":"invalid_grant"}}"#,
        r#"{"error":{"name":"","code":"invalid_grant"}}"#,
        r#"{"error":{"name":"invalid_grant"},"error":""}"#,
    ] {
        let error = error_of(Operation::Refresh, &Reply::of(400, body));
        assert_eq!(error.kind(), &ErrorKind::Refused(ErrorCode::InvalidGrant), "{body}");
        assert_eq!(error.advice(), Advice::Reauthorize, "{body}");
    }
    let body = r#"{"error":"x","error_description":"why","error_description":null,"message":"other"}"#;
    assert_eq!(error_of(Operation::Refresh, &Reply::of(400, body)).server_message(), Some("why"));
}

#[test]
fn a_profile_without_an_id_is_refused_only_if_it_holds_an_error() {
    for (body, refused) in
        [(r#"{"error":"invalid_token"}"#, true), (r#"{"error":false}"#, false), (r#"{"message":"hello"}"#, false)]
    {
        let error = error_of(Operation::Profile, &Reply::ok(body));
        assert_eq!(matches!(error.kind(), ErrorKind::Refused(_)), refused, "{body}: {error}");
        assert_eq!(matches!(error.kind(), ErrorKind::Malformed(_)), !refused, "{body}: {error}");
    }
    for (body, id) in [(r#"{"id":17}"#, Some("17")), (r#"{"id":-17}"#, None), (r#"{"id":1.5e3}"#, None)] {
        let got = support::outcome(Operation::Profile, Some(&Reply::ok(body)), support::Ending::Finish);
        let got = got.ok().map(|got| match got {
            support::Got::Profile(profile) => profile.id().to_owned(),
            other => panic!("{other:?}"),
        });
        assert_eq!(got.as_deref(), id, "{body}");
    }
}

#[test]
fn a_number_instead_of_an_error_code_is_the_status() {
    for (body, status) in [
        (r#"{"error":{"code":401}}"#, 401),
        (r#"{"error":{"code":"x","statusCode":401}}"#, 401),
        (r#"{"error":{"name":5,"status":503}}"#, 503),
        (r#"{"error":{"status":200,"code":401}}"#, 401),
    ] {
        let error = error_of(Operation::Refresh, &Reply::ok(body));
        let kind = if body.contains('x') {
            ErrorKind::Refused(ErrorCode::Other("x".into()))
        } else {
            ErrorKind::Status(http::StatusCode::from_u16(status).unwrap())
        };
        assert_eq!(error.kind(), &kind, "{body}");
    }
}

#[test]
fn a_200_with_an_error_may_have_retry_after() {
    let reply = Reply::ok(r#"{"error":{"statusCode":429}}"#).header(RETRY_AFTER, "17");
    let error = error_of(Operation::Refresh, &reply);
    assert_eq!(error.advice(), Advice::Retry { after: Some(std::time::Duration::from_secs(17)) });
}

#[test]
fn an_invalid_json_value_before_the_tokens_does_not_lose_them() {
    for strange in ["NaN", "03600", "", "+1", "1 h", "\"a\tb\"", "'3600'"] {
        let body = Json::documented().without(&["accessTokenExpiresIn"]).set("expires_in", strange).text();
        let read = tokens(body);
        assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{strange}");
        assert_eq!(oddities(&read), [Oddity::BrokenJson, Oddity::LifetimeAssumed], "{strange}");
    }
}

#[test]
fn a_twin_that_is_not_text_is_an_oddity() {
    let read = tokens(Json::documented().set("token_type", "5").text());
    assert_eq!((read.token_type(), oddities(&read)), (&TokenType::Bearer, vec![Oddity::TwinsDiffer]));
}

#[test]
fn chunks_that_were_fed_before_read_belong_to_the_response() {
    let (_, mut reader) = refresh().into_parts(sent_at());
    let (front, rest) = support::DOCUMENTED.split_at(100);
    let answer = http::Response::new(rest);
    let _ = reader.head(answer.status(), answer.headers());
    let _ = reader.chunk(front.as_bytes());
    assert_eq!(pair(&reader.read(answer).unwrap()), (ACCESS, Some(REFRESH)));
}

#[test]
fn a_saved_login_with_two_states_is_damaged() {
    let login = client().login(entropy(1));
    let other = client().login(entropy(2)).state();
    let saved = login.to_saved().expose_secret().replacen(
        &format!("state={}", login.state().expose_secret()),
        &format!("state={}", other.expose_secret()),
        1,
    );
    assert_eq!(client().restore_login(&saved).unwrap_err(), SavedError::Damaged("url"));
}

#[test]
fn invisible_characters_in_copied_text_are_refused() {
    for invisible in ['\u{FEFF}', '\u{200B}', '\u{202E}', '\u{AD}', '\u{2060}'] {
        let text = format!("abc{invisible}");
        let error = Client::builder(text.as_str()).redirect_uri(support::REDIRECT_URI).build().unwrap_err();
        assert_eq!(error, ConfigError::ClientId(TextProblem::Invisible), "{invisible:?}");
        let error = builder().secret(text).build().unwrap_err();
        assert_eq!(error, ConfigError::ClientSecret(TextProblem::Invisible), "{invisible:?}");
    }
}

#[test]
fn identifiers_and_secrets_too_long_for_a_header_are_refused() {
    for (length, fits) in [(4096, true), (4097, false)] {
        let text = "x".repeat(length);
        let identifier = Client::builder(text.as_str()).redirect_uri(support::REDIRECT_URI).build();
        let secret = builder().secret(text).build();
        let too_long = TextProblem::TooLong;
        assert_eq!(identifier.err(), (!fits).then_some(ConfigError::ClientId(too_long)), "{length}");
        assert_eq!(secret.err(), (!fits).then_some(ConfigError::ClientSecret(too_long)), "{length}");
    }
}

#[test]
fn a_profile_that_repeats_the_token_does_not_print_it() {
    let body = format!(r#"{{"id":"{0}","username":"{0}","email":"{0}"}}"#, support::SENT_ACCESS);
    let got = support::outcome(Operation::Profile, Some(&Reply::ok(body)), support::Ending::Finish).unwrap();
    assert_eq!(format!("{got:?}"), "Profile(Profile(redacted))");
}

#[test]
fn the_status_of_an_error_is_that_of_the_response() {
    let body = r#"{"error":{"statusCode":401,"name":"invalid_client"}}"#;
    let error = error_of(Operation::Refresh, &Reply::ok(body));
    assert_eq!(error.status().unwrap(), 200);
    assert_eq!(error.advice(), Advice::FixConfiguration);
}

#[test]
fn an_error_code_may_be_in_code_instead_of_name() {
    let error = error_of(Operation::Refresh, &Reply::of(400, r#"{"error":{"code":"invalid_grant"}}"#));
    assert_eq!(error.kind(), &ErrorKind::Refused(ErrorCode::InvalidGrant));
}

#[test]
fn a_callback_at_another_place_is_refused_whatever_its_path_looks_like() {
    for uri in [
        "https://evil.example/a=b?x=1&code=c&state=STATE",
        "https://evil.example/&code=c&state=STATE",
        "evil.example/x?code=c&state=STATE",
        "http:/evil?code=c&state=STATE",
        "https:\\\\evil?code=c&state=STATE",
    ] {
        let mut login = client().login(entropy(1));
        let uri = uri.replace("STATE", login.state().expose_secret());
        let error = login.read_callback(&uri).unwrap_err();
        assert!(matches!(error, CallbackError::WrongPlace { .. }), "{uri}: {error:?}");
    }
}

#[test]
fn a_redirect_uri_may_have_an_equals_sign_in_its_path() {
    let client = Client::builder("id").redirect_uri("https://app.example/cb;v=1").build().unwrap();
    for place in ["https://app.example/cb;v=1", "/cb;v=1"] {
        let mut login = client.login(entropy(1));
        let callback = format!("{place}?code=a?b&state={}", login.state().expose_secret());
        assert_eq!(login.read_callback(&callback).unwrap().expose_secret(), "a?b");
    }
}

#[test]
fn rfc_6749_3_1_no_parameter_can_be_repeated() {
    for query in ["state=1", "code=x", "error=1", "st%61te=1"] {
        let refused = Client::builder("id").redirect_uri(format!("https://app.example/cb?{query}")).build();
        assert_eq!(refused.unwrap_err(), ConfigError::RedirectUri(UriProblem::ReservedParameter), "{query}");
    }
    let authorization = "https://a.example/login?prompt=x".to_owned();
    let client = builder().endpoints(Endpoints { authorization, ..Endpoints::restream() }).build().unwrap();
    let options = LoginOptions::new().parameter("prompt", "y").unwrap();
    let expected = ConfigError::Parameter { name: "prompt".into() };
    assert_eq!(client.login_with(entropy(1), &options).unwrap_err(), expected);
}

/// RFC 6750 §2.3.
#[test]
fn no_parameter_of_another_request_gets_into_the_url() {
    for name in ["grant_type", "client_secret", "code_verifier", "code", "token", "access_token", "refresh_token"] {
        assert!(LoginOptions::new().parameter(name, "x").is_err(), "{name}");
    }
}

#[test]
fn scopes_added_in_two_calls_are_all_sent() {
    let options = LoginOptions::new().scopes([Scope::CHAT_READ]).scopes([Scope::PROFILE_READ]);
    let login = client().login_with(entropy(1), &options).unwrap();
    assert!(login.url().as_str().ends_with("&scope=chat.read%20profile.read"));
}

#[test]
fn a_member_without_a_usable_value_never_replaces_one_with_a_value() {
    for nothing in ["[ ]", "{}", "\" \"", "[\"\"]", "[null]", "5"] {
        let read = tokens(Json::documented().push("scope", nothing).text());
        assert!(read.scopes().is_some(), "{nothing}");
        let read = tokens(Json::documented().set("scope", nothing).text());
        assert!(read.scopes().is_some(), "{nothing}: its twin counts");
    }
    let read = tokens(Json::documented().set("token_type", "5").text());
    assert!(read.bearer_header().is_ok(), "its twin counts");
    let profile =
        support::outcome(Operation::Profile, Some(&Reply::ok(r#"{"id":1,"id":null}"#)), support::Ending::Finish);
    assert!(profile.is_ok());
}

#[test]
fn token_types_that_differ_only_in_case_are_the_same() {
    assert_eq!(oddities(&tokens(Json::documented().set("tokenType", "\"bearer\"").text())), []);
}

#[test]
fn a_token_repeated_in_another_member_is_not_printed() {
    for name in ["token_type", "scope"] {
        let read = tokens(Json::documented().set(name, &format!("\"{ACCESS} {REFRESH}\"")).text());
        let shown = format!("{read:?}");
        assert!(!shown.contains(ACCESS) && !shown.contains(REFRESH), "{name}: {shown}");
    }
}

#[test]
fn non_ascii_text_in_a_token_survives_truncation_within_a_later_character() {
    let body = "{\"access_token\":\"a\u{FFFD}\",\"refresh_token\":\"r\",\"x\":\"€";
    for end in [body.len(), body.len() - 1, body.len() - 2, body.len() - 3] {
        let read = Reply::ok(&body.as_bytes()[..end]).finish(refresh()).unwrap();
        assert_eq!(pair(&read), ("a\u{FFFD}", Some("r")));
    }
}

#[test]
fn text_after_a_whole_response_does_not_affect_it() {
    for rest in ["", "\0", "}", " x"] {
        let body = format!(r#"{{"access_token":"a","expires_in":3600}}{rest}"#);
        for call in [refresh(), exchange()] {
            assert_eq!(Reply::ok(&body).finish(call).unwrap().access_token().expose_secret(), "a", "{rest:?}");
        }
    }
}

#[test]
fn saved_tokens_keep_a_strange_type_unchanged() {
    for token_type in [r#""ma\"c""#, r#""m\\c""#, "\"é\"", "\"x\\n\"", "5"] {
        let read = tokens(Json::snake_half().set("token_type", token_type).text());
        assert_ne!(read.token_type(), &TokenType::Bearer);
        assert_eq!(Tokens::from_saved(read.to_saved().expose_secret()).unwrap(), read, "{token_type}");
    }
}

#[test]
fn saved_tokens_survive_a_tool_that_reads_and_writes_json() {
    let saved = tokens(Json::documented().text()).to_saved();
    let value: serde_json::Value = serde_json::from_str(saved.expose_secret()).unwrap();
    assert_eq!(Tokens::from_saved(value.to_string()).unwrap().sent_at(), sent_at());
}

#[test]
fn saved_tokens_are_never_empty() {
    let saved = tokens(Json::documented().text()).to_saved();
    for (name, token) in [("access_token", ACCESS), ("refresh_token", REFRESH)] {
        let emptied = saved.expose_secret().replace(token, "");
        assert_eq!(Tokens::from_saved(&emptied).unwrap_err(), SavedError::Damaged(name));
    }
}

#[test]
fn saved_scopes_take_no_more_time_than_scopes_of_a_response() {
    let saved = tokens(Json::documented().text()).to_saved();
    let many = (0..100_000).map(|n| format!(" s{n}")).collect::<Vec<_>>().concat();
    let flooded = saved.expose_secret().replace("profile.read channels", &format!("profile.read{many} channels"));
    assert_eq!(Tokens::from_saved(&flooded).unwrap_err(), SavedError::Damaged("scope"));
}

#[test]
fn rfc_9700_4_2_4_a_login_that_accepted_a_callback_stays_closed_when_it_is_saved() {
    let mut login = client().login(entropy(1));
    let callback = format!("/callback?code=c&state={}", login.state().expose_secret());
    login.read_callback(&callback).unwrap();
    let mut restored = client().restore_login(login.to_saved().expose_secret()).unwrap();
    assert_eq!(restored.read_callback(&callback).unwrap_err(), CallbackError::AlreadyUsed);
}

/// CVE-2023-27490.
#[test]
fn a_saved_login_with_another_url_is_refused() {
    let login = client().login(entropy(1));
    let saved = login.to_saved().expose_secret().replace("https://api.restream.io/login", "javascript:alert(1)//");
    assert_eq!(client().restore_login(&saved).unwrap_err(), SavedError::OtherClient("url"));
}
