//! What was wrong once: each case found by review, probing or fuzzing, and mended.

use crate::support;
use crate::support::{
    ACCESS, Json, REFRESH, Reply, SENT_REFRESH, builder, client, entropy, error_of, exchange, oddities, pair, refresh,
    sent_at, tokens,
};
use http::header::WWW_AUTHENTICATE;
use restream_oauth_core::{
    Advice, CallbackError, Client, ConfigError, Delivery, Endpoints, ErrorCode, ErrorKind, LoginOptions, Operation,
    SavedError, Scope, TokenType, Tokens, UriProblem,
};

#[test]
fn a_challenge_that_repeats_a_secret_of_the_call_is_not_repeated() {
    let echo = format!("Bearer error=\"unknown token {SENT_REFRESH}\"");
    let error = error_of(Operation::Refresh, &Reply::of(401, "").header(WWW_AUTHENTICATE, &echo));
    assert!(!format!("{error} {error:?}").contains(SENT_REFRESH), "{error:?}");
}

#[test]
fn a_secret_is_cut_out_however_it_is_percent_encoded() {
    let client =
        Client::builder("id").secret("s3cret /~é").redirect_uri("https://app.example/callback").build().unwrap();
    for echo in ["s3cret%20%2f~%c3%a9", "s3cret+%2F%7E%C3%A9", "s3cret%20%2f%7e%c3%a9"] {
        let reply = Reply::of(400, format!(r#"{{"error":"invalid_request","error_description":"got {echo}"}}"#));
        let error = reply.finish(client.refresh(&restream_oauth_core::RefreshToken::new(SENT_REFRESH))).unwrap_err();
        assert_eq!(error.server_message(), Some("got [redacted]"), "{echo}");
    }
}

#[test]
fn a_gateway_that_borrows_an_error_code_kills_no_grant() {
    for status in [500, 502, 503, 504] {
        for code in ["invalid_grant", "invalid_client", "invalid_request"] {
            let error = error_of(Operation::Refresh, &Reply::of(status, format!(r#"{{"error":"{code}"}}"#)));
            assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay), "{status} {code}");
        }
    }
}

#[test]
fn the_status_of_an_error_is_that_of_the_answer() {
    let body = r#"{"error":{"statusCode":401,"name":"invalid_client"}}"#;
    let error = error_of(Operation::Refresh, &Reply::ok(body));
    assert_eq!(error.status().unwrap(), 200);
    assert_eq!(error.advice(), Advice::FixConfiguration);
}

#[test]
fn an_error_code_may_stand_in_code_instead_of_name() {
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
        assert_eq!(login.read_callback(&uri).unwrap_err(), CallbackError::WrongPlace, "{uri}");
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
fn rfc_6749_3_1_no_parameter_can_come_twice() {
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

#[test]
fn no_parameter_of_another_request_gets_into_the_url() {
    for name in ["grant_type", "client_secret", "code_verifier", "code", "token", "access_token", "refresh_token"] {
        assert!(LoginOptions::new().parameter(name, "x").is_err(), "{name}");
    }
}

#[test]
fn scopes_that_are_asked_for_in_two_calls_are_all_asked_for() {
    let options = LoginOptions::new().scopes([Scope::CHAT_READ]).scopes([Scope::PROFILE_READ]);
    let login = client().login_with(entropy(1), &options).unwrap();
    assert!(login.url().as_str().ends_with("&scope=chat.read%20profile.read"));
}

#[test]
fn a_member_that_holds_nothing_never_replaces_one_that_does_however_it_is_spelled() {
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
fn token_types_differ_in_more_than_case() {
    assert_eq!(oddities(&tokens(Json::documented().set("tokenType", "\"bearer\"").text())), []);
}

#[test]
fn a_token_that_is_repeated_elsewhere_is_not_printed_there() {
    for name in ["token_type", "scope"] {
        let read = tokens(Json::documented().set(name, &format!("\"{ACCESS} {REFRESH}\"")).text());
        let shown = format!("{read:?}");
        assert!(!shown.contains(ACCESS) && !shown.contains(REFRESH), "{name}: {shown}");
    }
}

#[test]
fn text_beyond_ascii_in_a_token_survives_a_cut_within_a_later_character() {
    let body = "{\"access_token\":\"a\u{FFFD}\",\"refresh_token\":\"r\",\"x\":\"€";
    for end in [body.len(), body.len() - 1, body.len() - 2, body.len() - 3] {
        let read = Reply::ok(&body.as_bytes()[..end]).finish(refresh()).unwrap();
        assert_eq!(pair(&read), ("a\u{FFFD}", Some("r")));
    }
}

#[test]
fn what_follows_a_whole_answer_takes_nothing_from_it() {
    for rest in ["", "\0", "}", " x"] {
        let body = format!(r#"{{"access_token":"a","expires_in":3600}}{rest}"#);
        for call in [refresh(), exchange()] {
            assert_eq!(Reply::ok(&body).finish(call).unwrap().access_token().expose_secret(), "a", "{rest:?}");
        }
    }
}

#[test]
fn saved_tokens_keep_a_strange_type_as_it_is() {
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
    assert_eq!(Tokens::from_saved(&value.to_string()).unwrap().sent_at(), sent_at());
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
fn saved_scopes_take_no_more_time_than_scopes_of_an_answer() {
    let saved = tokens(Json::documented().text()).to_saved();
    let many = (0..100_000).map(|n| format!(" s{n}")).collect::<Vec<_>>().concat();
    let flooded = saved.expose_secret().replace("profile.read channels", &format!("profile.read{many} channels"));
    assert_eq!(Tokens::from_saved(&flooded).unwrap_err(), SavedError::Damaged("scope"));
}

#[test]
fn rfc_9700_4_2_4_a_login_that_accepted_stays_closed_when_it_is_saved() {
    let mut login = client().login(entropy(1));
    let callback = format!("/callback?code=c&state={}", login.state().expose_secret());
    login.read_callback(&callback).unwrap();
    let mut restored = client().restore_login(login.to_saved().expose_secret()).unwrap();
    assert_eq!(restored.read_callback(&callback).unwrap_err(), CallbackError::AlreadyUsed);
}

#[test]
fn a_saved_login_sends_nobody_elsewhere() {
    let login = client().login(entropy(1));
    let saved = login.to_saved().expose_secret().replace("https://api.restream.io/login", "javascript:alert(1)//");
    assert_eq!(client().restore_login(&saved).unwrap_err(), SavedError::OtherClient("url"));
}
