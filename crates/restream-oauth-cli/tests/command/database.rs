//! `--database`: accounts that lie in a database, and not in files.

use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use restream_oauth_keeper::Doubt;
use restream_oauth_sandbox::{Endpoint, Fault, What};
use serde_json::Value;

use crate::databases::{Database, PASSWORD_IN_FILE, PASSWORD_IN_URL, keys, log_in, private_file};
use crate::keeping::{MINUTE, refreshes, setup};
use crate::support::{Outcome, RunningLogin, Setup, come_back};

/// The commands that take `--database`, with what they need besides.
const COMMANDS: [&[&str]; 5] = [&["keep"], &["login", "--no-browser"], &["logout"], &["status"], &["token"]];

fn token(setup: &Setup, url: &str, account: &str) -> String {
    let outcome = setup.run(&["token", "--database", url, "--account", account]).expect(0);
    outcome.stdout.trim_end().to_owned()
}

#[test]
fn an_account_is_logged_in_used_shown_and_logged_out() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    let nobody = setup.run(&["status", "--database", &url]).expect(3);
    assert!(nobody.stderr.contains("`login --database` makes it"), "{}", nobody.stderr);

    let outcome = log_in(&setup, &url, "bot", &[]);
    assert!(outcome.stderr.contains("made the schema restream_oauth"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("warning: without keys"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("logged in as"), "{}", outcome.stderr);
    let shown = outcome.json();
    assert_eq!((&shown["account"], &shown["file"], &shown["fresh"]), (&"bot".into(), &Value::Null, &true.into()));
    let place = shown["database"].as_str().unwrap();
    assert!(url.ends_with(place) && !place.contains("keeper@"), "{place}");
    assert_eq!(setup.folder.names(), Vec::<String>::new(), "nothing lies in a file");

    let status = setup.run(&["status", "--database", &url, "--account", "bot", "--json"]).json();
    assert_eq!((&status["account"], &status["user_id"]), (&shown["account"], &shown["user_id"]));
    assert!(!status["username"].is_null(), "{status}");
    let table = setup.run(&["status", "--database", &url, "--account", "bot", "--check"]).expect(0).stdout;
    for words in ["account        bot", "database", "fresh", "the API accepts the access token"] {
        assert!(table.contains(words), "{words}: {table}");
    }
    let json = setup.run(&["token", "--database", &url, "--account", "bot", "--json"]).expect(0).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["access_token"], token(&setup, &url, "bot"));
    assert!(json["scopes"].is_array(), "{json}");
    // Without an option, it is the default account.
    setup.run(&["token", "--database", &url]).expect(3);
    assert_eq!(refreshes(&setup), 0);

    let outcome = setup.run(&["logout", "--database", &url, "--account", "bot"]).expect(0);
    assert!(outcome.stderr.contains("revoked; account bot in"), "{}", outcome.stderr);
    assert_eq!(setup.sandbox.ledger().revocations, 1);
    for command in ["token", "status", "logout"] {
        setup.run(&[command, "--database", &url, "--account", "bot"]).expect(3);
    }
    assert_eq!(setup.sandbox.ledger().revocations, 1);
}

#[test]
fn a_token_near_its_end_is_refreshed_once_and_a_refused_one_is_replaced() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    log_in(&setup, &url, "default", &[]);
    let first = token(&setup, &url, "default");
    // A fifth of its life is the most that it may be asked for. So none is refreshed.
    let arguments = ["token", "--database", &url, "--valid-for", "100000"];
    assert_eq!(setup.run(&arguments).expect(0).stdout.trim_end(), first);
    assert_eq!(refreshes(&setup), 0);

    let rejected = ["token", "--database", &url, "--rejected"];
    let second = setup.run_with_input(&rejected, &first).expect(0).stdout;
    assert_ne!(second.trim_end(), first);
    assert_eq!(refreshes(&setup), 1);
    // It was another's news.
    assert_eq!(setup.run_with_input(&rejected, &first).expect(0).stdout, second);
    // The newest came from a refresh just now.
    let outcome = setup.run_with_input(&rejected, &second).expect(6);
    assert!(outcome.stderr.contains("less than a minute ago"), "{}", outcome.stderr);
    assert_eq!(refreshes(&setup), 1);
    assert_eq!(setup.sandbox.ledger().dead_refresh_tokens_used, 0);
}

#[test]
fn a_token_that_has_expired_is_refreshed_by_one_of_many_processes() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(Duration::from_secs(4)), database.url());
    log_in(&setup, &url, "default", &[]);
    std::thread::sleep(Duration::from_secs(5));
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(1))).on(Endpoint::Token));
    let all: Vec<_> = (0..4).map(|_| setup.command(&["token", "--database", &url]).spawn().unwrap()).collect();
    let tokens: Vec<_> =
        all.into_iter().map(|child| Outcome::of(child.wait_with_output().unwrap()).expect(0).stdout).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    assert_eq!((refreshes(&setup), setup.sandbox.ledger().dead_refresh_tokens_used), (1, 0));
}

#[test]
fn every_account_is_shown_and_one_that_cannot_be_opened_hides_no_other() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    let right = keys(&setup, "right", "k1", 'a');
    let (right, other) = (right.to_str().unwrap(), keys(&setup, "other", "k2", 'b'));
    log_in(&setup, &url, "one", &["--keys", right]);
    log_in(&setup, &url, "two", &["--keys", right]);
    log_in(&setup, &url, "three", &["--keys", other.to_str().unwrap()]);
    setup.run(&["logout", "--database", &url, "--account", "two", "--keys", right]).expect(0);
    log_in(&setup, &url, "two", &["--keys", right]);

    let outcome = setup.run(&["status", "--database", &url, "--all", "--json", "--keys", right]);
    assert_eq!(outcome.exit, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("account three") && outcome.stderr.contains("k2"), "{}", outcome.stderr);
    let shown: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let names: Vec<_> = shown.as_array().unwrap().iter().map(|it| it["account"].as_str().unwrap()).collect();
    assert_eq!(names, ["one", "two"]);
    let table = setup.run(&["status", "--database", &url, "--all", "--keys", right]).stdout;
    assert_eq!(table.matches("\n\n").count(), 1, "{table}");
    setup.run(&["logout", "--database", &url, "--account", "one", "--keys", right]).expect(0);
    let outcome = setup.run(&["status", "--database", &url, "--all", "--json", "--keys", right]);
    assert_eq!(serde_json::from_str::<Value>(&outcome.stdout).unwrap().as_array().unwrap().len(), 1);
}

#[test]
fn missing_and_wrong_keys_are_told_apart_and_nothing_is_sent() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    let right = keys(&setup, "right", "k1", 'a');
    let outcome = log_in(&setup, &url, "default", &["--keys", right.to_str().unwrap()]);
    assert!(!outcome.stderr.contains("without keys"), "{}", outcome.stderr);
    let (wrong_name, wrong_key) = (keys(&setup, "name", "k2", 'a'), keys(&setup, "key", "k1", 'b'));
    let requests = setup.sandbox.ledger().requests.len();
    for (more, words) in [
        (&[][..], "no key ring was given"),
        (&["--keys", wrong_name.to_str().unwrap()], "which is not in the key ring"),
        (&["--keys", wrong_key.to_str().unwrap()], "cannot be opened with the key k1"),
    ] {
        for command in ["token", "status", "logout"] {
            let outcome = setup.run(&[&[command, "--database", &url], more].concat()).expect(2);
            assert!(outcome.stderr.contains(words), "{command}: {}", outcome.stderr);
            let advises = outcome.stderr.contains("--keys FILE");
            assert_eq!(advises, !words.contains("opened"), "{command}: {}", outcome.stderr);
        }
    }
    assert_eq!(setup.sandbox.ledger().requests.len(), requests);
    // The variable holds the keys themselves.
    let line = std::fs::read_to_string(&right).unwrap();
    let output = setup.command(&["token", "--database", &url]).env("RESTREAM_DATABASE_KEYS", &line).output().unwrap();
    Outcome::of(output).expect(0);
    let output = setup.command(&["token", "--database", &url]).env("RESTREAM_DATABASE_KEYS", "k1:s3cret").output();
    let outcome = Outcome::of(output.unwrap()).expect(2);
    assert!(outcome.stderr.contains("RESTREAM_DATABASE_KEYS") && !outcome.stderr.contains("s3cret"));
    std::fs::set_permissions(&right, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let outcome = setup.run(&["token", "--database", &url, "--keys", right.to_str().unwrap()]).expect(2);
    assert!(outcome.stderr.contains("chmod 600"), "{}", outcome.stderr);
}

/// Every user of a machine can read the arguments of its processes.
#[test]
fn a_password_in_an_argument_is_refused_before_anything_is_sent_and_is_shown_nowhere() {
    let setup = setup(60 * MINUTE);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    for url in [
        format!("postgres://keeper:Sw0rdfish@{address}/app"),
        format!("postgres://keeper@{address}/app?password=Sw0rdfish"),
        format!("host=127.0.0.1 port={} user=keeper password=Sw0rdfish", address.port()),
    ] {
        for command in COMMANDS {
            let outcome = setup.run(&[command, &["--database", &url, "--verbose"]].concat()).expect(2);
            for words in ["RESTREAM_DATABASE_URL", "PGPASSFILE"] {
                assert!(outcome.stderr.contains(words), "{command:?}: {}", outcome.stderr);
            }
            assert!(!outcome.stderr.contains("Sw0rdfish"), "{}", outcome.stderr);
        }
    }
    assert!(listener.accept().is_err(), "nobody connected");
    assert_eq!(setup.sandbox.ledger().requests.len(), 0);
}

#[test]
fn a_password_comes_from_the_variable_or_from_a_file_and_is_shown_nowhere() {
    let Some(database) = Database::new() else { return };
    let setup = setup(60 * MINUTE);
    log_in(&setup, &database.url(), "default", &[]);
    database.grant_to("with_password");
    let secret_url = database.url_as(&format!("with_password:{PASSWORD_IN_URL}"));
    let with_variable = |arguments: &[&str], url: &str| {
        let output = setup.command(arguments).env("RESTREAM_DATABASE_URL", url).output().unwrap();
        let outcome = Outcome::of(output);
        for part in ["horse", "staple", "Sw0rdfish"] {
            assert!(!outcome.stdout.contains(part) && !outcome.stderr.contains(part), "{}", outcome.stderr);
        }
        outcome
    };
    with_variable(&["token", "--verbose"], &secret_url).expect(0);
    with_variable(&["status"], &secret_url).expect(0);
    for command in COMMANDS {
        with_variable(&[command[0], "--help"], &secret_url).expect(0);
    }
    let wrong = database.url_as("with_password:Sw0rdfish");
    let outcome = with_variable(&["token"], &wrong).expect(2);
    assert!(outcome.stderr.contains("refused the role or its password"), "{}", outcome.stderr);
    with_variable(&["token"], "mysql://u:Sw0rdfish@h/d").expect(2);

    let url = database.url_as("with_password");
    let outcome = setup.run(&["token", "--database", &url]).expect(2);
    assert!(outcome.stderr.contains("wants a password, and there is none"), "{}", outcome.stderr);
    let file = private_file(&setup, "passwords", &format!("*:*:*:with_password:{PASSWORD_IN_FILE}\n"));
    let output = setup.command(&["token", "--database", &url]).env("PGPASSFILE", &file).output().unwrap();
    Outcome::of(output).expect(0);
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let output = setup.command(&["token", "--database", &url]).env("PGPASSFILE", &file).output().unwrap();
    assert!(Outcome::of(output).expect(2).stderr.contains("chmod 600"));
}

#[test]
fn a_server_elsewhere_is_reached_by_tls_alone_and_a_certificate_authority_of_ones_own_is_an_option() {
    let Some(database) = Database::new() else { return };
    let setup = setup(60 * MINUTE);
    let outcome = setup.run(&["token", "--database", "postgres://u@db.example/d?sslmode=disable"]).expect(2);
    assert!(outcome.stderr.contains("expected TLS"), "{}", outcome.stderr);
    log_in(&setup, &database.url(), "default", &[]);
    database.grant_to("only_tls");
    let url = format!("{}?sslmode=require", database.url_as("only_tls"));
    let certificate = std::env::var("RESTREAM_TEST_CERTIFICATE").unwrap();
    setup.run(&["token", "--database", &url, "--database-ca-file", &certificate]).expect(0);
    // It is no authority for Restream, and that of Restream is none for the database.
    let outcome = setup.run(&["token", "--database", &url, "--ca-file", &certificate]).expect(4);
    assert!(outcome.stderr.contains("TLS handshake"), "{}", outcome.stderr);
    let empty = private_file(&setup, "empty.pem", "");
    let outcome = setup.run(&["token", "--database", &url, "--database-ca-file", empty.to_str().unwrap()]).expect(2);
    assert!(outcome.stderr.contains("--database-ca-file"), "{}", outcome.stderr);
}

#[test]
fn the_account_of_another_client_is_refused_before_anything_is_sent() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(Duration::from_secs(4)), database.url());
    log_in(&setup, &url, "default", &[]);
    std::thread::sleep(Duration::from_secs(5));
    let requests = setup.sandbox.ledger().requests.len();
    for command in [&["token"][..], &["logout"], &["status", "--check"]] {
        let arguments = [command, &["--database", &url]].concat();
        let output = setup.command(&arguments).env("RESTREAM_CLIENT_ID", "another").output().unwrap();
        let outcome = Outcome::of(output);
        assert_eq!(outcome.exit, Some(2), "{command:?}: {}", outcome.stderr);
        let output = setup.command(&arguments).env("RESTREAM_BASE_URL", "http://127.0.0.1:9").output().unwrap();
        assert_eq!(Outcome::of(output).exit, Some(2), "{command:?}");
    }
    assert_eq!(setup.sandbox.ledger().requests.len(), requests);
}

#[test]
fn a_database_that_is_away_is_an_exit_code_of_its_own() {
    let setup = setup(60 * MINUTE);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("postgres://keeper@{closed}/app");
    for command in COMMANDS {
        let outcome = setup.run(&[command, &["--database", &url]].concat()).expect(4);
        assert!(outcome.stderr.contains("cannot be reached"), "{command:?}: {}", outcome.stderr);
    }
    assert_eq!(setup.sandbox.ledger().requests.len(), 0);
}

#[test]
fn what_decides_between_files_and_a_database() {
    let Some(database) = Database::new() else { return };
    let setup = setup(60 * MINUTE);
    let variable = |arguments: &[&str]| {
        Outcome::of(setup.command(arguments).env("RESTREAM_DATABASE_URL", database.url()).output().unwrap())
    };
    log_in(&setup, &database.url(), "default", &[]);
    assert_eq!(variable(&["status", "--json"]).json()["file"], Value::Null);
    // A file that is named is meant.
    let outcome = variable(&["status", "--tokens", "tokens.json"]).expect(3);
    assert!(outcome.stderr.contains("tokens.json does not exist"), "{}", outcome.stderr);
    // Commands that know only files do not pretend.
    for command in [&["refresh"][..], &["refresh", "--account", "bot"], &["revoke"], &["profile"], &["accounts"]] {
        let outcome = variable(command).expect(2);
        assert!(outcome.stderr.contains("works with files alone"), "{command:?}: {}", outcome.stderr);
    }
    assert!(variable(&["api", "/v2/user/profile"]).expect(2).stderr.contains("works with files alone"));
    for arguments in [
        &["token", "--database", &database.url(), "--tokens", "x.json"][..],
        &["keep", "--database", &database.url(), "--account", "default"],
        &["token", "--keys", "keys"],
        &["token", "--database-ca-file", "ca.pem", "--tokens", "x.json"],
        &["keep", "--database", &database.url(), "--timeout", "76"],
        &["login", "--no-browser", "--database", &database.url(), "--timeout", "76"],
    ] {
        setup.run(arguments).expect(2);
    }
}

#[test]
fn a_login_over_a_login_says_whose_it_replaces_and_may_revoke_it() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    log_in(&setup, &url, "default", &[]);
    let outcome = log_in(&setup, &url, "default", &[]);
    for words in ["is logged in as", "a new login takes its place", "replaced, but not revoked"] {
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    }
    let outcome = log_in(&setup, &url, "default", &["--revoke-old"]);
    assert!(outcome.stderr.contains("is revoked"), "{}", outcome.stderr);
    assert_eq!(setup.sandbox.ledger().revocations, 1);
    assert_eq!(setup.run(&["status", "--database", &url, "--json"]).json()["fresh"], true);
    let printed = log_in(&setup, &url, "default", &["--print-tokens"]).tokens();
    assert_eq!(printed.access_token().expose_secret(), token(&setup, &url, "default"));
}

#[test]
fn tokens_of_a_login_that_the_database_refuses_are_saved_elsewhere() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    log_in(&setup, &url, "other", &[]);
    let login = RunningLogin::start(&setup, &["--database", &url]);
    database.execute("DROP SCHEMA restream_oauth CASCADE");
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    let outcome = login.finish();
    assert_eq!(outcome.exit, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the new tokens are in"), "{}", outcome.stderr);
    let saved = setup.elsewhere.names();
    assert_eq!(saved.len(), 1, "{saved:?}");
    setup
        .run_with_input(
            &["profile", "--tokens", "-"],
            &std::fs::read_to_string(setup.elsewhere.0.join(&saved[0])).unwrap(),
        )
        .expect(0);
}

#[test]
fn an_account_stays_until_the_server_confirms_its_revocation() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    log_in(&setup, &url, "default", &[]);
    setup.sandbox.inject(Fault::new(What::status(503)).on(Endpoint::Revoke).always());
    let outcome = setup.run(&["logout", "--database", &url]).expect(4);
    assert!(outcome.stderr.contains("not logged out yet"), "{}", outcome.stderr);
    let outcome = setup.run(&["token", "--database", &url]).expect(3);
    assert!(outcome.stderr.contains("log in again"), "{}", outcome.stderr);
    setup.sandbox.clear_faults();
    setup.run(&["logout", "--database", &url]).expect(0);
    assert_eq!(setup.sandbox.ledger().revocations, 1);
    setup.run(&["status", "--database", &url]).expect(3);
}

/// A doubt whose next replay is due.
fn doubt() -> Doubt {
    let ended = SystemTime::now() - MINUTE;
    Doubt { since: ended, sends: 1, in_flight: false, ended: Some(ended), witnessed: true, forwarded: None }
}

#[test]
fn a_refresh_in_doubt_is_sent_again_and_its_token_is_printed() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    log_in(&setup, &url, "default", &[]);
    let old = token(&setup, &url, "default");
    // The old token lives, as far as anybody knows, and is not printed: the refresh may end it at any moment.
    database.change("default", None, 30 * MINUTE, |record| record.doubt = Some(doubt()));
    let new = token(&setup, &url, "default");
    assert_ne!(new, old);
    assert_eq!(refreshes(&setup), 1);
    let shown = setup.run(&["status", "--database", &url, "--json", "--check"]).json();
    assert_eq!((&shown["in_doubt_since"], &shown["fresh"]), (&Value::Null, &true.into()));
    assert_eq!(database.generation("default"), 1);
}

/// A revocation is always answered with success, and would prove nothing.
#[test]
fn an_account_stays_while_a_refresh_is_in_doubt_and_a_logout_resolves_the_doubt_first() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    log_in(&setup, &url, "default", &[]);
    database.change("default", None, Duration::ZERO, |record| record.doubt = Some(doubt()));
    setup.sandbox.inject(Fault::new(What::retry_after(503, "600")).on(Endpoint::Token).before_acting());
    let outcome = setup.run(&["logout", "--database", &url, "--timeout", "3"]).expect(4);
    for words in ["stays", "settings of the Restream account"] {
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    }
    assert_eq!(setup.sandbox.ledger().revocations, 0);
    let status = setup.run(&["status", "--database", &url, "--json"]).json();
    assert!(status["in_doubt_since"].is_string(), "{status}");

    setup.sandbox.clear_faults();
    database.change("default", None, Duration::ZERO, |record| {
        record.doubt = Some(doubt());
        record.not_before = None;
    });
    setup.run(&["logout", "--database", &url]).expect(0);
    let ledger = setup.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.revocations, ledger.dead_refresh_tokens_used), (1, 1, 0));
}
