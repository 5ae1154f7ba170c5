//! A refresh that succeeds, and who sees what of it.

use std::time::Duration;

use restream_oauth_keeper::store::StoreErrorKind;
use restream_oauth_keeper::{Mode, TokenError};

use crate::scenario::{DEAD, START, Scenario, record, tokens};

#[test]
fn a_token_that_is_promised_is_given_out_without_a_request() {
    let mut scenario = Scenario::new();
    assert_eq!(scenario.token_now().as_deref(), Some("a0"));
    assert_eq!(scenario.operations, ["read"]);
    assert!(scenario.flying.is_empty());
    assert_eq!(scenario.current(), "fresh a0");
}

#[test]
fn a_refresh_claims_prepares_sends_spools_commits_and_releases_in_this_order() {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    let waiter = scenario.want();
    assert_eq!(scenario.operations, ["read", "claim", "prepare"]);
    assert_eq!(scenario.request().unwrap(), "/oauth/token grant_type=refresh_token&refresh_token=r0");
    let marked = scenario.record();
    assert_eq!(marked.doubt.map(|doubt| (doubt.sends, doubt.ended)), Some((1, None)), "written ahead");
    assert!(scenario.got(waiter).is_none());

    scenario.rotate("a1", "r1");
    assert_eq!(scenario.operations, ["read", "claim", "prepare", "spool", "commit", "settle"]);
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a1");
    let record = scenario.record();
    assert_eq!((record.generation, record.doubt), (1, None));
    assert_eq!(record.tokens.refresh_token().unwrap().expose_secret(), "r1");
    assert_eq!(scenario.told()[..1], ["refreshed (generation 1)"]);
    assert_eq!(scenario.current(), "fresh a1");
}

#[test]
fn nobody_sees_the_new_token_before_it_is_committed() {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    let waiter = scenario.want();
    scenario.holding = Some("commit");
    scenario.rotate("a1", "r1");
    assert!(scenario.got(waiter).is_none());
    assert_eq!(scenario.current(), "stale a0");
    scenario.resume();
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a1");
}

#[test]
fn the_answer_is_on_disk_before_anything_interprets_it() {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    scenario.want();
    scenario.holding = Some("spool");
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.operations.last(), Some(&"spool"));
    assert_eq!(scenario.record().generation, 0);
    scenario.resume();
    assert_eq!(scenario.record().generation, 1);
}

#[test]
fn two_hundred_tasks_make_one_refresh_and_all_get_its_token() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    let waiters: Vec<_> = (0..200).map(|_| scenario.want()).collect();
    assert_eq!(scenario.flying.len(), 1);
    scenario.rotate("a1", "r1");
    for waiter in waiters {
        assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a1");
    }
    assert!(scenario.flying.is_empty());
}

#[test]
fn a_second_process_waits_for_the_claim_and_adopts_the_new_pair() {
    let mut first = Scenario::new();
    first.pass(3600);
    let mut second = first.sibling();
    first.want();
    let waiter = second.want();
    assert!(second.flying.is_empty() && second.got(waiter).is_none());
    second.pass(1);
    first.rotate("a1", "r1");
    second.pass(1);
    assert_eq!(second.got(waiter).unwrap().unwrap(), "a1");
    assert!(second.flying.is_empty(), "one refresh for both");
}

#[test]
fn from_the_request_on_nobody_is_given_the_old_token() {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    scenario.want();
    let later = scenario.want();
    assert!(scenario.got(later).is_none());
    assert_eq!(scenario.current(), "stale a0");
}

#[test]
fn a_waiter_that_gives_up_changes_nothing_for_the_others() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    let (first, second) = (scenario.want(), scenario.want());
    scenario.give(restream_oauth_keeper::machine::Input::GaveUp { waiter: first });
    scenario.rotate("a1", "r1");
    assert!(scenario.got(first).is_none());
    assert_eq!(scenario.got(second).unwrap().unwrap(), "a1");
    assert_eq!(scenario.record().generation, 1);
}

#[test]
fn a_waiter_ends_by_its_limit_and_the_refresh_goes_on() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    let waiter = scenario.want();
    scenario.pass(101);
    assert!(matches!(scenario.got(waiter), Some(Err(TokenError::TimedOut { .. }))));
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.record().generation, 1);
    assert_eq!(scenario.token_now().as_deref(), Some("a1"));
}

#[test]
fn a_late_401_for_an_older_token_refreshes_nothing() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    scenario.want();
    scenario.rotate("a1", "r1");
    scenario.reject(0);
    scenario.pass(1);
    assert!(scenario.flying.is_empty());
    assert_eq!(scenario.token_now().as_deref(), Some("a1"));
}

#[test]
fn a_401_for_the_newest_token_makes_one_refresh() {
    let mut scenario = Scenario::new();
    scenario.pass(1000);
    scenario.reject(0);
    scenario.reject(0);
    assert_eq!(scenario.flying.len(), 1);
    let waiter = scenario.want();
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a1");
}

#[test]
fn an_api_that_refuses_every_token_does_not_become_a_loop() {
    let mut scenario = Scenario::new();
    let mut requests = Vec::new();
    scenario.pass(601);
    scenario.reject(0);
    let begun = scenario.now.steady;
    let mut generation = 0;
    while scenario.now.steady - begun < Duration::from_secs(3600) {
        if !scenario.flying.is_empty() {
            requests.push((scenario.now.steady - begun).as_secs());
            generation += 1;
            scenario.rotate(&format!("a{generation}"), &format!("r{generation}"));
        }
        scenario.reject(generation);
        scenario.pass(1);
    }
    assert_eq!(requests, [0, 60, 180, 420, 900, 1860], "the pauses double");
}

#[test]
fn a_warm_grant_is_refreshed_before_anybody_asks() {
    let mut scenario = Scenario::with(Mode::Warm, Some(record("a0", "r0", START)));
    scenario.pass(3539);
    assert!(scenario.flying.is_empty(), "the promise that was stored holds in every mode");
    scenario.pass(1);
    scenario.rotate("a1", "r1");
    let promised = scenario.record().usable_until.duration_since(scenario.record().tokens.sent_at()).unwrap();
    assert!((2160..=2880).contains(&promised.as_secs()), "{promised:?}");
    scenario.pass(promised.as_secs() - 1);
    assert!(scenario.flying.is_empty());
    scenario.pass(2);
    assert_eq!(scenario.flying.len(), 1);
}

#[test]
fn a_grant_that_nobody_uses_is_refreshed_before_its_refresh_token_expires() {
    for mode in [Mode::OnUse, Mode::Alive] {
        let mut scenario = Scenario::with(mode, Some(record("a0", "r0", START)));
        scenario.pass(31_536_000 - 31 * 86_400);
        assert!(scenario.flying.is_empty());
        scenario.pass(2 * 86_400);
        assert_eq!(scenario.flying.len(), 1);
    }
}

#[test]
fn a_caller_who_needs_more_life_than_is_left_makes_a_refresh() {
    let mut scenario = Scenario::new();
    scenario.pass(3000);
    let waiter = scenario.want_for(Duration::from_secs(900));
    assert_eq!(scenario.flying.len(), 1);
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a1");
    let never = scenario.want_for(Duration::from_secs(86_400));
    scenario.rotate("a2", "r2");
    assert_eq!(scenario.got(never).unwrap().unwrap(), "a2", "more than any token has: one refresh, not many");
    assert!(scenario.flying.is_empty());
}

#[test]
fn the_token_of_another_client_is_refused_before_anything_is_sent() {
    let mut other = record("a0", "r0", START);
    let client =
        restream_oauth_core::Client::builder("other").redirect_uri("https://app.example/callback").build().unwrap();
    let (_, reader) = client.refresh(&restream_oauth_core::RefreshToken::new("r")).into_parts(other.tokens.sent_at());
    other.tokens = reader.read(http::Response::new(crate::scenario::pair("a0", "r0"))).unwrap();
    let mut scenario = Scenario::with(Mode::OnUse, Some(other));
    scenario.pass(4000);
    let waiter = scenario.want();
    assert!(matches!(scenario.got(waiter), Some(Err(TokenError::OtherOwner(_)))));
    scenario.reject(0);
    scenario.pass(4000);
    assert!(scenario.flying.is_empty());
}

#[test]
fn a_full_disk_is_found_before_the_refresh_token_is_spent() {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    scenario.failing = vec![("prepare", 1, StoreErrorKind::NoRoom)];
    let waiter = scenario.want();
    assert!(scenario.flying.is_empty());
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a0", "the old token lives");
    assert_eq!(scenario.record().doubt, None);
    scenario.pass(2);
    scenario.want();
    assert_eq!(scenario.flying.len(), 1);
}

#[test]
fn a_pair_that_the_store_refuses_is_held_tried_again_served_and_offered() {
    let mut scenario = Scenario::new();
    scenario.pass(3541);
    let waiter = scenario.want();
    scenario.failing = vec![("spool", 1, StoreErrorKind::NoRoom), ("commit", 3, StoreErrorKind::NoRoom)];
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a1", "the old token is dead: nobody gains by waiting");
    let exported = scenario.machine.export(scenario.grant).unwrap();
    assert!(exported.contains("r1"));
    assert!(scenario.told().iter().any(|event| event.contains("in memory alone")));
    assert!(!scenario.machine.is_idle(), "the process can wait");
    scenario.pass(8);
    assert_eq!(scenario.record().generation, 1);
    assert!(scenario.machine.export(scenario.grant).is_none() && scenario.machine.is_idle());
}

#[test]
fn a_dead_grant_is_told_once_and_read_again_for_a_new_login() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    let waiter = scenario.want();
    scenario.answer(400, DEAD);
    let error = scenario.got(waiter).unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the server ended the grant: log in again");
    assert!(scenario.told().contains(&"dead: the server ended the grant; log in again".to_owned()));
    assert_eq!(scenario.record().tokens.refresh_token().unwrap().expose_secret(), "r0", "nothing is deleted");
    scenario.pass(7200);
    assert!(scenario.flying.is_empty(), "none after death");

    let mut sibling = scenario.sibling();
    let seconds = START + 3600 + 7200;
    let login = sibling.log_in(tokens("b0", "s0", seconds));
    assert_eq!(sibling.got(login).unwrap().unwrap(), "b0");
    assert_eq!(sibling.record().generation, 1, "a login counts on");
    scenario.pass(30);
    assert_eq!(scenario.token_now().as_deref(), Some("b0"), "revived without a restart");
}

#[test]
fn a_logout_revokes_the_newest_pair_and_leaves_a_tombstone() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    scenario.want();
    let logout = scenario.log_out();
    assert_eq!(scenario.flying.len(), 1, "it waits for the refresh that is under way");
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.request().unwrap(), "/oauth/revoke token=r1&token_type_hint=refresh_token");
    assert!(scenario.record().leaving);
    assert_eq!(scenario.current(), "gone: the user logged out: log in");
    scenario.answer(200, "");
    assert_eq!(scenario.got(logout).unwrap().unwrap(), "");
    let restream_oauth_keeper::Stored::Tombstone(tombstone) = scenario.stored() else { panic!("a tombstone") };
    assert_eq!(tombstone.generation, 1);
    let next = scenario.log_in(tokens("b0", "s0", START + 3700));
    assert_eq!(scenario.got(next).unwrap().unwrap(), "b0");
    assert_eq!(scenario.record().generation, 2, "a later login counts on");
}

#[test]
fn a_logout_whose_answer_is_lost_is_finished_later_also_by_another_process() {
    let mut scenario = Scenario::new();
    let logout = scenario.log_out();
    scenario.lose();
    assert!(scenario.got(logout).is_none() && scenario.record().leaving);
    let mut sibling = scenario.sibling();
    assert_eq!(sibling.request().unwrap(), "/oauth/revoke token=r0&token_type_hint=refresh_token");
    sibling.answer(200, "");
    assert!(sibling.stored().record().is_none());
    scenario.pass(2);
    assert_eq!(scenario.got(logout).unwrap().unwrap(), "");
}

#[test]
fn a_logout_means_the_login_that_is_stored_when_it_is_called_also_one_of_another_process() {
    let mut scenario = Scenario::new();
    let mut sibling = scenario.sibling();
    sibling.log_in(tokens("b0", "s0", START + 10));
    let logout = scenario.log_out();
    assert_eq!(scenario.request().unwrap(), "/oauth/revoke token=s0&token_type_hint=refresh_token");
    scenario.answer(200, "");
    assert_eq!(scenario.got(logout).unwrap().unwrap(), "");
}

#[test]
fn a_logout_does_not_touch_a_login_that_is_stored_after_it_was_called() {
    let mut scenario = Scenario::new();
    let mut sibling = scenario.sibling();
    scenario.holding = Some("claim");
    let logout = scenario.log_out();
    sibling.log_in(tokens("b0", "s0", START + 10));
    scenario.resume();
    assert_eq!(scenario.got(logout).unwrap().unwrap(), "");
    assert!(scenario.flying.is_empty());
    assert_eq!(scenario.record().tokens.access_token().expose_secret(), "b0");
}

#[test]
fn a_login_after_an_unfinished_logout_waits_for_one_attempt_to_revoke_the_old_pair() {
    for revoked in [true, false] {
        let mut scenario = Scenario::new();
        let logout = scenario.log_out();
        scenario.lose();
        let login = scenario.log_in(tokens("b0", "s0", START + 10));
        assert_eq!(scenario.request().unwrap(), "/oauth/revoke token=r0&token_type_hint=refresh_token");
        assert!(scenario.got(login).is_none());
        if revoked {
            scenario.answer(200, "");
        } else {
            scenario.lose();
        }
        assert_eq!(scenario.got(logout).unwrap().is_ok(), revoked, "the old pair may live on, and the caller knows");
        assert_eq!(scenario.got(login).unwrap().unwrap(), "b0");
        assert_eq!(scenario.token_now().as_deref(), Some("b0"));
    }
}

#[test]
fn a_login_takes_the_claim_like_every_other_writer() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    scenario.want();
    let mut sibling = scenario.sibling();
    let login = sibling.log_in(tokens("b0", "s0", START + 3600));
    assert_eq!(sibling.operations[1..], ["stash", "claim"], "stashed before it waits");
    assert!(sibling.got(login).is_none());
    scenario.rotate("a1", "r1");
    sibling.pass(1);
    assert_eq!(sibling.got(login).unwrap().unwrap(), "b0");
    assert_eq!(scenario.record().tokens.access_token().expose_secret(), "b0");
}

#[test]
fn a_login_that_was_sent_before_the_stored_one_is_dropped() {
    let mut scenario = Scenario::with(Mode::OnUse, Some(record("b0", "s0", START)));
    let login = scenario.log_in(tokens("a9", "r9", START - 5));
    assert_eq!(scenario.got(login).unwrap().unwrap(), "b0");
    assert_eq!(scenario.record().tokens.access_token().expose_secret(), "b0");
}

#[test]
fn a_login_that_waited_during_a_refresh_is_later_than_the_refreshed_pair_of_the_login_before() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    scenario.want();
    let login = scenario.log_in(tokens("b0", "s0", START + 3590));
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.got(login).unwrap().unwrap(), "b0");
    assert_eq!(scenario.record().tokens.access_token().expose_secret(), "b0");
}

#[test]
fn shutting_down_waits_for_what_is_under_way_and_begins_nothing() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    let waiter = scenario.want();
    scenario.give(restream_oauth_keeper::machine::Input::ShutDown);
    assert!(!scenario.machine.is_idle());
    scenario.rotate("a1", "r1");
    assert_eq!(scenario.got(waiter).unwrap().unwrap(), "a1");
    assert!(scenario.machine.is_idle());
    scenario.pass(4000);
    let late = scenario.want();
    assert!(matches!(scenario.got(late), Some(Err(TokenError::ShuttingDown))));
}

#[test]
fn a_grant_without_a_refresh_token_is_served_to_its_end_and_then_dead() {
    let mut record = record("a0", "r0", START);
    let client = crate::scenario::client();
    let mut login = client.login(restream_oauth_core::Entropy::from([7; 64]));
    let callback = format!("https://app.example/callback?code=c&state={}", login.state().expose_secret());
    let (_, reader) = client.exchange(&login.read_callback(&callback).unwrap()).into_parts(record.tokens.sent_at());
    let body = r#"{"access_token":"a0","token_type":"Bearer","expires_in":3600}"#;
    record.tokens = reader.read(http::Response::new(body)).unwrap();
    assert!(record.tokens.refresh_token().is_none());
    let mut scenario = Scenario::with(Mode::OnUse, Some(record));
    scenario.pass(3541);
    assert_eq!(scenario.token_now().as_deref(), Some("a0"));
    scenario.pass(60);
    let waiter = scenario.want();
    let error = scenario.got(waiter).unwrap().unwrap_err();
    assert!(error.to_string().starts_with("the server gave no refresh token"), "{error}");
    assert!(scenario.flying.is_empty());
}

#[test]
fn a_login_of_another_client_is_refused() {
    let mut scenario = Scenario::new();
    let other =
        restream_oauth_core::Client::builder("other").redirect_uri("https://app.example/callback").build().unwrap();
    let (_, reader) = other.refresh(&restream_oauth_core::RefreshToken::new("r")).into_parts(scenario.now.wall);
    let tokens = reader.read(http::Response::new(crate::scenario::pair("b0", "s0"))).unwrap();
    let login = scenario.log_in(tokens);
    assert!(matches!(scenario.got(login), Some(Err(TokenError::OtherOwner(_)))));
    assert_eq!(scenario.token_now().as_deref(), Some("a0"));
}

#[test]
fn a_logout_revokes_the_pair_that_a_dead_process_had_spooled() {
    let mut first = Scenario::new();
    first.pass(3600);
    first.want();
    first.holding = Some("commit");
    first.rotate("a1", "r1");
    let mut second = first.sibling();
    drop(first);
    second.store.break_claim(&second.name);
    let logout = second.log_out();
    assert_eq!(second.request().unwrap(), "/oauth/revoke token=r1&token_type_hint=refresh_token");
    second.answer(200, "");
    assert_eq!(second.got(logout).unwrap().unwrap(), "");
}
