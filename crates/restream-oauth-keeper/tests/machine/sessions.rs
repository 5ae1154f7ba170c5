//! Logins and logouts: their order, and what holds them up.

use std::time::Duration;

use restream_oauth_core::{Client, RefreshToken};
use restream_oauth_keeper::machine::Input;
use restream_oauth_keeper::store::{Store as _, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Current, Gone, Mode, Record, Stored, TokenError};

use crate::scenario::{DEAD, START, Scenario, at, now_or_never, pair, record, record_of, tokens, tokens_of};

#[test]
fn a_login_is_not_held_up_by_refreshes_that_failed() {
    // A wrong secret pauses refreshes for an hour. A user who logs in meanwhile has a pair that lives.
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    scenario.want();
    scenario.answer(401, r#"{"error":"invalid_client"}"#);
    scenario.pass(10);
    let login = scenario.log_in(tokens("b0", "s0", START + 3610));
    assert_eq!(scenario.got(login).unwrap().unwrap(), "b0");
    assert_eq!(scenario.token_now().as_deref(), Some("b0"));
}

#[test]
fn a_logout_is_not_held_up_by_refreshes_that_failed() {
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    scenario.want();
    scenario.answer(401, r#"{"error":"invalid_client"}"#);
    scenario.pass(10);
    let logout = scenario.log_out();
    assert_eq!(scenario.request().unwrap(), "/oauth/revoke token=r0&token_type_hint=refresh_token");
    scenario.lose();
    scenario.pass(1);
    assert_eq!(scenario.flying.len(), 1, "nor is the second attempt");
    scenario.answer(200, "");
    assert_eq!(scenario.got(logout).unwrap().unwrap(), "");
}

#[test]
fn a_login_that_a_logout_of_a_later_login_has_overtaken_ends_without_a_loop() {
    let mut scenario = Scenario::with(Mode::OnUse, None);
    scenario.pass(30);
    let mut sibling = scenario.sibling();
    sibling.log_in(tokens("b0", "s0", START + 20));
    sibling.log_out();
    sibling.answer(200, "");
    assert!(matches!(sibling.stored(), Stored::Tombstone(_)));
    let login = scenario.log_in(tokens("a0", "r0", START + 10));
    assert!(matches!(scenario.got(login), Some(Err(TokenError::Gone(_)))));
    assert!(scenario.machine.is_idle());
}

#[test]
fn a_login_that_another_process_has_stored_ends_without_a_loop_although_a_file_holds_milliseconds() {
    let mut scenario = Scenario::with(Mode::OnUse, None);
    let other = scenario.sibling();
    scenario.holding = Some("claim");
    let tokens = tokens_of(&pair("b0", "s0"), at(START).wall + Duration::from_nanos(1_999_999));
    let login = scenario.log_in(tokens.clone());
    let stored = record_of(tokens).to_saved();
    other.store.put(&other.name, Record::from_saved(&*stored).unwrap());
    scenario.resume();
    assert_eq!(scenario.got(login).unwrap().unwrap(), "b0");
    assert!(scenario.machine.is_idle());
}

#[test]
fn a_login_waiter_is_told_once() {
    let mut scenario = Scenario::new();
    scenario.holding = Some("claim");
    let login = scenario.log_in(tokens("b0", "s0", START + 1));
    let given_up = scenario.log_in(tokens("c0", "t0", START + 2));
    scenario.give(Input::GaveUp { waiter: given_up });
    scenario.pass(200);
    assert!(matches!(scenario.got(login), Some(Err(TokenError::TimedOut { .. }))));
    scenario.resume();
    assert_eq!(scenario.record().tokens.access_token().expose_secret(), "c0", "the logins went on");
    assert_eq!(scenario.resolved.len(), 1, "{:?}", scenario.resolved);
}

#[test]
fn a_login_after_a_logout_stays_although_neither_knew_what_was_stored() {
    for stored in [None, Some(record("a0", "r0", START))] {
        let had_login = stored.is_some();
        let mut scenario = Scenario::unread(Mode::OnUse, stored);
        let logout = scenario.log_out();
        let login = scenario.log_in(tokens("b0", "s0", START + 1));
        scenario.resume();
        for _ in 0..3 {
            if !scenario.flying.is_empty() {
                scenario.answer(200, "");
            }
            scenario.pass(1);
        }
        assert_eq!(scenario.got(logout).unwrap().unwrap(), "");
        assert_eq!(scenario.got(login).unwrap().unwrap(), "b0");
        assert_eq!(scenario.record().tokens.access_token().expose_secret(), "b0", "{had_login}");
    }
}

#[test]
fn a_logout_after_a_login_ends_that_login_although_it_is_not_stored_yet() {
    let mut scenario = Scenario::new();
    scenario.holding = Some("claim");
    scenario.log_in(tokens("b0", "s0", START + 1));
    let logout = scenario.log_out();
    scenario.resume();
    assert_eq!(scenario.request().unwrap(), "/oauth/revoke token=s0&token_type_hint=refresh_token");
    scenario.answer(200, "");
    assert_eq!(scenario.got(logout).unwrap().unwrap(), "");
    assert!(scenario.stored().record().is_none());
}

#[test]
fn a_second_logout_means_the_login_that_came_after_the_first_one() {
    let mut scenario = Scenario::new();
    scenario.holding = Some("claim");
    let first = scenario.log_out();
    scenario.log_in(tokens("b0", "s0", START + 1));
    let second = scenario.log_out();
    scenario.resume();
    for _ in 0..3 {
        if !scenario.flying.is_empty() {
            scenario.answer(200, "");
        }
        scenario.pass(1);
    }
    assert_eq!(scenario.got(first).unwrap().unwrap(), "");
    assert_eq!(scenario.got(second).unwrap().unwrap(), "");
    assert!(scenario.stored().record().is_none(), "{:?}", scenario.stored());
}

#[test]
fn a_logout_that_a_login_overtakes_ends_when_the_store_holds_its_pair_no_longer() {
    let mut scenario = Scenario::new();
    let logout = scenario.log_out();
    // The revocation fails, and the login is there before the next attempt.
    scenario.answer(500, "");
    let login = scenario.log_in(tokens("b0", "s0", START + 1));
    scenario.holding = Some("insert");
    assert_eq!(scenario.request().unwrap(), "/oauth/revoke token=r0&token_type_hint=refresh_token");
    scenario.answer(200, "");
    assert!(scenario.got(logout).is_none() && scenario.got(login).is_none());
    assert_eq!(scenario.record().tokens.access_token().expose_secret(), "a0");
    scenario.resume();
    assert_eq!(scenario.got(logout).unwrap().unwrap(), "");
    assert_eq!(scenario.got(login).unwrap().unwrap(), "b0");
    assert_eq!(scenario.record().tokens.access_token().expose_secret(), "b0");
}

#[test]
fn a_logout_of_tokens_that_belong_to_another_client_does_not_claim_to_have_ended_them() {
    let client =
        restream_oauth_core::Client::builder("other").redirect_uri("https://app.example/callback").build().unwrap();
    let mut other = record("a0", "r0", START);
    let (_, reader) = client.refresh(&restream_oauth_core::RefreshToken::new("r")).into_parts(other.tokens.sent_at());
    other.tokens = reader.read(http::Response::new(pair("a0", "r0"))).unwrap();
    let mut scenario = Scenario::with(Mode::OnUse, Some(other));
    let logout = scenario.log_out();
    assert!(matches!(scenario.got(logout), Some(Err(TokenError::OtherOwner(_)))));
    assert!(scenario.flying.is_empty());
}

#[test]
fn a_login_after_a_logout_and_a_death_begins_without_the_troubles_of_the_one_before() {
    let mut scenario = Scenario::new();
    scenario.pass(700);
    scenario.reject(0);
    scenario.answer(400, DEAD);
    let sibling_login = tokens("b0", "s0", START + 700);
    scenario.sibling().log_in(sibling_login);
    scenario.pass(30);
    assert_eq!(scenario.token_now().as_deref(), Some("b0"));
    assert_eq!(scenario.current(), "fresh b0");
    assert!(scenario.flying.is_empty());
}

#[test]
fn a_store_that_loses_every_claim_makes_no_loop() {
    for operation in ["insert", "prepare", "settle", "forget"] {
        let mut scenario = Scenario::new();
        scenario.failing = vec![(operation, 20, StoreErrorKind::ClaimLost)];
        let login = scenario.log_in(tokens("b0", "s0", START + 1));
        let logout = scenario.log_out();
        for _ in 0..3600 {
            if !scenario.flying.is_empty() {
                scenario.answer(200, "");
            }
            scenario.store.break_claim(&scenario.name);
            scenario.pass(1);
            if !scenario.machine.is_idle() {
                continue;
            }
            if scenario.stored().record().is_none() {
                break;
            }
        }
        assert!(scenario.operations.len() < 500, "{operation}: {} operations", scenario.operations.len());
        assert!(scenario.got(login).is_some() && scenario.got(logout).is_some(), "{operation}");
        assert!(matches!(scenario.stored(), Stored::Tombstone(_)), "{operation}");
    }
}

#[test]
fn a_store_that_went_back_to_an_older_pair_makes_no_loop() {
    // Somebody restored a backup. The refresh token in it is spent, so the grant is dead: but that is told, and no
    // processor runs hot.
    let mut scenario = Scenario::new();
    scenario.pass(3600);
    scenario.want();
    scenario.rotate("a1", "r1");
    scenario.store.put(&scenario.name, record("a0", "r0", START));
    scenario.pass(3600);
    let waiter = scenario.want();
    scenario.answer(400, DEAD);
    assert!(matches!(scenario.got(waiter), Some(Err(TokenError::Gone(_)))));
    let before = scenario.operations.len();
    scenario.pass(600);
    assert!(scenario.operations.len() - before <= 21, "one read in 30 seconds");
}

#[test]
fn a_logout_that_waits_for_the_claim_keeps_the_process_from_ending() {
    let mut holder = Scenario::new();
    holder.holding = Some("prepare");
    holder.pass(3600);
    holder.want();
    let mut scenario = holder.sibling();
    scenario.log_out();
    scenario.give(Input::ShutDown);
    assert!(!scenario.machine.is_idle(), "nothing of the logout is written down yet");
}

#[test]
fn a_login_that_was_stored_by_another_process_and_replaced_does_not_come_back() {
    // Not even if the clock was set back, so that the times of both logins say nothing.
    let mut holder = Scenario::new();
    holder.pass(3600);
    holder.want();
    let mut scenario = holder.sibling();
    let login = scenario.log_in(tokens("b0", "s0", START + 3600));
    assert!(scenario.got(login).is_none(), "the claim is held");
    holder.rotate("a1", "r1");
    holder.log_in(tokens("c0", "t0", START + 3601));
    assert_eq!(holder.record().tokens.access_token().expose_secret(), "c0");
    scenario.now.wall -= Duration::from_secs(86_400);
    scenario.pass(1);
    assert_eq!(scenario.got(login).unwrap().unwrap(), "c0");
    assert_eq!(scenario.record().tokens.access_token().expose_secret(), "c0");
}

#[test]
fn a_login_whose_process_died_before_it_was_stored_is_stored_by_the_next_process() {
    let mut first = Scenario::with(Mode::OnUse, None);
    first.holding = Some("claim");
    first.log_in(tokens("b0", "s0", START));
    let mut second = first.sibling();
    drop(first);
    second.drain();
    assert_eq!(second.record().tokens.access_token().expose_secret(), "b0");
    assert_eq!(second.token_now().as_deref(), Some("b0"));
    // A process that already runs finds it when it looks again.
    let first = Scenario::with(Mode::OnUse, None);
    let mut second = first.sibling();
    let mut first = first;
    first.holding = Some("claim");
    first.log_in(tokens("c0", "t0", START));
    drop(first);
    second.pass(31);
    assert_eq!(second.token_now().as_deref(), Some("c0"));
}

fn another_client_leaves_a_login(scenario: &Scenario) {
    let other = Client::builder("other").secret("s").redirect_uri("https://app.example/callback").build().unwrap();
    let (_, reader) = other.refresh(&RefreshToken::new("r")).into_parts(at(START).wall);
    let tokens = Box::new(reader.read(http::Response::new(pair("x0", "y0"))).unwrap());
    now_or_never(scenario.store.execute(&scenario.name, StoreOp::Stash { tokens }));
}

#[test]
fn a_login_that_another_client_has_left_is_seen_once_and_not_removed() {
    let mut scenario = Scenario::with(Mode::OnUse, None);
    another_client_leaves_a_login(&scenario);
    scenario.pass(600);
    assert_eq!(scenario.operations.iter().filter(|name| **name == "claim").count(), 1);
    let StoreOutcome::Claimed(claimed) = now_or_never(scenario.store.execute(&scenario.name, StoreOp::Claim)) else {
        panic!("the claim is free");
    };
    assert_eq!((claimed.logins.len(), claimed.stored), (1, Stored::Nothing));
}

#[test]
fn a_login_that_is_stashed_while_another_process_forgets_the_one_before_survives() {
    let mut leaving = Scenario::new();
    leaving.log_out();
    let mut scenario = leaving.sibling();
    let login = scenario.log_in(tokens("b0", "s0", START + 1));
    // Else the process that forgets would find the login, and store it.
    leaving.holding = Some("read");
    leaving.answer(200, "");
    assert!(matches!(leaving.stored(), Stored::Tombstone(_)));
    scenario.pass(1);
    assert_eq!(scenario.got(login).unwrap().unwrap(), "b0");
}

#[test]
fn a_login_that_was_stashed_while_a_claim_was_under_way_is_stored() {
    // The claim has looked for logins before this one was there, and says so afterwards.
    for has_login in [false, true] {
        let mut scenario = Scenario::unread(Mode::OnUse, has_login.then(|| record("a0", "r0", START)));
        another_client_leaves_a_login(&scenario);
        scenario.is_late = true;
        scenario.resume_until(Some("claim"));
        if has_login {
            scenario.pass(3600);
            scenario.want();
        }
        assert_eq!(scenario.operations.last(), Some(&"claim"));
        let login = scenario.log_in(tokens("b0", "s0", START + 3600));
        assert!(scenario.got(login).is_none());
        scenario.resume();
        assert_eq!(scenario.got(login).unwrap().unwrap(), "b0", "{has_login}");
        assert_eq!(scenario.record().tokens.access_token().expose_secret(), "b0", "{has_login}");
    }
}

#[test]
fn what_a_logout_has_read_before_a_login_was_stored_does_not_hide_that_login() {
    let mut scenario = Scenario::with(Mode::OnUse, None);
    (scenario.holding, scenario.is_late) = (Some("read"), true);
    let logout = scenario.log_out();
    let login = scenario.log_in(tokens("b0", "s0", START + 1));
    assert_eq!(scenario.got(login).unwrap().unwrap(), "b0");
    assert!(scenario.got(logout).is_none());
    scenario.resume();
    assert_eq!(scenario.got(logout).unwrap().unwrap(), "");
    assert_eq!(scenario.token_now().as_deref(), Some("b0"));
}

#[test]
fn what_a_logout_has_read_before_a_login_ended_does_not_bring_that_login_back() {
    let mut scenario = Scenario::new();
    let first = scenario.log_out();
    (scenario.holding, scenario.is_late) = (Some("read"), true);
    let second = scenario.log_out();
    scenario.answer(200, "");
    assert_eq!(scenario.got(first).unwrap().unwrap(), "");
    scenario.published.clear();
    scenario.resume();
    assert_eq!(scenario.got(second).unwrap().unwrap(), "");
    assert!(scenario.published.is_empty(), "{:?}", scenario.published);
}

/// A refresh flies, its claim has run out, and another process has stored something else meanwhile.
fn with_a_lost_claim(meanwhile: impl FnOnce(&mut Scenario)) -> Scenario {
    let mut scenario = Scenario::new();
    scenario.reject(0);
    scenario.pass(61);
    assert_eq!(scenario.flying.len(), 1, "the pair is replaced, although it lives");
    scenario.store.break_claim(&scenario.name);
    let mut other = scenario.sibling();
    meanwhile(&mut other);
    // This reads the store.
    scenario.log_out();
    scenario.published.clear();
    scenario
}

/// What can become of a request that leaves the grant as it was, in the eyes of the process that sent it.
const FRUITLESS: [fn(&mut Scenario); 6] = [
    |scenario| scenario.cannot_connect(),
    |scenario| scenario.lose(),
    |scenario| scenario.answer_with(429, &[("retry-after", "20")], ""),
    |scenario| scenario.answer(401, r#"{"error":"invalid_client"}"#),
    |scenario| scenario.answer(200, r#"{"refresh_token":"r1"}"#),
    |scenario| scenario.cut(r#"{"access_token":"a1","refr"#),
];

#[test]
fn a_process_that_lost_its_claim_does_not_go_back_to_the_login_before() {
    for ends in FRUITLESS {
        let mut scenario = with_a_lost_claim(|other| {
            other.log_in(tokens("b0", "s0", START + 61));
        });
        ends(&mut scenario);
        for current in &scenario.published {
            match current {
                Current::Fresh(token) => {
                    assert_eq!((token.access_token().expose_secret(), token.generation()), ("b0", 1));
                }
                // The logout goes on.
                Current::Gone(Gone::LoggedOut) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_process_that_lost_its_claim_serves_no_token_of_a_login_that_has_ended() {
    for ends in FRUITLESS {
        let mut scenario = with_a_lost_claim(|other| {
            other.log_out();
            other.answer(200, "");
            assert!(matches!(other.stored(), Stored::Tombstone(_)));
        });
        ends(&mut scenario);
        let served: Vec<_> = scenario.published.iter().filter_map(|current| current.token()).collect();
        assert!(served.is_empty(), "{served:?}");
        let waiter = scenario.want();
        assert!(matches!(scenario.got(waiter), Some(Err(TokenError::Gone(_)))), "{:?}", scenario.got(waiter));
    }
}

#[test]
fn logins_that_a_broken_store_refuses_do_not_pile_up_in_memory_and_the_newest_is_stored_in_the_end() {
    let mut scenario = Scenario::new();
    let fails = |operation| (operation, u32::MAX, StoreErrorKind::Unavailable);
    scenario.failing = vec![fails("stash"), fails("claim")];
    let mut sizes = vec![];
    for login in 1..=20 {
        scenario.log_in(tokens(&format!("b{login}"), &format!("s{login}"), START + 200 * login));
        scenario.pass(200);
        sizes.push(format!("{:?}", scenario.machine).len());
    }
    assert!(sizes[19] < sizes[0] * 5 / 4, "{sizes:?}");
    scenario.failing = vec![];
    scenario.pass(120);
    let record = scenario.record();
    assert_eq!(record.tokens.access_token().expose_secret(), "b20");
}
