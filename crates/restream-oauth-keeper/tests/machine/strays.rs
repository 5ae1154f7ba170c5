//! Pairs that came too late, and answers about a token that is not the newest any more.

use restream_oauth_core::RefreshToken;
use restream_oauth_keeper::machine::Input;
use restream_oauth_keeper::store::StoreErrorKind;
use restream_oauth_keeper::{Current, EventKind, Gone, Stored};

use crate::scenario::{DEAD, Scenario};

/// A refresh under way, 3541 seconds after the login: the old token lives for 59 seconds more.
fn refreshing() -> Scenario {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    scenario.want();
    scenario
}

/// A process whose pair `a1` is about to be committed, and is in memory alone, and another one that has committed `a9`
/// meanwhile.
fn overtaken() -> (Scenario, Scenario) {
    let mut first = refreshing();
    first.failing = vec![("spool", 1, StoreErrorKind::NoRoom)];
    first.holding = Some("commit");
    first.rotate("a1", "r1");
    let mut second = first.sibling();
    second.store.break_claim(&second.name);
    second.pass(1);
    second.pass(2);
    second.rotate("a9", "r9");
    (first, second)
}

#[test]
fn a_witness_that_answers_after_the_doubt_has_ended_says_nothing_about_the_new_token() {
    for status in [401, 200] {
        let mut scenario = refreshing();
        scenario.lose();
        let witness = scenario.flying.pop_front().unwrap();
        scenario.pass(1);
        scenario.rotate("a1", "r1");
        scenario.flying.push_back(witness);
        scenario.answer(status, "");
        assert_eq!(scenario.current(), "fresh a1", "{status}");
        assert_eq!(scenario.token_now().as_deref(), Some("a1"));
        assert!(scenario.flying.is_empty());
    }
}

#[test]
fn a_refusal_of_a_token_that_came_alone_is_taken_seriously() {
    let mut scenario = refreshing();
    scenario.cut(r#"{"access_token":"a1","refresh_tok"#);
    assert_eq!(scenario.token_now().as_deref(), Some("a1"));
    scenario.reject(0);
    assert_eq!(scenario.current(), "expired a1", "in doubt, a refusal is evidence");
}

#[test]
fn a_process_whose_pair_lost_serves_the_pair_that_is_stored() {
    let mut first = refreshing();
    first.failing = vec![("spool", 1, StoreErrorKind::NoRoom), ("commit", 1, StoreErrorKind::Unavailable)];
    first.rotate("a1", "r1");
    assert_eq!(first.token_now().as_deref(), Some("a1"), "while the store fails");
    let mut second = first.sibling();
    second.store.break_claim(&second.name);
    second.want();
    second.pass(2);
    // Both pairs are generation 1.
    second.flying.clear();
    let mut second = second.sibling();
    second.store.break_claim(&second.name);
    second.pass(60);
    second.want();
    second.rotate("a9", "r9");
    assert_eq!(second.record().generation, 1);
    first.pass(60);
    // The stray is refused, so the stored pair stays.
    first.answer(401, "");
    assert_eq!(first.token_now().as_deref(), Some("a9"));
}

#[test]
fn a_refresh_token_that_came_alone_survives_a_claim_that_has_run_out() {
    let mut first = refreshing();
    first.store.break_claim(&first.name);
    first.answer(200, r#"{"refresh_token":"r1"}"#);
    for _ in 0..10 {
        first.pass(1);
    }
    let record = first.record();
    assert_eq!(record.salvaged.as_ref().map(RefreshToken::expose_secret), Some("r1"), "{:?}", first.operations);
    assert_eq!(first.request().unwrap(), "/oauth/token grant_type=refresh_token&refresh_token=r1");
}

#[test]
fn a_refresh_token_that_came_alone_and_that_another_process_has_sent_meanwhile_stays_in_doubt() {
    let mut first = refreshing();
    let mut second = first.sibling();
    first.holding = Some("settle");
    first.answer(200, r#"{"refresh_token":"r1"}"#);
    second.store.break_claim(&second.name);
    second.pass(3);
    second.want();
    assert_eq!(second.request().unwrap(), "/oauth/token grant_type=refresh_token&refresh_token=r1", "it was spooled");
    let marked = second.record();
    first.resume();
    assert_eq!(first.record(), marked, "the mark of its request stays");
    assert!(first.flying.is_empty());
    second.rotate("a2", "r2");
    first.pass(60);
    assert_eq!(first.token_now().as_deref(), Some("a2"));
}

#[test]
fn a_refresh_token_that_came_alone_survives_whatever_becomes_of_the_request_of_the_process_that_has_the_claim() {
    let endings: [fn(&mut Scenario); 5] = [
        |second| second.answer(400, DEAD),
        |second| second.answer(401, r#"{"error":"invalid_client"}"#),
        |second| second.answer_with(429, &[("retry-after", "20")], ""),
        |second| second.cannot_connect(),
        |second| second.lose(),
    ];
    for (index, ends) in endings.into_iter().enumerate() {
        let mut first = refreshing();
        let mut second = first.sibling();
        second.store.break_claim(&second.name);
        second.pass(3);
        second.want();
        assert_eq!(second.flying.len(), 1, "a replay");
        first.answer(200, r#"{"refresh_token":"r1"}"#);
        ends(&mut second);
        second.pass(3600);
        let record = second.record();
        assert_eq!(record.death, None, "{index}");
        assert_eq!(record.refresh_token().map(RefreshToken::expose_secret), Some("r1"), "{index}");
    }
}

#[test]
fn a_refusal_after_which_a_sibling_is_found_to_have_rotated_is_no_death() {
    let mut first = refreshing();
    let mut second = first.sibling();
    second.store.break_claim(&second.name);
    second.pass(3);
    second.rotate("a1", "r1");
    let waiter = first.want();
    first.answer(400, DEAD);
    assert!(!first.told().iter().any(|event| event.starts_with("dead")));
    assert_eq!(first.got(waiter).unwrap().unwrap(), "a1");
    assert_eq!(first.record().death, None);
}

#[test]
fn an_answer_that_repeats_the_old_refresh_token_is_a_rotation_like_any_other() {
    let mut scenario = refreshing();
    scenario.rotate("a1", "r0");
    assert_eq!(scenario.record().generation, 1);
    scenario.pass(3600);
    scenario.want();
    assert_eq!(scenario.request().unwrap(), "/oauth/token grant_type=refresh_token&refresh_token=r0");
    scenario.answer(200, r#"{"access_token":"a2","token_type":"Bearer","expires_in":3600}"#);
    let record = scenario.record();
    assert_eq!((record.generation, record.tokens.refresh_token().unwrap().expose_secret()), (2, "r0"));
}

#[test]
fn a_late_pair_that_cannot_be_parked_is_held_told_and_offered() {
    let mut first = refreshing();
    first.failing = vec![("spool", 1, StoreErrorKind::NoRoom), ("park", 2, StoreErrorKind::NoRoom)];
    first.holding = Some("commit");
    first.rotate("a1", "r1");
    let mut second = first.sibling();
    second.store.break_claim(&second.name);
    second.pass(2);
    second.rotate("a9", "r9");
    first.resume();
    assert!(first.told().iter().any(|event| event.contains("in memory alone")));
    assert!(first.machine.export(first.grant).unwrap().contains("r1"));
    first.pass(5);
    assert_eq!(first.record().strays.len(), 1);
    assert!(first.machine.export(first.grant).is_none());
}

#[test]
fn a_dead_record_is_revived_by_a_pair_that_a_process_had_spooled() {
    let mut first = refreshing();
    first.holding = Some("commit");
    first.rotate("a1", "r1");
    let mut record = first.record();
    record.death =
        Some(restream_oauth_keeper::Death { why: restream_oauth_keeper::DeathCause::LostAnswer, at: first.now.wall });
    first.store.put(&first.name, record);
    first.resume();
    assert_eq!(first.record().death, None);
    assert_eq!(first.token_now().as_deref(), Some("a1"));
}

#[test]
fn a_dead_record_is_judged_again_by_a_pair_that_a_process_had_spooled_before_it_died() {
    let mut first = refreshing();
    let mut second = first.sibling();
    first.holding = Some("commit");
    first.rotate("a1", "r1");
    let mut record = first.record();
    record.death =
        Some(restream_oauth_keeper::Death { why: restream_oauth_keeper::DeathCause::LostAnswer, at: first.now.wall });
    first.store.put(&first.name, record);
    first.store.break_claim(&first.name);
    drop(first);
    second.pass(60);
    assert_eq!(second.token_now().as_deref(), Some("a1"));
    assert_eq!((second.record().death, second.record().generation), (None, 1));
    assert!(second.flying.is_empty());
}

#[test]
fn a_process_that_starts_revives_a_dead_record_by_a_pair_that_a_dead_process_had_spooled() {
    let mut first = refreshing();
    first.holding = Some("commit");
    first.rotate("a1", "r1");
    let mut record = first.record();
    record.death =
        Some(restream_oauth_keeper::Death { why: restream_oauth_keeper::DeathCause::LostAnswer, at: first.now.wall });
    first.store.put(&first.name, record);
    first.store.break_claim(&first.name);
    let mut second = first.sibling();
    drop(first);
    second.drain();
    assert_eq!(second.token_now().as_deref(), Some("a1"));
    assert_eq!((second.record().death, second.record().generation), (None, 1));
}

#[test]
fn what_is_left_of_a_dead_grant_and_holds_no_pair_is_looked_at_once() {
    let mut first = refreshing();
    first.holding = Some("settle");
    first.answer(400, DEAD);
    let mut record = first.record();
    record.death =
        Some(restream_oauth_keeper::Death { why: restream_oauth_keeper::DeathCause::Revoked, at: first.now.wall });
    first.store.put(&first.name, record);
    first.store.break_claim(&first.name);
    let mut second = first.sibling();
    drop(first);
    second.pass(600);
    assert!(second.record().death.is_some());
    assert_eq!(second.operations.iter().filter(|name| **name == "claim").count(), 1, "{:?}", second.operations);
}

#[test]
fn an_answer_whose_driver_hung_up_and_then_answered_all_the_same_is_taken_once() {
    let mut scenario = refreshing();
    let ticket = scenario.flying[0].0;
    scenario.rotate("a1", "r1");
    scenario.give(Input::HungUp { ticket });
    assert_eq!(scenario.record().generation, 1);
    assert_eq!(scenario.record().doubt, None);
}

#[test]
fn a_late_pair_that_meets_a_tombstone_while_it_is_parked_is_revoked() {
    let mut first = Scenario::new();
    first.pass(3600);
    first.want();
    first.failing = vec![("spool", 1, StoreErrorKind::NoRoom)];
    first.holding = Some("commit");
    first.rotate("a1", "r1");
    let mut second = first.sibling();
    second.store.break_claim(&second.name);
    second.pass(2);
    second.rotate("a9", "r9");
    // What is stored changes between the commit and the parking of the late pair.
    first.resume_until(Some("park"));
    let record = second.record();
    let tombstone = record.tombstone();
    second.log_out();
    second.answer(200, "");
    assert_eq!(second.stored(), Stored::Tombstone(tombstone));
    first.resume();
    assert_eq!(first.request().unwrap(), "/oauth/revoke token=r1&token_type_hint=refresh_token");
}

#[test]
fn a_stray_that_is_refused_after_a_lost_answer_does_not_make_it_a_revocation() {
    let (mut first, _) = overtaken();
    first.resume();
    first.lose();
    first.pass(3600);
    first.want();
    first.lose();
    first.pass(1);
    while first.request().is_some_and(|request| !request.starts_with("/oauth/token")) {
        first.lose();
        first.pass(1);
    }
    first.answer(400, DEAD);
    assert_eq!(first.request().unwrap(), "/oauth/token grant_type=refresh_token&refresh_token=r1", "the stray");
    first.answer(400, DEAD);
    let death = first.record().death.unwrap();
    assert_eq!(death.why, restream_oauth_keeper::DeathCause::LostAnswer);
}

#[test]
fn a_dead_record_is_not_judged_again_by_a_refusal_that_a_process_had_spooled() {
    let mut first = refreshing();
    let mut second = first.sibling();
    first.holding = Some("settle");
    first.answer(400, DEAD);
    let mut record = first.record();
    let death = restream_oauth_keeper::Death { why: restream_oauth_keeper::DeathCause::LostAnswer, at: first.now.wall };
    record.death = Some(death);
    first.store.put(&first.name, record.clone());
    first.store.break_claim(&first.name);
    drop(first);
    second.pass(60);
    second.want();
    assert_eq!(second.record(), record, "neither its cause nor its time changes");
}

#[test]
fn nothing_is_sent_when_the_claim_ran_out_before_the_mark_was_written() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    scenario.failing = vec![("prepare", 1, StoreErrorKind::ClaimLost)];
    scenario.want();
    assert!(scenario.flying.is_empty());
    assert_eq!(scenario.record().doubt, None);
}

#[test]
fn a_promised_token_is_promised_no_longer_once_its_successor_is_on_the_way() {
    let mut scenario = Scenario::new();
    scenario.pass(10);
    scenario.want_for(std::time::Duration::from_secs(3595));
    scenario.holding = Some("commit");
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.current(), "stale a0");
    let waiter = scenario.want();
    assert!(scenario.got(waiter).is_none());
    scenario.resume();
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a1");
}

#[test]
fn a_stray_that_comes_after_the_burial_revives_the_grant() {
    let (mut first, mut second) = overtaken();
    second.pass(3600);
    second.want();
    second.answer(400, DEAD);
    assert!(second.record().death.is_some());
    first.now = second.now;
    first.resume();
    assert_eq!(first.request().unwrap(), "/oauth/token grant_type=refresh_token&refresh_token=r1");
    first.rotate("a2", "r2");
    assert_eq!(first.token_now().as_deref(), Some("a2"));
    second.pass(30);
    assert_eq!(second.token_now().as_deref(), Some("a2"), "the others see it too");
}

#[test]
fn a_stray_that_comes_before_the_burial_is_tried_before_anybody_hears_of_a_death() {
    let (mut first, mut second) = overtaken();
    second.pass(3600);
    second.want();
    first.now = second.now;
    first.resume();
    assert_eq!(first.record().strays.len(), 1, "the holder of the claim does not know it");
    second.answer(400, DEAD);
    let tells_of_a_death = |event: &EventKind| matches!(event, EventKind::Dead { .. });
    assert!(!second.events.iter().any(tells_of_a_death), "{:?}", second.events);
    assert_eq!(second.request().unwrap(), "/oauth/token grant_type=refresh_token&refresh_token=r1");
    second.rotate("a2", "r2");
    assert_eq!(second.token_now().as_deref(), Some("a2"));
    assert!(second.published.iter().all(|current| !matches!(current, Current::Gone(_))), "{:?}", second.published);
}

#[test]
fn a_death_is_told_though_the_store_cannot_be_read_again() {
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::ClaimLost] {
        let mut scenario = refreshing();
        scenario.failing = vec![("read", 1, kind)];
        scenario.answer(400, DEAD);
        assert!(scenario.events.iter().any(|event| matches!(event, EventKind::Dead { .. })), "{:?}", scenario.events);
        assert!(matches!(scenario.published.last(), Some(Current::Gone(Gone::Dead(_)))), "{}", scenario.current());
        assert!(scenario.machine.is_idle());
    }
}
