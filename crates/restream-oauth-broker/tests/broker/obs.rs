//! OBS Studio as it is, at its door. What it meets behind other services is in `comparison.rs`.

use std::time::Duration;

use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::obs_studio::{Obs, Read, has_curl};
use crate::support::World;

const HOUR: Duration = Duration::from_secs(3600);

fn log_in(world: &World) -> Obs<'_> {
    let mut obs = Obs::new(format!("{}/obs/", world.base), &world.sandbox);
    assert_eq!(obs.log_in(), Read::Token);
    assert!(!obs.took_restream_s_code);
    obs
}

#[test]
fn obs_as_it_is_stays_logged_in_for_730_refreshes_with_faults_on() {
    if !has_curl() {
        return;
    }
    let world = World::new();
    let mut obs = log_in(&world);
    let mut failures = 0;
    for number in 0..730 {
        world.advance(HOUR * 12);
        // OBS waits for four seconds at each of them.
        match number % 146 {
            // Nothing was acted on.
            33 => world.sandbox.inject(Fault::new(What::status(503)).on(Endpoint::Token)),
            // Lost on the way there.
            99 => world.sandbox.inject(Fault::new(What::reset()).on(Endpoint::Token).before_acting()),
            _ => {}
        }
        // A failure passes: OBS tries again at its next start, or when the profile is loaded.
        let mut read = obs.refresh();
        while read == Read::Failure {
            failures += 1;
            assert!(failures < 2000, "OBS never gets a token again");
            world.advance(Duration::from_secs(60));
            read = obs.refresh();
        }
        assert_eq!(read, Read::Token, "refresh {number}");
        assert!(obs.can_stream(), "refresh {number}");
    }
    assert_eq!(obs.logins_asked_for, 0);
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.exchanges, ledger.refreshes), (1, 730));
}

/// A refresh at Restream that takes longer than OBS waits.
#[test]
fn an_answer_that_comes_too_late_for_obs_is_there_at_its_next_try() {
    if !has_curl() {
        return;
    }
    let world = World::new();
    let mut obs = log_in(&world);
    world.advance(HOUR);
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(8))).on(Endpoint::Token));
    assert_eq!(obs.refresh(), Read::Failure);
    world.wait_until(|ledger| ledger.refreshes == 1);
    let mut read = obs.refresh();
    for _ in 0..10 {
        if read == Read::Token {
            break;
        }
        read = obs.refresh();
    }
    assert_eq!(read, Read::Token);
    assert!(obs.can_stream());
    assert_eq!((world.sandbox.ledger().refreshes, obs.logins_asked_for), (1, 0));
}

#[test]
fn obs_asks_for_a_login_once_the_user_has_ended_the_grant() {
    if !has_curl() {
        return;
    }
    let world = World::new();
    let mut obs = log_in(&world);
    world.sandbox.end_grants();
    world.advance(HOUR);
    assert_eq!(obs.refresh(), Read::InvalidGrant);
    assert_eq!(obs.logins_asked_for, 1);
    // The user logs in again, and has a handle of its own.
    let mut again = log_in(&world);
    assert!(!again.has_the_login_of(&obs));
    world.advance(HOUR);
    assert_eq!(again.refresh(), Read::Token);
}

#[test]
fn a_code_of_obs_that_comes_twice_ends_its_handle() {
    if !has_curl() {
        return;
    }
    let world = World::new();
    let mut obs = log_in(&world);
    let code = obs.code_of_the_browser();
    assert_eq!(obs.redeem(&code), Read::Token);
    assert_eq!(obs.clone().redeem(&code), Read::InvalidGrant);
    assert_eq!(obs.refresh(), Read::InvalidGrant);
    world.wait_until(|ledger| ledger.revocations == 1);
}
