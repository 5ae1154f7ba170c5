//! Lifetimes that make no sense, pairs without a refresh token, and callers who ask for more life than there is.

use std::time::Duration;

use restream_oauth_keeper::machine::Input;
use restream_oauth_keeper::{Current, Mode, TokenError};

use crate::scenario::{START, Scenario, at, record, record_of, tokens_of};

/// Answers each refresh with a pair of these lifetimes, for as long as one is asked for and up to that many times.
fn rotate_all(scenario: &mut Scenario, expires_in: u64, refresh_expires_in: u64, most: u32) -> u32 {
    for sent in 0..most {
        if scenario.flying.is_empty() {
            return sent;
        }
        scenario.pass(scenario.latency.as_secs());
        let body = format!(
            r#"{{"access_token":"n{sent}","refresh_token":"m{sent}","token_type":"Bearer","expires_in":{expires_in},"refreshTokenExpiresIn":{refresh_expires_in}}}"#
        );
        scenario.answer(200, &body);
    }
    most
}

#[test]
fn a_caller_who_asks_for_more_than_any_token_has_before_the_store_was_read_makes_one_refresh() {
    for valid_for in [Duration::from_secs(86_400), Duration::MAX] {
        let mut scenario = Scenario::unread(Mode::OnUse, Some(record("a0", "r0", START)));
        let waiter = scenario.want_for(valid_for);
        scenario.resume();
        assert_eq!(rotate_all(&mut scenario, 3600, 31_536_000, 20), 1);
        assert_eq!(scenario.got(waiter).unwrap().unwrap(), "n0");
    }
}

#[test]
fn a_token_that_is_expired_when_it_arrives_is_given_to_those_who_waited_and_not_replaced_for_them() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    let waiter = scenario.want();
    scenario.latency = Duration::from_secs(2);
    assert_eq!(rotate_all(&mut scenario, 1, 31_536_000, 20), 1, "no chain of refreshes");
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "n0", "there is no better one");
}

#[test]
fn no_lifetime_makes_a_planned_refresh_come_within_a_minute_of_the_one_before() {
    for mode in [Mode::Warm, Mode::OnUse, Mode::Alive] {
        for (expires_in, refresh_expires_in) in [(1, 31_536_000), (3600, 1), (1, 1), (30, 30)] {
            let mut scenario = Scenario::with(mode, Some(record("a0", "r0", START)));
            scenario.pass(31_536_000);
            let mut sent = 0;
            for _ in 0..600 {
                sent += rotate_all(&mut scenario, expires_in, refresh_expires_in, 20);
                scenario.pass(1);
            }
            assert!((1..=11).contains(&sent), "{mode:?} {expires_in} {refresh_expires_in}: {sent} in ten minutes");
        }
    }
}

#[test]
fn no_token_is_promised_beyond_the_time_when_its_refresh_token_has_to_be_used() {
    // A planned refresh before the end of a promise would break it.
    for mode in [Mode::Warm, Mode::OnUse, Mode::Alive] {
        let mut scenario = Scenario::with(mode, Some(record("a0", "r0", START)));
        scenario.pass(3600);
        scenario.want();
        rotate_all(&mut scenario, 86_400, 3600, 1);
        let token = scenario.published.iter().rev().find_map(Current::token).unwrap();
        let promised = token.usable_until().duration_since(scenario.now.wall).unwrap().as_secs();
        scenario.pass(promised - 1);
        assert!(scenario.flying.is_empty(), "{mode:?}: promised for {promised} s");
    }
}

#[test]
fn ten_years_are_as_good_as_an_hour() {
    let body = r#"{"access_token":"a0","refresh_token":"r0","token_type":"Bearer","expires_in":315360000,"refreshTokenExpiresIn":315360000}"#;
    for mode in [Mode::OnUse, Mode::Warm, Mode::Alive] {
        let mut scenario = Scenario::with(mode, Some(record_of(tokens_of(body, at(START).wall))));
        assert_eq!(scenario.token_now().as_deref(), Some("a0"));
        scenario.pass(100 * 86_400);
        assert_eq!(scenario.token_now().as_deref(), Some("a0"));
        assert!(scenario.flying.is_empty());
    }
}

#[test]
fn a_pair_without_a_refresh_token_is_served_to_its_end_and_then_it_is_gone() {
    let body = r#"{"access_token":"a0","token_type":"Bearer","expires_in":3600}"#;
    let mut scenario = Scenario::with(Mode::OnUse, Some(record_of(tokens_of(body, at(START).wall))));
    scenario.pass(3590);
    assert_eq!(scenario.token_now().as_deref(), Some("a0"), "the last minute, too");
    let waiter = scenario.want_for(Duration::from_secs(600));
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a0", "nothing better can be had");
    scenario.pass(11);
    let waiter = scenario.want();
    let error = scenario.got(waiter).unwrap().unwrap_err();
    assert!(error.to_string().starts_with("the server gave no refresh token"), "{error}");
    assert!(scenario.flying.is_empty());
}

#[test]
fn a_clock_that_began_a_moment_ago_makes_no_token_young() {
    let mut old = Scenario::new();
    old.now.steady = Duration::ZERO;
    old.now.wall += Duration::from_secs(2000);
    let mut scenario = old.sibling();
    scenario.reject(0);
    assert_eq!(scenario.flying.len(), 1, "the token is half an hour old");
}

#[test]
fn the_ends_of_the_steady_clock_do_no_harm() {
    for steady in [Duration::ZERO, Duration::MAX - Duration::from_secs(7200)] {
        let mut scenario = Scenario::new();
        scenario.now.steady = steady;
        let mut scenario = scenario.sibling();
        scenario.now.wall += Duration::from_secs(4000);
        let waiter = scenario.waiter();
        let (grant, limit) = (scenario.grant, steady.saturating_add(Duration::from_secs(9)));
        scenario.give(Input::Wanted { grant, waiter, limit, valid_for: Duration::MAX });
        scenario.give(Input::Rejected { grant, generation: 0 });
        scenario.give(Input::Tick);
        if scenario.flying.is_empty() {
            assert!(matches!(scenario.got(waiter), Some(Err(TokenError::TimedOut { .. }) | Ok(_))));
        } else {
            scenario.lose();
        }
    }
}
