//! What each answer to a refresh means for the grant: a new pair, a doubt, nothing, or the end.

use restream_oauth_core::transport::{FailureKind, Stage};
use restream_oauth_keeper::{DeathCause, TokenError};

use crate::scenario::{DEAD, Scenario, pair};

/// Status, headers and body.
type Answer<'a> = (u16, &'a [(&'static str, &'a str)], &'a str);

/// A refresh under way, 3541 seconds after the login: the old token lives for 59 seconds more.
fn refreshing() -> Scenario {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    scenario.want();
    scenario
}

#[test]
fn what_may_follow_a_rotation_leaves_a_doubt_and_the_old_token_goes_on() {
    let html = "<html><title>Welcome to our network</title></html>";
    let cases: &[Answer] = &[
        (500, &[], r#"{"error":{"name":"server_error"}}"#),
        (502, &[], html),
        (503, &[], ""),
        (504, &[], html),
        (408, &[], ""),
        (499, &[], ""),
        (303, &[("location", "https://elsewhere.example/")], ""),
        // A captive portal behind a proxy that terminates TLS.
        (200, &[("content-type", "text/html")], html),
        (200, &[("content-encoding", "gzip")], "\u{1f}\u{8b}\u{8}"),
        (200, &[], r#"{"access_token":"a1","refresh_tok"#),
        (200, &[], "{"),
        (200, &[], ""),
    ];
    for (status, headers, body) in cases {
        let mut scenario = refreshing();
        scenario.answer_with(*status, headers, body);
        let record = scenario.record();
        assert!(record.death.is_none() && record.generation == 0, "{status} {body}: {record:?}");
        assert_eq!(record.doubt.map(|doubt| doubt.sends), Some(1), "{status} {body}");
        assert!(scenario.operations.contains(&"spool"), "{status} {body}: the answer is kept");
        let token = scenario.token_now();
        assert!(token == Some("a0".into()) || token == Some("a1".into()), "{status} {body}: {token:?}");
    }
}

#[test]
fn what_no_server_says_after_a_rotation_leaves_no_doubt() {
    for (status, body) in [
        (429, ""),
        (425, ""),
        (409, ""),
        (403, "<html>blocked</html>"),
        (400, r#"{"error":"invalid_request"}"#),
        (401, r#"{"error":"invalid_client"}"#),
        (307, ""),
    ] {
        let mut scenario = refreshing();
        scenario.answer(status, body);
        let record = scenario.record();
        assert_eq!((record.doubt, record.death), (None, None), "{status}");
        assert_eq!(record.tokens.refresh_token().unwrap().expose_secret(), "r0", "{status}");
        scenario.pass(3);
        assert_ne!(scenario.current(), "expired a0", "{status}");
    }
}

#[test]
fn odd_answers_that_hold_a_pair_are_committed() {
    let whole = pair("a1", "r1");
    let cases: &[(u16, &str, String)] = &[
        (201, "application/json", whole.clone()),
        (200, "text/html", whole.clone()),
        (200, "application/json; charset=latin1", whole.clone()),
        (200, "application/json", format!("\u{feff}{whole}")),
        (200, "application/json", whole.replace(r#""expires_in":3600"#, r#""expires_in":"soon""#)),
        (200, "application/json", whole.replace(r#""expires_in":3600"#, r#""expires_in":-1"#)),
        (200, "application/json", whole.replace("Bearer", "Mystery")),
        (200, "application/json", whole.replace('}', r#","scope":"less"}"#)),
        (200, "application/json", whole.replace('{', r#"{"access_token":"old","x":1e400,"y":"\ud800","#)),
        (200, "application/json", whole.replace("3600,", "3600,,")),
    ];
    for (status, content_type, body) in cases {
        let mut scenario = refreshing();
        scenario.answer_with(*status, &[("content-type", content_type)], body);
        let record = scenario.record();
        assert_eq!((record.generation, record.doubt), (1, None), "{status} {content_type} {body}");
        assert_eq!(record.tokens.access_token().expose_secret(), "a1", "{body}");
        assert_eq!(record.tokens.refresh_token().unwrap().expose_secret(), "r1", "{body}");
    }
}

#[test]
fn an_answer_with_an_empty_access_token_still_gives_its_refresh_token() {
    let mut scenario = refreshing();
    scenario.answer(200, &pair("", "r1"));
    assert_eq!(scenario.request().unwrap(), "/oauth/token grant_type=refresh_token&refresh_token=r1");
}

#[test]
fn every_spelling_of_a_dead_grant_is_its_end_and_the_pair_stays() {
    for (status, body) in [
        (400, DEAD),
        (400, r#"{"error":"invalid_grant"}"#),
        (401, r#"{"error":"invalid_grant"}"#),
        (200, r#"{"error":"invalid_grant"}"#),
    ] {
        let mut scenario = refreshing();
        scenario.answer(status, body);
        let record = scenario.record();
        assert_eq!(record.death.map(|death| death.why), Some(DeathCause::Revoked), "{status} {body}");
        assert_eq!(record.tokens.refresh_token().unwrap().expose_secret(), "r0");
        scenario.pass(86_400);
        assert!(scenario.flying.is_empty(), "none after death");
    }
}

#[test]
fn a_request_that_breaks_off_is_in_doubt_and_one_that_never_began_is_not() {
    for (stage, kind, in_doubt) in [
        (Stage::BeforeBody, FailureKind::Other, false),
        (Stage::BeforeBody, FailureKind::Connect, false),
        (Stage::BeforeBody, FailureKind::Tls, false),
        (Stage::BeforeBody, FailureKind::Timeout, false),
        (Stage::AwaitingHead, FailureKind::Interrupted, true),
        (Stage::AwaitingHead, FailureKind::Timeout, true),
        (Stage::ReadingBody, FailureKind::Timeout, true),
    ] {
        let mut scenario = refreshing();
        scenario.fail(stage, kind);
        assert_eq!(scenario.record().doubt.is_some(), in_doubt, "{stage:?} {kind:?}");
        assert_eq!(scenario.token_now().as_deref(), Some("a0"));
    }
}

#[test]
fn a_503_that_asks_to_wait_postpones_the_replay_also_for_other_processes() {
    let mut scenario = refreshing();
    scenario.answer_with(503, &[("retry-after", "40")], "");
    scenario.lose();
    let mut sibling = scenario.sibling();
    for process in [&mut scenario, &mut sibling] {
        process.pass(39);
        assert!(process.flying.is_empty());
    }
    sibling.pass(1);
    assert_eq!(sibling.request().unwrap(), "/oauth/token grant_type=refresh_token&refresh_token=r0");
}

#[test]
fn a_process_that_dies_after_the_commit_leaves_nothing_to_do() {
    let mut first = refreshing();
    first.holding = Some("settle");
    first.rotate("a1", "r1");
    first.store.break_claim(&first.name);
    let mut second = first.sibling();
    drop(first);
    assert_eq!(second.token_now().as_deref(), Some("a1"));
    assert!(second.flying.is_empty());
}

#[test]
fn a_claim_that_is_held_for_long_is_never_taken_away() {
    let first = refreshing();
    let mut second = first.sibling();
    second.pass(60);
    let waiter = second.want();
    second.pass(101);
    let Some(Err(TokenError::TimedOut { last: Some(problem) })) = second.got(waiter) else {
        panic!("{:?}", second.got(waiter))
    };
    assert_eq!(problem.to_string(), "another process is refreshing the grant");
    assert!(second.flying.is_empty());
    assert!(second.operations.len() < 1000, "it is asked for twice in a second");
}
