//! `api`: a call of the API for a script, with the living access token.

use std::time::Duration;

use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};

use crate::support::{Outcome, Setup, kept, pair};

const PROFILE: &str = "/v2/user/profile";

fn api<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["api", "--tokens", "tokens.json"], more].concat()
}

fn refuses_the_token() -> Fault {
    let body = r#"{"error":{"statusCode":401,"name":"invalid_token","message":"access token has expired"}}"#;
    Fault::new(What::Status { status: 401, headers: Vec::new(), body: body.into() }).on(Endpoint::Profile)
}

/// The calls of `api`. The first request for the profile is that of the login.
fn calls(sandbox: &Sandbox) -> usize {
    sandbox.ledger().requests_to(PROFILE).count() - 1
}

#[test]
fn the_body_goes_to_standard_output_and_the_status_is_the_exit_code() {
    let setup = Setup::new();
    setup.token_file();
    let mut command = setup.command(&api(&[PROFILE]));
    let outcome = Outcome::of(command.env_remove("RESTREAM_CLIENT_SECRET").output().unwrap()).expect(0);
    let profile: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        profile["id"].to_string().trim_matches('"'),
        setup.run(&["profile", "--tokens", "tokens.json"]).json()["id"].as_str().unwrap()
    );
    assert_eq!(outcome.stderr, "");
    for (status, exit) in [(204, 0), (400, 1), (302, 1), (403, 5), (404, 1), (429, 4), (500, 4), (503, 4)] {
        let what =
            What::Status { status, headers: Vec::new(), body: if status == 204 { "".into() } else { "said".into() } };
        setup.sandbox.inject(Fault::new(what).on(Endpoint::Profile));
        let outcome = setup.run(&api(&[PROFILE]));
        assert_eq!(outcome.exit, Some(exit), "{status}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, if status == 204 { "" } else { "said" }, "{status}");
        assert_eq!(outcome.stderr.contains(&status.to_string()), exit != 0, "{}", outcome.stderr);
    }
    assert_eq!(setup.sandbox.ledger().refreshes, 0);
}

#[test]
fn after_a_401_the_call_is_sent_once_more_with_a_newer_token() {
    let setup = Setup::new();
    let path = setup.token_file();
    let first = pair(&path);
    setup.sandbox.inject(refuses_the_token());
    let outcome = setup.run(&api(&[PROFILE])).expect(0);
    assert!(outcome.stdout.starts_with('{'), "{}", outcome.stdout);
    assert_ne!(pair(&path), first);
    assert_eq!((calls(&setup.sandbox), setup.sandbox.ledger().refreshes), (2, 1));
    // The newest token is young: another refresh would not help.
    setup.sandbox.inject(refuses_the_token());
    let outcome = setup.run(&api(&[PROFILE]));
    assert_eq!(outcome.exit, Some(6), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("access token has expired"), "{}", outcome.stdout);
    assert_eq!((calls(&setup.sandbox), setup.sandbox.ledger().refreshes), (3, 1));
}

#[test]
fn a_401_twice_is_exit_6_and_the_last_body_is_shown() {
    let setup = Setup::new();
    setup.token_file();
    setup.sandbox.inject(refuses_the_token().times(2));
    let outcome = setup.run(&api(&[PROFILE]));
    assert_eq!(outcome.exit, Some(6), "{}", outcome.stderr);
    assert_eq!(outcome.stdout.matches("access token has expired").count(), 1, "{}", outcome.stdout);
    assert_eq!((calls(&setup.sandbox), setup.sandbox.ledger().refreshes), (2, 1));
}

#[test]
fn after_a_401_of_an_ended_grant_the_exit_code_asks_for_a_login() {
    let setup = Setup::new();
    let path = setup.token_file();
    setup.sandbox.end_grants();
    let outcome = setup.run(&api(&[PROFILE]));
    assert_eq!(outcome.exit, Some(3), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("error"), "{}", outcome.stdout);
    assert_eq!(kept(&path)["death"]["why"], "revoked");
}

#[test]
fn a_body_is_sent_as_json_by_post_unless_a_method_is_named() {
    let setup = Setup::new();
    setup.token_file();
    std::fs::write(setup.folder.0.join("body"), "{}").unwrap();
    for (more, method, content_type) in [
        (&["--input", "body"][..], "POST", Some("application/json")),
        (&["--input", "-", "--method", "patch"], "PATCH", Some("application/json")),
        (&["--method", "DELETE"], "DELETE", None),
    ] {
        // The sandbox knows no such path. The ledger shows what came.
        let outcome = setup.run_with_input(&api(&[&["/v2/other"], more].concat()), "{}");
        assert_eq!(outcome.exit, Some(1), "{}", outcome.stderr);
        let ledger = setup.sandbox.ledger();
        let seen = ledger.requests_to("/v2/other").last().expect("the request came");
        assert_eq!((&*seen.method, seen.content_type.as_deref()), (method, content_type));
    }
    setup.run(&api(&[PROFILE, "--method", "CONNECT"])).expect(2);
    setup.run(&api(&[PROFILE, "--input", "missing"])).expect(2);
    setup.run_with_input(&["api", PROFILE, "--input", "-"], "{}").expect(2);
}

#[test]
fn the_token_goes_to_the_server_of_the_base_url_only() {
    let setup = Setup::new();
    setup.token_file();
    let other = crate::support::sandbox().start().unwrap();
    setup.run(&api(&[&format!("{}{PROFILE}", other.base_url())])).expect(2);
    setup.run(&api(&[&format!("{}{PROFILE}", setup.sandbox.base_url())])).expect(0);
    // No redirect is followed.
    setup.sandbox.inject(Fault::new(What::redirect(307)).on(Endpoint::Profile));
    assert_eq!(setup.run(&api(&[PROFILE])).exit, Some(1));
    assert_eq!(setup.sandbox.ledger().canary_hits, 0);
    // Tokens of another server are refused before anything is sent.
    let foreign = setup.command(&api(&[PROFILE])).env("RESTREAM_BASE_URL", other.base_url()).output().unwrap();
    Outcome::of(foreign).expect(2);
    assert!(other.ledger().requests.is_empty(), "nothing was sent");
}

#[test]
fn an_expired_token_is_refreshed_before_the_call_and_one_from_standard_input_is_not() {
    let setup = Setup::new();
    let path = setup.token_file();
    let saved = std::fs::read_to_string(&path).unwrap();
    assert!(setup.run_with_input(&["api", PROFILE], &saved).expect(0).stdout.contains("id"));
    let mut document: serde_json::Value = serde_json::from_str(&saved).unwrap();
    let sent_at: f64 = document["sent_at"].as_str().unwrap().parse().unwrap();
    document["sent_at"] = format!("{:.9}", sent_at - 3601.0).into();
    let expired = document.to_string();
    setup.run_with_input(&["api", PROFILE], &expired).expect(6);
    assert_eq!((calls(&setup.sandbox), setup.sandbox.ledger().refreshes), (1, 0));
    std::fs::write(&path, &expired).unwrap();
    setup.run(&api(&[PROFILE])).expect(0);
    assert_eq!((calls(&setup.sandbox), setup.sandbox.ledger().refreshes), (2, 1));
    // The API refuses it: nothing else can be tried.
    setup.sandbox.inject(refuses_the_token());
    let fresh = std::fs::read_to_string(&path).unwrap();
    assert_eq!(setup.run_with_input(&["api", PROFILE], &fresh).exit, Some(6));
    assert_eq!(setup.sandbox.ledger().refreshes, 1);
}

#[test]
fn a_server_out_of_reach_and_a_response_that_ends_early_exit_with_4() {
    let setup = Setup::new();
    setup.token_file();
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Profile));
    let outcome = setup.run(&api(&[PROFILE])).expect(4);
    assert!(!outcome.stderr.contains("may have acted"), "a GET changes nothing: {}", outcome.stderr);
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(5))).on(Endpoint::Profile));
    setup.run(&api(&[PROFILE, "--timeout", "1"])).expect(4);
}
