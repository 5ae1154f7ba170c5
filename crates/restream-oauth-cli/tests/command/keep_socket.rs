//! The socket of `keep`, at which other programs ask for tokens.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_sandbox::{Endpoint, Fault, What};
use serde_json::Value;

use crate::keeping::{Keeping, MINUTE, ask, change, log_in, record, refreshes, setup, token};
use crate::support::{mode, skipped};

#[test]
fn a_program_gets_the_token_of_the_account_as_json_or_as_text() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let keeping = Keeping::start(&setup, &[]);
    assert_eq!(mode(&keeping.socket), 0o600);
    let answer = keeping.get("/token", "");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let found = answer.json();
    // Their order depends on the features of serde_json, which all crates of a build share.
    let members: BTreeSet<_> = found.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(Vec::from_iter(members), ["access_token", "expires_at", "expires_in", "scopes", "token_type"]);
    assert_eq!(found["access_token"], token(&setup, "default"));
    assert_eq!(found["token_type"], "Bearer");
    assert!(!found["scopes"].as_array().unwrap().is_empty(), "{found}");
    // What is told is the promise, and not the hour that the server gives.
    let until = record(&setup, "default").usable_until.duration_since(SystemTime::now()).unwrap().as_secs();
    assert!(until < 3600 && found["expires_in"].as_u64().unwrap().abs_diff(until) <= 1, "{found}");
    assert!(found["expires_at"].as_str().unwrap().ends_with('Z'), "{found}");

    let plain = keeping.get("/token?account=default", "Accept: text/plain\r\n");
    assert_eq!(plain.body, format!("{}\n", token(&setup, "default")));
    assert_eq!(plain.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(refreshes(&setup), 0, "nothing was due");

    let socket = keeping.socket.clone();
    keeping.stop().expect(0);
    assert!(!socket.exists());
    assert_eq!(setup.folder.names(), [".local", "run"], "nothing else is left");
}

#[test]
fn a_real_client_of_http_gets_the_token() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let keeping = Keeping::start(&setup, &[]);
    let curl = |arguments: &[&str]| {
        let common = ["--silent", "--fail", "--unix-socket", keeping.socket.to_str().unwrap()];
        Command::new("curl").args(common).args(arguments).output()
    };
    let Ok(found) = curl(&["-H", "Accept: text/plain", "http://localhost/token"]) else {
        keeping.stop().expect(0);
        return skipped("curl is missing");
    };
    let old = token(&setup, "default");
    assert_eq!(String::from_utf8(found.stdout).unwrap(), format!("{old}\n"));
    let found = curl(&["--data-raw", &old, "http://localhost/rejected"]).unwrap();
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_ne!(found["access_token"], old);
    keeping.stop().expect(0);
    assert_eq!(found["access_token"], token(&setup, "default"));
}

#[test]
fn accounts_are_told_apart_and_unknown_ones_are_404() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "one");
    log_in(&setup, "two");
    let keeping = Keeping::start(&setup, &["--account", "one", "--account", "two"]);
    for account in ["one", "two"] {
        let found = keeping.get(&format!("/token?account={account}"), "").json();
        assert_eq!(found["access_token"], token(&setup, account));
    }
    assert_ne!(token(&setup, "one"), token(&setup, "two"));
    // Neither of two accounts is the default.
    for target in ["/token", "/token?account=three", "/token?account=../one", "/token?account=", "/other", "/"] {
        assert_eq!(keeping.get(target, "").status, 404, "{target}");
    }
    assert_eq!(keeping.get("/token?account=one&account=two", "").status, 400);
    keeping.stop().expect(0);
    // The only account is meant, whatever its name.
    let keeping = Keeping::start(&setup, &["--account", "two"]);
    assert_eq!(keeping.token(), token(&setup, "two"));
    assert_eq!(keeping.get("/token?account=one", "").status, 404);
    keeping.stop().expect(0);
}

#[test]
fn other_methods_and_bodies_that_are_no_token_are_refused() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let keeping = Keeping::start(&setup, &[]);
    for (answer, allow) in [(keeping.post("/token", "x"), "GET"), (keeping.get("/rejected", ""), "POST")] {
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)));
    }
    assert_eq!(keeping.reject("").status, 400);
    assert_eq!(keeping.reject(" \n").status, 400);
    assert_eq!(keeping.reject(&"x".repeat(16 * 1024 + 1)).status, 413);
    assert_eq!(keeping.reject(&"x".repeat(900 * 1024)).status, 413);
    // As long as a token may be, and no token of ours: there is a newer one.
    let answer = keeping.reject(&"x".repeat(16 * 1024));
    assert_eq!((answer.status, answer.json()["access_token"].as_str()), (200, Some(&*token(&setup, "default"))));
    // A length that is a lie cannot make it reserve memory, or wait.
    let lie = "POST /rejected HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    assert_eq!(ask(&keeping.socket, lie).status, 413);
    assert_eq!(
        ask(&keeping.socket, &format!("GET /token HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024))).status,
        431
    );
    assert_eq!(ask(&keeping.socket, "nonsense\r\n\r\n").status, 400);
    assert_eq!(refreshes(&setup), 0);
    keeping.stop().expect(0);
}

#[test]
fn connections_that_say_nothing_do_not_keep_others_out() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let keeping = Keeping::start(&setup, &[]);
    let silent: Vec<_> = (0..80).map(|_| UnixStream::connect(&keeping.socket).unwrap()).collect();
    let begun = Instant::now();
    keeping.token();
    // They are as many as there may be, and each has ten seconds.
    let waited = begun.elapsed();
    assert!((Duration::from_secs(8)..Duration::from_secs(20)).contains(&waited), "{waited:?}");
    drop(silent);
    keeping.stop().expect(0);
}

#[test]
fn twelve_programs_at_the_end_of_a_token_make_one_refresh() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let old = token(&setup, "default");
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(2))).on(Endpoint::Token));
    change(&setup, "default", 61 * MINUTE, |record| record.usable_until = SystemTime::now() - MINUTE);
    let keeping = Keeping::start(&setup, &[]);
    let tokens: Vec<_> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..12).map(|_| scope.spawn(|| keeping.token())).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(refreshes(&setup), 1);
    let new = &tokens[0];
    assert_ne!(*new, old);
    assert!(tokens.iter().all(|token| token == new));
    keeping.stop().expect(0);
    assert_eq!(token(&setup, "default"), *new);
    assert_eq!(setup.sandbox.ledger().dead_refresh_tokens_used, 0);
}

#[test]
fn a_refused_token_is_replaced_once_however_many_programs_say_so() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let old = token(&setup, "default");
    let keeping = Keeping::start(&setup, &[]);
    assert_eq!(keeping.token(), old);
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(1))).on(Endpoint::Token));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..12).map(|_| scope.spawn(|| keeping.reject(&format!("{old}\n")))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let new = answers[0].json()["access_token"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    for answer in answers {
        assert_eq!((answer.status, answer.json()["access_token"].as_str()), (200, Some(&*new)));
    }
    // A late refusal of the old token says nothing about the new one.
    assert_eq!(keeping.reject(&old).json()["access_token"], new);
    assert_eq!(refreshes(&setup), 1);
    keeping.stop().expect(0);
    assert_eq!(token(&setup, "default"), new);
}

#[test]
fn a_token_of_a_young_refresh_is_not_replaced_before_it_is_a_minute_old() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let keeping = Keeping::start(&setup, &[]);
    let young = keeping.reject(&keeping.token()).json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(refreshes(&setup), 1);
    let answer = keeping.reject(&young);
    assert_eq!(answer.status, 409, "{answer:?}");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((50..=60).contains(&wait), "{answer:?}");
    assert!(!answer.body.contains(&young));
    // It is served on to others.
    assert_eq!(keeping.token(), young);
    keeping.stop().expect(0);
    assert_eq!(refreshes(&setup), 1);

    // A minute later it is replaced, and after ten minutes as well.
    for age in [MINUTE + Duration::from_secs(1), 11 * MINUTE] {
        change(&setup, "default", age, |record| assert!(record.sent.is_some()));
        let before = token(&setup, "default");
        let keeping = Keeping::start(&setup, &[]);
        let answer = keeping.reject(&before);
        assert_eq!(answer.status, 200, "{age:?}: {answer:?}");
        assert_ne!(answer.json()["access_token"], before);
        keeping.stop().expect(0);
    }
    assert_eq!(refreshes(&setup), 3);
}

#[test]
fn what_another_process_has_refreshed_is_given_out_at_once() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let keeping = Keeping::start(&setup, &[]);
    let old = keeping.token();
    setup.run(&["refresh"]).expect(0);
    let new = token(&setup, "default");
    assert_eq!(keeping.token(), new);
    assert_eq!(keeping.reject(&old).json()["access_token"], new);
    keeping.stop().expect(0);
    assert_eq!(refreshes(&setup), 1, "that of the other process");
}

#[test]
fn without_a_living_token_and_a_server_a_program_is_told_when_to_come_again() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    setup.sandbox.inject(Fault::new(What::status(503)).on(Endpoint::Token).always());
    let keeping = Keeping::start(&setup, &[]);
    // While the old token lives, it is no program's trouble: only the program whose token was refused gets none.
    let old = keeping.token();
    let answer = keeping.reject(&old);
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{answer:?}");
    assert_eq!(keeping.token(), old);
    keeping.stop().expect(0);

    change(&setup, "default", 61 * MINUTE, |record| record.usable_until = SystemTime::now() - MINUTE);
    let keeping = Keeping::start(&setup, &[]);
    let begun = Instant::now();
    let answer = keeping.get("/token", "");
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    keeping.stop().expect(0);
}

#[test]
fn a_doubt_serves_the_old_token_without_a_promise() {
    let setup = setup(60 * MINUTE);
    log_in(&setup, "default");
    let old = token(&setup, "default");
    change(&setup, "default", 50 * MINUTE, |record| record.usable_until = SystemTime::now() - MINUTE);
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting().always());
    setup.sandbox.inject(Fault::new(What::status(500)).on(Endpoint::Profile).always());
    let mut keeping = Keeping::start(&setup, &[]);
    assert_eq!(keeping.event("in_doubt")["sends"], 1);
    let found = keeping.get("/token", "").json();
    assert_eq!((found["access_token"].as_str(), &found["expires_in"]), (Some(&*old), &0.into()));
    setup.sandbox.clear_faults();
    keeping.event("recovered");
    assert_ne!(keeping.token(), old);
    keeping.stop().expect(0);
}
