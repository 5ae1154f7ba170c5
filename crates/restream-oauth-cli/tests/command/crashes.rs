//! `refresh --tokens FILE`, killed at each of its system calls that touch a file or a lock.

use std::process::Command;

use restream_oauth_core::Tokens;

use crate::support::{Setup, mode};

const CALLS: [&str; 7] = ["openat", "write", "fsync", "ftruncate", "rename", "unlink", "flock"];

#[test]
fn a_refresh_killed_anywhere_leaves_a_whole_pair_and_a_free_lock() {
    if Command::new("strace").arg("-V").output().is_err() {
        let message = "SKIPPED: strace is not installed, so no refresh was killed (Debian: apt-get install strace)";
        assert!(std::env::var_os("CI").is_none(), "{message}");
        eprintln!("{message}");
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
    // Whoever dies with the answer in hand and not a byte of it written has lost it; there is one such call.
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert!(lost[0].contains("write"), "{lost:?}");
}

/// False if there was no such call left to be killed at.
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
    !status.success()
}
