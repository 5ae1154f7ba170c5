//! Kills `refresh --tokens FILE` and `exchange --tokens FILE` at each system call that touches a file or a lock.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use restream_oauth_core::Tokens;
use restream_oauth_keeper::Record;
use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{Setup, kept_body, mode, pair, skipped};

const CALLS: [&str; 7] = ["openat", "write", "fsync", "fdatasync", "rename", "unlink", "flock"];

/// a lock that is removed, gemini-cli #29054.
#[test]
fn a_refresh_killed_anywhere_leaves_a_whole_pair_and_a_free_lock() {
    if !strace_is_there() {
        return;
    }
    let mut kills = 0;
    let mut lost = Vec::new();
    for call in CALLS {
        for occurrence in 1.. {
            let setup = Setup::new();
            let path = setup.token_file();
            if !refresh_killed_at(&setup, call, occurrence) {
                break;
            }
            kills += 1;
            let place = format!("killed at {call} number {occurrence}");
            let after = std::fs::read_to_string(&path).unwrap();
            assert!(Tokens::from_saved(&after).is_ok(), "{place}: the file holds a whole pair");
            for name in setup.folder.names() {
                assert_eq!(mode(&setup.folder.0.join(&name)), 0o600, "{place}: {name}");
            }
            let next = setup.run(&["refresh", "--tokens", "tokens.json"]);
            if setup.sandbox.ledger().dead_refresh_tokens_used > 0 {
                assert_eq!(next.exit, Some(3), "{place}: {}", next.stderr);
                // The file says that the refresh token was on its way, so its end is no surprise.
                assert!(next.stderr.contains("lost answer"), "{place}: {}", next.stderr);
                lost.push(place);
            } else {
                assert_eq!(next.exit, Some(0), "{place}: {}", next.stderr);
                assert_eq!(
                    setup.folder.names(),
                    ["tokens.json", "tokens.json.lock"],
                    "{place}: nothing is left behind"
                );
            }
        }
    }
    assert!(kills >= CALLS.len(), "each call was met at least once: {kills}");
    // A process that dies after it received the response and before it wrote a byte loses the pair. There is one such
    // call.
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert!(lost[0].contains("write"), "{lost:?}");
}

#[test]
fn a_refresh_killed_while_it_keeps_an_answer_leaves_the_answer() {
    const ANSWER: &str = r#"{"access_token":"hal"#;
    if !strace_is_there() {
        return;
    }
    // The server asks for a longer wait than a run has, so the run sends nothing more.
    let headers = [("Content-Type", "application/json"), ("Retry-After", "600")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let busy = What::Status { status: 503, headers, body: ANSWER.into() };
    let mut kept = 0;
    let mut lost = Vec::new();
    for call in CALLS {
        for occurrence in 1.. {
            let setup = Setup::new();
            let sent = pair(&setup.token_file()).refresh_token().unwrap().clone();
            setup.sandbox.inject(Fault::new(busy.clone()).on(Endpoint::Token));
            // Without an injected kill the refresh ends by itself, with an error.
            if !refresh_killed_at(&setup, call, occurrence) {
                break;
            }
            let place = format!("killed at {call} number {occurrence}");
            let answered = setup.token_requests() == 2;
            setup.sandbox.clear_faults();
            let names = setup.folder.names();
            let is_answer = |name: &&String| {
                let room = name.starts_with("tokens.json.spool");
                let blank = || std::fs::read(setup.folder.0.join(name)).unwrap().trim_ascii().is_empty();
                name.starts_with("tokens.json.answer-") || room && !blank()
            };
            let answers: Vec<_> = names.iter().filter(is_answer).collect();
            match (answered, answers.as_slice()) {
                (true, [name]) => {
                    let path = setup.folder.0.join(name);
                    assert_eq!(mode(&path), 0o600, "{place}");
                    assert_eq!(kept_body(&path, &sent), ANSWER, "{place}");
                    kept += 1;
                }
                (true, []) => lost.push(place.clone()),
                (false, []) => {}
                _ => panic!("{place}: {names:?}"),
            }
            // The next run reads the answer, if that is spooled, and the wait in it.
            setup.run(&["refresh", "--tokens", "tokens.json"]);
            let path = setup.folder.0.join("tokens.json");
            let mut record = Record::from_saved(std::fs::read(&path).unwrap()).unwrap();
            record.not_before = None;
            std::fs::write(&path, record.to_saved().as_bytes()).unwrap();
            // The fault replaced the rotation, so the pair is alive. Its successor makes the answer worthless.
            setup.run(&["refresh", "--tokens", "tokens.json"]).expect(0);
            assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"], "{place}");
        }
    }
    assert!(kept > 2, "writing, syncing and renaming were met: {kept}");
    // A process that dies after it received the response and before it wrote a byte loses the response.
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert!(lost[0].contains("write"), "{lost:?}");
}

#[test]
fn an_exchange_killed_anywhere_leaves_tokens_that_the_next_refresh_finds() {
    if !strace_is_there() {
        return;
    }
    let (mut kills, mut kept, mut lost) = (0, 0, Vec::new());
    for call in CALLS {
        for occurrence in 1.. {
            let setup = Setup::new();
            let redirect_uri = setup.redirect_uri.clone();
            let url = setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", &redirect_uri]).json();
            let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
            std::fs::write(setup.folder.0.join("callback"), callback).unwrap();
            let exchange = setup.command(&["exchange", "--login", "login.json", "--tokens", "tokens.json"]);
            let input = File::open(setup.folder.0.join("callback")).unwrap();
            if !killed_at(&setup, &exchange, input.into(), call, occurrence) {
                break;
            }
            kills += 1;
            let place = format!("killed at {call} number {occurrence}");
            let answered = setup.token_requests() == 1;
            let path = setup.folder.0.join("tokens.json");
            let waiting = std::fs::read_dir(setup.folder.0.join("tokens.json.logins"));
            let waiting: Vec<_> = waiting.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
            for file in &waiting {
                assert_eq!(mode(file), 0o600, "{place}");
            }
            let is_whole = |file: &PathBuf| Tokens::from_saved(std::fs::read(file).unwrap()).is_ok();
            let safe = path.exists() || waiting.iter().any(is_whole);
            assert!(answered || !path.exists(), "{place}: no file without tokens");
            let next = setup.run(&["refresh", "--tokens", "tokens.json"]);
            if safe {
                assert_eq!(next.exit, Some(0), "{place}: {}", next.stderr);
                let mut names = setup.folder.names();
                names.retain(|name| name.starts_with("tokens.json"));
                assert_eq!(names, ["tokens.json", "tokens.json.lock"], "{place}");
                kept += 1;
            } else {
                assert_eq!(next.exit, Some(3), "{place}: {}", next.stderr);
                if answered {
                    lost.push(place);
                }
            }
        }
    }
    assert!(kills > 20 && kept > 5, "{kills} kills, {kept} kept");
    // A process that dies before it has written the tokens loses them. It first removes the saved login, because the
    // code must not be sent again, and makes a folder and a file.
    assert!(lost.len() <= 9, "{lost:?}");
}

fn strace_is_there() -> bool {
    let there = Command::new("strace").arg("-V").output().is_ok();
    if !there {
        skipped("strace is not installed, so no refresh was killed (Debian: apt-get install strace)");
    }
    there
}

/// Kills a refresh at the given occurrence of a system call. Returns false if the refresh ended before that occurrence.
fn refresh_killed_at(setup: &Setup, call: &str, occurrence: u32) -> bool {
    killed_at(setup, &setup.command(&["refresh", "--tokens", "tokens.json"]), Stdio::null(), call, occurrence)
}

/// Kills a command at the given occurrence of a system call. Returns false if it ended before that occurrence.
fn killed_at(setup: &Setup, command: &Command, input: Stdio, call: &str, occurrence: u32) -> bool {
    let status = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when={occurrence}")])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(&setup.folder.0)
        .env_clear()
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(input)
        .output()
        .unwrap()
        .status;
    // strace ends with the signal that killed the traced process.
    status.signal().is_some()
}
