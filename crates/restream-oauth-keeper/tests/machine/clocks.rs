//! Wrong clocks, and a machine that sleeps: everything is defined, nothing panics, and no storm of requests follows.

use std::time::{Duration, SystemTime};

use restream_oauth_keeper::Mode;

use crate::scenario::{START, Scenario, record, tokens};

const DAY: Duration = Duration::from_secs(86_400);

/// Lets three hours pass, one token wanted each minute, with a server that rotates strictly. Returns how many requests
/// were sent.
fn three_hours(scenario: &mut Scenario) -> u32 {
    let mut sent = 0;
    for _ in 0..180 {
        let waiter = scenario.want();
        while !scenario.flying.is_empty() {
            if scenario.request().unwrap().starts_with("/oauth/token") {
                sent += 1;
                scenario.rotate(&format!("a{sent}"), &format!("r{sent}"));
            } else {
                scenario.answer(200, r#"{"id":1}"#);
            }
        }
        assert!(scenario.got(waiter).unwrap().is_ok());
        scenario.pass(60);
    }
    sent
}

#[test]
fn three_hours_take_three_refreshes_by_every_clock() {
    for (clock, at_most) in [
        (SystemTime::UNIX_EPOCH, 3),
        (SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800), 4),
        (SystemTime::UNIX_EPOCH + Duration::from_secs(START), 3),
    ] {
        for mode in [Mode::OnUse, Mode::Warm] {
            let mut scenario = Scenario::with(mode, Some(record("a0", "r0", START)));
            scenario.now.wall = clock;
            let mut sibling = scenario.sibling();
            let sent = three_hours(&mut sibling);
            let at_most = if mode == Mode::Warm { 2 * at_most } else { at_most };
            assert!((2..=at_most).contains(&sent), "{clock:?} {mode:?}: {sent}");
        }
    }
}

#[test]
fn a_clock_that_jumps_by_a_day_while_the_process_runs_makes_no_refresh() {
    for forward in [true, false] {
        let mut scenario = Scenario::new();
        assert_eq!(scenario.token_now().as_deref(), Some("a0"));
        scenario.now.wall = if forward { scenario.now.wall + DAY } else { scenario.now.wall - DAY };
        scenario.pass(3000);
        assert_eq!(scenario.token_now().as_deref(), Some("a0"), "the steady clock counts");
        assert!(scenario.flying.is_empty());
        scenario.pass(541);
        scenario.want();
        scenario.rotate("a1", "r1");
        assert_eq!(scenario.token_now().as_deref(), Some("a1"));
    }
}

#[test]
fn a_clock_that_was_set_back_keeps_replays_on_their_times() {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    scenario.want();
    scenario.lose();
    scenario.lose();
    scenario.now.wall -= DAY;
    let mut sibling = scenario.sibling();
    let begun = sibling.now.steady;
    let mut replays = Vec::new();
    while replays.len() < 4 {
        if sibling.flying.is_empty() {
            sibling.pass(1);
        } else {
            replays.push((sibling.now.steady - begun).as_secs());
            sibling.lose();
        }
    }
    assert!(replays[0] <= 2 && replays[3] < 120, "{replays:?}");
}

#[test]
fn a_machine_that_sleeps_after_preparing_does_not_send() {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    scenario.holding = Some("prepare");
    scenario.want();
    scenario.now.steady += Duration::from_secs(7200);
    scenario.now.wall += Duration::from_secs(7200);
    scenario.resume();
    assert!(scenario.flying.is_empty(), "the claim is two hours old");
    assert_eq!(scenario.record().doubt, None, "the mark is taken back");
    scenario.want();
    assert_eq!(scenario.flying.len(), 1);
}

#[test]
fn a_machine_that_sleeps_two_hours_in_the_middle_of_a_request_takes_the_answer_all_the_same() {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    scenario.want();
    scenario.now.steady += Duration::from_secs(7200);
    scenario.now.wall += Duration::from_secs(7200);
    scenario.give(restream_oauth_keeper::machine::Input::Tick);
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.record().generation, 1);
    assert_eq!(scenario.record().doubt, None);
}

#[test]
fn tokens_from_the_future_are_used_until_the_api_refuses_them() {
    let mut scenario = Scenario::with(Mode::OnUse, Some(record("a0", "r0", START + 86_400)));
    assert_eq!(scenario.token_now().as_deref(), Some("a0"), "their age is unknown");
    scenario.pass(601);
    scenario.reject(0);
    assert_eq!(scenario.flying.len(), 1);
}

#[test]
fn a_login_that_waited_while_the_clock_was_set_back_does_not_replace_a_later_one() {
    let mut scenario = Scenario::new();
    scenario.holding = Some("claim");
    let login = scenario.log_in(tokens("b0", "s0", START));
    scenario.store.put(&scenario.name, record("c0", "t0", START + 60));
    scenario.now.wall = SystemTime::UNIX_EPOCH;
    scenario.resume();
    assert_eq!(scenario.got(login).unwrap().unwrap(), "c0");
}

#[test]
fn a_login_that_was_stored_by_a_clock_of_the_future_does_not_lock_the_user_out() {
    let mut scenario = Scenario::with(Mode::OnUse, Some(record("a0", "r0", START + 86_400)));
    let login = scenario.log_in(tokens("b0", "s0", START));
    assert_eq!(scenario.got(login).unwrap().unwrap(), "b0");
}

#[test]
fn replays_of_two_machines_whose_clocks_are_a_day_apart_are_no_storm() {
    let mut behind = Scenario::new();
    behind.pass(3541);
    behind.want();
    behind.lose();
    behind.lose();
    let mut ahead = behind.sibling();
    ahead.now.wall += DAY;
    let mut sent = 0;
    for _ in 0..3600 {
        for machine in [&mut behind, &mut ahead] {
            machine.pass(1);
            while !machine.flying.is_empty() {
                sent += u32::from(machine.request().unwrap().starts_with("/oauth/token"));
                machine.lose();
            }
        }
    }
    assert!((3..=9).contains(&sent), "{sent} in an hour");
}
