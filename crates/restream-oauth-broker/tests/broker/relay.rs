//! The relay: devices get the pair of Restream itself, and the broker adds the credentials.

use std::net::TcpStream;
use std::time::Duration;

use restream_oauth_sandbox::{ClientAuthentication, Endpoint, Fault, What};

use crate::support::{Answer, RELAY_MEMORY, Tokens, VERIFIER, World};

const HOUR: Duration = Duration::from_secs(3600);

fn relay() -> World {
    World::relay(RELAY_MEMORY)
}

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".into())
}

fn unavailable() -> (u16, String) {
    (503, "temporarily_unavailable".into())
}

#[test]
fn a_device_gets_the_pair_of_restream_and_refreshes_it_without_a_secret() {
    let world = relay();
    let mut tokens = world.log_in();
    assert_ne!(tokens.refresh_token.len(), 96, "it is no handle");
    for refreshes in 1..=3 {
        world.advance(HOUR);
        let answer = world.refresh(&tokens.refresh_token);
        let next = answer.tokens();
        assert_ne!(next.refresh_token, tokens.refresh_token, "Restream replaces it");
        assert!(world.accepts(&next.access_token));
        assert_eq!((answer.json()["token_type"].as_str(), next.expires_in), (Some("Bearer"), 3600));
        assert_eq!(world.sandbox.ledger().refreshes, refreshes);
        tokens = next;
    }
    assert_eq!(world.sandbox.ledger().dead_refresh_tokens_used, 0);
}

#[test]
fn nothing_is_stored() {
    let world = relay();
    let tokens = world.log_in();
    world.refresh(&tokens.refresh_token).tokens();
    assert!(!world.folder.exists());
}

/// A pair survives a restart: the device has it, and the relay needs to know nothing of it.
#[test]
fn a_device_refreshes_after_a_restart() {
    let mut world = relay();
    let tokens = world.log_in();
    world.restart();
    world.refresh(&tokens.refresh_token).tokens();
}

/// RFC 6749 §4.1.2: a code is used once. RFC 7636 §4.6: by the one who has the verifier.
#[test]
fn a_code_gives_its_pair_once_and_to_its_own_client_alone() {
    let world = relay();
    let code = world.code();
    let stolen = [
        ("grant_type", "authorization_code"),
        ("client_id", "overlay"),
        ("code", &code),
        ("redirect_uri", crate::support::CALLBACK),
        ("code_verifier", &VERIFIER.replace('d', "e")),
    ];
    assert_eq!(world.post("/token", &stolen).refusal(), invalid_grant());
    let tokens = world.redeem(&code).tokens();
    assert_eq!(world.redeem(&code).refusal(), invalid_grant());
    // The relay does not have the pair any more, and cannot end it.
    assert!(world.accepts(&tokens.access_token));
    assert_eq!(world.sandbox.ledger().exchanges, 1);
}

#[test]
fn a_pair_whose_code_nobody_redeems_is_revoked_after_a_minute_and_when_the_relay_stops() {
    let mut world = relay();
    let code = world.code();
    world.advance(Duration::from_secs(60));
    world.wait_until(|ledger| ledger.revocations == 1);
    assert_eq!(world.redeem(&code).refusal(), invalid_grant());
    world.code();
    world.stop();
    assert_eq!(world.sandbox.ledger().revocations, 2);
}

/// The device that lost the answer sends the old token again.
// Or a browser resent it: Chromium's ShouldResendRequest.
#[test]
fn the_same_refresh_token_again_gives_the_same_bytes_for_two_minutes_and_nothing_goes_upstream() {
    let world = relay();
    let tokens = world.log_in();
    let first = world.refresh(&tokens.refresh_token);
    world.advance(Duration::from_secs(60));
    let again = world.refresh(&tokens.refresh_token);
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!(world.sandbox.ledger().requests_to("/oauth/token").count(), 2);
    // Later it is a token that Restream has replaced, as any other.
    world.advance(Duration::from_secs(60));
    assert_eq!(world.refresh(&tokens.refresh_token).refusal(), invalid_grant());
    assert_eq!(world.sandbox.ledger().requests_to("/oauth/token").count(), 3);
}

#[test]
fn one_request_a_token_goes_through_at_a_time_and_all_who_ask_get_its_answer() {
    let world = relay();
    let tokens = world.log_in();
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(300))).on(Endpoint::Token));
    let answers: Vec<_> = std::thread::scope(|threads| {
        let asked: Vec<_> = (0..5).map(|_| threads.spawn(|| world.refresh(&tokens.refresh_token))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let bodies: Vec<_> = answers.iter().map(|answer| (answer.status, &answer.body)).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0] && body.0 == 200), "{bodies:?}");
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.dead_refresh_tokens_used), (1, 0));
}

#[test]
fn a_device_that_hangs_up_cancels_nothing_and_gets_the_answer_when_it_asks_again() {
    let world = relay();
    let tokens = world.log_in();
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(500))).on(Endpoint::Token).times(1));
    let body = format!("grant_type=refresh_token&client_id=overlay&refresh_token={}", tokens.refresh_token);
    let request = format!(
        "POST /token HTTP/1.1\r\nhost: broker\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = TcpStream::connect(world.address).unwrap();
    std::io::Write::write_all(&mut connection, request.as_bytes()).unwrap();
    world.wait_until(|ledger| ledger.requests_to("/oauth/token").count() == 2);
    drop(connection);
    let next = world.refresh(&tokens.refresh_token).tokens();
    assert!(world.accepts(&next.access_token));
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.dead_refresh_tokens_used), (1, 0));
}

#[test]
fn a_full_memory_refuses_before_anything_is_sent() {
    let world = World::relay(2);
    // Each pair waits for its device, and then makes room.
    let (one, other) = (world.log_in(), world.log_in());
    let first = world.refresh(&one.refresh_token).tokens();
    world.refresh(&other.refresh_token).tokens();
    let refused = world.refresh(&first.refresh_token);
    assert_eq!(refused.refusal(), unavailable());
    assert_eq!(refused.header("retry-after"), "60");
    let (consent, cookie) = world.leave(&[], None);
    let back = world.browse(&world.sandbox.approve(&consent).unwrap(), Some(&cookie));
    assert_eq!(back.parameter("error"), "temporarily_unavailable");
    assert_eq!(token_requests(&world), 4);
    let bound = "restream_oauth_broker_turned_away_total{bound=\"relay_memory\"} 2";
    assert!(world.metrics().contains(bound), "{}", world.metrics());
    // What is remembered is still given out, and after two minutes there is room again.
    assert_eq!(world.refresh(&one.refresh_token).tokens(), first);
    world.advance(Duration::from_secs(120));
    world.wait_for("there is room", |world| world.refresh(&first.refresh_token).status == 200);
}

fn token_requests(world: &World) -> usize {
    world.sandbox.ledger().requests_to("/oauth/token").count()
}

#[test]
fn a_failure_is_not_remembered_and_says_whether_the_login_is_lost() {
    let world = relay();
    let tokens = world.log_in();
    let fault = |what: What| world.sandbox.inject(Fault::new(what).on(Endpoint::Token).before_acting().times(1));
    let refresh = |tokens: &Tokens| -> Answer { world.refresh(&tokens.refresh_token) };
    for what in [What::status(503), What::status(500), What::lost_answer(), What::html(502)] {
        fault(what);
        let answer = refresh(&tokens);
        assert_eq!(answer.refusal(), unavailable());
        assert!(!answer.header("retry-after").is_empty());
    }
    let next = refresh(&tokens).tokens();
    world.sandbox.end_grants();
    // Restream's own error is nested. The device gets a flat one.
    assert_eq!(refresh(&next).refusal(), invalid_grant());
    assert_eq!(world.refresh("nobody's").refusal(), invalid_grant());
}

/// RFC 7009 §2.
#[test]
fn a_revocation_is_sent_on_for_either_token() {
    let world = relay();
    for which in 0..2_u64 {
        let tokens = world.log_in();
        let (token, hint) =
            if which == 0 { (&tokens.refresh_token, "refresh_token") } else { (&tokens.access_token, "access_token") };
        let form = [("client_id", "overlay"), ("token", token.as_str()), ("token_type_hint", hint)];
        world.sandbox.inject(Fault::new(What::status(503)).on(Endpoint::Revoke).times(1));
        assert_eq!(world.post("/revoke", &form).status, 503, "the token may live");
        let revoked = world.post("/revoke", &form);
        assert_eq!((revoked.status, revoked.body.as_str()), (200, ""));
        assert_eq!(world.sandbox.ledger().revocations, which + 1);
        assert!(!world.accepts(&tokens.access_token));
        assert_eq!(world.refresh(&tokens.refresh_token).refusal(), invalid_grant());
    }
    assert_eq!(world.post("/revoke", &[("client_id", "overlay"), ("token", "unknown")]).status, 200);
}

#[test]
fn a_relay_adds_the_credentials_and_passes_on_nothing_that_a_device_made_up() {
    let world = relay();
    let tokens = world.log_in();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "overlay"),
        ("refresh_token", tokens.refresh_token.as_str()),
        ("client_secret", "x"),
    ];
    assert_eq!(world.post("/token", &form).refusal(), (400, "invalid_client".into()));
    assert_eq!(token_requests(&world), 1);
    let form = [&form[..3], &[("scope", "everything"), ("redirect_uri", "https://evil.example")]].concat();
    world.post("/token", &form).tokens();
    let ledger = world.sandbox.ledger();
    let sent = ledger.requests_to("/oauth/token").last().unwrap();
    assert_eq!(sent.client_authentication, ClientAuthentication::Basic);
    assert_eq!(sent.form_parameters, ["grant_type", "refresh_token"]);
    assert!(!world.log.text().contains(&tokens.refresh_token));
}

#[test]
fn a_relay_has_no_door_for_obs() {
    let world = relay();
    assert_eq!(world.get("/obs/v1/restream/redirect").status, 404);
}
