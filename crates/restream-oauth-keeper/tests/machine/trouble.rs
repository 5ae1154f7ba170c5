//! Refusals of the API, networks and stores that fail for a long time: what is served, and when it is tried again.

use std::time::Duration;

use restream_oauth_keeper::store::StoreErrorKind;
use restream_oauth_keeper::{Mode, TokenError};

use crate::scenario::{Scenario, tokens};

#[test]
fn a_refusal_of_a_young_token_adopts_a_newer_pair_at_once() {
    let mut first = Scenario::new();
    first.pass(10);
    let mut second = first.sibling();
    second.want_for(Duration::from_secs(3595));
    second.rotate("a1", "r1");
    first.holding = Some("read");
    first.reject(0);
    let waiter = first.want();
    assert!(first.got(waiter).is_none(), "the refused token is not given out again meanwhile");
    first.resume();
    assert_eq!(first.got(waiter).unwrap().unwrap(), "a1", "another process has refreshed");
    assert!(first.flying.is_empty());
}

#[test]
fn pauses_after_refused_young_tokens_double_only_in_a_row() {
    let mut scenario = Scenario::new();
    scenario.pass(10);
    for (generation, expected) in [(0, 60), (1, 120), (2, 240)] {
        scenario.reject(generation);
        assert!(scenario.flying.is_empty());
        scenario.pass(expected - 1);
        assert!(scenario.flying.is_empty(), "{expected}");
        scenario.pass(1);
        scenario.rotate(&format!("a{}", generation + 1), &format!("r{}", generation + 1));
    }
    // This one is fine, and is replaced as planned.
    scenario.pass(3600);
    scenario.want();
    scenario.rotate("a4", "r4");
    scenario.reject(4);
    scenario.pass(60);
    assert_eq!(scenario.flying.len(), 1, "the row was broken");
}

#[test]
fn pauses_after_refused_young_tokens_double_for_all_processes_together() {
    let mut last = Scenario::new();
    last.pass(10);
    for (generation, expected) in [(0, 60), (1, 120), (2, 240)] {
        // Each process knows only what the record says.
        let mut next = last.sibling();
        next.reject(generation);
        next.pass(expected - 1);
        assert!(next.flying.is_empty(), "{expected}");
        next.pass(1);
        next.rotate(&format!("a{}", generation + 1), &format!("r{}", generation + 1));
        last = next;
    }
    let refused = last.record().refused;
    assert_ne!(refused, 0);
    last.pass(10);
    last.want_for(Duration::from_secs(3595));
    last.rotate("a4", "r4");
    assert_eq!(last.record().refused, refused, "one that comes early ends no row");
    last.pass(3600);
    last.want();
    last.rotate("a5", "r5");
    assert_eq!(last.record().refused, 0, "the row was broken");
}

#[test]
fn an_api_that_refuses_every_token_at_ten_minutes_of_age_does_not_become_a_loop() {
    let mut scenario = Scenario::new();
    let mut replaced = vec![];
    for minute in 0..240 {
        scenario.pass(60);
        if minute % 11 == 10 {
            scenario.reject(scenario.record().generation);
        }
        if !scenario.flying.is_empty() {
            replaced.push(minute);
            scenario.rotate(&format!("a{minute}"), &format!("r{minute}"));
        }
    }
    let in_minutes = |from: usize, to| replaced.iter().filter(|minute| (from..to).contains(*minute)).count();
    assert!(in_minutes(0, 60) <= 6, "{replaced:?}");
    assert!(in_minutes(60, 240) <= 3 * 4, "{replaced:?}");
}

#[test]
fn a_refusal_in_doubt_is_evidence_even_if_the_token_is_young() {
    let mut scenario = Scenario::new();
    scenario.pass(10);
    scenario.want_for(Duration::from_secs(3595));
    scenario.lose();
    scenario.lose();
    assert_eq!(scenario.token_now().as_deref(), Some("a0"));
    scenario.reject(0);
    assert_eq!(scenario.current(), "expired a0");
    let waiter = scenario.want();
    assert!(scenario.got(waiter).is_none());
    scenario.pass(1);
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a1");
}

#[test]
fn a_network_that_comes_back_after_an_hour_is_used_within_minutes() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    for _ in 0..60 {
        scenario.want();
        while !scenario.flying.is_empty() {
            scenario.cannot_connect();
        }
        scenario.pass(60);
    }
    let waiter = scenario.want();
    for _ in 0..61 {
        if !scenario.flying.is_empty() {
            scenario.rotate("a1", "r1");
            break;
        }
        scenario.pass(1);
    }
    assert_eq!(scenario.got(waiter).map(Result::unwrap).as_deref(), Some("a1"));
}

#[test]
fn a_store_that_comes_back_after_an_hour_is_used_within_minutes() {
    for operation in ["claim", "prepare", "read"] {
        let mut scenario = Scenario::new();
        if operation == "read" {
            scenario = Scenario::unread(Mode::OnUse, Some(scenario.record()));
        }
        scenario.failing = vec![(operation, u32::MAX, StoreErrorKind::Unavailable)];
        scenario.resume();
        scenario.pass(3600);
        for _ in 0..60 {
            scenario.want();
            scenario.pass(60);
        }
        scenario.failing.clear();
        let waiter = scenario.want();
        for _ in 0..61 {
            if !scenario.flying.is_empty() {
                scenario.rotate("a1", "r1");
                break;
            }
            scenario.pass(1);
        }
        assert_eq!(scenario.got(waiter).map(Result::unwrap).as_deref(), Some("a1"), "{operation}");
    }
}

#[test]
fn a_caller_who_finds_the_token_expired_brings_a_late_attempt_forward() {
    // A firewall answers 403 for half an hour: the attempts come later and later.
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    scenario.want();
    for _ in 0..40 {
        if !scenario.flying.is_empty() {
            scenario.answer(403, "<html>blocked</html>");
        }
        scenario.pass(60);
        scenario.want();
    }
    scenario.pass(30 * 60);
    let waiter = scenario.want();
    assert_eq!(scenario.flying.len(), 1);
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a1");
}

#[test]
fn a_server_that_asks_to_wait_is_obeyed_by_every_process_and_the_old_token_is_served() {
    let mut first = Scenario::new();
    first.pass(3541);
    first.want();
    first.answer_with(429, &[("retry-after", "30")], "");
    let mut second = first.sibling();
    assert_eq!(second.token_now().as_deref(), Some("a0"));
    second.pass(29);
    second.want();
    assert!(second.flying.is_empty());
    second.pass(1);
    second.want();
    assert_eq!(second.flying.len(), 1);
}

#[test]
fn a_token_in_doubt_is_served_without_a_promise() {
    let mut scenario = Scenario::new();
    scenario.pass(10);
    scenario.want_for(Duration::from_secs(3595));
    scenario.lose();
    scenario.want();
    let served = scenario.resolved.last().unwrap().1.clone().unwrap().unwrap();
    assert!(served.usable_until() <= scenario.now.wall, "nobody may cache it");
}

#[test]
fn a_waiter_ends_by_its_limit_in_every_phase() {
    for phase in ["read", "claim", "prepare", "spool", "commit", "settle", "stash", "insert", "send"] {
        let mut scenario = Scenario::unread(Mode::OnUse, Some(Scenario::new().record()));
        scenario.now.wall += Duration::from_secs(3600);
        scenario.now.steady += Duration::from_secs(3600);
        scenario.holding = None;
        scenario.resume_until(Some(phase));
        let first = scenario.want();
        if !scenario.flying.is_empty() && phase != "send" {
            scenario.rotate("a1", "r1");
        }
        let second = scenario.want();
        let login = matches!(phase, "stash" | "insert")
            .then(|| scenario.log_in(tokens("b0", "s0", crate::scenario::START + 3601)));
        scenario.pass(101);
        for waiter in [first, second].into_iter().chain(login) {
            assert!(
                matches!(scenario.got(waiter), Some(Ok(_) | Err(TokenError::TimedOut { .. }))),
                "{phase}: {:?}",
                scenario.got(waiter)
            );
        }
        let mut ids: Vec<_> = scenario.resolved.iter().map(|(id, _)| *id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), scenario.resolved.len(), "{phase}: each is told once");
    }
}

#[test]
fn a_store_that_cannot_be_used_is_told_at_once_when_no_token_is_left() {
    for kind in [
        StoreErrorKind::NoRoom,
        StoreErrorKind::ReadOnly,
        StoreErrorKind::Denied,
        StoreErrorKind::Missing,
        StoreErrorKind::NotOurs,
        StoreErrorKind::NoLocks,
    ] {
        for operation in ["read", "claim", "prepare"] {
            let mut scenario = Scenario::new();
            if operation == "read" {
                scenario = Scenario::unread(Mode::OnUse, Some(scenario.record()));
            }
            scenario.failing = vec![(operation, u32::MAX, kind.clone())];
            scenario.resume();
            scenario.pass(3600);
            let waiter = scenario.want();
            scenario.pass(1);
            assert!(
                matches!(scenario.got(waiter), Some(Err(TokenError::Store(error))) if *error.kind() == kind),
                "{operation} {kind:?}: {:?}",
                scenario.got(waiter)
            );
            // Somebody mends it.
            scenario.failing.clear();
            scenario.pass(61);
            let waiter = scenario.want();
            scenario.pass(1);
            scenario.rotate("a1", "r1");
            assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a1", "{operation} {kind:?}");
        }
    }
}
