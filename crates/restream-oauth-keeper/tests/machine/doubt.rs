//! A refresh whose answer is lost, late or damaged.

use std::time::Duration;

use restream_oauth_core::Delivery;
use restream_oauth_keeper::store::{Leftovers, Store as _, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{EventKind, Stored, TokenError};

use crate::scenario::{DEAD, Scenario, now_or_never, pair};

/// The question whether the old access token lives.
const WITNESS: &str = "/v2/user/profile Bearer a0";

/// A scenario with a refresh under way, 3541 seconds after the login: the old token lives for 59 seconds more.
fn refreshing() -> Scenario {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    scenario.want();
    assert_eq!(scenario.flying.len(), 1);
    scenario
}

/// The witness does not answer.
fn no_witness(scenario: &mut Scenario) {
    assert_eq!(scenario.request().unwrap(), WITNESS);
    scenario.lose();
}

/// Nothing comes back, neither to the refresh nor to the seven replays that are soon. The next one is due in an hour.
fn lose_every_answer(scenario: &mut Scenario) {
    scenario.lose();
    no_witness(scenario);
    for _ in 0..7 {
        while scenario.flying.is_empty() {
            scenario.pass(1);
        }
        scenario.lose();
    }
}

#[test]
fn a_lost_answer_leaves_a_doubt_on_disk_and_the_old_token_is_served_while_it_lives() {
    let mut scenario = refreshing();
    scenario.lose();
    let doubt = scenario.record().doubt.unwrap();
    assert_eq!((doubt.sends, doubt.ended.is_some()), (1, true));
    assert_eq!(scenario.token_now().as_deref(), Some("a0"));
    assert_eq!(scenario.current(), "stale a0", "without a promise");
}

#[test]
fn replays_come_by_the_schedule_and_the_first_whole_answer_ends_the_doubt() {
    let mut scenario = refreshing();
    scenario.lose();
    no_witness(&mut scenario);
    let begun = scenario.now.steady;
    let mut replays = Vec::new();
    while replays.len() < 9 {
        if scenario.flying.is_empty() {
            scenario.pass(1);
        } else {
            replays.push((scenario.now.steady - begun).as_secs());
            scenario.lose();
        }
    }
    assert_eq!(replays, [1, 4, 15, 28, 58, 240, 900, 4500, 8100]);
    scenario.pass(3600);
    scenario.rotate("a1", "r1");
    assert!(scenario.told().contains(&"no longer in doubt (generation 1)".to_owned()));
    assert_eq!(scenario.record().doubt, None);
}

#[test]
fn a_process_that_goes_on_with_the_doubt_of_another_one_keeps_its_schedule() {
    let mut scenario = refreshing();
    scenario.lose();
    no_witness(&mut scenario);
    for _ in 0..4 {
        while scenario.flying.is_empty() {
            scenario.pass(1);
        }
        scenario.lose();
    }
    // Nobody waits for this process, and it has sent nothing yet.
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
    assert_eq!(replays, [30, 212, 872, 4472], "58, 240, 900 and 4500 seconds of doubt, of which 28 were over");
}

#[test]
fn a_replay_that_is_refused_proves_that_the_answer_was_lost() {
    let mut scenario = refreshing();
    scenario.lose();
    no_witness(&mut scenario);
    scenario.pass(1);
    scenario.answer(400, DEAD);
    let waiter = scenario.want();
    let error = scenario.got(waiter).unwrap().unwrap_err();
    assert!(error.to_string().starts_with("the answer to a refresh was lost"), "{error}");
}

#[test]
fn another_refusal_of_a_replay_proves_nothing() {
    for (status, body) in [
        (429, ""),
        (401, r#"{"error":"invalid_client"}"#),
        (400, r#"{"error":"invalid_request"}"#),
        (403, "<html>blocked</html>"),
        (503, ""),
        (500, r#"{"error":{"name":"server_error"}}"#),
    ] {
        let mut scenario = refreshing();
        scenario.lose();
        no_witness(&mut scenario);
        scenario.pass(1);
        scenario.answer(status, body);
        let record = scenario.record();
        assert!(record.death.is_none() && record.doubt.is_some(), "{status} {body}: {record:?}");
    }
}

#[test]
fn a_429_never_clears_an_older_doubt_and_leaves_no_doubt_of_its_own() {
    let mut scenario = refreshing();
    scenario.answer_with(429, &[("retry-after", "7")], "");
    assert_eq!(scenario.record().doubt, None);
    scenario.pass(6);
    scenario.want();
    assert!(scenario.flying.is_empty(), "the server asked to wait");
    scenario.pass(1);
    scenario.want();
    scenario.lose();
    no_witness(&mut scenario);
    scenario.pass(1);
    scenario.answer(429, "");
    assert_eq!(scenario.record().doubt.map(|doubt| doubt.sends), Some(1));
}

#[test]
fn what_was_never_sent_leaves_no_doubt() {
    let mut scenario = refreshing();
    scenario.cannot_connect();
    assert_eq!(scenario.record().doubt, None);
    assert_eq!(scenario.token_now().as_deref(), Some("a0"));
}

#[test]
fn the_old_token_as_witness_brings_the_next_replay_forward_once() {
    let mut scenario = refreshing();
    scenario.lose();
    scenario.pass(1);
    // The first replay is due by now; the witness is asked before it.
    assert_eq!(scenario.request().unwrap(), "/v2/user/profile Bearer a0");
    let witness = scenario.flying.pop_front().unwrap();
    scenario.lose();
    scenario.pass(2);
    assert!(scenario.flying.is_empty(), "the next one is due after 4 seconds");
    scenario.flying.push_back(witness);
    scenario.answer(200, r#"{"id":1}"#);
    assert_eq!(scenario.flying.len(), 1, "nothing was rotated: the replay comes now");
    scenario.lose();
    assert!(scenario.flying.is_empty(), "the witness is asked once");
}

#[test]
fn a_witness_that_is_refused_is_served_no_longer_and_decides_nothing() {
    let mut scenario = refreshing();
    scenario.lose();
    scenario.answer(401, "");
    assert_eq!(scenario.current(), "expired a0");
    assert!(scenario.record().death.is_none());
    let waiter = scenario.want();
    assert!(scenario.got(waiter).is_none());
    scenario.pass(1);
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a1");
}

#[test]
fn a_process_that_dies_in_flight_leaves_a_doubt_that_the_next_one_finds() {
    let first = refreshing();
    let mut second = first.sibling();
    let waiter = second.want();
    assert!(second.flying.is_empty(), "the claim is held: in flight is not in doubt");
    // The process dies: its claim and its connection with it.
    drop(first);
    release_claim(&second);
    second.pass(1);
    assert!(second.record().doubt.unwrap().ended.is_some());
    second.pass(1);
    assert_eq!(second.request().as_deref(), Some("/oauth/token grant_type=refresh_token&refresh_token=r0"));
    second.rotate("a1", "r1");
    assert_eq!(second.got(waiter).unwrap().unwrap_or_default(), "a0", "the old token lives and was served");
    assert_eq!(second.token_now().as_deref(), Some("a1"));
}

#[test]
fn an_answer_that_a_dead_process_spooled_is_read_and_nothing_is_sent() {
    let mut first = refreshing();
    first.holding = Some("commit");
    first.rotate("a1", "r1");
    let mut second = first.sibling();
    drop(first);
    release_claim(&second);
    second.pass(100);
    let waiter = second.want();
    second.pass(1);
    assert_eq!(second.got(waiter).unwrap().unwrap(), "a1");
    assert!(second.flying.is_empty());
    assert_eq!(second.record().generation, 1);
}

#[test]
fn a_refresh_token_that_came_alone_is_kept_and_sent_next() {
    let mut scenario = refreshing();
    scenario.answer(200, r#"{"refresh_token":"r1"}"#);
    assert_eq!(scenario.request().unwrap(), "/oauth/token grant_type=refresh_token&refresh_token=r1");
    let record = scenario.record();
    assert_eq!(record.salvaged.as_ref().unwrap().expose_secret(), "r1");
    scenario.rotate("a2", "r2");
    let record = scenario.record();
    assert_eq!((record.generation, record.salvaged), (1, None));
    assert_eq!(scenario.token_now().as_deref(), Some("a2"));
}

#[test]
fn an_access_token_that_came_alone_is_served_while_the_doubt_stays() {
    let mut scenario = refreshing();
    scenario.cut(r#"{"access_token":"a1","refresh_tok"#);
    assert_eq!(scenario.token_now().as_deref(), Some("a1"));
    assert!(scenario.record().doubt.is_some());
}

#[test]
fn a_pair_in_an_answer_that_breaks_off_is_committed() {
    let mut scenario = refreshing();
    let whole = pair("a1", "r1");
    scenario.cut(&whole[..whole.len() - 1]);
    assert_eq!(scenario.record().generation, 1);
    assert_eq!(scenario.token_now().as_deref(), Some("a1"));
}

#[test]
fn a_driver_that_hangs_up_leaves_a_doubt() {
    let mut scenario = refreshing();
    let (_, _, deadline) = scenario.flying.front().unwrap();
    assert_eq!((*deadline - scenario.now.steady).as_secs(), 75);
    scenario.hang_up();
    assert_eq!(scenario.record().doubt.map(|doubt| doubt.sends), Some(1));
}

#[test]
fn a_wrong_secret_is_told_at_once_and_is_never_death() {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    let waiter = scenario.want();
    scenario.answer(401, r#"{"error":"invalid_client"}"#);
    assert!(matches!(scenario.got(waiter), Some(Err(TokenError::Configuration(_)))));
    assert!(scenario.record().death.is_none());
    scenario.pass(3599);
    scenario.want();
    assert!(scenario.flying.is_empty());
    scenario.pass(2);
    scenario.want();
    assert_eq!(scenario.flying.len(), 1, "after an hour");
}

#[test]
fn a_caller_who_needs_the_token_brings_a_late_replay_forward_once_in_half_an_hour() {
    let mut scenario = refreshing();
    lose_every_answer(&mut scenario);
    scenario.pass(10);
    assert!(scenario.flying.is_empty(), "the next one is due in an hour");
    let waiter = scenario.want();
    assert_eq!(scenario.flying.len(), 1);
    scenario.lose();
    assert!(scenario.got(waiter).is_none());
    scenario.pass(20 * 60);
    scenario.want();
    assert!(scenario.flying.is_empty());
}

#[test]
fn callers_who_ask_again_and_again_bring_nine_requests_in_the_first_hour_and_two_in_each_after() {
    let mut scenario = refreshing();
    let began = scenario.now.steady;
    let mut sent = Vec::new();
    for _ in 0..4 * 3600 {
        while !scenario.flying.is_empty() {
            if scenario.request().unwrap() != WITNESS {
                sent.push((scenario.now.steady - began).as_secs());
            }
            scenario.lose();
        }
        if scenario.now.steady > began + Duration::from_secs(900) {
            scenario.want(); // After the schedule, so that none of its eight requests is brought forward.
        }
        scenario.pass(1);
    }
    for hours in 1..=4 {
        let count = sent.iter().filter(|at| **at < hours * 3600).count();
        assert_eq!(count as u64, 9 + 2 * (hours - 1), "in {hours} h: {sent:?}");
    }
}

#[test]
fn the_processes_of_a_doubt_share_its_requests_though_each_has_its_callers() {
    let mut scenario = refreshing();
    let began = scenario.now.steady;
    let mut sent = 0;
    let mut sibling = scenario.sibling();
    while scenario.now.steady < began + Duration::from_secs(3590) {
        for process in [&mut scenario, &mut sibling] {
            while !process.flying.is_empty() {
                sent += u32::from(process.request().unwrap() != WITNESS);
                process.lose();
            }
            if process.now.steady > began + Duration::from_secs(900) {
                process.want();
            }
            process.pass(1);
        }
    }
    assert_eq!(sent, 9);
}

#[test]
fn the_callers_of_all_processes_together_bring_a_late_replay_forward_once_in_half_an_hour() {
    let mut scenario = refreshing();
    lose_every_answer(&mut scenario);
    scenario.pass(10);
    let mut sent = 0;
    for _ in 0..8 {
        let mut sibling = scenario.sibling();
        sibling.want();
        sibling.pass(1);
        while !sibling.flying.is_empty() {
            sent += 1;
            sibling.lose();
        }
    }
    assert_eq!(sent, 1);
}

#[test]
fn a_replay_that_was_brought_forward_after_a_process_died_in_flight_counts_for_the_others() {
    let mut scenario = refreshing();
    lose_every_answer(&mut scenario);
    scenario.pass(3600);
    assert_eq!(scenario.flying.len(), 1, "the next one of the schedule");
    let mut second = scenario.sibling();
    drop(scenario);
    release_claim(&second);
    second.holding = Some("settle");
    second.want();
    second.pass(1);
    second.resume();
    second.pass(1);
    assert_eq!(second.flying.len(), 1);
    second.lose();
    let mut third = second.sibling();
    third.want();
    third.pass(60);
    assert!(third.flying.is_empty(), "the half hour has just begun");
}

#[test]
fn a_replay_that_was_brought_forward_and_had_to_wait_for_the_claim_counts_for_the_others() {
    let mut scenario = refreshing();
    lose_every_answer(&mut scenario);
    scenario.pass(10);
    let mut second = scenario.sibling();
    let StoreOutcome::Claimed(claimed) = now_or_never(scenario.store.execute(&scenario.name, StoreOp::Claim)) else {
        panic!("the claim is free")
    };
    second.want();
    assert!(second.flying.is_empty(), "the claim is held");
    let release = StoreOp::Settle { claim: claimed.claim, record: None, leftovers: Leftovers::Leave };
    now_or_never(scenario.store.execute(&scenario.name, release));
    second.pass(1);
    assert_eq!(second.flying.len(), 1);
    second.lose();
    let mut third = second.sibling();
    third.want();
    third.pass(60);
    assert!(third.flying.is_empty(), "the half hour has just begun");
}

#[test]
fn a_late_pair_that_meets_a_tombstone_is_revoked() {
    let mut first = refreshing();
    first.holding = Some("commit");
    first.rotate("a1", "r1");
    // The store lost the claim, and somebody else logged the user out meanwhile.
    let mut second = first.sibling();
    release_claim(&second);
    second.log_out();
    second.answer(200, "");
    assert!(matches!(second.stored(), Stored::Tombstone(_)));
    first.resume();
    assert_eq!(first.request().unwrap(), "/oauth/revoke token=r1&token_type_hint=refresh_token");
}

#[test]
fn a_late_pair_is_parked_and_wins_if_its_access_token_alone_lives() {
    let mut first = refreshing();
    // The answer is in memory alone: another process cannot find it.
    first.failing = vec![("spool", 1, StoreErrorKind::NoRoom)];
    first.holding = Some("commit");
    first.rotate("a1", "r1");
    let mut second = first.sibling();
    release_claim(&second);
    second.pass(1);
    second.pass(2);
    second.rotate("a9", "r9");
    assert_eq!(second.record().generation, 1);
    first.resume();
    assert_eq!(first.record().strays.len(), 1);
    assert_eq!(first.request().unwrap(), "/v2/user/profile Bearer a1");
    first.answer(200, r#"{"id":1}"#);
    assert_eq!(first.request().unwrap(), "/v2/user/profile Bearer a9");
    first.answer(401, "");
    let record = first.record();
    assert_eq!((record.tokens.access_token().expose_secret(), record.generation), ("a1", 2));
    assert_eq!(record.strays[0].tokens.access_token().expose_secret(), "a9", "the loser is kept");
    assert_eq!(first.token_now().as_deref(), Some("a1"));
}

#[test]
fn before_a_grant_is_buried_its_strays_are_tried() {
    let mut first = refreshing();
    // The answer is in memory alone: another process cannot find it.
    first.failing = vec![("spool", 1, StoreErrorKind::NoRoom)];
    first.holding = Some("commit");
    first.rotate("a1", "r1");
    let mut second = first.sibling();
    release_claim(&second);
    second.pass(1);
    second.pass(2);
    second.rotate("a9", "r9");
    first.resume();
    first.lose();
    assert_eq!(first.record().tokens.access_token().expose_secret(), "a9", "neither could be tried: it stays");
    first.pass(3600);
    first.want();
    assert_eq!(first.request().unwrap(), "/oauth/token grant_type=refresh_token&refresh_token=r9");
    first.answer(400, DEAD);
    assert_eq!(first.request().unwrap(), "/oauth/token grant_type=refresh_token&refresh_token=r1");
    first.rotate("a2", "r2");
    assert_eq!(first.token_now().as_deref(), Some("a2"));
}

#[test]
fn a_refusal_means_nothing_if_the_store_holds_a_newer_pair() {
    let mut first = refreshing();
    // The store lost the claim, and a sibling without a lock refreshed first.
    let mut second = first.sibling();
    release_claim(&second);
    second.pass(2);
    second.rotate("a1", "r1");
    let waiter = first.want();
    first.answer(400, DEAD);
    assert_eq!(first.got(waiter).unwrap().unwrap(), "a1", "adopted silently");
    assert!(first.told().iter().all(|event| !event.starts_with("dead")));
    assert!(first.record().death.is_none());
}

#[test]
fn a_death_is_told_even_if_it_cannot_be_written_down() {
    let mut scenario = refreshing();
    scenario.failing = vec![("settle", 2, StoreErrorKind::Unavailable)];
    let waiter = scenario.want();
    scenario.answer(400, DEAD);
    assert!(matches!(scenario.got(waiter), Some(Err(TokenError::Gone(_)))));
    scenario.pass(5);
    assert!(scenario.record().death.is_some());
    let dead = scenario.told().iter().filter(|event| event.starts_with("dead")).count();
    assert_eq!(dead, 1);
}

#[test]
fn an_answer_that_was_settled_before_a_crash_is_not_read_a_second_time() {
    let mut first = refreshing();
    first.lose();
    no_witness(&mut first);
    first.pass(1);
    // The replay is refused for now, which is written down. The process dies before the spooled answer is removed.
    first.answer(429, "");
    let record = first.record();
    assert_eq!((record.requests, record.doubt.unwrap().sends), (2, 1));
    let spooled = restream_oauth_keeper::Spooled { parent: record.parent(), number: 2, answer: spooled_429().into() };
    first.store.leave_spooled(&first.name, spooled);
    let mut second = first.sibling();
    drop(first);
    second.pass(20);
    assert_eq!(second.record().doubt.unwrap().sends, 2, "nothing is undone twice: {:?}", second.record().doubt);
    assert_eq!(second.record().requests, 3, "and no number is used twice");
}

/// The saved form of a 429 to the refresh of `r0`.
fn spooled_429() -> String {
    let (_, mut reader) = crate::scenario::client()
        .refresh(&restream_oauth_core::RefreshToken::new("r0"))
        .into_parts(std::time::SystemTime::UNIX_EPOCH);
    let _ = reader.head(http::StatusCode::TOO_MANY_REQUESTS, &http::HeaderMap::new());
    reader.finish().to_saved().expose_secret().to_owned()
}

#[test]
fn a_pair_that_is_spooled_after_the_doubt_was_settled_is_taken() {
    let mut first = refreshing();
    first.holding = Some("spool");
    first.rotate("a1", "r1");
    let mut second = first.sibling();
    release_claim(&second);
    second.pass(1);
    assert!(!second.record().doubt.unwrap().in_flight, "the claim has settled it");
    // The last statement of the process that died arrives only now.
    let (_, mut reader) =
        crate::scenario::client().refresh(&restream_oauth_core::RefreshToken::new("r0")).into_parts(second.now.wall);
    let _ = reader.head(http::StatusCode::OK, &http::HeaderMap::new());
    let _ = reader.chunk(pair("a1", "r1").as_bytes());
    let answer = reader.finish().to_saved().expose_secret().to_owned().into();
    let spooled = restream_oauth_keeper::Spooled { parent: second.record().parent(), number: 1, answer };
    second.store.leave_spooled(&second.name, spooled);
    second.pass(2);
    assert!(second.flying.is_empty(), "nothing is sent again");
    assert_eq!(second.token_now().as_deref(), Some("a1"));
}

#[test]
fn a_caller_whose_token_has_expired_finds_what_another_process_has_ended() {
    let mut first = refreshing();
    lose_every_answer(&mut first);
    first.pass(60);
    let mut second = first.sibling();
    second.want();
    second.rotate("a1", "r1");
    let waiter = first.want();
    first.pass(1);
    assert_eq!(first.got(waiter).unwrap().unwrap(), "a1");
    assert!(first.flying.is_empty());
}

#[test]
fn a_caller_who_waits_looks_once_a_second_whether_another_process_has_brought_a_token() {
    let mut first = refreshing();
    lose_every_answer(&mut first);
    first.pass(60);
    let waiter = first.want();
    // This caller has brought the late replay forward. It is lost too.
    first.lose();
    first.operations.clear();
    first.pass(20);
    assert_eq!(first.operations, ["read"; 20]);
    first.operations.clear();
    for _ in 0..50 {
        first.want();
    }
    assert!(first.operations.len() <= 1, "nor do more callers look more often: {:?}", first.operations);
    let mut second = first.sibling();
    second.pass(3600);
    second.rotate("a1", "r1");
    first.pass(1);
    assert_eq!(first.got(waiter).unwrap().unwrap(), "a1");
}

#[test]
fn a_mark_that_could_not_be_written_is_no_doubt() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    scenario.failing = vec![("prepare", 1, StoreErrorKind::Unavailable)];
    scenario.want();
    assert_eq!(scenario.record().doubt, None);
}

/// Ends the claim of a process that died, as the operating system does with its locks.
fn release_claim(scenario: &Scenario) {
    scenario.store.break_claim(&scenario.name);
}

#[test]
fn the_machine_says_when_a_request_may_be_sent() {
    let mut scenario = refreshing();
    assert_eq!(scenario.machine.next_request_at(scenario.grant, scenario.now), None);
    scenario.lose();
    let lost = scenario.now.steady;
    no_witness(&mut scenario);
    let next = |scenario: &Scenario| scenario.machine.next_request_at(scenario.grant, scenario.now);
    assert_eq!(next(&scenario), Some(lost + Duration::from_secs(1)));
    scenario.pass(1);
    assert_eq!(scenario.flying.len(), 1);
    scenario.answer_with(429, &[("retry-after", "30")], "");
    assert_eq!(next(&scenario), Some(scenario.now.steady + Duration::from_secs(30)));
    scenario.pass(30);
    scenario.rotate("a1", "r1");
    assert_eq!(next(&scenario), None);
}

#[test]
fn the_event_of_a_doubt_says_why_there_is_no_outcome() {
    let mut scenario = refreshing();
    scenario.lose();
    let told = scenario.events.iter().find_map(|event| match event {
        EventKind::InDoubt { sends: 1, error } => error.clone(),
        _ => None,
    });
    assert_eq!(told.unwrap().delivery(), Delivery::Unknown);
}
