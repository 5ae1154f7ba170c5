//! The commands for one step each, as scripts use them: input, output and exit codes.

use restream_oauth_core::Tokens;
use restream_oauth_core::token::Oddity;
use restream_oauth_sandbox::{Certificate, Endpoint, Fault, What};

use crate::support::{Outcome, Setup, sandbox};

#[test]
fn the_demo_runs_and_says_that_all_is_as_documented() {
    let outcome = Setup::new().run(&["demo"]).expect(0);
    assert!(outcome.stdout.ends_with("All as documented.\n"), "{}", outcome.stdout);
}

#[test]
fn each_step_accepts_the_output_of_the_step_before() {
    let setup = Setup::new();
    let first = std::fs::read_to_string(setup.token_file()).unwrap();
    assert!(!setup.folder.names().contains(&"login.json".to_owned()), "a login is used once");

    let second = setup.run_with_input(&["refresh"], &first).expect(0).stdout;
    let profile = setup.run_with_input(&["profile"], &second).json();
    assert!(profile["id"].is_string());
    assert_eq!(setup.run_with_input(&["revoke"], &second).json(), serde_json::json!({ "revoked": true }));

    // Both tokens are dead: `refresh` asks to log in again, `profile` asks to refresh.
    setup.run_with_input(&["refresh"], &second).expect(3);
    setup.run_with_input(&["profile"], &second).expect(6);
    let ledger = setup.sandbox.ledger();
    assert_eq!((ledger.exchanges, ledger.refreshes, ledger.revocations), (1, 1, 1));
}

#[test]
fn one_token_alone_is_accepted_too() {
    let setup = Setup::new();
    let tokens = Tokens::from_saved(std::fs::read_to_string(setup.token_file()).unwrap()).unwrap();
    let access_token = tokens.access_token().expose_secret();
    setup.run_with_input(&["profile"], access_token).expect(0);
    let refresh_token = tokens.refresh_token().unwrap().expose_secret();
    let second = setup.run_with_input(&["refresh"], refresh_token).tokens();
    setup.run_with_input(&["revoke"], second.access_token().expose_secret()).expect(0);
    let ledger = setup.sandbox.ledger();
    let revocation = ledger.requests_to("/oauth/revoke").next().unwrap();
    assert_eq!(revocation.form_parameters, ["token"], "the kind of the token is not known");
}

#[test]
fn a_revocation_sends_a_token_type_hint_unless_an_option_forbids_it() {
    let setup = Setup::new();
    let tokens = std::fs::read_to_string(setup.token_file()).unwrap();
    for (arguments, parameters) in [
        (&["revoke"][..], &["token", "token_type_hint"][..]),
        (&["revoke", "--token", "access_token"], &["token", "token_type_hint"]),
        (&["revoke", "--no-hint"], &["token"]),
    ] {
        setup.sandbox.reset();
        setup.run_with_input(arguments, &tokens).expect(0);
        let ledger = setup.sandbox.ledger();
        assert_eq!(ledger.requests_to("/oauth/revoke").next().unwrap().form_parameters, parameters);
    }
}

/// RFC 7009 §2.1.
#[test]
fn a_revocation_authenticates_the_client_only_with_an_option() {
    let setup = Setup::new();
    let redirect_uri = setup.redirect_uri.clone();
    let saved = std::fs::read_to_string(setup.token_file()).unwrap();
    for (arguments, authentication, parameters) in [
        (&["revoke"][..], "None", &["token", "token_type_hint"][..]),
        (&["revoke", "--client-auth", "basic"], "Basic", &["token", "token_type_hint"]),
        (&["revoke", "--client-auth", "body"], "Body", &["token", "token_type_hint", "client_id", "client_secret"]),
        (&["revoke", "--client-auth", "none"], "Public", &["token", "token_type_hint", "client_id"]),
        (&["revoke", "--client-auth", "basic", "--no-hint"], "Basic", &["token"]),
        (&["revoke", "--client-auth", "body", "--no-hint"], "Body", &["token", "client_id", "client_secret"]),
    ] {
        setup.sandbox.reset();
        setup.run_with_input(arguments, &saved).expect(0);
        let ledger = setup.sandbox.ledger();
        let revocation = ledger.requests_to("/oauth/revoke").next().unwrap();
        assert_eq!(format!("{:?}", revocation.client_authentication), authentication, "{arguments:?}");
        assert_eq!(revocation.form_parameters, parameters, "{arguments:?}");
    }
    // It then needs credentials, and accepts tokens of the same client only.
    let basic = ["revoke", "--client-auth", "basic", "--redirect-uri", &redirect_uri];
    let missing = |variable: &str| {
        let path = setup.folder.0.join("tokens.json");
        let input = std::fs::File::open(path).unwrap();
        Outcome::of(setup.command(&basic).env_remove(variable).stdin(input).output().unwrap())
    };
    setup.sandbox.reset();
    for variable in ["RESTREAM_CLIENT_ID", "RESTREAM_CLIENT_SECRET"] {
        missing(variable).expect(2);
    }
    setup.run_with_input(&[&basic[..], &["--client-id", "other"]].concat(), &saved).expect(2);
    assert_eq!(setup.sandbox.ledger().requests_to("/oauth/revoke").count(), 0);
}

#[test]
fn the_authorization_url_takes_scopes_and_parameters_but_no_reserved_names() {
    let setup = Setup::new();
    let arguments = [
        "authorize-url",
        "--scope",
        "chat.read",
        "--scope",
        "chat.write",
        "--param",
        "prompt=log in",
        "--save",
        "login.json",
    ];
    let url = setup.run(&arguments).json()["url"].as_str().unwrap().to_owned();
    assert!(url.contains("&scope=chat.read%20chat.write&prompt=log%20in"), "{url}");
    assert!(url.contains("&code_challenge="), "{url}");
    assert_eq!(crate::support::mode(&setup.folder.0.join("login.json")), 0o600);
    for name in
        ["response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method"]
    {
        setup.run(&["authorize-url", "--param", &format!("{name}=x")]).expect(2);
    }
    setup.run(&["authorize-url", "--param", "a=1", "--param", "a=2"]).expect(2);
    setup.run(&["authorize-url", "--param", "a"]).expect(2);
    setup.run(&["authorize-url", "--scope", "two\tscopes"]).expect(2);
}

/// CVE-2017-1000069.
#[test]
fn a_callback_of_another_login_is_refused_before_anything_is_sent() {
    let setup = Setup::new();
    let redirect_uri = setup.redirect_uri.clone();
    let exchange = ["exchange", "--login", "login.json", "--redirect-uri", &redirect_uri];
    let other = setup.run(&["authorize-url", "--redirect-uri", &redirect_uri]).json();
    let stranger = setup.sandbox.approve(other["url"].as_str().unwrap()).unwrap();
    setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", &redirect_uri]).expect(0);

    setup.run_with_input(&exchange, &stranger).expect(1);
    setup.run_with_input(&exchange, &redirect_uri).expect(5);
    setup.run_with_input(&exchange, "bare-code").expect(2);
    setup.run_with_input(&exchange, "").expect(2);
    let elsewhere = ["exchange", "--login", "login.json", "--redirect-uri", "http://127.0.0.1:1/callback"];
    setup.run_with_input(&elsewhere, &stranger).expect(2);
    assert_eq!(setup.token_requests(), 0);
    assert!(setup.folder.names().contains(&"login.json".to_owned()), "the login stays open");
}

#[test]
fn a_damaged_login_is_reported_as_damaged_and_nothing_is_sent() {
    let setup = Setup::new();
    setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", &setup.redirect_uri]).expect(0);
    let login = std::fs::read_to_string(setup.folder.0.join("login.json")).unwrap();
    for (damaged, words) in [
        (login[..login.len() / 2].to_owned(), "not whole JSON"),
        (login.replace("redirect_uri", "redirect"), "its redirect_uri cannot be used"),
        (login.replace("\"kind\":\"login\"", "\"kind\":\"tokens\""), "another kind of document"),
    ] {
        std::fs::write(setup.folder.0.join("login.json"), &damaged).unwrap();
        let outcome =
            setup.run_with_input(&["exchange", "--login", "login.json"], "/callback?code=c&state=s").expect(1);
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    }
    assert_eq!(setup.token_requests(), 0);
}

#[test]
fn a_bare_code_needs_the_redirect_uri_and_warns_that_state_and_pkce_are_skipped() {
    let setup = Setup::new();
    let redirect_uri = setup.redirect_uri.clone();
    let url = setup.run(&["authorize-url", "--redirect-uri", &redirect_uri]).json();
    let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
    let code = callback.split_once("code=").unwrap().1.split('&').next().unwrap();
    setup.run_with_input(&["exchange"], code).expect(2);
    setup.run_with_input(&["exchange", "--redirect-uri", &redirect_uri], &callback).expect(2);
    let outcome = setup.run_with_input(&["exchange", "--redirect-uri", &redirect_uri], code).expect(0);
    assert!(outcome.stderr.contains("skips state and PKCE"), "{}", outcome.stderr);
    assert!(Tokens::from_saved(&outcome.stdout).is_ok());
}

/// OAuth 2.1 draft §4.1.1.
#[test]
fn rfc_9700_2_1_1_a_public_client_gets_no_authorization_url_without_pkce() {
    let setup = Setup::new();
    let outcome = setup.run(&["authorize-url", "--client-auth", "none"]).expect(2);
    assert!(outcome.stderr.contains("--save"), "{}", outcome.stderr);
    let url = setup.run(&["authorize-url", "--client-auth", "none", "--save", "login.json"]).json();
    assert!(url["url"].as_str().unwrap().contains("&code_challenge="), "{url}");
}

#[test]
fn exit_codes_follow_the_advice() {
    let setup = Setup::new();
    let tokens = std::fs::read_to_string(setup.token_file()).unwrap();
    for (what, exit) in [
        (What::retry_after(429, "1"), 4),
        // In doubt, with a longer wait than a run has. How a run goes on otherwise is in `doubt.rs`.
        (What::retry_after(503, "600"), 4),
        (What::redirect(307), 2),
        (What::status(404), 2),
        (What::body("application/json", r#"{"error":"invalid_client"}"#), 2),
        (What::body("application/json", r#"{"error":"invalid_grant"}"#), 3),
        (What::body("application/json", r#"{"error":"access_denied"}"#), 5),
    ] {
        setup.sandbox.inject(Fault::new(what.clone()).on(Endpoint::Token).before_acting());
        let outcome = setup.run_with_input(&["refresh"], &tokens);
        assert_eq!(outcome.exit, Some(exit), "{what:?}: {}", outcome.stderr);
    }
    assert_eq!(setup.sandbox.ledger().canary_hits, 0);
}

/// workers-sdk #3867.
#[test]
fn profile_distinguishes_expired_missing_and_damaged_tokens() {
    let setup = Setup::new();
    let path = setup.token_file();
    let profile = ["profile", "--tokens", "tokens.json"];
    let expired = r#"{"error":{"statusCode":401,"name":"invalid_token","message":"access token has expired"}}"#;
    let fault = What::Status { status: 401, headers: Vec::new(), body: expired.into() };
    setup.sandbox.inject(Fault::new(fault).on(Endpoint::Profile));
    let outcome = setup.run(&profile).expect(6);
    assert!(outcome.stderr.contains("refresh the access token"), "{}", outcome.stderr);
    setup.run(&profile).expect(0);
    std::fs::write(&path, r#"{"version":2,"kind":"tokens","acc"#).unwrap();
    setup.run(&profile).expect(1);
    std::fs::remove_file(&path).unwrap();
    let outcome = setup.run(&profile).expect(3);
    assert!(outcome.stderr.contains("there are no tokens yet: log in"), "{}", outcome.stderr);
    // A login could not write to a missing folder either, so the exit code does not ask for one.
    setup.run(&["profile", "--tokens", "nowhere/tokens.json"]).expect(1);
}

#[test]
fn the_exit_codes_of_the_readme_are_those_of_the_help_and_the_manual_page() {
    let setup = Setup::new();
    let readme = include_str!("../../../../README.md");
    let help = setup.run(&["--help"]).expect(0).stdout;
    let page = setup.run(&["man"]).expect(0).stdout;
    let codes = help.split_once("Exit codes:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let codes: Vec<_> = codes.lines().map(|line| line.trim_start().split_once("  ").unwrap().0).collect();
    assert_eq!(codes, ["0", "2", "3", "4", "5", "6", "1", "130"]);
    let table = readme.split_once("| exit code |").expect("a table of exit codes").1;
    let table: Vec<_> = table.lines().skip(2).map_while(|line| line.strip_prefix("| ")?.split_once(" |")).collect();
    assert_eq!(table.iter().map(|(code, _)| *code).collect::<Vec<_>>(), codes);
    for code in codes {
        assert!(page.lines().any(|line| line == format!("\\fB{code}\\fR")), "{code}: {page}");
    }
}

#[test]
fn an_unreachable_server_exits_with_4() {
    let setup = Setup::new();
    let outcome = setup.run_with_input(&["refresh", "--token-url", "http://127.0.0.1:9/token"], "r0").expect(4);
    assert!(outcome.stderr.contains("nothing was sent"), "{}", outcome.stderr);
}

#[test]
fn a_configuration_error_names_the_value_and_the_reason() {
    let setup = Setup::new();
    for (name, content) in [
        ("none.pem", "nothing\n"),
        ("torn.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"),
        ("other.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ] {
        std::fs::write(setup.folder.0.join(name), content).unwrap();
    }
    for (arguments, words) in [
        (&["refresh", "--base-url", "http://api.restream.io"][..], "URL cannot be used: plain http"),
        (&["refresh", "--base-url", "https://api.example/a?b"], "base URL (--base-url or RESTREAM_BASE_URL)"),
        (&["refresh", "--base-url", "https://api.example/?"], "base URL (--base-url or RESTREAM_BASE_URL)"),
        (&["revoke", "--base-url", "https://api.example#c"], "base URL (--base-url or RESTREAM_BASE_URL)"),
        (&["profile", "--base-url", "https://api.example/a?b/"], "base URL (--base-url or RESTREAM_BASE_URL)"),
        (&["authorize-url", "--base-url", "https://api.example/a?b"], "base URL (--base-url or RESTREAM_BASE_URL)"),
        (&["refresh", "--token-url", "https://user@host/"], "token URL cannot be used"),
        (&["refresh", "--redirect-uri", "/callback"], "redirect URI cannot be used"),
        (&["refresh", "--client-id", "a\tb"], "client identifier cannot be used"),
        (&["refresh", "--client-secret-file", "missing"], "missing"),
        (&["refresh", "--ca-file", "missing.pem"], "cannot read missing.pem: I/O error: No such file"),
        (&["refresh", "--ca-file", "none.pem"], "none.pem holds no certificate"),
        (&["refresh", "--ca-file", "torn.pem"], "cannot read torn.pem: a section has no END line"),
        (&["refresh", "--ca-file", "other.pem"], "other.pem"),
        (&["refresh", "--ca-file", "other.pem"], "invalid peer certificate: BadEncoding"),
        (&["refresh", "--timeout", "0"], "--timeout"),
        (&["refresh", "--client-secret", "s"], "--client-secret"),
        (&["login", "--redirect-uri", "https://app.example/callback"], "cannot listen"),
    ] {
        let outcome = setup.run_with_input(arguments, "r0").expect(2);
        assert!(outcome.stderr.contains(words), "{arguments:?}: {}", outcome.stderr);
    }
    let missing = setup.command(&["refresh"]).env_remove("RESTREAM_CLIENT_SECRET").output().unwrap();
    Outcome::of(missing).expect(2);
    assert_eq!(setup.token_requests(), 0);
}

#[test]
fn each_url_can_be_given_by_itself() {
    let setup = Setup::new();
    let tokens = setup.token_file();
    let tokens = tokens.to_str().unwrap();
    let at = |path: &str| format!("{}{path}", setup.sandbox.base_url());
    // No server listens at the base URL, so each command works only with its own URL.
    let elsewhere = ["--base-url", "http://127.0.0.1:9"];
    let with = |arguments: &[&str]| setup.run(&[arguments, &elsewhere].concat());

    let authorize = at("/oauth/authorize");
    let url = with(&["authorize-url", "--authorize-url", &authorize]).json();
    assert!(url["url"].as_str().unwrap().starts_with(&format!("{authorize}?")), "{url}");
    // The token URL decides which server the tokens belong to.
    let token_url = at("/oauth/token");
    let tokens = ["--tokens", tokens, "--token-url", &token_url];
    with(&[&["refresh"], &tokens[..2]].concat()).expect(2);
    with(&[&["refresh"], &tokens[..]].concat()).expect(0);
    with(&[&["profile"], &tokens[..]].concat()).expect(4);
    with(&[&["profile", "--profile-url", &at("/v2/user/profile")], &tokens[..]].concat()).expect(0);
    with(&[&["revoke"], &tokens[..]].concat()).expect(4);
    with(&[&["revoke", "--revoke-url", &at("/oauth/revoke")], &tokens[..]].concat()).expect(0);
    let ledger = setup.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.revocations), (1, 1));
}

/// RFC 8252 §8.5.
#[test]
fn all_three_client_authentications_work() {
    let setup = Setup::new();
    let tokens = setup.token_file();
    let tokens = tokens.to_str().unwrap();
    std::fs::write(setup.folder.0.join("secret"), format!("{}\n", setup.sandbox.client_secret().unwrap())).unwrap();
    setup.run(&["refresh", "--tokens", tokens, "--client-auth", "basic"]).expect(0);
    setup.run(&["refresh", "--tokens", tokens, "--client-auth", "body"]).expect(0);
    setup.run(&["refresh", "--tokens", tokens, "--client-secret-file", "secret"]).expect(0);
    // A server that knows a secret rejects a public client.
    setup.run(&["refresh", "--tokens", tokens, "--client-auth", "none"]).expect(2);
    let ledger = setup.sandbox.ledger();
    let used: Vec<_> =
        ledger.requests_to("/oauth/token").map(|request| format!("{:?}", request.client_authentication)).collect();
    assert_eq!(used, ["Basic", "Basic", "Body", "Basic", "Public"]);
}

#[test]
fn a_client_secret_can_be_read_from_a_pipe() {
    let setup = Setup::new();
    setup.token_file();
    let script = format!(
        "printf '%s\\n' \"$SECRET\" | exec {} refresh --tokens tokens.json --client-secret-file /dev/fd/0",
        env!("CARGO_BIN_EXE_restream-oauth")
    );
    let command = setup.command(&[]);
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", &script])
        .current_dir(&setup.folder.0)
        .env_clear()
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env_remove("RESTREAM_CLIENT_SECRET")
        .env("SECRET", setup.sandbox.client_secret().unwrap())
        .output()
        .unwrap();
    let outcome = Outcome::of(output).expect(0);
    assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
    setup.run(&["refresh", "--tokens", "tokens.json", "--client-secret-file", "."]).expect(2);
}

/// RFC 6749 §10.14, terminal escapes.
#[test]
fn text_of_the_server_reaches_the_terminal_escaped() {
    let setup = Setup::new();
    let body = "{\"error\":\"bad\\u001b[31m\",\"error_description\":\"\\u001b]8;;http://evil\\u0007 \\u202e\\r\"}";
    setup.sandbox.inject(Fault::new(What::body("application/json", body)).on(Endpoint::Token));
    let outcome = setup.run_with_input(&["refresh"], "r0");
    assert!(outcome.stderr.contains("\\u{1b}"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains(['\u{1B}', '\u{7}', '\u{202E}', '\r']), "{:?}", outcome.stderr);
}

/// `Outcome::of` searches for secrets, here and in every other test.
#[test]
fn no_secret_reaches_standard_error() {
    let setup = Setup::new();
    for what in [What::bad_json(), What::html(500), What::lost_answer(), What::redirect(302), What::reset()] {
        let saved = std::fs::read_to_string(setup.token_file()).unwrap();
        setup.sandbox.inject(Fault::new(what).on(Endpoint::Token).before_acting());
        assert_ne!(setup.run_with_input(&["refresh"], &saved).stderr, "");
    }
    let saved = std::fs::read_to_string(setup.token_file()).unwrap();
    setup.run_with_input(&["refresh", "--client-id", "other"], &saved).expect(2);
}

#[test]
#[should_panic(expected = "a secret was printed")]
fn a_test_fails_if_a_secret_reaches_standard_error() {
    let setup = Setup::new();
    let saved = std::fs::read(setup.token_file()).unwrap();
    let command = std::process::Command::new("sh").args(["-c", "echo \"$0\" >&2", &format!("{saved:?}")]).output();
    Outcome::of(command.unwrap());
}

#[test]
fn a_certificate_authority_can_be_added() {
    let mut setup = Setup::new();
    setup.sandbox = sandbox().tls(Certificate::Good).start().unwrap();
    std::fs::write(setup.folder.0.join("ca.pem"), setup.sandbox.ca_certificate_pem().unwrap()).unwrap();
    let outcome = setup.run_with_input(&["refresh"], "r0").expect(4);
    assert!(outcome.stderr.contains("no trusted TLS connection"), "{}", outcome.stderr);
    assert_eq!(setup.token_requests(), 0);
    // The certificate is trusted now. The sandbox does not know the token.
    setup.run_with_input(&["refresh", "--ca-file", "ca.pem"], "r0").expect(3);
}

#[test]
fn odd_answers_are_saved_with_their_oddities() {
    let setup = Setup::new();
    let body = r#"{"access_token":"a1","refresh_token":"r1","expires_in":"1800","token_type":"Bearer"}"#;
    setup.sandbox.inject(Fault::new(What::body("application/json", body)).on(Endpoint::Token));
    let tokens = setup.run_with_input(&["refresh"], "r0").tokens();
    assert!(tokens.oddities().any(|oddity| oddity == Oddity::LifetimeSpelling));
}

#[test]
fn the_sandbox_prints_one_line_of_json_when_it_is_ready() {
    use std::io::{BufRead as _, BufReader};
    let setup = Setup::new();
    let mut child = setup.command(&["sandbox", "--redirect-uri", "http://127.0.0.1:1234/cb"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(ready["base_url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert_eq!(ready["client_id"], setup.sandbox.client_id());
    assert_eq!(ready["client_secret"], setup.sandbox.client_secret().unwrap());
    assert_eq!(ready["redirect_uris"], serde_json::json!(["http://127.0.0.1:1234/cb"]));
    setup.run(&["sandbox", "--listen", "0.0.0.0:0"]).expect(2);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let outcome = setup.run(&["sandbox", "--listen", &address]).expect(1);
    assert!(outcome.stderr.contains("in use"), "{}", outcome.stderr);
}

#[test]
fn completions_and_the_manual_page_are_printed() {
    let setup = Setup::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(setup.run(&["completions", shell]).expect(0).stdout.contains("authorize-url"), "{shell}");
    }
    let main = setup.run(&["man"]).expect(0).stdout;
    assert!(main.contains(".TH restream-oauth 1"), "{main}");
    for (name, option) in [
        ("demo", "browser"),
        ("sandbox", "listen"),
        ("login", "wait"),
        ("authorize-url", "save"),
        ("exchange", "login"),
        ("refresh", "tokens"),
        ("revoke", "no\\-hint"),
        ("profile", "timeout"),
        ("completions", "SHELL"),
        ("man", "SUBCOMMAND"),
    ] {
        let page = setup.run(&["man", name]).expect(0).stdout;
        assert!(page.contains(&format!(".TH restream-oauth-{name} 1")), "{page}");
        assert!(page.contains(option), "{page}");
        assert!(main.contains(&format!("restream\\-oauth\\-{}(1)", name.replace('-', "\\-"))), "{name}: {main}");
    }
    setup.run(&["man", "nothing"]).expect(2);
}
