//! `status`: what is known of an account, and whether it is alive.

use std::time::{Duration, SystemTime};

use restream_oauth_core::Tokens;
use restream_oauth_keeper::{Death, DeathCause, Doubt, Record, User};
use restream_oauth_sandbox::{Endpoint, Fault, What};
use serde_json::{Value, json};

use crate::support::{Outcome, Setup, sandbox};

const STATUS: [&str; 4] = ["status", "--tokens", "tokens.json", "--json"];
const CHECK: [&str; 4] = ["status", "--tokens", "tokens.json", "--check"];

/// Changes the record in the token file.
fn change(setup: &Setup, change: impl FnOnce(&mut Record)) {
    let path = setup.folder.0.join("tokens.json");
    let mut record = Record::from_saved(std::fs::read(&path).unwrap()).unwrap();
    change(&mut record);
    std::fs::write(&path, record.to_saved().as_bytes()).unwrap();
}

fn doubt() -> Doubt {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
    Doubt { since: at, sends: 1, in_flight: false, ended: Some(at), witnessed: true, forwarded: None }
}

/// A pair of a year whose times the test knows.
fn known_tokens(setup: &Setup) -> Tokens {
    let document = json!({
        "kind": "tokens", "version": 2, "access_token": "a1", "refresh_token": "r1", "token_type": "Bearer",
        "scope": "chat.read profile.read", "sent_at": "1795000000.000000000", "expires_in": 3600,
        "refresh_expires_in": 31_536_000, "oddities": "",
        "client_id": setup.sandbox.client_id(),
        "token_endpoint": format!("{}/oauth/token", setup.sandbox.base_url()),
    });
    Tokens::from_saved(document.to_string()).unwrap()
}

fn requests(setup: &Setup) -> usize {
    setup.sandbox.ledger().requests.len()
}

/// Runs `status --check`, which shows the account however the check ends.
#[track_caller]
fn check(setup: &Setup, exit: i32) -> Outcome {
    let outcome = setup.run(&CHECK);
    assert_eq!(outcome.exit, Some(exit), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("tokens.json"), "{}", outcome.stdout);
    outcome
}

#[test]
fn the_status_is_one_json_object_in_which_what_is_unknown_is_null() {
    let setup = Setup::new();
    std::fs::write(setup.folder.0.join("tokens.json"), known_tokens(&setup).to_saved().expose_secret()).unwrap();
    let before = requests(&setup);
    let mut status = setup.run(&STATUS).json();
    for ticking in ["expires_in", "refresh_expires_in", "refresh_expires_at", "fresh"] {
        assert!(status.as_object_mut().unwrap().remove(ticking).is_some(), "{ticking}");
    }
    let expected = json!({
        "account": null, "user_id": null, "username": null, "client_id": setup.sandbox.client_id(),
        "token_endpoint": format!("{}/oauth/token", setup.sandbox.base_url()),
        "expires_at": "2026-11-18T12:06:40Z", "in_doubt_since": null, "dead_because": null,
        "scopes": ["chat.read", "profile.read"], "file": "tokens.json",
    });
    assert_eq!(status, expected);
    for (cause, word) in [(DeathCause::Revoked, "revoked"), (DeathCause::LostAnswer, "lost_answer")] {
        change(&setup, |record| {
            record.doubt = Some(doubt());
            record.death = Some(Death { why: cause, at: SystemTime::now() });
            record.user = Some(User { id: "7".into(), username: None });
        });
        let status = setup.run(&STATUS).json();
        assert_eq!(status["dead_because"], word);
        assert_eq!(status["in_doubt_since"], "2026-11-18T11:06:40Z");
        assert_eq!(
            (&status["user_id"], &status["username"], &status["fresh"]),
            (&"7".into(), &Value::Null, &false.into())
        );
    }
    assert_eq!(requests(&setup), before, "nothing was sent");
}

#[test]
fn people_get_a_table_without_a_token_and_without_what_a_terminal_acts_on() {
    let setup = Setup::new();
    setup.token_file();
    let name = Some("\u{1B}]0;x\u{7}zoë".to_owned());
    change(&setup, |record| record.user = Some(User { id: "7".into(), username: name }));
    let table = setup.run(&["status", "--tokens", "tokens.json"]).expect(0).stdout;
    let row = |name: &str| {
        let line = table.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {table}"));
        line.trim().to_owned()
    };
    assert_eq!(row("user"), "\u{FFFD}]0;x\u{FFFD}zoë (id 7)");
    assert_eq!(row("state"), "fresh");
    assert!(row("access token").contains("for 59 minutes"), "{table}");
    assert!(row("refresh token").contains("for 364 days"), "{table}");
    assert_eq!(row("file"), "tokens.json");
    assert!(row("issued to").contains(setup.sandbox.client_id()), "{table}");
    assert!(!table.contains("t0ken"), "{table}");

    change(&setup, |record| record.doubt = Some(doubt()));
    let table = setup.run(&["status", "--tokens", "tokens.json"]).expect(0).stdout;
    assert!(table.contains("in doubt since 2026-11-18T11:06:40Z"), "{table}");
}

#[test]
fn every_account_that_is_there_is_shown_with_exit_code_0_also_of_another_server() {
    let setup = Setup::new();
    setup.token_file();
    let mut other = setup.command(&STATUS);
    other.env("RESTREAM_BASE_URL", "https://other.example").env("RESTREAM_CLIENT_ID", "x");
    let status = Outcome::of(other.env_remove("RESTREAM_CLIENT_SECRET").output().unwrap()).json();
    assert_eq!(status["client_id"], setup.sandbox.client_id());
    change(&setup, |record| record.death = Some(Death { why: DeathCause::Revoked, at: SystemTime::now() }));
    setup.run(&STATUS).expect(0);
}

#[test]
fn no_account_is_3_and_a_damaged_one_1() {
    let setup = Setup::new();
    for more in [None, Some("--check"), Some("--json")] {
        let arguments: Vec<_> = ["status", "--tokens", "tokens.json"].into_iter().chain(more).collect();
        let path = setup.folder.0.join("tokens.json");
        let _ = std::fs::remove_file(&path);
        setup.run(&arguments).expect(3);
        for (content, exit) in [("", 3), ("{", 1), ("\0", 1)] {
            std::fs::write(&path, content).unwrap();
            setup.run(&arguments).expect(exit);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }
    assert_eq!(setup.folder.names(), ["tokens.json"], "a look leaves nothing behind");
    assert_eq!(requests(&setup), 0);
}

#[test]
fn a_check_of_a_living_account_sends_one_request_and_rotates_nothing() {
    let setup = Setup::new();
    let path = setup.token_file();
    let (before, sent) = (std::fs::read(&path).unwrap(), requests(&setup));
    let outcome = check(&setup, 0);
    assert!(outcome.stdout.contains("accepts the access token"), "{}", outcome.stdout);
    assert_eq!(requests(&setup), sent + 1);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // The API knows the token, and wants another scope for the profile.
    setup.sandbox.inject(Fault::new(What::status(403)).on(Endpoint::Profile));
    check(&setup, 0);
    let json = setup.run(&["status", "--tokens", "tokens.json", "--check", "--json"]).json();
    assert_eq!(json["fresh"], true);
}

#[test]
fn a_check_says_by_its_exit_code_why_an_account_is_not_alive() {
    let setup = Setup::new();
    setup.token_file();
    let other = sandbox().start().unwrap();
    let outcome = Outcome::of(setup.command(&CHECK).env("RESTREAM_BASE_URL", other.base_url()).output().unwrap());
    assert_eq!(outcome.exit, Some(2), "{}", outcome.stderr);
    assert!(other.ledger().requests.is_empty(), "nothing was sent");
    let sent = requests(&setup);
    let outcome = Outcome::of(setup.command(&CHECK).env("RESTREAM_CLIENT_ID", "other").output().unwrap());
    assert_eq!(outcome.exit, Some(2), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("nothing was sent"), "{}", outcome.stdout);
    assert_eq!(requests(&setup), sent);

    for what in [What::status(500), What::reset(), What::status(429)] {
        setup.sandbox.inject(Fault::new(what.clone()).on(Endpoint::Profile));
        let outcome = check(&setup, 4);
        assert!(outcome.stdout.contains("not known"), "{what:?}: {}", outcome.stdout);
    }
    let unreachable =
        Outcome::of(setup.command(&CHECK).args(["--profile-url", "http://127.0.0.1:1/"]).output().unwrap());
    assert_eq!(unreachable.exit, Some(4), "{}", unreachable.stderr);

    change(&setup, |record| record.doubt = Some(doubt()));
    let outcome = check(&setup, 4);
    assert!(outcome.stderr.contains("in doubt"), "{}", outcome.stderr);
    change(&setup, |record| record.doubt = None);

    // The access token is dead, and nobody has said so of the grant.
    let saved = std::fs::read_to_string(setup.folder.0.join("tokens.json")).unwrap();
    setup.run_with_input(&["revoke"], &saved).expect(0);
    let outcome = check(&setup, 4);
    assert!(outcome.stdout.contains("refuses the access token"), "{}", outcome.stdout);
    setup.run(&["refresh", "--tokens", "tokens.json"]).expect(3);
    let sent = requests(&setup);
    let outcome = check(&setup, 3);
    assert!(outcome.stderr.contains("log in again"), "{}", outcome.stderr);
    assert_eq!(requests(&setup), sent, "what is dead is not asked for");
}

#[test]
fn a_check_of_all_accounts_ends_as_the_gravest_of_them() {
    let setup = Setup::without_tokens_variable();
    let redirect_uri = setup.redirect_uri.clone();
    for account in ["one", "two"] {
        let url = setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", &redirect_uri]).json();
        let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
        setup.run_with_input(&["exchange", "--login", "login.json", "--account", account], &callback).expect(0);
    }
    setup.run(&["status", "--all", "--check"]).expect(0);
    setup.sandbox.inject(Fault::new(What::status(500)).on(Endpoint::Profile));
    let outcome = setup.run(&["status", "--all", "--check"]);
    assert_eq!(outcome.exit, Some(4), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("account one"), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("two"), "{}", outcome.stdout);
}

/// rclone #6656.
#[test]
fn a_token_file_that_is_a_mount_point_of_its_own_is_read() {
    let setup = Setup::new();
    setup.token_file();
    for mount in [
        "mount --bind tokens.json tokens.json",
        "mount --bind tokens.json tokens.json && mount -o remount,bind,ro tokens.json",
    ] {
        for command in ["profile", "status", "status --check"] {
            let script = format!(
                "{mount} || exit 99; exec {} {command} --tokens tokens.json",
                env!("CARGO_BIN_EXE_restream-oauth")
            );
            let Some(outcome) = setup.run_with_mounts(&script) else { return };
            outcome.expect(0);
        }
    }
}

#[test]
fn profile_does_not_advise_to_refresh_a_grant_that_is_known_to_be_dead() {
    let setup = Setup::new();
    setup.token_file();
    let profile = ["profile", "--tokens", "tokens.json"];
    setup.sandbox.end_grants();
    setup.run(&profile).expect(6);
    setup.run(&["refresh", "--tokens", "tokens.json"]).expect(3);
    let outcome = setup.run(&profile).expect(3);
    assert!(outcome.stderr.contains("log in again") && !outcome.stderr.contains("refresh the"), "{}", outcome.stderr);
}
