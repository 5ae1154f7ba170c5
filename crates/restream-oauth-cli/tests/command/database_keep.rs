//! `keep --database`: a worker among others.

use std::time::{Duration, Instant};

use crate::databases::{Database, Line, keys, log_in};
use crate::keeping::{Keeping, MINUTE, TEN_SECONDS, refreshes, setup, socket_path, wait_for};
use crate::support::{Outcome, Setup};

/// Short enough that a test sees several refreshes, and longer than a refresh takes.
const SHORT: Duration = Duration::from_secs(10);

fn status(setup: &Setup, url: &str) -> serde_json::Value {
    setup.run(&["status", "--database", url, "--json"]).json()
}

#[test]
fn what_is_due_is_refreshed_before_anybody_asks_and_any_account_can_be_asked_for() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    let file = keys(&setup, "keys", "k1", 'a');
    let keys = ["--keys", file.to_str().unwrap()];
    for account in ["default", "bot"] {
        log_in(&setup, &url, account, &keys);
    }
    database.make_due("default", Some(&file));
    let mut keeping = Keeping::start(&setup, &[&["--database", &url], &keys[..]].concat());
    let event = keeping.event("rotated");
    assert_eq!((&event["account"], &event["generation"]), (&"default".into(), &1.into()));
    let until = event["expires_at"].as_str().unwrap().to_owned();
    let found = keeping.get("/token", "").json();
    assert_eq!((&found["expires_at"], found["scopes"].is_array()), (&until.into(), true), "{found}");
    // This one is not due.
    assert_eq!(keeping.get("/token?account=bot", "").status, 200);
    for target in ["/token?account=nobody", "/token?account=../bot", "/token?account="] {
        assert_eq!(keeping.get(target, "").status, 404, "{target}");
    }
    let arguments = [&["logout", "--database", &url, "--account", "bot"], &keys[..]].concat();
    setup.run(&arguments).expect(0);
    assert_eq!(keeping.get("/token?account=bot", "").status, 410, "what another process did is found at once");
    assert_eq!(refreshes(&setup), 1);

    let outcome = keeping.stop().expect(0);
    for words in ["survives a crash", "keeping what is due in", "tokens are at the socket"] {
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("without keys"), "{}", outcome.stderr);
    assert_eq!(setup.sandbox.ledger().dead_refresh_tokens_used, 0);
}

#[test]
fn a_refused_token_is_replaced() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    log_in(&setup, &url, "default", &[]);
    let keeping = Keeping::start(&setup, &["--database", &url]);
    let old = keeping.token();
    let answer = keeping.reject(&old);
    assert_eq!(answer.status, 200, "{answer:?}");
    let new = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    assert_eq!(keeping.reject(&old).json()["access_token"], new);
    assert_eq!(refreshes(&setup), 1);
    let outcome = keeping.stop().expect(0);
    assert!(outcome.stderr.contains("warning: without keys"), "{}", outcome.stderr);
    assert_eq!(setup.run(&["token", "--database", &url]).expect(0).stdout.trim_end(), new);
}

#[test]
fn two_processes_that_keep_the_same_account_refresh_it_once_each_time() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(SHORT), database.url());
    log_in(&setup, &url, "default", &[]);
    let first = socket_path(&setup);
    let second = first.with_file_name("second");
    let keeping = [first, second].map(|socket| Keeping::start_at(&setup, socket, &["--database", &url]));
    let begun = Instant::now();
    // Both are asked all the time, so both keep it.
    while begun.elapsed() < Duration::from_secs(25) {
        for one in &keeping {
            one.token();
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    for one in keeping {
        one.stop().expect(0);
    }
    let ledger = setup.sandbox.ledger();
    let record = status(&setup, &url);
    assert!(ledger.refreshes >= 2, "{}", ledger.refreshes);
    assert_eq!((ledger.refreshes, ledger.dead_refresh_tokens_used), (database.generation("default"), 0));
    assert_eq!(
        (&record["in_doubt_since"], &record["dead_because"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
}

#[test]
fn a_database_that_goes_away_is_said_once_and_promised_tokens_are_served_on() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    for account in ["default", "bot"] {
        log_in(&setup, &url, account, &[]);
    }
    let line = Line::to(database.address());
    let through = url.replace(&database.address().to_string(), &line.address.to_string());
    let keeping = Keeping::start(&setup, &["--database", &through]);
    let token = keeping.token();
    line.cut();
    let answer = keeping.get("/token", "");
    assert_eq!((answer.status, answer.json()["access_token"].as_str()), (200, Some(&*token)), "{answer:?}");
    // Nothing is known of this one.
    let answer = keeping.get("/token?account=bot", "");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{answer:?}");
    // Longer than the worker's pause, so that it looks several times.
    std::thread::sleep(Duration::from_secs(12));
    line.mend();
    wait_for("the database", || keeping.get("/token?account=bot", "").status == 200);
    let answer = keeping.reject(&token);
    assert_eq!(answer.status, 200, "{answer:?}");
    std::thread::sleep(Duration::from_secs(6));
    let outcome = keeping.stop().expect(0);
    for words in ["and it is tried again", "it answers again"] {
        assert_eq!(outcome.stderr.matches(words).count(), 1, "{words}: {}", outcome.stderr);
    }
    assert_eq!(refreshes(&setup), 1);
}

#[test]
fn nothing_is_sent_for_accounts_of_another_client() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    log_in(&setup, &url, "default", &[]);
    database.make_due("default", None);
    let requests = setup.sandbox.ledger().requests.len();
    let socket = socket_path(&setup);
    let mut command = setup.command(&["keep", "--socket", socket.to_str().unwrap(), "--database", &url]);
    let child = command.env("RESTREAM_CLIENT_ID", "another").spawn().unwrap();
    wait_for("the socket", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    let answer = crate::keeping::ask(&socket, "GET /token HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.body.contains("client"), "{answer:?}");
    // Longer than the pause of the worker.
    std::thread::sleep(Duration::from_secs(7));
    std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    Outcome::of(child.wait_with_output().unwrap()).expect(0);
    assert_eq!(setup.sandbox.ledger().requests.len(), requests);
}

#[test]
fn a_table_without_accounts_is_waited_for() {
    let Some(database) = Database::new() else { return };
    let (setup, url) = (setup(60 * MINUTE), database.url());
    let keeping = Keeping::start(&setup, &["--database", &url]);
    let answer = keeping.get("/token", "");
    assert_eq!(answer.status, 404, "{answer:?}");
    log_in(&setup, &url, "default", &[]);
    let begun = Instant::now();
    keeping.token();
    assert!(begun.elapsed() < TEN_SECONDS);
    keeping.stop().expect(0);
}
