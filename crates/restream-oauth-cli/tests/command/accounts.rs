//! Where tokens lie when no file is named: a file for each account, in the state folder of the user.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use restream_oauth_core::Tokens;
use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{Outcome, RunningLogin, Setup, come_back, mode};

const ACCOUNTS: &str = ".local/state/restream-oauth/accounts";

/// Logs in by `authorize-url` and `exchange`, with these further arguments of `exchange`.
fn log_in(setup: &Setup, more: &[&str]) -> Outcome {
    let redirect_uri = setup.redirect_uri.clone();
    let url = setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", &redirect_uri]).json();
    let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
    setup.run_with_input(&[&["exchange", "--login", "login.json"], more].concat(), &callback)
}

#[test]
fn without_an_option_every_command_means_the_default_account() {
    let setup = Setup::without_tokens_variable();
    let login = RunningLogin::start(&setup, &[]);
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    let status = login.finish().json();
    let folder = setup.folder.0.join(ACCOUNTS);
    let file = folder.join("default.json");
    assert_eq!(status["account"], "default");
    assert_eq!(status["file"], file.to_str().unwrap());
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    assert_eq!(mode(&setup.folder.0.join(".local/state/restream-oauth")), 0o700);

    assert!(setup.run(&["profile"]).json()["id"].is_string());
    setup.run(&["refresh"]).expect(0);
    assert_eq!(setup.run(&["status", "--json"]).json()["fresh"], true);
    setup.run(&["logout"]).expect(0);
    for command in ["profile", "refresh", "revoke", "status", "logout"] {
        let outcome = setup.run(&[command]).expect(3);
        assert!(outcome.stderr.contains("account default: there are no tokens yet"), "{command}: {}", outcome.stderr);
    }
}

#[test]
fn a_folder_of_accounts_that_others_can_enter_is_warned_about() {
    let setup = Setup::without_tokens_variable();
    let folder = setup.folder.0.join(ACCOUNTS);
    std::fs::create_dir_all(&folder).unwrap();
    for (bits, warns) in [(0o755, true), (0o701, true), (0o700, false)] {
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(bits)).unwrap();
        let outcome = log_in(&setup, &[]).expect(0);
        assert_eq!(outcome.stderr.contains("warning: others can enter"), warns, "{bits:o}: {}", outcome.stderr);
        assert_eq!(mode(&folder), bits, "the folder was there, and is the user's to change");
    }
}

#[test]
fn before_the_first_login_every_command_says_so_and_creates_nothing() {
    let setup = Setup::without_tokens_variable();
    for command in ["profile", "refresh", "revoke", "status", "logout"] {
        let outcome = setup.run(&[command]).expect(3);
        assert!(outcome.stderr.contains("account default: there are no tokens yet"), "{command}: {}", outcome.stderr);
    }
    assert!(setup.folder.names().is_empty(), "{:?}", setup.folder.names());
    assert!(setup.sandbox.ledger().requests.is_empty());
}

#[test]
fn an_account_has_a_file_of_its_own_and_accounts_lists_them_by_name() {
    let setup = Setup::without_tokens_variable();
    assert_eq!(setup.run(&["accounts", "--json"]).json(), serde_json::json!([]));
    let outcome = setup.run(&["accounts"]).expect(0);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("there are no accounts"), "{}", outcome.stderr);
    setup.run(&["status", "--all"]).expect(3);
    for account in ["second", "first.one"] {
        assert_eq!(log_in(&setup, &["--account", account]).json()["account"], account);
    }
    let folder = setup.folder.0.join(ACCOUNTS);
    // What is no account is not listed.
    std::fs::write(folder.join("notes.txt"), "x").unwrap();
    std::fs::write(folder.join("empty.json"), "").unwrap();
    for arguments in [["accounts", "--json"].as_slice(), &["status", "--all", "--json"]] {
        assert_eq!(names(&setup.run(arguments).expect(0)), ["first.one", "second"], "{arguments:?}");
    }
    let table = setup.run(&["accounts"]).expect(0).stdout;
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split("  ").map(str::trim).collect()).collect();
    let row = |name| [name, "sandbox-user (id 1000001)", "fresh"];
    let words: Vec<Vec<_>> =
        rows.into_iter().map(|row| row.into_iter().filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(words, [["ACCOUNT", "USER", "STATE"], row("first.one"), row("second")]);

    // What is damaged hides nothing, and is not passed over.
    std::fs::write(folder.join("damaged.json"), "{").unwrap();
    for arguments in [["accounts", "--json"].as_slice(), &["status", "--all", "--json"]] {
        let outcome = setup.run(arguments);
        assert!(outcome.stderr.contains("damaged.json"), "{}", outcome.stderr);
        assert_eq!(outcome.exit, Some(1), "{arguments:?}");
        assert_eq!(names(&outcome), ["first.one", "second"], "{arguments:?}");
    }

    let variable = setup.command(&["status", "--json"]).env("RESTREAM_ACCOUNT", "second").output().unwrap();
    assert_eq!(Outcome::of(variable).json()["account"], "second");
    setup.run(&["status"]).expect(3);
    setup.run(&["status", "--account", "first.one", "--tokens", "x"]).expect(2);
    setup.run(&["status", "--account", "../first"]).expect(2);
    setup.run(&["status", "--account", "first.one", "--all"]).expect(2);
    for command in ["status", "logout"] {
        setup.run(&[command, "--tokens", "-"]).expect(2);
    }
}

/// The names of the accounts in an array of JSON.
#[track_caller]
fn names(outcome: &Outcome) -> Vec<String> {
    let listed: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let name = |account: &serde_json::Value| account["account"].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn the_tokens_of_a_login_are_printed_only_when_asked_for_and_stored_all_the_same() {
    let setup = Setup::without_tokens_variable();
    let printed = log_in(&setup, &["--print-tokens"]).tokens();
    let stored = std::fs::read(setup.folder.0.join(ACCOUNTS).join("default.json")).unwrap();
    assert_eq!(Tokens::from_saved(stored).unwrap().access_token(), printed.access_token());
    // `json` fails if the output holds a token.
    log_in(&setup, &[]).json();
}

/// What the API says to the profile call of the next login.
fn next_user(setup: &Setup, what: What) {
    setup.sandbox.inject(Fault::new(what).on(Endpoint::Profile));
}

fn another_user() -> What {
    What::body("application/json", r#"{"id":2000002,"username":"another"}"#)
}

/// Returns what is alive: the access tokens that the sandbox accepts among these files.
fn is_alive(setup: &Setup, saved: &str) -> bool {
    match setup.run_with_input(&["profile", "--tokens", "-"], saved).exit {
        Some(0) => true,
        Some(6) => false,
        other => panic!("{other:?}"),
    }
}

fn stored(setup: &Setup) -> String {
    std::fs::read_to_string(setup.folder.0.join(ACCOUNTS).join("default.json")).unwrap()
}

#[test]
fn a_login_writes_down_whose_it_is_and_refreshes_carry_that_on() {
    let setup = Setup::without_tokens_variable();
    let status = log_in(&setup, &[]).json();
    assert_eq!((&status["user_id"], &status["username"]), (&"1000001".into(), &"sandbox-user".into()));
    setup.run(&["refresh"]).expect(0);
    let status = setup.run(&["status", "--json"]).json();
    assert_eq!((&status["user_id"], &status["username"]), (&"1000001".into(), &"sandbox-user".into()));
    assert_eq!(setup.folder.names(), [".local"], "nothing is left of the login");
}

#[test]
fn a_login_succeeds_though_nobody_says_whose_it_is() {
    for (what, words) in [
        (What::status(500), "500"),
        (What::reset(), "could not be found out"),
        (What::body("application/json", "{}"), "could not be found out"),
        (What::status(403), "could not be found out"),
    ] {
        let setup = Setup::without_tokens_variable();
        next_user(&setup, what.clone());
        let outcome = log_in(&setup, &[]).expect(0);
        assert!(outcome.stderr.contains(words), "{what:?}: {}", outcome.stderr);
        let status = outcome.json();
        assert_eq!((&status["user_id"], &status["fresh"]), (&serde_json::Value::Null, &true.into()), "{what:?}");
    }
}

#[test]
fn a_login_waits_a_few_seconds_at_most_for_whose_it_is() {
    let setup = Setup::without_tokens_variable();
    next_user(&setup, What::Delay(Duration::from_secs(60)));
    let begun = Instant::now();
    let outcome = log_in(&setup, &[]).expect(0);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(outcome.stderr.contains("longer than 5 s"), "{}", outcome.stderr);
}

#[test]
fn a_signal_ends_the_wait_for_whose_login_it_is_and_not_the_login() {
    let setup = Setup::without_tokens_variable();
    next_user(&setup, What::Delay(Duration::from_secs(60)));
    let login = RunningLogin::start(&setup, &[]);
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    let asked =
        setup.sandbox.wait_until(Duration::from_secs(10), |ledger| ledger.requests_to("/v2/user/profile").count() == 1);
    assert!(asked);
    let killed = std::process::Command::new("kill").args(["-INT", &login.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let outcome = login.finish().expect(0);
    assert!(outcome.stderr.contains("interrupted; the tokens of the login are in place"), "{}", outcome.stderr);
    assert_eq!(outcome.json()["fresh"], true);
}

#[test]
fn a_login_says_before_the_browser_opens_whose_login_it_replaces() {
    let setup = Setup::without_tokens_variable();
    log_in(&setup, &[]).expect(0);
    let words = "account default is logged in as sandbox-user (id 1000001)";
    let login = RunningLogin::start(&setup, &[]);
    assert!(login.said().contains(words), "before the URL: {}", login.said());
    login.interrupt();
    // What is dead is nobody's.
    setup.run(&["logout"]).expect(0);
    let login = RunningLogin::start(&setup, &[]);
    assert!(!login.said().contains("logged in as"), "{}", login.said());
    login.interrupt();
}

#[test]
fn the_login_of_another_user_is_revoked_once_the_new_one_is_safe() {
    let setup = Setup::without_tokens_variable();
    log_in(&setup, &[]).expect(0);
    let old = stored(&setup);
    next_user(&setup, another_user());
    let outcome = log_in(&setup, &[]).expect(0);
    assert!(outcome.stderr.contains("of sandbox-user (id 1000001) is revoked"), "{}", outcome.stderr);
    assert_eq!(outcome.json()["username"], "another");
    assert!(!is_alive(&setup, &old));
    assert!(is_alive(&setup, &stored(&setup)));
}

/// Nothing documents that a revocation spares the other grants of the same user.
#[test]
fn the_login_of_the_same_user_or_an_unknown_one_is_revoked_only_on_demand() {
    for what in [None, Some(What::status(500))] {
        let setup = Setup::without_tokens_variable();
        log_in(&setup, &[]).expect(0);
        let first = stored(&setup);
        if let Some(what) = what.clone() {
            next_user(&setup, what);
        }
        let outcome = log_in(&setup, &[]).expect(0);
        assert!(outcome.stderr.contains("--revoke-old"), "{what:?}: {}", outcome.stderr);
        assert!(is_alive(&setup, &first), "{what:?}");
        let second = stored(&setup);
        log_in(&setup, &["--revoke-old"]).expect(0);
        assert!(!is_alive(&setup, &second), "{what:?}");
        assert!(is_alive(&setup, &stored(&setup)), "{what:?}");
        assert_eq!(setup.sandbox.ledger().revocations, 1, "{what:?}");
    }
}

#[test]
fn without_a_file_there_is_no_old_login_to_revoke() {
    let setup = Setup::new();
    let outcome = setup.run(&["login", "--no-browser", "--tokens", "-", "--revoke-old"]).expect(2);
    assert!(outcome.stderr.contains("--revoke-old"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("http"), "nobody was asked to log in: {}", outcome.stderr);
    let url = setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", &setup.redirect_uri]).json();
    let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
    setup.run_with_input(&["exchange", "--login", "login.json", "--tokens", "-", "--revoke-old"], &callback).expect(2);
    assert_eq!(setup.token_requests(), 0);
    setup.run_with_input(&["exchange", "--login", "login.json", "--tokens", "-"], &callback).tokens();
}

#[test]
fn an_old_login_that_cannot_be_revoked_is_a_warning() {
    let setup = Setup::without_tokens_variable();
    log_in(&setup, &[]).expect(0);
    setup.sandbox.inject(Fault::new(What::status(503)).on(Endpoint::Revoke));
    let outcome = log_in(&setup, &["--revoke-old"]).expect(0);
    assert!(outcome.stderr.contains("warning: the previous login of sandbox-user"), "{}", outcome.stderr);
    assert!(is_alive(&setup, &stored(&setup)));
}
