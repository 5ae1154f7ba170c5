//! Connections that break in the middle, and a broker that is stopped in the middle.

use std::time::Duration;

use restream_oauth_sandbox::{Ending, Endpoint, Fault, Point, What};

use crate::program::Program;
use crate::support::{Answer, World};

const HOUR: Duration = Duration::from_secs(3600);

/// A refresh through OBS's door, which waits for four seconds.
fn obs_refresh(world: &World, handle: &str) -> Answer {
    world.post("/obs/v1/restream/token", &[("grant_type", "refresh_token"), ("refresh_token", handle)])
}

fn obs_login(world: &World) -> String {
    let away = world.get("/obs/v1/restream/redirect");
    let callback = world.sandbox.approve(away.location()).unwrap();
    let back = world.browse(&callback, away.cookie().as_deref());
    let form = [("grant_type", "authorization_code"), ("code", &*back.parameter("code"))];
    world.post("/obs/v1/restream/token", &form).tokens().refresh_token
}

/// Asks until there is a token. A device does that at its next starts.
fn token_in_the_end(world: &World, handle: &str) -> String {
    for _ in 0..60 {
        let answer = obs_refresh(world, handle);
        if answer.status == 200 {
            return answer.tokens().access_token;
        }
        assert_eq!(answer.refusal(), (503, "temporarily_unavailable".into()), "{answer:?}");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
        world.advance(Duration::from_secs(60));
    }
    panic!("no token ever came");
}

#[test]
fn restream_hangs_up_before_it_acts_and_the_device_gets_a_token_at_a_later_try() {
    let world = World::new();
    let handle = obs_login(&world);
    for point in [Point::Accept, Point::BeforeHead] {
        for ending in [Ending::Close, Ending::Reset] {
            world.advance(HOUR);
            let refreshes = world.sandbox.ledger().refreshes;
            world.sandbox.inject(Fault::new(What::Drop { point, ending }).on(Endpoint::Token).before_acting());
            let token = token_in_the_end(&world, &handle);
            assert!(world.accepts(&token), "{point:?} {ending:?}");
            assert_eq!(world.sandbox.ledger().refreshes, refreshes + 1, "{point:?} {ending:?}");
            world.sandbox.clear_faults();
        }
    }
}

/// The pair came whole, and what comes after it did not.
#[test]
fn restream_hangs_up_at_the_end_of_its_answer_and_the_pair_is_kept() {
    let world = World::new();
    let handle = obs_login(&world);
    world.advance(HOUR);
    let what = What::WrongLength { by: 10 };
    world.sandbox.inject(Fault::new(what).on(Endpoint::Token));
    assert!(world.accepts(&token_in_the_end(&world, &handle)));
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.dead_refresh_tokens_used), (1, 0));
}

/// What is in doubt is no reason to ask for a login, as long as Restream has not said that the grant is dead.
#[test]
fn an_answer_that_never_comes_is_told_as_a_passing_failure() {
    let world = World::new();
    let handle = obs_login(&world);
    world.advance(HOUR);
    world.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting().always());
    for _ in 0..3 {
        let answer = obs_refresh(&world, &handle);
        assert_eq!(answer.refusal(), (503, "temporarily_unavailable".into()), "{answer:?}");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    assert!(world.metrics().contains("upstream_calls_total{call=\"refresh\",outcome=\"in_doubt\"}"));
    world.sandbox.clear_faults();
    assert!(world.accepts(&token_in_the_end(&world, &handle)));
    assert_eq!(world.sandbox.ledger().refreshes, 1);
}

/// The supervisor sends SIGTERM while Restream is slow.
#[test]
fn a_program_that_is_stopped_ends_its_rotation_says_what_it_waits_for_and_ends_with_0() {
    let program = Program::new();
    let world = &program.world;
    let running = program.start();
    let tokens = world.log_in();
    assert_eq!(running.end("-TERM").0, Some(0));
    program.let_tokens_expire();
    let running = program.start();
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(10))).on(Endpoint::Token));
    let answer = std::thread::scope(|threads| {
        let asked = threads.spawn(|| world.refresh(&tokens.refresh_token));
        world.wait_until(|ledger| ledger.requests_to("/oauth/token").count() == 2);
        running.signal("-TERM");
        // It takes no new work, says so to its supervisor, and goes on with what is under way.
        world.wait_for("it stops", |world| {
            let health = world.browse(&format!("{}/healthz", running.admin_url()), None);
            health.status == 503 && health.body == r#"{"status":"stopping"}"#
        });
        assert!(world.try_get("/.well-known/oauth-authorization-server", None).is_none(), "it takes no new work");
        asked.join().unwrap()
    });
    let next = answer.tokens();
    assert_ne!(next.access_token, tokens.access_token);
    let (code, log) = running.wait();
    assert_eq!(code, Some(0), "{log}");
    let events: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said =
        |event: &str| events.iter().position(|line| line["event"] == event).unwrap_or_else(|| panic!("{event}: {log}"));
    let (stopping, waiting, stopped) = (said("stopping"), said("waiting"), said("stopped"));
    assert!(stopping < waiting && waiting < stopped, "{log}");
    assert_eq!(events[waiting]["message"], "1 request", "{log}");
    let running = program.start();
    assert_eq!(world.refresh(&tokens.refresh_token).tokens().access_token, next.access_token);
    assert_eq!(running.end("-TERM").0, Some(0));
    assert_eq!(world.sandbox.ledger().refreshes, 1);
}

/// What a device does not wait for any more is waited for all the same.
#[test]
fn a_program_that_is_stopped_ends_a_rotation_whose_device_has_hung_up() {
    let program = Program::new();
    let world = &program.world;
    let running = program.start();
    let tokens = world.log_in();
    assert_eq!(running.end("-TERM").0, Some(0));
    program.let_tokens_expire();
    let running = program.start();
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(3))).on(Endpoint::Token));
    let form = format!("grant_type=refresh_token&client_id=overlay&refresh_token={}", tokens.refresh_token);
    let address = running.ready["base_url"].as_str().unwrap().strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut stream, &crate::bounds::post(form.len(), &form)).unwrap();
    world.wait_until(|ledger| ledger.requests_to("/oauth/token").count() == 2);
    drop(stream);
    let (code, log) = running.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(world.sandbox.ledger().refreshes, 1);
    assert!(log.contains("\"what\":\"rotated\""), "{log}");
    let running = program.start();
    assert_ne!(world.refresh(&tokens.refresh_token).tokens().access_token, tokens.access_token);
    assert_eq!(world.sandbox.ledger().refreshes, 1);
    assert_eq!(running.end("-TERM").0, Some(0));
}
