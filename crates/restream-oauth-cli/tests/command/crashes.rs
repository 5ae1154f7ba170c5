//! Kills `refresh --tokens FILE` at each system call that touches a file or a lock.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use restream_oauth_core::Tokens;
use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{Setup, mode, skipped};

const CALLS: [&str; 8] = ["openat", "write", "copy_file_range", "fsync", "ftruncate", "rename", "unlink", "flock"];

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
    const ANSWER: &str = r#"{"access_tok"#;
    if !strace_is_there() {
        return;
    }
    let mut kept = 0;
    let mut lost = Vec::new();
    for call in CALLS {
        for occurrence in 1.. {
            let setup = Setup::new();
            setup.token_file();
            setup.sandbox.inject(Fault::new(What::body("application/json", ANSWER)).on(Endpoint::Token));
            // Without an injected kill the refresh ends by itself, with an error.
            if !refresh_killed_at(&setup, call, occurrence) {
                break;
            }
            let place = format!("killed at {call} number {occurrence}");
            let answered = setup.token_requests() == 2;
            setup.sandbox.clear_faults();
            // The fault replaced the rotation, so the pair is alive. A torn file is set aside.
            setup.run(&["refresh", "--tokens", "tokens.json"]).expect(0);
            let names = setup.folder.names();
            let answers: Vec<_> = names.iter().filter(|name| name.starts_with("tokens.json.answer-")).collect();
            match (answered, answers.as_slice()) {
                (true, [name]) => {
                    let path = setup.folder.0.join(name);
                    assert_eq!(mode(&path), 0o600, "{place}");
                    assert_eq!(std::fs::read_to_string(&path).unwrap().trim_end(), ANSWER, "{place}");
                    kept += 1;
                }
                (true, []) => lost.push(place.clone()),
                (false, []) => {}
                _ => panic!("{place}: {names:?}"),
            }
            assert_eq!(names.len(), 2 + answers.len(), "{place}: {names:?}");
        }
    }
    assert!(kept > 2, "writing, syncing and renaming were met: {kept}");
    // A process that dies after it received the response and before it wrote a byte loses the response.
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert!(lost[0].contains("write"), "{lost:?}");
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
    let refresh = setup.command(&["refresh", "--tokens", "tokens.json"]);
    let status = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when={occurrence}")])
        .arg(refresh.get_program())
        .args(refresh.get_args())
        .current_dir(&setup.folder.0)
        .env_clear()
        .envs(refresh.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .unwrap()
        .status;
    // strace ends with the signal that killed the traced process.
    status.signal().is_some()
}
