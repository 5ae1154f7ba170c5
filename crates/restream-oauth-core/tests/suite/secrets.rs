//! Nothing that can be printed contains a secret, whatever a server, a callback or an HTTP stack sends back.
//!
//! Every secret in these tests contains the word [`CANARY`]. The tests search for it in each encoding.

use std::error::Error as _;
use std::fmt::Debug;

use crate::support;
use crate::support::{CLIENT_ID, REDIRECT_URI, Reply, entropy, sent_at};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use restream_oauth_core::login::{CodeVerifier, LoginOptions, State};
use restream_oauth_core::transport::{Failure, FailureKind, Stage};
use restream_oauth_core::{AccessToken, AuthorizationCode, Call, Client, Error, Login, RefreshToken, Saved};

const CANARY: &str = "c4nary";
/// Secrets that change when they are encoded.
const SECRET: &str = "c4nary/secret+1&2=é%41\"\\";
const CODE: &str = "c4nary/code+1&2=é%41\"\\";
const VERIFIER: &str = "c4nary-verifier-c4nary-verifier-c4nary-veri";
const REFRESH: &str = "c4nary/refresh+1&2=é%41\"\\";
const ACCESS: &str = "c4nary/access+1-_.~=";

fn clients() -> [Client; 3] {
    let builder = || Client::builder(CLIENT_ID).redirect_uri(REDIRECT_URI);
    [builder().secret(SECRET), builder().secret_in_body(SECRET), builder()].map(|builder| builder.build().unwrap())
}

fn code() -> AuthorizationCode {
    AuthorizationCode::without_state_check(CODE, REDIRECT_URI, Some(CodeVerifier::new(VERIFIER).unwrap()))
}

/// Each encoding in which a text could be repeated.
fn forms(text: &str) -> Vec<String> {
    let hex = |digits: fn(&u8) -> String| text.as_bytes().iter().map(digits).collect::<Vec<_>>();
    vec![
        text.to_owned(),
        form_urlencoded::byte_serialize(text.as_bytes()).collect(),
        STANDARD.encode(text),
        URL_SAFE_NO_PAD.encode(text),
        hex(|byte| format!("{byte:02x}")).concat(),
        hex(|byte| format!("{byte:02X}")).concat(),
        hex(u8::to_string).join(", "),
        text.escape_default().to_string(),
        serde_json::to_string(text).unwrap().trim_matches('"').to_owned(),
    ]
}

/// Fails if the printed text contains the canary in any encoding.
fn assert_clean(printed: &str, what: &str) {
    for form in forms(CANARY) {
        // Base64 without its last, incomplete group, which depends on the bytes that follow.
        let form = form.trim_end_matches('=');
        assert!(!printed.contains(form), "{what}: {form} in {printed}");
    }
    let basic = format!("{CLIENT_ID}:");
    for credentials in [format!("{basic}{SECRET}"), format!("{basic}{}", forms(SECRET)[1])] {
        assert!(!printed.contains(&STANDARD.encode(credentials)), "{what}: the Basic credentials in {printed}");
    }
}

fn debug(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

fn assert_error_is_clean(error: &Error, what: &str) {
    let mut printed = format!("{error} {} {:?} {}", debug(error), error.kind(), error.kind());
    printed.push_str(error.server_message().unwrap_or_default());
    let mut cause = error.source();
    while let Some(one) = cause {
        printed += &(one.to_string() + &debug(&one));
        cause = one.source();
    }
    assert_clean(&printed, what);
}

/// Sends every call with each kind of client authentication, and answers it with a reply that repeats one of its
/// secrets: each secret in turn.
fn for_every_echo(reply: impl Fn(&str) -> Reply) {
    fn run<T: Debug>(call: Call<T>, echo: &str, reply: &Reply) {
        match reply.finish(call) {
            Ok(read) => assert_clean(&debug(&read), echo),
            Err(error) => assert_error_is_clean(&error, echo),
        }
    }
    for (client, own) in clients().into_iter().zip([&[SECRET][..], &[SECRET], &[]]) {
        let authorization = |request: &http::Request<restream_oauth_core::Body>| {
            request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned())
        };
        let credentials = authorization(client.refresh(&RefreshToken::new(REFRESH)).request());
        let all = |secrets: &[&str]| [own, secrets].concat().into_iter().flat_map(echoed).collect::<Vec<_>>();
        let mut echoes = all(&[CODE, VERIFIER]);
        echoes.extend(credentials.iter().flat_map(|header| [header.clone(), header["Basic ".len()..].to_owned()]));
        for echo in &echoes {
            run(client.exchange(&code()), echo, &reply(echo));
        }
        let mut echoes = all(&[REFRESH]);
        echoes.extend(credentials);
        for echo in &echoes {
            run(client.refresh(&RefreshToken::new(REFRESH)), echo, &reply(echo));
        }
        for echo in echoed(ACCESS) {
            run(client.revoke(&AccessToken::new(ACCESS)), &echo, &reply(&echo));
        }
        // A header carries the token without an encoding.
        for echo in [ACCESS.to_owned(), format!("Bearer {ACCESS}"), format!("{ACCESS} {ACCESS}\n")] {
            run(client.profile(&AccessToken::new(ACCESS)).unwrap(), &echo, &reply(&echo));
        }
    }
}

/// The ways in which a server could repeat a secret: in plain text, encoded as sent, within other text, or several
/// times.
fn echoed(secret: &str) -> Vec<String> {
    let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    vec![
        secret.to_owned(),
        encoded.clone(),
        format!("token={encoded}&x=1"),
        format!("{secret}{secret}"),
        format!("{} {secret} is wrong: {encoded}", "x".repeat(500)),
        format!("\u{1B}[31m{secret}\r\n"),
    ]
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

#[test]
fn a_secret_that_the_server_repeats_in_its_error_is_not_printed() {
    type Body = fn(&str) -> String;
    let bodies: [Body; 7] = [
        |echo| format!(r#"{{"error":"invalid_grant","error_description":{}}}"#, json(echo)),
        |echo| format!(r#"{{"error":{}}}"#, json(echo)),
        |echo| format!(r#"{{"error":{},"error_description":{}}}"#, json(echo), json(echo)),
        |echo| format!(r#"{{"error":{{"name":"invalid_grant","message":{}}}}}"#, json(echo)),
        |echo| format!(r#"{{"error":{{"name":{},"message":"m","statusCode":400}}}}"#, json(echo)),
        |echo| format!(r#"{{"message":{}}}"#, json(echo)),
        |echo| format!("<html>{echo}</html>"),
    ];
    for status in [200, 400, 401, 500, 503] {
        for body in bodies {
            for_every_echo(|echo| Reply::of(status, body(echo)));
        }
    }
}

#[test]
fn a_secret_that_contains_another_is_redacted_completely() {
    let (short, long) = ("c4nary-abc", "c4nary-abc-and-the-rest");
    for (secret, token) in [(short, long), (long, short)] {
        let client = Client::builder(CLIENT_ID).secret(secret).redirect_uri(REDIRECT_URI).build().unwrap();
        let reply =
            Reply::of(400, format!(r#"{{"error":"{long}","error_description":"{short} {long} {long}{short}"}}"#));
        let error = reply.finish(client.refresh(&RefreshToken::new(token))).unwrap_err();
        assert_error_is_clean(&error, "error");
        assert!(!format!("{error} {error:?}").contains("rest"), "{error:?}");
    }
}

#[test]
fn a_secret_that_the_server_repeats_in_its_headers_is_not_printed() {
    for_every_echo(|echo| {
        let text: String = echo.chars().filter(|character| !character.is_control()).collect();
        Reply::of(302, "").header(LOCATION, &format!("https://evil.example/?{text}"))
    });
    for_every_echo(|echo| {
        let text: String = echo.chars().filter(|character| !character.is_control()).collect();
        Reply::of(503, &text).header(RETRY_AFTER, &text).header(CONTENT_TYPE, &text)
    });
}

/// the oauth2 crate's parse error.
#[test]
fn a_response_truncated_within_its_tokens_prints_none_of_them() {
    let body = format!(r#"{{"access_token":"{CANARY}-a","refresh_token":"{CANARY}-r","scope":"x"}}"#);
    for cut in 0..=body.len() {
        for status in [200, 400] {
            match Reply::of(status, &body[..cut]).then_fail(support::refresh()) {
                Ok(tokens) => assert_clean(&debug(&tokens), "tokens"),
                Err(error) => assert_error_is_clean(&error, &body[..cut]),
            }
        }
    }
    let answer = Reply::ok(&body).feed(support::refresh().into_parts(sent_at()).1, 10);
    assert_clean(&debug(&answer), "reader");
    assert_clean(&debug(&answer.finish()), "answer");
}

/// OAuth 2.1 draft §4.3, RUSTSEC-2023-0125.
#[test]
fn values_that_hold_a_secret_do_not_print_it() {
    for client in clients() {
        assert_clean(&debug(&client), "client");
        let mut login = client.login(entropy(0));
        let saved = login.to_saved();
        let query = format!("code={CANARY}-code&state={}", login.state().expose_secret());
        let state = login.state().expose_secret().to_owned();
        let code = login.read_callback(&query).unwrap();
        let printed = [debug(&login), debug(login.url()), debug(&login.state()), debug(&saved), debug(&code)].concat();
        assert_clean(&printed, "login");
        assert!(!printed.contains(&state), "{printed}");
        for call in [client.exchange(&code), client.refresh(&RefreshToken::new(CANARY))] {
            assert_clean(&debug(&call), "call");
            let (request, reader) = call.into_parts(sent_at());
            assert_clean(&(debug(&request) + &debug(&reader)), "parts");
        }
        assert_clean(&debug(&client.revoke(&AccessToken::new(CANARY))), "revocation");
        assert_clean(&debug(&client.profile(&AccessToken::new(CANARY)).unwrap()), "profile call");
    }
    let builder = Client::builder(CLIENT_ID).secret(SECRET).redirect_uri(REDIRECT_URI);
    assert_clean(&debug(&builder), "builder");
    let refused =
        [builder.clone().secret("c4nary\n"), builder.clone().secret_in_body(" c4nary"), builder.secret("\0c4nary")];
    for refused in refused {
        let error = refused.build().unwrap_err();
        assert_clean(&format!("{error} {}", debug(&error)), "configuration");
    }
    let error = AccessToken::new("c4nary\r\n").bearer_header().unwrap_err();
    assert_clean(&format!("{error} {}", debug(&error)), "bearer");
    let printed = [
        debug(&AccessToken::new(CANARY)),
        debug(&RefreshToken::new(CANARY)),
        debug(&State::new(CANARY)),
        debug(&CodeVerifier::new(CANARY.repeat(8)).unwrap()),
        debug(&Saved::new(CANARY)),
        debug(&restream_oauth_core::token::RevocableToken::from(&RefreshToken::new(CANARY))),
    ];
    assert_clean(&printed.concat(), "secret types");
}

#[test]
fn rfc_6749_10_14_a_callback_that_repeats_state_or_code_prints_neither() {
    fn refused(login: &mut Login, query: &str) -> String {
        let error = login.read_callback(query).unwrap_err();
        format!("{error} {}", debug(&error))
    }
    let mut login = clients()[0].login_with(entropy(9), &LoginOptions::new()).unwrap();
    let state = login.state().expose_secret().to_owned();
    let queries = [
        format!("code={CANARY}&state=wrong"),
        format!("code={CANARY}"),
        format!("code={CANARY}&code={CANARY}&state={state}"),
        format!("code={CANARY}&error={CANARY}&state={state}"),
        format!("code={CANARY}&state={CANARY}"),
        format!("error={state}&error_description=state+{state}&state={state}"),
        format!("code={CANARY}%ff&state={state}"),
        format!("https://evil.example/{CANARY}?code={CANARY}&state={state}"),
    ];
    for query in queries {
        let printed = refused(&mut login, &query);
        assert_clean(&printed, &query);
        assert!(!printed.contains(&state), "{printed}");
    }
}

/// OAuth 2.1 draft appendix A, terminal escapes.
#[test]
fn rfc_6749_5_2_the_message_of_the_server_is_escaped_and_truncated() {
    let hostile = "\u{1B}]8;;http://evil\u{7}click\u{202E}\u{0}\r\n<script>é🦀";
    for body in [
        format!(r#"{{"error":"x","error_description":{}}}"#, json(hostile)),
        format!(r#"{{"error":{}}}"#, json(hostile)),
        format!(r#"{{"error":{{"name":{},"message":{}}}}}"#, json(hostile), json(hostile)),
        format!(r#"{{"error":{},"message":{}}}"#, json(&hostile.repeat(50)), json(&hostile.repeat(5000))),
    ] {
        let error = Reply::of(400, &body).finish(support::refresh()).unwrap_err();
        let message = error.server_message().unwrap_or_default();
        assert!(message.len() <= 512 + "...".len(), "{}", message.len());
        for printed in [message.to_owned(), error.to_string(), format!("{error:?}")] {
            assert!(printed.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{printed:?}");
        }
        assert!(error.to_string().len() < 300, "{error}");
    }
}

#[test]
fn a_failure_of_the_stack_prints_only_what_the_stack_gave() {
    let failure = Failure::new(FailureKind::Tls).with_source("certificate of api.restream.io is not trusted");
    let error = clients()[0]
        .exchange(&code())
        .into_parts(sent_at())
        .1
        .fail(Stage::BeforeBody, failure)
        .interpret()
        .unwrap_err();
    assert_error_is_clean(&error, "failure");
    assert_eq!(error.source().unwrap().to_string(), "certificate of api.restream.io is not trusted");
}
