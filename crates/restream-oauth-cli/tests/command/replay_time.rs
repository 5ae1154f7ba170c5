//! The time that a run gives to replays: 20 seconds in all, however long a server takes for one of them. The first request
//! of a refresh has the whole time limit.
//!
//! The bounds are far from 20 seconds, so that a busy machine changes nothing. They are as far from the 75 seconds of a
//! request.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_keeper::{Doubt, Record};
use restream_oauth_sandbox::{Endpoint, Fault, Point, What};

use crate::support::{Outcome, Setup, kept, pair};
use crate::token::{age, line};

/// Longer than every limit of the command.
const HANGS: Duration = Duration::from_secs(300);
/// When a run ends whose replay hangs.
const IN_TIME: Range<Duration> = Duration::from_secs(15)..Duration::from_secs(45);

/// The server takes each refresh, does not act on it, and says nothing.
fn silence() -> Fault {
    Fault::new(What::Delay(HANGS)).on(Endpoint::Token).before_acting().always()
}

/// Makes the answer to a refresh that was sent a minute ago a lost one.
fn lose_an_answer(path: &Path) {
    let mut record = Record::from_saved(std::fs::read(path).unwrap()).unwrap();
    let ended = SystemTime::now() - Duration::from_secs(60);
    record.doubt =
        Some(Doubt { since: ended, sends: 1, in_flight: false, ended: Some(ended), witnessed: true, forwarded: None });
    std::fs::write(path, record.to_saved().as_bytes()).unwrap();
}

/// A grant in doubt whose access token is dead, at a server that is silent.
fn in_doubt() -> Setup {
    let setup = Setup::new();
    let path = setup.token_file();
    age(&path, 3601);
    lose_an_answer(&path);
    setup.sandbox.inject(silence());
    setup
}

#[track_caller]
fn timed(run: impl FnOnce() -> Outcome) -> Outcome {
    let begun = Instant::now();
    let outcome = run();
    let took = begun.elapsed();
    assert!(IN_TIME.contains(&took), "{took:?}: {}", outcome.stderr);
    outcome
}

#[track_caller]
fn a_hanging_replay_ends_in_time(command: &[&str]) -> Setup {
    let setup = in_doubt();
    let path = setup.folder.0.join("tokens.json");
    let before = pair(&path);
    let sent = setup.token_requests();
    let outcome = timed(|| setup.run(&[command, &["--tokens", "tokens.json"]].concat())).expect(4);
    assert!(outcome.stderr.contains("remembers this") || outcome.stderr.contains("not logged out"));
    assert_eq!(
        setup.token_requests(),
        sent + 1,
        "the next one may come only when the connection of this one is closed"
    );
    // The doubt is that of before, with one request more.
    assert_eq!(pair(&path), before);
    let doubt = kept(&path)["doubt"].clone();
    assert_eq!((&doubt["sends"], &doubt["in_flight"]), (&2.into(), &false.into()), "{doubt}");
    // The server is well again.
    setup.sandbox.clear_faults();
    setup
}

/// The commands run at the same time, since each of them takes 20 seconds.
#[test]
fn every_command_that_replays_ends_in_time_and_the_next_run_recovers() {
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let setup = a_hanging_replay_ends_in_time(&["refresh"]);
            setup.run(&["refresh", "--tokens", "tokens.json"]).expect(0);
            assert!(kept(&setup.folder.0.join("tokens.json")).get("doubt").is_none());
            assert_eq!(setup.sandbox.ledger().dead_refresh_tokens_used, 0);
        });
        threads.spawn(|| {
            let setup = a_hanging_replay_ends_in_time(&["token"]);
            let outcome = setup.run(&["token", "--tokens", "tokens.json"]).expect(0);
            assert_eq!(outcome.stdout, line(&setup.folder.0.join("tokens.json")));
        });
        threads.spawn(|| {
            let setup = a_hanging_replay_ends_in_time(&["api", "/v2/user/profile"]);
            setup.run(&["api", "/v2/user/profile", "--tokens", "tokens.json"]).expect(0);
        });
        threads.spawn(|| {
            let setup = a_hanging_replay_ends_in_time(&["logout"]);
            assert_eq!(setup.sandbox.ledger().revocations, 0);
            setup.run(&["logout", "--tokens", "tokens.json"]).expect(0);
            assert_eq!(setup.sandbox.ledger().revocations, 1);
        });
    });
}

/// Without the lock, a process cannot send a replay, and one after the other would have it.
#[test]
fn processes_that_wait_for_the_replay_of_another_one_end_in_time_too() {
    let setup = in_doubt();
    std::thread::scope(|threads| {
        let token = &["token"][..];
        for command in [token, token, token, token, &["refresh"], &["api", "/v2/user/profile"]] {
            let setup = &setup;
            threads.spawn(move || timed(|| setup.run(&[command, &["--tokens", "tokens.json"]].concat())).expect(4));
        }
    });
    setup.sandbox.clear_faults();
    setup.run(&["refresh", "--tokens", "tokens.json"]).expect(0);
}

#[test]
fn a_shorter_time_limit_leaves_room_for_more_replays() {
    let setup = in_doubt();
    let path = setup.folder.0.join("tokens.json");
    let begun = Instant::now();
    setup.run(&["refresh", "--tokens", "tokens.json", "--timeout", "2"]).expect(4);
    assert!(begun.elapsed() < IN_TIME.end, "{:?}", begun.elapsed());
    let sends = kept(&path)["doubt"]["sends"].as_u64().unwrap();
    // A replay at once, and others when the times of the schedule and the closed connection allow it.
    assert!((3..=4).contains(&sends), "{sends}");
}

/// No file remembers this doubt: the run has made it.
#[test]
fn a_replay_of_a_token_from_standard_input_ends_with_the_time_too() {
    let setup = Setup::new();
    let saved = std::fs::read_to_string(setup.token_file()).unwrap();
    let sent = setup.token_requests();
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting());
    setup.sandbox.inject(silence());
    let outcome = timed(|| setup.run_with_input(&["refresh"], &saved)).expect(4);
    assert_eq!(setup.token_requests(), sent + 2);
    assert!(outcome.stderr.contains("give the same token to `refresh` again"), "{}", outcome.stderr);
    setup.sandbox.clear_faults();
    setup.run_with_input(&["refresh"], &saved).tokens();
}

/// The server has acted, and its answer stops after both tokens.
#[test]
fn what_a_hanging_replay_has_brought_is_kept() {
    let setup = in_doubt();
    setup.sandbox.clear_faults();
    let path = setup.folder.0.join("tokens.json");
    let before = pair(&path);
    // The answer holds each token twice; a part of it is enough.
    setup.sandbox.inject(Fault::new(What::Hang(Point::InBody(350))).on(Endpoint::Token));
    let outcome = timed(|| setup.run(&["refresh", "--tokens", "tokens.json"]));
    outcome.expect(0);
    assert_ne!(pair(&path).refresh_token(), before.refresh_token());
    setup.run(&["refresh", "--tokens", "tokens.json"]).expect(0);
}

#[test]
fn the_first_request_of_a_refresh_has_the_whole_time_limit() {
    let setup = Setup::new();
    setup.token_file();
    let answer_after = Duration::from_secs(24);
    setup.sandbox.inject(Fault::new(What::Delay(answer_after)).on(Endpoint::Token));
    let begun = Instant::now();
    setup.run(&["refresh", "--tokens", "tokens.json"]).expect(0);
    assert!(begun.elapsed() >= answer_after, "{:?}", begun.elapsed());
    assert_eq!(setup.token_requests(), 2, "the login, and one refresh");
}

/// As with Ctrl-Z and a late `fg`. The answer came in the meantime, and waits in the socket.
#[test]
fn a_refresh_that_was_stopped_for_longer_than_its_time_limit_reads_its_answer() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = pair(&path);
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(2))).on(Endpoint::Token));
    let child = setup.command(&["refresh", "--tokens", "tokens.json", "--timeout", "5"]).spawn().unwrap();
    let sent = setup.sandbox.wait_until(Duration::from_secs(10), |ledger| ledger.refreshes == 1);
    assert!(sent, "the refresh was not sent");
    let signal = |name: &str| {
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    std::thread::sleep(Duration::from_secs(6));
    signal("-CONT");
    Outcome::of(child.wait_with_output().unwrap()).expect(0);
    assert_ne!(pair(&path).refresh_token(), before.refresh_token());
    assert_eq!(setup.token_requests(), 2, "the login, and one refresh");
}
