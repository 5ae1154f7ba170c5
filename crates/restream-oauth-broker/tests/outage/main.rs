//! The database stops and comes back. In one test of a binary of its own, because there is one server: no other test may
//! need it meanwhile.

#[allow(dead_code)] // What only other tests use.
#[path = "../broker/answer.rs"]
mod answer;
#[path = "../database/mod.rs"]
mod database;
#[allow(dead_code)] // What only other tests use.
#[path = "../broker/support.rs"]
mod support;

use std::process::Command;
use std::time::Duration;

use restream_oauth_sandbox::{Endpoint, Fault, What};
use tokio::runtime::Runtime;

use crate::database::{Database, variable};
use crate::support::World;

/// What failed is tried again after pauses of up to half a minute, and nobody claims anything just after a start.
const LONG: Duration = Duration::from_secs(300);

/// Starts or stops the server of the database.
fn server(what: &str) {
    let done = Command::new(variable("RESTREAM_TEST_SERVER").unwrap()).args(["primary", what]).status().unwrap();
    assert!(done.success(), "{what}");
}

#[test]
fn while_the_database_is_away_devices_are_told_to_come_again_and_nothing_is_lost() {
    let runtime = Runtime::new().unwrap();
    let Some(database) = runtime.block_on(Database::empty()) else { return };
    let world = World::on(database.store());
    let other = world.beside();
    let tokens = world.log_in();
    let unredeemed = world.code();
    let (consent, cookie) = world.leave(&[], None);

    // A refresh is under way: its answer comes while the database is away, so it is in memory alone.
    world.advance(Duration::from_secs(3600));
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(3))).on(Endpoint::Token).times(1));
    std::thread::scope(|threads| {
        let asked = threads.spawn(|| world.refresh(&tokens.refresh_token));
        world.wait_until(|ledger| ledger.refreshes == 1);
        server("stop");
        for broker in [&world, &other] {
            let answer = broker.refresh(&tokens.refresh_token);
            assert_eq!(answer.refusal(), (503, "temporarily_unavailable".into()));
            assert!(!answer.header("retry-after").is_empty());
            assert_eq!(broker.redeem(&unredeemed).refusal(), (503, "temporarily_unavailable".into()));
            assert_eq!(broker.browse("/obs/v1/restream/redirect", None).status, 503);
            let revocation = broker.post("/revoke", &[("client_id", "overlay"), ("token", "unknown")]);
            assert_eq!(revocation.status, 503, "nobody knows whether it is one of ours");
        }
        let callback = world.sandbox.approve(&consent).unwrap();
        assert_eq!(other.browse(&callback, Some(&cookie)).status, 503);
        assert_eq!(world.sandbox.ledger().exchanges, 2, "nothing was sent");
        let health = world.health();
        assert!(health.0 == 503 || health.1.contains("stranded"), "{health:?}");
        asked.join().unwrap();
        server("start");
    });

    world.wait_longer(LONG, "the handle works at both", |world| {
        [world, &other].iter().all(|broker| broker.refresh(&tokens.refresh_token).status == 200)
    });
    let next = world.refresh(&tokens.refresh_token).tokens();
    assert_ne!(next.access_token, tokens.access_token);
    assert!(world.accepts(&next.access_token));
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.dead_refresh_tokens_used), (1, 0), "the pair that came meanwhile was kept");
    world.wait_longer(LONG, "all is well", |world| world.health() == (200, "{\"status\":\"ok\"}".into()));
    // Users log in again, and what had expired meanwhile is ended.
    assert!(world.sandbox.wait_until(LONG, |ledger| ledger.revocations == 1), "{:?}", world.sandbox.ledger());
    other.log_in();
}
