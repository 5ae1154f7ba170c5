//! A refresh without a known outcome. The file remembers it, and later runs act on that.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_core::RefreshToken;
use restream_oauth_keeper::{Death, DeathCause, Doubt, Record, Stray, User};
use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{Outcome, Setup, kept, pair};

const REFRESH: [&str; 3] = ["refresh", "--tokens", "tokens.json"];

/// Changes the record in the token file.
fn change(setup: &Setup, change: impl FnOnce(&mut Record)) {
    let path = setup.folder.0.join("tokens.json");
    let mut record = Record::from_saved(std::fs::read(&path).unwrap()).unwrap();
    change(&mut record);
    std::fs::write(&path, record.to_saved().as_bytes()).unwrap();
}

/// A doubt after so many requests, the first of which ended so long ago.
fn doubt(sends: u32, ended: Duration) -> Doubt {
    let ended = SystemTime::now() - ended;
    Doubt { since: ended, sends, in_flight: false, ended: Some(ended), witnessed: true, forwarded: None }
}

#[test]
fn a_lost_answer_is_remembered_and_a_refusal_of_the_next_refresh_says_so() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = pair(&path);
    // The sandbox rotates the pair, says nothing of it, and forgives nothing.
    setup.sandbox.inject(Fault::new(What::retry_after(503, "600")).on(Endpoint::Token).after_acting());
    // The server asks for a longer wait than a run has.
    let begun = Instant::now();
    let outcome = setup.run(&REFRESH).expect(4);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    for words in ["tokens.json remembers this", "access token may still be accepted", "same refresh token again"] {
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    }
    assert_eq!(pair(&path), before);
    assert_eq!(kept(&path)["doubt"]["sends"], 1);
    change(&setup, |record| record.not_before = None);
    let outcome = setup.run(&REFRESH).expect(3);
    assert!(outcome.stderr.contains("lost answer"), "{}", outcome.stderr);
    assert_eq!(kept(&path)["death"]["why"], "lost_answer");
    // A dead refresh token is not sent again.
    let sent = setup.token_requests();
    let outcome = setup.run(&REFRESH).expect(3);
    assert!(outcome.stderr.contains("lost answer"), "{}", outcome.stderr);
    assert_eq!(setup.token_requests(), sent);
    // A login ends that.
    setup.log_in();
    setup.run(&REFRESH).expect(0);
}

#[test]
fn a_lost_answer_is_asked_for_again_within_the_run() {
    let setup = Setup::new();
    let path = setup.token_file();
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token));
    let outcome = setup.run(&REFRESH).expect(3);
    assert!(outcome.stderr.contains("lost answer"), "{}", outcome.stderr);
    assert_eq!(kept(&path)["death"]["why"], "lost_answer");
    assert_eq!(setup.token_requests(), 3, "the login, the refresh, and its replay");
}

#[test]
fn a_refusal_without_a_lost_answer_does_not_speak_of_one() {
    let setup = Setup::new();
    let path = setup.token_file();
    let saved = std::fs::read_to_string(&path).unwrap();
    setup.run_with_input(&["revoke"], &saved).expect(0);
    let outcome = setup.run(&REFRESH).expect(3);
    assert!(!outcome.stderr.contains("lost"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("log in again"), "{}", outcome.stderr);
}

#[test]
fn a_refresh_in_doubt_that_the_server_did_not_act_on_ends_well() {
    let setup = Setup::new();
    let path = setup.token_file();
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting());
    let begun = Instant::now();
    setup.run(&REFRESH).expect(0);
    // The old access token lives, so nothing was rotated, and the replay need not wait.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(setup.token_requests(), 3, "the login, the refresh, and its replay");
    assert!(kept(&path).get("doubt").is_none());
    assert_eq!(setup.sandbox.ledger().dead_refresh_tokens_used, 0);
}

#[test]
fn a_replay_that_is_due_soon_is_waited_for() {
    let setup = Setup::new();
    setup.token_file();
    change(&setup, |record| record.doubt = Some(doubt(2, Duration::ZERO)));
    let begun = Instant::now();
    let outcome = setup.run(&REFRESH).expect(0);
    assert!(begun.elapsed() > Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(outcome.stderr.contains("the same refresh token is sent again in 4 s"), "{}", outcome.stderr);
}

#[test]
fn a_person_brings_a_late_replay_forward_and_not_again_soon() {
    let setup = Setup::new();
    let path = setup.token_file();
    change(&setup, |record| record.doubt = Some(doubt(6, Duration::from_secs(60))));
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting());
    setup.run(&REFRESH).expect(4);
    let sent = setup.token_requests();
    assert_eq!(sent, 2, "the login, and one refresh");
    assert_eq!(kept(&path)["doubt"]["sends"], 7);
    let before = std::fs::read(&path).unwrap();
    let outcome = setup.run(&REFRESH).expect(4);
    assert!(outcome.stderr.contains("is sent again in 8"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(" s: run the command again then"), "{}", outcome.stderr);
    assert_eq!(setup.token_requests(), sent);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_server_that_asks_to_wait_is_waited_for_or_the_time_is_named() {
    let setup = Setup::new();
    let path = setup.token_file();
    setup.sandbox.inject(Fault::new(What::retry_after(429, "3")).on(Endpoint::Token));
    setup.run(&REFRESH).expect(4);
    assert!(kept(&path).get("doubt").is_none(), "the server did not act");
    let outcome = setup.run(&REFRESH).expect(0);
    assert!(outcome.stderr.contains("asked to wait"), "{}", outcome.stderr);
    setup.sandbox.inject(Fault::new(What::retry_after(429, "600")).on(Endpoint::Token));
    setup.run(&REFRESH).expect(4);
    let sent = setup.token_requests();
    let outcome = setup.run(&REFRESH).expect(4);
    assert!(outcome.stderr.contains("run the command again then"), "{}", outcome.stderr);
    assert_eq!(setup.token_requests(), sent);
}

/// No file remembers the doubt, so the run does all that can be done.
#[test]
fn a_refresh_of_a_token_from_standard_input_is_repeated_within_the_run_too() {
    let refresh = |setup: &Setup, fault: Fault, exit: i32| {
        let saved = std::fs::read_to_string(setup.token_file()).unwrap();
        let sent = setup.token_requests();
        setup.sandbox.inject(fault.on(Endpoint::Token));
        let outcome = setup.run_with_input(&["refresh"], &saved).expect(exit);
        (outcome, setup.token_requests() - sent)
    };
    // The server has not acted, so the replay brings the pair.
    for what in [What::lost_answer(), What::html(502), What::bad_json()] {
        let setup = Setup::new();
        let (outcome, sent) = refresh(&setup, Fault::new(what).before_acting(), 0);
        assert_eq!(sent, 2);
        setup.run_with_input(&["profile"], &outcome.stdout).expect(0);
    }
    // The server has acted, and forgives nothing.
    let setup = Setup::new();
    let (outcome, sent) = refresh(&setup, Fault::new(What::lost_answer()), 3);
    assert_eq!(sent, 2);
    assert!(outcome.stderr.contains("lost answer"), "{}", outcome.stderr);
    // A longer wait than a run has.
    let setup = Setup::new();
    let (outcome, sent) = refresh(&setup, Fault::new(What::retry_after(503, "600")).after_acting(), 4);
    assert_eq!(sent, 1);
    assert!(outcome.stderr.contains("give the same token to `refresh` again"), "{}", outcome.stderr);
    // Nothing is in doubt.
    let (outcome, sent) = refresh(&setup, Fault::new(What::status(429)), 4);
    assert_eq!(sent, 1);
    assert!(!outcome.stderr.contains("spent"), "{}", outcome.stderr);
}

#[test]
fn what_a_keeper_has_written_beside_tokens_counts_on_standard_input_too() {
    let saved = |setup: &Setup| std::fs::read_to_string(setup.folder.0.join("tokens.json")).unwrap();
    // An answer was lost, and the server knows the token no longer.
    let setup = Setup::new();
    setup.token_file();
    change(&setup, |record| record.doubt = Some(doubt(1, Duration::from_secs(60))));
    setup.sandbox.end_grants();
    let outcome = setup.run_with_input(&["refresh"], &saved(&setup)).expect(3);
    assert!(outcome.stderr.contains("lost answer"), "{}", outcome.stderr);
    // A dead token is not sent.
    let sent = setup.token_requests();
    change(&setup, |record| record.death = Some(Death { why: DeathCause::Revoked, at: SystemTime::now() }));
    let outcome = setup.run_with_input(&["refresh"], &saved(&setup)).expect(3);
    assert!(outcome.stderr.contains("log in again"), "{}", outcome.stderr);
    assert_eq!(setup.token_requests(), sent);
    // A newer refresh token came alone.
    let setup = Setup::new();
    let alive = pair(&setup.token_file()).refresh_token().unwrap().clone();
    change(&setup, |record| {
        let document = record.tokens.to_saved().expose_secret().replace(alive.expose_secret(), "dead");
        record.tokens = restream_oauth_core::Tokens::from_saved(document).unwrap();
        record.salvaged = Some(alive.clone());
    });
    setup.run_with_input(&["refresh"], &saved(&setup)).tokens();
}

#[test]
fn replays_of_a_token_from_standard_input_end_after_twenty_seconds() {
    let setup = Setup::new();
    let saved = std::fs::read_to_string(setup.token_file()).unwrap();
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting().always());
    let outcome = setup.run_with_input(&["refresh"], &saved).expect(4);
    // At 1, 4 and 15 seconds. The next one would come at 28.
    assert_eq!(setup.token_requests(), 1 + 4);
    assert!(outcome.stderr.contains("sent again in 11 s"), "{}", outcome.stderr);
}

#[test]
fn a_signal_ends_the_wait_for_a_replay() {
    let setup = Setup::new();
    let saved = std::fs::read_to_string(setup.token_file()).unwrap();
    setup.sandbox.inject(Fault::new(What::retry_after(503, "15")).on(Endpoint::Token).before_acting());
    let mut child = setup.command(&["refresh"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(saved.as_bytes()).unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while !said.contains("sent again in") {
        assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    stderr.read_to_string(&mut said).unwrap();
    let outcome = child.wait_with_output().unwrap();
    assert_eq!(outcome.status.code(), Some(130), "{said}");
    assert!(said.contains("given up before the refresh token was sent again"), "{said}");
    assert!(said.contains("give the same token to `refresh` again"), "{said}");
    assert_eq!(setup.token_requests(), 2, "the login, and one refresh");
}

/// A refresh whose new pair has arrived and cannot be put in place. Returns where the pair was saved.
fn strand(setup: &Setup) -> PathBuf {
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(600))).on(Endpoint::Token));
    let child = setup.command(&REFRESH).spawn().unwrap();
    let seen =
        setup.sandbox.wait_until(Duration::from_secs(10), |ledger| ledger.requests_to("/oauth/token").count() == 2);
    assert!(seen, "the refresh was not sent");
    let in_the_way = setup.folder.0.join("tokens.json.new");
    std::fs::create_dir(&in_the_way).unwrap();
    let outcome = Outcome::of(child.wait_with_output().unwrap()).expect(1);
    std::fs::remove_dir(in_the_way).unwrap();
    let names = setup.elsewhere.names();
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(outcome.stderr.contains(&names[0]), "{}", outcome.stderr);
    setup.elsewhere.0.join(&names[0])
}

#[test]
fn a_new_pair_that_cannot_be_put_in_place_is_saved_elsewhere_and_found_by_the_next_refresh() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = pair(&path);
    let rescued = strand(&setup);
    assert_eq!(pair(&path), before);
    setup.run_with_input(&["profile"], &std::fs::read_to_string(rescued).unwrap()).expect(0);
    // The answer lies beside the file, as a process leaves it that was killed after the answer came.
    let outcome = setup.run(&REFRESH).expect(0);
    assert!(outcome.stderr.contains("found the answer to an interrupted refresh"), "{}", outcome.stderr);
    assert_eq!(setup.sandbox.ledger().dead_refresh_tokens_used, 0);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
}

#[test]
fn a_revocation_revokes_the_pair_in_an_answer_that_was_never_put_in_place() {
    let setup = Setup::new();
    setup.token_file();
    let rescued = std::fs::read_to_string(strand(&setup)).unwrap();
    setup.run_with_input(&["profile"], &rescued).expect(0);
    setup.run(&["revoke", "--tokens", "tokens.json"]).expect(0);
    setup.run_with_input(&["profile"], &rescued).expect(6);
    assert_eq!(setup.folder.names(), ["tokens.json.gone", "tokens.json.lock"]);
}

#[test]
fn tokens_that_the_core_alone_saved_are_read() {
    let setup = Setup::new();
    let path = setup.token_file();
    let first = pair(&path);
    std::fs::write(&path, first.to_saved().expose_secret()).unwrap();
    setup.run(&["profile", "--tokens", "tokens.json"]).expect(0);
    setup.run(&REFRESH).expect(0);
    assert_eq!(kept(&path)["generation"], 1);
    std::fs::write(&path, pair(&path).to_saved().expose_secret()).unwrap();
    setup.run(&["revoke", "--tokens", "tokens.json"]).expect(0);
}

#[test]
fn a_document_that_a_keeper_wrote_is_read_by_every_command() {
    let full = |setup: &Setup| {
        change(setup, |record| {
            record.generation = 7;
            record.requests = 9;
            record.user = Some(User { id: "1".into(), username: Some("name".into()) });
            record.strays = vec![Stray { generation: 6, tokens: record.tokens.clone() }];
            record.doubt = Some(doubt(1, Duration::from_secs(60)));
        });
    };
    for command in ["profile", "revoke", "refresh"] {
        let setup = Setup::new();
        let path = setup.token_file();
        full(&setup);
        setup.run(&[command, "--tokens", "tokens.json"]).expect(0);
        if command == "refresh" {
            let kept = kept(&path);
            assert_eq!((&kept["generation"], &kept["user"]["id"]), (&8.into(), &"1".into()));
        }
    }
}

/// The server answers a revocation with success even if the token is dead already (RFC 7009 section 2.2).
#[test]
fn a_revocation_sends_the_refresh_token_that_came_alone() {
    let setup = Setup::new();
    let path = setup.token_file();
    let alive = pair(&path).refresh_token().unwrap().clone();
    let saved = std::fs::read_to_string(&path).unwrap();
    change(&setup, |record| {
        let document = record.tokens.to_saved().expose_secret().replace(alive.expose_secret(), "dead");
        record.tokens = restream_oauth_core::Tokens::from_saved(document).unwrap();
        record.salvaged = Some(RefreshToken::new(alive.expose_secret()));
    });
    setup.run(&["revoke", "--tokens", "tokens.json"]).expect(0);
    setup.run_with_input(&["refresh"], &saved).expect(3);
    assert_eq!(setup.sandbox.ledger().revocations, 1);
}
