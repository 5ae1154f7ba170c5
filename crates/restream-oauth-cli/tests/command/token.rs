//! `token`: a living access token for a script, refreshed only if it has to be.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_core::Tokens;
use restream_oauth_keeper::{Death, DeathCause, Doubt, Record};
use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{Outcome, Setup, kept, pair, sandbox};

pub(crate) const TOKEN: [&str; 3] = ["token", "--tokens", "tokens.json"];

/// Returns the line that `token` prints for the pair in a file.
#[track_caller]
pub(crate) fn line(path: &Path) -> String {
    format!("{}\n", pair(path).access_token().expose_secret())
}

#[track_caller]
fn record(path: &Path) -> Record {
    Record::from_saved(std::fs::read(path).unwrap()).unwrap()
}

/// Makes the pair in a file older, as time does. The server still accepts its access token.
pub(crate) fn age(path: &Path, seconds: u64) {
    let by = Duration::from_secs(seconds);
    let mut record = record(path);
    record.usable_until -= by;
    record.logged_in_at -= by;
    let sent_at = record.tokens.sent_at().duration_since(SystemTime::UNIX_EPOCH).unwrap().checked_sub(by).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(record.tokens.to_saved().expose_secret()).unwrap();
    document["sent_at"] = format!("{}.{:09}", sent_at.as_secs(), sent_at.subsec_nanos()).into();
    record.tokens = Tokens::from_saved(document.to_string()).unwrap();
    std::fs::write(path, record.to_saved().as_bytes()).unwrap();
}

fn change(path: &Path, change: impl FnOnce(&mut Record)) {
    let mut record = record(path);
    change(&mut record);
    std::fs::write(path, record.to_saved().as_bytes()).unwrap();
}

#[test]
fn a_fresh_token_is_printed_without_a_request_a_secret_or_a_client() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = (std::fs::read(&path).unwrap(), setup.sandbox.ledger().connections, setup.folder.names());
    let bare = |more: &[&str]| {
        let mut command = setup.command(&[&TOKEN, more].concat());
        command.env_remove("RESTREAM_CLIENT_SECRET").env_remove("RESTREAM_CLIENT_ID");
        Outcome::of(command.output().unwrap()).expect(0)
    };
    let outcome = bare(&[]);
    assert_eq!(outcome.stdout, line(&path));
    assert_eq!(outcome.stderr, "");
    assert_eq!(bare(&["--header"]).stdout, format!("Authorization: Bearer {}", line(&path)));

    let json: serde_json::Value = serde_json::from_str(&bare(&["--json"]).stdout).unwrap();
    let tokens = pair(&path);
    assert_eq!(json.as_object().unwrap().len(), 5, "{:?}", json.as_object().unwrap().keys());
    assert_eq!(json["access_token"], tokens.access_token().expose_secret());
    assert_eq!(json["token_type"], "Bearer");
    let left = json["expires_in"].as_u64().unwrap();
    assert!((3530..=3540).contains(&left), "a minute before its end: {left}");
    let until = humantime::parse_rfc3339(json["expires_at"].as_str().unwrap()).unwrap();
    assert_eq!(tokens.expires_at().duration_since(until).unwrap().as_secs(), 60);
    let scopes: Vec<_> = tokens.scopes().unwrap().iter().collect();
    assert_eq!(json["scopes"], serde_json::json!(scopes));

    assert_eq!((std::fs::read(&path).unwrap(), setup.sandbox.ledger().connections, setup.folder.names()), before);
    setup.run(&[&TOKEN[..], &["--header", "--json"]].concat()).expect(2);
}

#[test]
fn a_token_is_refreshed_only_if_it_does_not_live_on_for_long_enough() {
    let setup = Setup::new();
    let path = setup.token_file();
    age(&path, 3600 - 100);
    let first = line(&path);
    // 100 seconds are left.
    for enough in [&[][..], &["--valid-for", "0"], &["--valid-for", "90"]] {
        assert_eq!(setup.run(&[&TOKEN, enough].concat()).expect(0).stdout, first, "{enough:?}");
    }
    assert_eq!(setup.sandbox.ledger().refreshes, 0);
    let outcome = setup.run(&[&TOKEN[..], &["--valid-for", "110"]].concat()).expect(0);
    assert_eq!(outcome.stdout, line(&path));
    assert_ne!(outcome.stdout, first);
    // 800 seconds are more than a fifth of the life, so this asks for 720.
    for (left, refreshes) in [(730, 1), (710, 2)] {
        age(&path, 3600 - left);
        setup.run(&[&TOKEN[..], &["--valid-for", "800"]].concat()).expect(0);
        assert_eq!(setup.sandbox.ledger().refreshes, refreshes, "{left} s were left");
        change(&path, |record| record.usable_until = record.tokens.expires_at());
        if refreshes == 1 {
            setup.log_in();
        }
    }
}

#[test]
fn an_expired_token_is_refreshed_by_the_client_that_the_tokens_name() {
    let setup = Setup::new();
    let path = setup.token_file();
    age(&path, 3601);
    let mut command = setup.command(&TOKEN);
    let outcome = Outcome::of(command.env_remove("RESTREAM_CLIENT_ID").output().unwrap()).expect(0);
    assert_eq!(outcome.stdout, line(&path));
    assert_eq!(setup.sandbox.ledger().refreshes, 1);
    // Another client, and another server, get nothing, although the token is fresh.
    for (variable, value) in [("RESTREAM_CLIENT_ID", "other"), ("RESTREAM_BASE_URL", "http://127.0.0.1:9")] {
        let outcome = Outcome::of(setup.command(&TOKEN).env(variable, value).output().unwrap()).expect(2);
        assert!(outcome.stderr.contains("tokens.json: "), "{}", outcome.stderr);
    }
}

#[test]
fn twelve_processes_that_find_the_token_expired_refresh_it_once_and_print_the_same() {
    let setup = Setup::new();
    let path = setup.token_file();
    age(&path, 3601);
    let expired = line(&path);
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(2))).on(Endpoint::Token));
    let racers: Vec<_> = (0..12).map(|_| setup.command(&TOKEN).spawn().unwrap()).collect();
    let outcomes = racers.into_iter().map(|racer| Outcome::of(racer.wait_with_output().unwrap()).expect(0));
    let mut printed: Vec<_> = outcomes.map(|outcome| outcome.stdout).collect();
    printed.dedup();
    assert_eq!(printed, [line(&path)]);
    assert_ne!(printed[0], expired);
    let ledger = setup.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.dead_refresh_tokens_used), (1, 0));
    setup.run(&["profile", "--tokens", "tokens.json"]).expect(0);
    assert_eq!(setup.sandbox.ledger().dead_access_tokens_used, 0);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
}

#[test]
fn a_token_that_is_being_replaced_is_not_printed() {
    let setup = Setup::new();
    let path = setup.token_file();
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(3))).on(Endpoint::Token));
    let refresh = setup.command(&["refresh", "--tokens", "tokens.json"]).spawn().unwrap();
    let sent = |ledger: &restream_oauth_sandbox::Ledger| ledger.requests_to("/oauth/token").count() == 2;
    assert!(setup.sandbox.wait_until(Duration::from_secs(10), sent), "the refresh was not sent");
    let outcome = setup.run(&TOKEN).expect(0);
    Outcome::of(refresh.wait_with_output().unwrap()).expect(0);
    assert_eq!(outcome.stdout, line(&path));
    assert!(outcome.stderr.contains("waiting for tokens.json"), "{}", outcome.stderr);
    assert_eq!(setup.sandbox.ledger().refreshes, 1);
}

#[test]
fn a_refused_token_is_replaced_once_and_a_young_one_is_not() {
    let setup = Setup::new();
    let path = setup.token_file();
    let rejected = [&TOKEN[..], &["--rejected"]].concat();
    let login = line(&path);
    // The token of a login may be refused at once: its scopes may be wrong, or the user has revoked it.
    let second = setup.run_with_input(&rejected, &login).expect(0).stdout;
    assert_eq!(second, line(&path));
    assert_ne!(second, login);
    // Whoever is late gets the newest.
    assert_eq!(setup.run_with_input(&rejected, &login).expect(0).stdout, second);
    assert_eq!(setup.run_with_input(&rejected, "another").expect(0).stdout, second);
    // The newest is young.
    let outcome = setup.run_with_input(&rejected, &second).expect(6);
    assert!(outcome.stderr.contains("less than a minute"), "{}", outcome.stderr);
    assert_eq!(setup.sandbox.ledger().refreshes, 1);
    age(&path, 61);
    assert_ne!(setup.run_with_input(&rejected, &second).expect(0).stdout, second);
    assert_eq!(setup.sandbox.ledger().refreshes, 2);
    setup.run_with_input(&rejected, "").expect(2);
    setup.run_with_input(&["token", "--tokens", "-", "--rejected"], "a").expect(2);
}

#[test]
fn processes_whose_token_was_refused_replace_it_once() {
    let setup = Setup::new();
    let path = setup.token_file();
    let refused = setup.folder.0.join("refused");
    std::fs::write(&refused, line(&path)).unwrap();
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(3))).on(Endpoint::Token));
    let spawn = |_| {
        let mut command = setup.command(&[&TOKEN[..], &["--rejected"]].concat());
        command.stdin(Stdio::from(std::fs::File::open(&refused).unwrap())).spawn().unwrap()
    };
    let racers: Vec<_> = (0..4).map(spawn).collect();
    for racer in racers {
        assert_eq!(Outcome::of(racer.wait_with_output().unwrap()).expect(0).stdout, line(&path));
    }
    assert_eq!(setup.sandbox.ledger().refreshes, 1);
}

#[test]
fn tokens_from_standard_input_are_printed_while_they_live_and_never_refreshed() {
    let setup = Setup::new();
    let path = setup.token_file();
    let sent = setup.token_requests();
    let saved = std::fs::read_to_string(&path).unwrap();
    assert_eq!(setup.run_with_input(&["token"], &saved).expect(0).stdout, line(&path));
    let core = pair(&path).to_saved().expose_secret().to_owned();
    assert_eq!(setup.run_with_input(&["token"], &core).expect(0).stdout, line(&path));
    age(&path, 3601);
    let expired = std::fs::read_to_string(&path).unwrap();
    setup.run_with_input(&["token"], &expired).expect(6);
    setup.run_with_input(&["token"], "").expect(2);
    setup.run_with_input(&["token"], "{").expect(1);
    let other = Setup::new();
    other.run_with_input(&["token"], &saved).expect(2);
    assert_eq!(setup.token_requests(), sent);
}

#[test]
fn while_the_old_token_lives_a_server_that_fails_costs_a_warning() {
    let failures = [
        Fault::new(What::retry_after(429, "600")),
        Fault::new(What::body("application/json", r#"{"error":"access_denied"}"#)).before_acting(),
        Fault::new(What::retry_after(503, "600")).before_acting(),
        Fault::new(What::lost_answer()).before_acting(),
    ];
    for failure in failures {
        let setup = Setup::new();
        let path = setup.token_file();
        // 30 seconds are left.
        age(&path, 3600 - 30);
        setup.sandbox.inject(failure.clone().on(Endpoint::Token));
        let begun = Instant::now();
        let outcome = setup.run(&TOKEN).expect(0);
        assert!(begun.elapsed() < Duration::from_secs(5), "{failure:?}");
        assert_eq!(outcome.stdout, line(&path), "{failure:?}");
        assert!(outcome.stderr.contains("warning"), "{failure:?}: {}", outcome.stderr);
        assert_eq!(setup.token_requests(), 2, "{failure:?}");
        assert_eq!(setup.sandbox.ledger().refreshes, 0);
    }
}

/// Another process may be stopped, or hang, with the lock in its hands.
#[test]
fn while_the_old_token_lives_a_lock_that_is_never_free_costs_a_warning() {
    let setup = Setup::new();
    let path = setup.token_file();
    age(&path, 3600 - 50);
    let lock = std::fs::File::open(setup.folder.0.join("tokens.json.lock")).unwrap();
    lock.lock().unwrap();
    let token = [&TOKEN[..], &["--timeout", "1"]].concat();
    let outcome = setup.run(&token).expect(0);
    assert_eq!(outcome.stdout, line(&path));
    assert!(outcome.stderr.contains("warning: tokens.json is still in use"), "{}", outcome.stderr);
    // Its refresh token may have been sent.
    let since = SystemTime::now();
    let doubt = Doubt { since, sends: 1, in_flight: true, ended: None, witnessed: false, forwarded: None };
    change(&path, |record| record.doubt = Some(doubt));
    let outcome = setup.run(&token).expect(4);
    assert!(outcome.stderr.contains("is in use by another process"), "{}", outcome.stderr);
    // It has expired.
    change(&path, |record| record.doubt = None);
    age(&path, 60);
    setup.run(&token).expect(4);
    assert_eq!(setup.token_requests(), 1, "the login alone");
}

#[test]
fn when_the_old_token_has_expired_the_exit_code_says_what_to_do() {
    for (what, exit) in [
        (What::retry_after(429, "600"), 4),
        (What::retry_after(503, "600"), 4),
        (What::status(404), 2),
        (What::body("application/json", r#"{"error":"access_denied"}"#), 5),
        (What::body("application/json", r#"{"error":"invalid_grant"}"#), 3),
    ] {
        let setup = Setup::new();
        let path = setup.token_file();
        age(&path, 3601);
        setup.sandbox.inject(Fault::new(what.clone()).on(Endpoint::Token).before_acting());
        let begun = Instant::now();
        let outcome = setup.run(&TOKEN);
        assert_eq!(outcome.exit, Some(exit), "{what:?}: {}", outcome.stderr);
        assert!(begun.elapsed() < Duration::from_secs(5), "{what:?}");
        assert_eq!(setup.token_requests(), 2, "{what:?}");
    }
}

#[test]
fn a_wrong_secret_is_said_although_the_old_token_lives() {
    let setup = Setup::new();
    age(&setup.token_file(), 3600 - 30);
    let wrong = setup.command(&TOKEN).env("RESTREAM_CLIENT_SECRET", "wrong").output().unwrap();
    Outcome::of(wrong).expect(2);
}

#[test]
fn a_dead_grant_and_a_missing_account_ask_for_a_login_without_a_secret() {
    let setup = Setup::new();
    let path = setup.token_file();
    let sent = setup.token_requests();
    change(&path, |record| record.death = Some(Death { why: DeathCause::Revoked, at: SystemTime::now() }));
    for arguments in [&TOKEN[..], &["token", "--tokens", "missing.json"], &["token", "--account", "nobody"]] {
        let mut command = setup.command(arguments);
        let outcome = Outcome::of(command.env_remove("RESTREAM_CLIENT_SECRET").output().unwrap()).expect(3);
        assert!(outcome.stderr.contains("log in"), "{}", outcome.stderr);
    }
    assert_eq!(setup.token_requests(), sent);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
}

/// As in `docker run -v ./tokens.json:/app/tokens.json`, and on a disk that is read-only.
#[test]
fn a_token_is_read_where_nothing_can_be_written_as_long_as_it_lives() {
    let setup = Setup::new();
    let path = setup.token_file();
    std::fs::remove_file(setup.folder.0.join("tokens.json.lock")).unwrap();
    let run = |mount: &str| {
        let script =
            format!("{mount} || exit 99; exec {} token --tokens tokens.json", env!("CARGO_BIN_EXE_restream-oauth"));
        setup.run_with_mounts(&script)
    };
    let single = "mount --bind tokens.json tokens.json";
    let read_only = "mount --bind . . && mount -o remount,bind,ro . && cd .";
    for mount in [single, read_only] {
        let Some(outcome) = run(mount) else { return };
        assert_eq!(outcome.expect(0).stdout, line(&path), "{mount}");
    }
    age(&path, 3600 - 30);
    for mount in [single, read_only] {
        let outcome = run(mount).unwrap().expect(0);
        assert_eq!(outcome.stdout, line(&path), "{mount}");
        assert!(outcome.stderr.contains("warning"), "{mount}: {}", outcome.stderr);
    }
    age(&path, 31);
    for mount in [single, read_only] {
        run(mount).unwrap().expect(1);
    }
    assert_eq!(setup.token_requests(), 1, "nothing was sent");
}

#[test]
fn a_forced_refresh_rotates_although_another_process_was_faster() {
    for (force, refreshes) in [(false, 1), (true, 2)] {
        let setup = Setup::new();
        let path = setup.token_file();
        setup.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(3))).on(Endpoint::Token));
        let refresh = || setup.command(&["refresh", "--tokens", "tokens.json"]).spawn().unwrap();
        let first = refresh();
        let sent = |ledger: &restream_oauth_sandbox::Ledger| ledger.requests_to("/oauth/token").count() == 2;
        assert!(setup.sandbox.wait_until(Duration::from_secs(10), sent), "the refresh was not sent");
        let more: &[&str] = if force { &["--force"] } else { &[] };
        let outcome = setup.run(&[&["refresh", "--tokens", "tokens.json"], more].concat()).expect(0);
        Outcome::of(first.wait_with_output().unwrap()).expect(0);
        assert_eq!(setup.sandbox.ledger().refreshes, refreshes, "{}", outcome.stderr);
        assert_eq!(kept(&path)["generation"], refreshes);
        assert_eq!(outcome.stderr.contains("another process has just refreshed"), !force, "{}", outcome.stderr);
    }
}

/// A server whose access tokens live for seconds only is not asked for a new one each time.
#[test]
fn a_token_with_a_short_life_is_used_for_most_of_it() {
    let lifetime = Duration::from_secs(20);
    let mut setup = Setup::new();
    setup.sandbox = sandbox().access_token_lifetime(lifetime).start().unwrap();
    let url = setup.run(&["authorize-url", "--save", "login.json"]).json();
    let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
    setup.run_with_input(&["exchange", "--login", "login.json", "--tokens", "tokens.json"], &callback).expect(0);
    let path = setup.folder.0.join("tokens.json");
    assert_eq!(setup.run(&TOKEN).expect(0).stdout, line(&path));
    assert_eq!(setup.sandbox.ledger().refreshes, 0);
    age(&path, 17);
    setup.run(&TOKEN).expect(0);
    setup.run(&TOKEN).expect(0);
    assert_eq!(setup.sandbox.ledger().refreshes, 1);
}
