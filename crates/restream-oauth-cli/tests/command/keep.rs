//! `keep` as a process: which accounts it keeps, what it prints, how it ends, and the file of its socket.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};

use crate::keeping::{
    Keeping, MINUTE, TEN_SECONDS, ask, change, file, log_in, read, record, refreshes, setup, socket_path, token,
    wait_for,
};
use crate::support::{Outcome, Setup};

/// The answers beside the file of the default account.
fn answers(setup: &Setup) -> Vec<String> {
    let folder = file(setup, "default").parent().unwrap().to_owned();
    let names = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("answer") || name.contains("spool")).collect()
}

#[test]
fn an_answer_that_holds_no_token_does_not_stay_beside_the_file_while_it_runs() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    change(&setup, "default", 61 * MINUTE, |_| {});
    let answer = |body: &str| {
        let headers = vec![("Retry-After".to_owned(), "600".to_owned())];
        let what = What::Status { status: 503, headers, body: body.into() };
        setup.sandbox.inject(Fault::new(what).on(Endpoint::Token).before_acting());
    };
    answer("<html>busy</html>");
    let mut keeping = Keeping::start(&setup, &[]);
    keeping.event("in_doubt");
    wait_for("the answer to go", || answers(&setup).is_empty());
    keeping.stop().expect(0);

    change(&setup, "default", 61 * MINUTE, |record| record.not_before = None);
    answer(r#"{"access_token":"hal"#);
    let mut keeping = Keeping::start(&setup, &[]);
    keeping.event("in_doubt");
    wait_for(
        "the answer to be set aside",
        || matches!(answers(&setup).as_slice(), [name] if name.starts_with("default.json.answer-")),
    );
    let outcome = keeping.stop().expect(0);
    let kept = answers(&setup);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let told = format!("{}, because it may hold a token", kept[0]);
    assert_eq!(outcome.stderr.matches(&told).count(), 1, "{}", outcome.stderr);
}

#[test]
fn a_token_that_is_due_is_refreshed_before_anybody_asks_and_a_line_says_so() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let old = token(&setup, "default");
    change(&setup, "default", 50 * MINUTE, |record| record.usable_until = SystemTime::now() - MINUTE);
    let mut keeping = Keeping::start(&setup, &[]);
    let event = keeping.event("rotated");
    assert_eq!((&event["account"], &event["generation"]), (&"default".into(), &1.into()));
    assert!(event["time"].as_str().unwrap().ends_with('Z'), "{event}");
    let until = event["expires_at"].as_str().unwrap();
    assert_eq!(keeping.get("/token", "").json()["expires_at"], until);
    assert_ne!(keeping.token(), old);
    let outcome = keeping.stop().expect(0);
    assert_eq!(refreshes(&setup), 1);
    assert!(outcome.stderr.contains("keeping default"), "{}", outcome.stderr);
}

#[test]
fn it_ends_with_3_when_the_last_account_is_dead() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "one");
    log_in(&setup, "two");
    for account in ["one", "two"] {
        change(&setup, account, 11 * MINUTE, |_| {});
    }
    let mut keeping = Keeping::start(&setup, &["--all"]);
    setup.run(&["revoke", "--account", "two"]).expect(0);
    let saved = token(&setup, "one");
    setup.sandbox.end_grants();
    let answer = keeping.post("/rejected?account=one", &saved);
    assert_eq!(answer.status, 410, "{answer:?}");
    let event = keeping.event("dead");
    assert_eq!((&event["account"], &event["dead_because"]), (&"one".into(), &"revoked".into()));
    // What another process did to `two` is known once somebody asks, or after half a minute.
    let socket = keeping.socket.clone();
    let mut asking = UnixStream::connect(&socket).unwrap();
    asking.write_all(b"GET /token?account=two HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(read(&mut asking).status, 410);
    let outcome = keeping.end();
    assert_eq!(outcome.exit, Some(3), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("account one") && outcome.stderr.contains("account two"), "{}", outcome.stderr);
    assert!(!socket.exists());
    // What is dead from the beginning ends it at once.
    let outcome = setup.run(&["keep", "--account", "one"]).expect(3);
    assert!(outcome.stderr.contains("log in again"), "{}", outcome.stderr);
}

#[test]
fn a_signal_finishes_the_refresh_that_is_in_flight() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let old = token(&setup, "default");
    change(&setup, "default", 61 * MINUTE, |record| record.usable_until = SystemTime::now() - MINUTE);
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(3))).on(Endpoint::Token));
    let keeping = Keeping::start(&setup, &[]);
    let mut waiting = UnixStream::connect(&keeping.socket).unwrap();
    waiting.write_all(b"GET /token HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let sent = setup.sandbox.wait_until(TEN_SECONDS, |ledger| ledger.requests_to("/oauth/token").count() == 2);
    assert!(sent, "the refresh was not sent");
    keeping.signal("-TERM");
    let answer = read(&mut waiting);
    let outcome = keeping.end().expect(0);
    assert!(outcome.stderr.contains("waiting for the answer"), "{}", outcome.stderr);
    let new = token(&setup, "default");
    assert_ne!(new, old);
    assert_eq!((answer.status, answer.json()["access_token"].as_str()), (200, Some(&*new)));
    assert!(record(&setup, "default").doubt.is_none());
}

#[test]
fn a_second_signal_gives_up_and_the_next_run_goes_on_with_the_doubt() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    change(&setup, "default", 61 * MINUTE, |record| record.usable_until = SystemTime::now() - MINUTE);
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(30))).on(Endpoint::Token));
    let keeping = Keeping::start(&setup, &[]);
    setup.sandbox.wait_until(TEN_SECONDS, |ledger| ledger.requests_to("/oauth/token").count() == 2);
    keeping.signal("-TERM");
    // Long enough that the second one is no echo of it.
    std::thread::sleep(Duration::from_secs(1));
    keeping.signal("-INT");
    let (begun, socket) = (Instant::now(), keeping.socket.clone());
    let outcome = keeping.end();
    assert_eq!(outcome.exit, Some(130), "{}", outcome.stderr);
    assert!(begun.elapsed() < TEN_SECONDS, "{:?}", begun.elapsed());
    assert!(record(&setup, "default").doubt.is_some());
    assert!(!socket.exists());
}

#[test]
fn a_second_signal_saves_a_pair_that_is_in_memory_alone() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    change(&setup, "default", 61 * MINUTE, |record| record.usable_until = SystemTime::now() - MINUTE);
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(600))).on(Endpoint::Token));
    let mut keeping = Keeping::start(&setup, &[]);
    let sent = setup.sandbox.wait_until(TEN_SECONDS, |ledger| ledger.requests_to("/oauth/token").count() == 2);
    assert!(sent, "the refresh was not sent");
    let in_the_way = file(&setup, "default").with_extension("json.new");
    std::fs::create_dir(&in_the_way).unwrap();
    keeping.event("stranded");
    keeping.signal("-TERM");
    // Long enough that the second one is no echo of it.
    std::thread::sleep(Duration::from_secs(1));
    keeping.signal("-TERM");
    let outcome = keeping.end();
    assert_eq!(outcome.exit, Some(130), "{}", outcome.stderr);
    let names = setup.elsewhere.names();
    assert!(matches!(&names[..], [name] if outcome.stderr.contains(name)), "{names:?}: {}", outcome.stderr);
    let saved = std::fs::read_to_string(setup.elsewhere.0.join(&names[0])).unwrap();
    setup.run_with_input(&["profile", "--tokens", "-"], &saved).expect(0);
}

#[test]
fn the_socket_of_a_process_that_was_killed_is_replaced_and_that_of_a_living_one_is_not() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let keeping = Keeping::start(&setup, &[]);
    let socket = keeping.socket.clone();
    let arguments = ["keep", "--socket", socket.to_str().unwrap()];
    let outcome = setup.run(&arguments).expect(2);
    assert!(outcome.stderr.contains("a process that runs"), "{}", outcome.stderr);
    assert!(!keeping.token().is_empty(), "it still serves");
    keeping.signal("-KILL");
    keeping.end();
    assert!(socket.exists());
    let keeping = Keeping::start(&setup, &[]);
    assert_eq!(keeping.token(), token(&setup, "default"));
    keeping.stop().expect(0);
    // What is no socket is nobody's to remove.
    std::fs::write(&socket, "precious").unwrap();
    setup.run(&arguments).expect(2);
    assert_eq!(std::fs::read_to_string(&socket).unwrap(), "precious");
}

#[test]
fn the_socket_that_another_process_put_in_its_place_is_not_removed() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let keeping = Keeping::start(&setup, &[]);
    let socket = keeping.socket.clone();
    std::fs::remove_file(&socket).unwrap();
    let _other = UnixListener::bind(&socket).unwrap();
    keeping.stop().expect(0);
    assert!(socket.exists());
}

#[test]
fn a_folder_that_others_can_enter_is_refused_before_anything_is_sent() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    change(&setup, "default", 61 * MINUTE, |record| record.usable_until = SystemTime::now() - MINUTE);
    let socket = socket_path(&setup);
    let folder = socket.parent().unwrap();
    for mode in [0o755, 0o710, 0o701, 0o740] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
        let outcome = setup.run(&["keep", "--socket", socket.to_str().unwrap()]).expect(2);
        assert!(outcome.stderr.contains("chmod 700"), "{}", outcome.stderr);
    }
    for path in ["missing/socket", &format!("run/{}", "x".repeat(200))] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        setup.run(&["keep", "--socket", path]).expect(2);
    }
    assert_eq!(refreshes(&setup), 0);
    assert!(!socket.exists());
}

#[test]
fn accounts_of_others_and_accounts_that_do_not_exist_are_refused_before_anything_is_sent() {
    let setup = setup(60 * MINUTE);
    setup.run(&["keep"]).expect(3);
    setup.run(&["keep", "--all"]).expect(3);
    for account in ["one", "two"] {
        log_in(&setup, account);
        change(&setup, account, 61 * MINUTE, |record| record.usable_until = SystemTime::now() - MINUTE);
    }
    setup.run(&["keep"]).expect(3);
    setup.run(&["keep", "--account", "one", "--account", "three"]).expect(3);
    setup.run(&["keep", "--account", "one", "--all"]).expect(2);
    setup.run(&["keep", "--account", "one", "--timeout", "76"]).expect(2);
    let file = setup.command(&["keep"]).env("RESTREAM_TOKENS", "tokens.json").output().unwrap();
    assert!(Outcome::of(file).expect(2).stderr.contains("RESTREAM_TOKENS"));
    let elsewhere = Sandbox::start().unwrap();
    for arguments in [&["keep", "--all"][..], &["keep", "--account", "one", "--account", "two"]] {
        let other_client = setup.command(arguments).env("RESTREAM_CLIENT_ID", "other").output().unwrap();
        Outcome::of(other_client).expect(2);
        let other_server = setup.command(arguments).env("RESTREAM_BASE_URL", elsewhere.base_url()).output().unwrap();
        Outcome::of(other_server).expect(2);
    }
    assert_eq!(refreshes(&setup), 0);
    assert_eq!(elsewhere.ledger().requests.len(), 0);
}

#[test]
fn an_account_that_is_added_later_joins_all() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "one");
    let keeping = Keeping::start(&setup, &["--all"]);
    log_in(&setup, "two");
    assert_eq!(keeping.get("/token?account=two", "").status, 404);
    let begun = Instant::now();
    while keeping.get("/token?account=two", "").status == 404 {
        assert!(begun.elapsed() < Duration::from_secs(35), "it did not join");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(keeping.get("/token?account=two", "").json()["access_token"], token(&setup, "two"));
    let outcome = keeping.stop().expect(0);
    assert!(outcome.stderr.contains("keeping two too"), "{}", outcome.stderr);
}

#[test]
fn nobody_who_reads_the_events_is_needed() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    change(&setup, "default", 61 * MINUTE, |record| record.usable_until = SystemTime::now() - MINUTE);
    let socket = socket_path(&setup);
    let mut child = setup.command(&["keep", "--socket", socket.to_str().unwrap()]).spawn().unwrap();
    drop(child.stdout.take());
    wait_for("the refresh", || record(&setup, "default").generation == 1);
    wait_for("the socket", || UnixStream::connect(&socket).is_ok());
    assert_eq!(ask(&socket, "GET /token HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    Outcome::of(child.wait_with_output().unwrap()).expect(0);
}
