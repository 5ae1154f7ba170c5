//! Errors say what is registered, so that a person need not look it up. They never say the secret.

mod raw;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use raw::{FORM, code, credentials, pair, post, send};
use restream_oauth_sandbox::Sandbox;
use restream_oauth_sandbox::rules::{BasicCredentials, RefreshScope, Rules};

const SECRET: &str = "s3cret+of the&client";

fn sandbox() -> Sandbox {
    let uris = ["http://127.0.0.1:8976/callback", "com.example.app:/done"];
    let builder = Sandbox::builder().client_id("an <id>").client_secret(SECRET);
    uris.iter().fold(builder, |builder, uri| builder.redirect_uri(*uri)).start().unwrap()
}

fn message(reply: &raw::Reply) -> String {
    reply.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn the_login_page_names_the_registered_redirect_uris_and_the_client_id() {
    let sandbox = sandbox();
    let login = |query: &str| format!("/login?response_type=code&state=s{query}");
    let uris = "registered: `http://127.0.0.1:8976/callback`, `com.example.app:/done`";
    let id = "registered: `an <id>`";
    for (query, words) in [
        ("&client_id=an+%3Cid%3E&redirect_uri=http://127.0.0.1:8976/", ["`redirect_uri` is not registered", uris]),
        ("&client_id=an+%3Cid%3E", ["`redirect_uri` is missing", uris]),
        ("&client_id=other&redirect_uri=com.example.app:/done", ["`client_id` is not registered", id]),
        ("&redirect_uri=com.example.app:/done", ["`client_id` is missing", id]),
    ] {
        let error = sandbox.approve(&format!("{}{}", sandbox.base_url(), login(query))).unwrap_err().to_string();
        let html = send(&sandbox, &format!("GET {}", login(query)), "", "").body();
        for word in words {
            assert!(error.contains(word), "{error}");
            assert!(html.contains(&word.replace('<', "&lt;").replace('>', "&gt;")), "{html}");
        }
    }
}

#[test]
fn the_error_for_an_invalid_client_says_what_is_wrong_with_its_credentials() {
    let sandbox = sandbox();
    let basic = |decoded: &str| format!("{FORM}Authorization: Basic {}\r\n", STANDARD.encode(decoded));
    let refresh = "grant_type=refresh_token&refresh_token=x";
    let other_id = "`client_id` is not registered; registered: `an <id>`";
    let wrong = "the secret is not the one that is registered for `an <id>`";
    let missing = "the request has no secret, but `an <id>` is registered with one";
    for (headers, client, status, words) in [
        (FORM.to_owned(), "&client_id=other&client_secret=x", 400, other_id),
        (FORM.to_owned(), "&client_secret=x", 400, "`client_id` is missing; registered: `an <id>`"),
        (FORM.to_owned(), "&client_id=an+%3Cid%3E&client_secret=wrong", 400, wrong),
        (FORM.to_owned(), "&client_id=an+%3Cid%3E", 400, missing),
        (FORM.to_owned(), "", 400, missing),
        (basic("other:x"), "", 401, other_id),
        (basic("an <id>:wrong"), "", 401, wrong),
        (basic("an+%3Cid%3E:wrong"), "", 401, wrong),
        (basic(&format!("an <id>:{SECRET}")), "&client_id=other", 401, other_id),
        (basic(&format!("an <id>:{SECRET}")), "&client_secret=wrong", 401, "the secret in the form is not"),
        (
            format!("{FORM}Authorization: Basic !\r\n"),
            "",
            401,
            "the Basic header is not base64 of an id, a colon and a secret",
        ),
        (format!("{FORM}Authorization: Bearer x\r\n"), "", 400, "the `Authorization` header is not Basic"),
    ] {
        let reply = send(&sandbox, "POST /oauth/token", &headers, &format!("{refresh}{client}"));
        assert_eq!(reply.status(), status, "{headers} {client}");
        let message = message(&reply);
        assert!(message.starts_with("Invalid client: client is invalid: "), "{message}");
        assert!(message.contains(words), "{headers} {client}: {message}");
        assert!(!message.contains(SECRET), "{message}");
    }

    let mut rules = Rules::default();
    rules.basic = BasicCredentials::Decoded;
    sandbox.set_rules(rules);
    let reply = send(&sandbox, "POST /oauth/token", &basic(&format!("an <id>:{SECRET}")), refresh);
    assert!(
        message(&reply).contains("the rule `basic` is `decoded`, and the client sent raw credentials"),
        "{}",
        reply.body()
    );
    rules.basic = BasicCredentials::Raw;
    sandbox.set_rules(rules);
    let reply = send(&sandbox, "POST /oauth/token", &basic("an+%3Cid%3E:s3cret%2Bof+the%26client"), refresh);
    assert!(
        message(&reply).contains("the rule `basic` is `raw`, and the client sent form credentials"),
        "{}",
        reply.body()
    );
}

#[test]
fn the_error_for_a_public_client_with_a_secret_says_that_it_has_none_to_send() {
    let sandbox = Sandbox::builder().client_id("app").public_client().start().unwrap();
    for (headers, client) in [
        (FORM.to_owned(), "&client_id=app&client_secret=x"),
        (format!("{FORM}Authorization: Basic {}\r\n", STANDARD.encode("app:x")), ""),
    ] {
        let form = format!("grant_type=refresh_token&refresh_token=x{client}");
        let message = message(&send(&sandbox, "POST /oauth/token", &headers, &form));
        assert!(message.contains("`app` is a public client: it sends `client_id` and no secret"), "{message}");
    }
    let message = message(&post(&sandbox, "/oauth/token", "grant_type=refresh_token&refresh_token=x"));
    assert!(message.contains("`client_id` is missing; registered: `app`"), "{message}");
}

#[test]
fn the_error_for_an_exchange_with_another_redirect_uri_names_the_one_of_the_code() {
    let sandbox = Sandbox::start().unwrap();
    let form = format!(
        "grant_type=authorization_code&code={}&redirect_uri=http://127.0.0.1:1/{}",
        code(&sandbox),
        credentials(&sandbox)
    );
    let message = message(&post(&sandbox, "/oauth/token", &form));
    assert_eq!(message, "Invalid grant: `redirect_uri` is not the one of the code: `http://127.0.0.1:8976/callback`");
}

#[test]
fn the_error_for_a_refresh_with_other_scopes_names_those_that_were_granted() {
    let mut rules = Rules::default();
    rules.refresh_scope = RefreshScope::Refuse;
    let sandbox = Sandbox::builder().scopes(["profile.read", "x:y"]).rules(rules).start().unwrap();
    let (_, refresh_token) = pair(&sandbox);
    let refresh = format!("grant_type=refresh_token&refresh_token={refresh_token}&scope=chat.write");
    let message = message(&post(&sandbox, "/oauth/token", &format!("{refresh}{}", credentials(&sandbox))));
    assert!(message.contains("more than was granted: `profile.read`, `x:y`"), "{message}");
    assert!(!message.contains(&refresh_token), "{message}");
}
