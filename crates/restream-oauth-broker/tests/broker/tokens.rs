//! Codes, handles and tokens: what a device sees, and what Restream sees of it.

use std::time::Duration;

use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{CALLBACK, VERIFIER, World};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_handle_stays_the_same_over_200_refreshes() {
    let world = World::new();
    let first = world.log_in();
    let mut last = first.access_token.clone();
    for _ in 0..200 {
        world.advance(HOUR);
        let tokens = world.refresh(&first.refresh_token).tokens();
        assert_eq!(tokens.refresh_token, first.refresh_token);
        assert_ne!(tokens.access_token, last);
        last = tokens.access_token;
    }
    assert!(world.accepts(&last));
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.exchanges, ledger.refreshes, ledger.dead_refresh_tokens_used), (1, 200, 0));
}

// Also when a browser resends a request by itself: Chromium's ShouldResendRequest.
#[test]
fn a_device_that_asks_five_times_at_once_gets_one_token_by_one_refresh() {
    let world = World::new();
    let handle = world.log_in().refresh_token;
    world.advance(HOUR);
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(300))).on(Endpoint::Token));
    let tokens: Vec<_> = std::thread::scope(|threads| {
        let asked: Vec<_> = (0..5).map(|_| threads.spawn(|| world.refresh(&handle).tokens().access_token)).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(world.sandbox.ledger().refreshes, 1);
    // What one of them was told is true for all: nothing is rotated before.
    world.advance(Duration::from_secs(1800));
    assert_eq!(world.refresh(&handle).tokens().access_token, tokens[0]);
    assert_eq!(world.sandbox.ledger().refreshes, 1);
}

/// RFC 6749 §4.1.2 and §10.5.
#[test]
fn a_code_that_comes_twice_ends_its_handle_and_the_grant() {
    let world = World::new();
    let code = world.code();
    let tokens = world.redeem(&code).tokens();
    // Somebody who lacks the verifier, or is another client, ends nothing.
    let stolen = |client: &str, verifier: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ];
        world.post("/token", &form).refusal()
    };
    let invalid_grant = (400, "invalid_grant".to_owned());
    assert_eq!(stolen("bot", VERIFIER), invalid_grant);
    assert_eq!(stolen("overlay", &VERIFIER.replace('d', "e")), invalid_grant);
    world.refresh(&tokens.refresh_token).tokens();
    assert_eq!(world.redeem(&code).refusal(), invalid_grant);
    assert_eq!(world.refresh(&tokens.refresh_token).refusal(), invalid_grant);
    world.wait_until(|ledger| ledger.revocations == 1);
    assert!(!world.accepts(&tokens.access_token));
    world.wait_for("the device is forgotten", |world| world.devices().is_empty());
}

#[test]
fn a_code_that_comes_twice_is_noticed_after_a_restart() {
    let mut world = World::new();
    let code = world.code();
    let tokens = world.redeem(&code).tokens();
    world.restart();
    world.refresh(&tokens.refresh_token).tokens();
    assert_eq!(world.redeem(&code).refusal(), (400, "invalid_grant".into()));
    world.wait_until(|ledger| ledger.revocations == 1);
}

#[test]
fn a_grant_whose_code_nobody_redeems_is_revoked_after_a_minute() {
    let world = World::new();
    let code = world.code();
    world.advance(Duration::from_secs(60));
    world.wait_until(|ledger| ledger.revocations == 1);
    world.wait_for("the device is forgotten", |world| world.devices().is_empty());
    assert_eq!(world.redeem(&code).refusal(), (400, "invalid_grant".into()));
}

#[test]
fn a_grant_whose_code_nobody_redeems_is_revoked_after_a_restart() {
    let mut world = World::new();
    world.code();
    world.stop();
    world.advance(Duration::from_secs(60));
    assert_eq!(world.sandbox.ledger().revocations, 0);
    world.restart();
    world.wait_until(|ledger| ledger.revocations == 1);
}

/// RFC 7009 §2.
#[test]
fn a_revocation_ends_the_grant_for_a_handle_and_for_an_access_token() {
    let world = World::new();
    for which in 0..2_u64 {
        let tokens = world.log_in();
        let token = if which == 0 { &tokens.refresh_token } else { &tokens.access_token };
        // The token of another client is left alone, and nobody learns that it lives.
        assert_eq!(world.post("/revoke", &[("client_id", "bot"), ("token", token)]).status, 200);
        world.refresh(&tokens.refresh_token).tokens();
        let revoked = world.post("/revoke", &[("client_id", "overlay"), ("token", token)]);
        assert_eq!((revoked.status, revoked.body.as_str()), (200, ""));
        assert_eq!(world.refresh(&tokens.refresh_token).refusal(), (400, "invalid_grant".into()));
        world.wait_until(|ledger| ledger.revocations == which + 1);
        assert!(!world.accepts(&tokens.access_token));
    }
    assert_eq!(world.post("/revoke", &[("client_id", "overlay"), ("token", "unknown")]).status, 200);
}

#[test]
fn an_access_token_is_found_by_a_revocation_after_a_restart() {
    let mut world = World::new();
    let tokens = world.log_in();
    world.advance(HOUR);
    let second = world.refresh(&tokens.refresh_token).tokens();
    world.restart();
    assert_eq!(world.post("/revoke", &[("client_id", "overlay"), ("token", &second.access_token)]).status, 200);
    world.wait_until(|ledger| ledger.revocations == 1);
}

#[test]
fn a_handle_survives_a_restart_and_is_bound_to_its_client() {
    let mut world = World::new();
    let tokens = world.log_in();
    world.restart();
    assert_eq!(world.refresh(&tokens.refresh_token).tokens().access_token, tokens.access_token);
    let form = [("grant_type", "refresh_token"), ("client_id", "bot"), ("refresh_token", &tokens.refresh_token)];
    assert_eq!(world.post("/token", &form).refusal(), (400, "invalid_grant".into()));
    let obs = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh_token.as_str())];
    assert_eq!(world.post("/obs/v1/restream/token", &obs).refusal(), (200, "invalid_grant".into()));
}

#[test]
fn a_grant_that_the_user_ended_asks_for_a_login_and_trouble_does_not() {
    let world = World::new();
    let handle = world.log_in().refresh_token;
    world.advance(HOUR);
    // In doubt: Restream answers nothing.
    world.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting().times(1));
    world.sandbox.inject(Fault::new(What::status(503)).on(Endpoint::Token).times(1));
    let refusal = world.post("/obs/v1/restream/token", &[("grant_type", "refresh_token"), ("refresh_token", &handle)]);
    assert_eq!(refusal.refusal().1, "invalid_grant", "it is no handle of OBS's door");
    world.refresh(&handle).tokens();
    world.sandbox.end_grants();
    world.advance(HOUR);
    assert_eq!(world.refresh(&handle).refusal(), (400, "invalid_grant".into()));
}

#[test]
fn a_handle_whose_grant_is_dead_at_restream_ends_and_is_counted_once() {
    let world = World::new();
    let (dead, revoked) = (world.log_in().refresh_token, world.log_in().refresh_token);
    let counted = |why: &str| {
        let name = format!("restream_oauth_broker_handles_ended_total{{why=\"{why}\"}} ");
        world.metrics().lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned)).unwrap()
    };
    for _ in 0..2 {
        assert_eq!(world.post("/revoke", &[("client_id", "overlay"), ("token", &revoked)]).status, 200);
    }
    assert!(world.metrics().contains("restream_oauth_broker_handles 1\n"));
    world.sandbox.end_grants();
    world.advance(HOUR);
    for _ in 0..2 {
        assert_eq!(world.refresh(&dead).refusal(), (400, "invalid_grant".into()));
    }
    assert_eq!((counted("grant_dead"), counted("revoked")), ("1".into(), "1".into()));
    assert!(world.metrics().contains("restream_oauth_broker_handles 0\n"));
    world.wait_for("the devices are forgotten", |world| world.devices().is_empty());
}

#[test]
fn a_handle_that_nobody_uses_for_90_days_is_forgotten_without_a_revocation() {
    let world = World::new();
    let (idle, used) = (world.log_in(), world.log_in());
    for _ in 0..2 {
        let before = world.document(&used.refresh_token);
        world.advance(Duration::from_secs(46 * 86_400));
        world.refresh(&used.refresh_token).tokens();
        // Nobody who asks for a token waits for that write.
        world.wait_for("the use is written down", |world| world.document(&used.refresh_token) != before);
    }
    assert_eq!(world.refresh(&idle.refresh_token).refusal(), (400, "invalid_grant".into()));
    world.wait_for("the idle one is forgotten", |world| world.devices().len() == 1);
    assert_eq!(world.sandbox.ledger().revocations, 0);
    world.refresh(&used.refresh_token).tokens();
}

/// OBS gets a 401 from the API, and asks for a token at its next start.
#[test]
fn a_token_that_the_api_refuses_is_not_given_out_again() {
    let world = World::new();
    let tokens = world.log_in();
    world.advance(Duration::from_secs(900));
    let asked = |world: &World| world.sandbox.ledger().requests_to("/v2/user/profile").count();
    // The token lives: the witness says so, once a minute at most.
    for _ in 0..5 {
        assert_eq!(world.refresh(&tokens.refresh_token).tokens().access_token, tokens.access_token);
    }
    assert_eq!(asked(&world), 1);
    // The API refuses it from now on, and the grant is alive.
    world.advance(Duration::from_secs(60));
    world.sandbox.inject(Fault::new(What::status(401)).on(Endpoint::Profile).times(1));
    let next = world.refresh(&tokens.refresh_token).tokens();
    assert_ne!(next.access_token, tokens.access_token);
    assert_eq!((asked(&world), world.sandbox.ledger().refreshes), (2, 1));
    assert_eq!(world.refresh(&tokens.refresh_token).tokens().access_token, next.access_token);
}

#[test]
fn a_token_that_is_refused_while_it_is_young_is_withheld_until_the_next_one_may_come() {
    let world = World::new();
    let tokens = world.log_in();
    world.sandbox.inject(Fault::new(What::status(401)).on(Endpoint::Profile).times(2));
    let answer = world.refresh(&tokens.refresh_token);
    assert_eq!(answer.refusal(), (503, "temporarily_unavailable".into()));
    assert_eq!(answer.header("retry-after"), "60");
    assert_eq!(world.refresh(&tokens.refresh_token).status, 503, "nor is it given out without asking again");
    world.advance(Duration::from_secs(61));
    world.wait_for("the next one is there", |world| world.refresh(&tokens.refresh_token).status == 200);
    assert_ne!(world.refresh(&tokens.refresh_token).tokens().access_token, tokens.access_token);
    assert_eq!(world.sandbox.ledger().refreshes, 1);
}
