//! `logout`: the tokens are removed once the server has confirmed that they are dead, and not before.

use std::time::{Duration, SystemTime};

use restream_oauth_core::Tokens;
use restream_oauth_keeper::{Death, DeathCause, Doubt, Record, Stray};
use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{Outcome, Setup, kept, pair, sandbox};

const LOGOUT: [&str; 3] = ["logout", "--tokens", "tokens.json"];

/// Changes the record in the token file.
fn change(setup: &Setup, change: impl FnOnce(&mut Record)) {
    let path = setup.folder.0.join("tokens.json");
    let mut record = Record::from_saved(std::fs::read(&path).unwrap()).unwrap();
    change(&mut record);
    std::fs::write(&path, record.to_saved().as_bytes()).unwrap();
}

#[track_caller]
fn is_dead(setup: &Setup, saved: &str) {
    setup.run_with_input(&["profile"], saved).expect(6);
    setup.run_with_input(&["refresh"], saved).expect(3);
}

#[test]
fn a_logout_revokes_and_removes_and_a_second_one_finds_nothing() {
    let setup = Setup::new();
    let path = setup.token_file();
    let saved = std::fs::read_to_string(&path).unwrap();
    // It names no client, and needs no secret.
    let outcome = setup.command(&LOGOUT).env_remove("RESTREAM_CLIENT_SECRET").env_remove("RESTREAM_CLIENT_ID").output();
    let outcome = Outcome::of(outcome.unwrap()).expect(0);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("revoked; tokens.json is removed"), "{}", outcome.stderr);
    assert_eq!(setup.folder.names(), ["tokens.json.gone", "tokens.json.lock"]);
    is_dead(&setup, &saved);
    assert_eq!(setup.sandbox.ledger().revocations, 1);
    setup.run(&LOGOUT).expect(3);
    assert_eq!(setup.sandbox.ledger().revocations, 1);
}

#[test]
fn a_missing_or_an_empty_file_is_3_and_leaves_nothing_behind() {
    let setup = Setup::new();
    setup.run(&LOGOUT).expect(3);
    assert!(setup.folder.names().is_empty());
    std::fs::write(setup.folder.0.join("tokens.json"), "").unwrap();
    for command in ["logout", "revoke", "refresh", "profile", "status"] {
        let outcome = setup.run(&[command, "--tokens", "tokens.json"]).expect(3);
        assert!(outcome.stderr.contains("there are no tokens"), "{command}: {}", outcome.stderr);
    }
    assert_eq!(setup.folder.names(), ["tokens.json"]);
    assert!(setup.sandbox.ledger().requests.is_empty());
}

/// RFC 7009 §2.2.1.
#[test]
fn tokens_stay_until_the_server_confirms() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = std::fs::read(&path).unwrap();
    for what in [
        What::retry_after(503, "1"),
        What::status(500),
        What::status(404),
        What::reset(),
        What::body("application/json", r#"{"error":"unsupported_token_type"}"#),
        What::body("text/html", "<html>portal</html>"),
    ] {
        setup.sandbox.inject(Fault::new(what.clone()).on(Endpoint::Revoke).before_acting());
        let outcome = setup.run(&LOGOUT).expect(4);
        assert!(outcome.stderr.contains("not logged out, and tokens.json stays"), "{what:?}: {}", outcome.stderr);
        assert_eq!(std::fs::read(&path).unwrap(), before, "{what:?}");
        setup.run(&["profile", "--tokens", "tokens.json"]).expect(0);
    }
    // Nobody listens there.
    let arguments = ["logout", "--tokens", "tokens.json", "--revoke-url", "http://127.0.0.1:1/"];
    setup.run(&arguments).expect(4);
    setup.run(&LOGOUT).expect(0);
}

#[test]
fn tokens_of_another_server_or_client_are_not_sent() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = std::fs::read(&path).unwrap();
    let other = sandbox().start().unwrap();
    for (name, value) in [("RESTREAM_BASE_URL", other.base_url()), ("RESTREAM_CLIENT_ID", "other")] {
        for command in ["logout", "revoke", "profile"] {
            let arguments = [command, "--tokens", "tokens.json"];
            let outcome = Outcome::of(setup.command(&arguments).env(name, value).output().unwrap()).expect(2);
            assert!(outcome.stderr.contains("tokens.json"), "{}", outcome.stderr);
        }
    }
    assert!(other.ledger().requests.is_empty());
    assert_eq!(setup.sandbox.ledger().revocations, 0);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_refresh_in_doubt_is_sent_again_before_its_pair_is_revoked() {
    let setup = Setup::new();
    let path = setup.token_file();
    change(&setup, |record| record.doubt = Some(doubt()));
    let saved = std::fs::read_to_string(&path).unwrap();
    // The tokens name their client.
    let outcome = Outcome::of(setup.command(&LOGOUT).env_remove("RESTREAM_CLIENT_ID").output().unwrap()).expect(0);
    assert!(outcome.stderr.contains("revoked; tokens.json is removed"), "{}", outcome.stderr);
    assert!(!path.exists());
    let ledger = setup.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.revocations), (1, 1));
    is_dead(&setup, &saved);
}

#[test]
fn a_refresh_that_another_process_has_under_way_is_waited_for() {
    let setup = Setup::new();
    let path = setup.token_file();
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(1500))).on(Endpoint::Token));
    let refresh = setup.command(&["refresh", "--tokens", "tokens.json"]).spawn().unwrap();
    let seen =
        setup.sandbox.wait_until(Duration::from_secs(10), |ledger| ledger.requests_to("/oauth/token").count() == 2);
    assert!(seen, "the refresh was not sent");
    setup.run(&LOGOUT).expect(0);
    Outcome::of(refresh.wait_with_output().unwrap()).expect(0);
    assert!(!path.exists());
    let ledger = setup.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.revocations, ledger.dead_refresh_tokens_used), (1, 1, 0));
}

/// A doubt whose next replay is due.
fn doubt() -> Doubt {
    let ended = SystemTime::now() - Duration::from_secs(60);
    Doubt { since: ended, sends: 1, in_flight: false, ended: Some(ended), witnessed: true, forwarded: None }
}

/// A revocation is always answered with success, and would prove nothing.
#[test]
fn tokens_stay_while_a_refresh_is_in_doubt() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = pair(&path);
    change(&setup, |record| record.doubt = Some(doubt()));
    setup.sandbox.inject(Fault::new(What::retry_after(503, "600")).on(Endpoint::Token).before_acting());
    let outcome = setup.run(&LOGOUT).expect(4);
    for words in ["tokens.json stays", "settings of the Restream account"] {
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    }
    assert_eq!(pair(&path), before);
    assert!(kept(&path)["doubt"].is_object());
    assert_eq!(setup.sandbox.ledger().revocations, 0);
}

#[test]
fn a_lost_pair_is_named_when_its_login_ends() {
    let setup = Setup::new();
    let path = setup.token_file();
    // The server has rotated the pair, and its answer was lost.
    let saved = std::fs::read_to_string(&path).unwrap();
    setup.run_with_input(&["refresh"], &saved).expect(0);
    change(&setup, |record| record.doubt = Some(doubt()));
    let outcome = setup.run(&LOGOUT).expect(0);
    assert!(outcome.stderr.contains("never arrived"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("settings of the Restream account"), "{}", outcome.stderr);
    assert!(!path.exists());
}

#[test]
fn what_is_dead_is_removed() {
    let setup = Setup::new();
    let path = setup.token_file();
    change(&setup, |record| record.death = Some(Death { why: DeathCause::Revoked, at: SystemTime::now() }));
    let outcome = setup.run(&LOGOUT).expect(0);
    assert!(!outcome.stderr.contains("never arrived"), "{}", outcome.stderr);
    assert!(!path.exists());
}

#[test]
fn every_pair_of_the_login_that_may_live_is_revoked() {
    let setup = Setup::new();
    let path = setup.token_file();
    let stray = std::fs::read_to_string(&path).unwrap();
    let stray_tokens = pair(&path);
    setup.log_in();
    change(&setup, |record| record.strays = vec![Stray { generation: 0, tokens: stray_tokens }]);
    setup.run(&LOGOUT).expect(0);
    is_dead(&setup, &stray);
    assert_eq!(setup.sandbox.ledger().revocations, 2);
}

#[test]
fn a_login_that_was_never_put_in_place_ends_with_the_one_that_was() {
    let setup = Setup::new();
    let path = setup.token_file();
    let first = std::fs::read_to_string(&path).unwrap();
    setup.log_in();
    let second = std::fs::read_to_string(&path).unwrap();
    // The file keeps its mode: a leftover that others could have written is not used.
    let waiting = setup.folder.0.join("tokens.json.logins/1");
    std::fs::create_dir(waiting.parent().unwrap()).unwrap();
    std::fs::copy(&path, &waiting).unwrap();
    std::fs::write(&waiting, pair_of(&second)).unwrap();
    std::fs::write(&path, &first).unwrap();
    setup.run(&LOGOUT).expect(0);
    is_dead(&setup, &first);
    is_dead(&setup, &second);
    assert_eq!(setup.folder.names(), ["tokens.json.gone", "tokens.json.lock"]);
}

/// The saved tokens alone, without what the keeper has written beside them.
fn pair_of(saved: &str) -> String {
    Tokens::from_saved(saved).unwrap().to_saved().expose_secret().to_owned()
}

/// As in `docker run -v ./tokens.json:/app/tokens.json`.
#[test]
fn a_file_that_cannot_be_removed_is_emptied() {
    for (command, mount) in [
        ("logout", "mount --bind tokens.json tokens.json"),
        ("revoke", "mount --bind tokens.json tokens.json"),
        (
            "logout",
            "rm tokens.json.lock && mount --bind . . && cd . && mount --bind tokens.json tokens.json && mount -o remount,bind,ro .",
        ),
    ] {
        let setup = Setup::new();
        let path = setup.token_file();
        let saved = std::fs::read_to_string(&path).unwrap();
        let program = env!("CARGO_BIN_EXE_restream-oauth");
        let script = format!(
            "{{ {mount}; }} || exit 99; {program} {command} --tokens tokens.json || exit; \
             {program} status --tokens tokens.json; test $? = 3 || exit 98; exec {program} logout --tokens tokens.json"
        );
        let Some(outcome) = setup.run_with_mounts(&script) else { return };
        let outcome = outcome.expect(3);
        assert!(outcome.stderr.contains("cannot be removed, so it is emptied"), "{mount}: {}", outcome.stderr);
        assert_eq!(std::fs::read(&path).unwrap(), b"", "{mount}");
        is_dead(&setup, &saved);
        assert_eq!(setup.sandbox.ledger().revocations, 1, "{mount}");
    }
}
