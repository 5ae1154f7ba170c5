//! The n-th operation fails, for every n: nothing is lost, and the grant is fresh again once the store works.

use crate::scenario::{START, Scenario, tokens};

/// Lets a story happen while its n-th operation fails, and returns the scenario; `None` if the story has fewer.
fn with_failure(n: usize, takes_effect: bool, story: impl Fn(&mut Scenario)) -> Option<Scenario> {
    let mut scenario = Scenario::new();
    scenario.fail_at = Some(n);
    scenario.failure_takes_effect = takes_effect;
    story(&mut scenario);
    scenario.fail_at.take().is_none().then_some(scenario)
}

/// Answers whatever is asked, as a server would that rotates strictly, until nothing is asked any more.
fn serve(scenario: &mut Scenario, newest: &mut u32) {
    for _ in 0..100 {
        let Some(request) = scenario.request() else { return };
        if let Some(sent) = request.strip_prefix("/oauth/token grant_type=refresh_token&refresh_token=r") {
            assert_eq!(sent.parse(), Ok(*newest), "a spent refresh token was sent");
            *newest += 1;
            scenario.rotate(&format!("a{newest}"), &format!("r{newest}"));
        } else if request.starts_with("/oauth/revoke") {
            scenario.answer(200, "");
        } else {
            scenario.answer(200, r#"{"id":1}"#);
        }
    }
    panic!("requests without end");
}

#[test]
fn a_refresh_loses_nothing_whichever_operation_fails() {
    let mut tried = 0;
    for (n, takes_effect) in (0..100).flat_map(|n| [(n, false), (n, true)]) {
        let newest = std::cell::Cell::new(0);
        let story = |scenario: &mut Scenario| {
            let mut count = 0;
            scenario.pass(3541);
            scenario.want();
            for _ in 0..200 {
                serve(scenario, &mut count);
                scenario.pass(1);
            }
            newest.set(count);
        };
        let Some(mut scenario) = with_failure(n, takes_effect, story) else { break };
        tried += 1;
        let mut count = newest.get();
        let waiter = scenario.want();
        serve(&mut scenario, &mut count);
        assert_eq!(scenario.got(waiter).unwrap().unwrap(), format!("a{count}"), "operation {n}");
        let record = scenario.record();
        assert_eq!(record.tokens.refresh_token().unwrap().expose_secret(), format!("r{count}"), "operation {n}");
        assert!(record.doubt.is_none() && record.death.is_none(), "operation {n}");
        assert!(scenario.machine.is_idle(), "operation {n}");
    }
    assert!(tried >= 2 * 5, "claim, prepare, spool, commit and settle");
}

#[test]
fn a_login_and_a_logout_end_as_they_should_whichever_operation_fails() {
    let mut tried = 0;
    for (n, takes_effect) in (0..100).flat_map(|n| [(n, false), (n, true)]) {
        let story = |scenario: &mut Scenario| {
            scenario.pass(10);
            let login = scenario.log_in(tokens("b0", "s0", START + 10));
            scenario.pass(100);
            assert_eq!(scenario.got(login).unwrap().unwrap(), "b0", "operation {n}");
            let logout = scenario.log_out();
            let mut count = 0;
            for _ in 0..90 {
                serve(scenario, &mut count);
                scenario.pass(1);
            }
            assert_eq!(scenario.got(logout).unwrap().unwrap(), "", "operation {n}");
        };
        let Some(scenario) = with_failure(n, takes_effect, story) else { break };
        tried += 1;
        assert!(scenario.stored().record().is_none(), "operation {n}");
        assert!(scenario.machine.is_idle(), "operation {n}");
    }
    assert!(tried >= 2 * 8, "stash, claim, insert, settle, claim, prepare, forget and the read after it");
}
