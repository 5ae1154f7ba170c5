//! What a command does before its work. A script that asks often pays for it each time.

use std::process::Command;

use crate::support::{Outcome, Setup, skipped};

/// The calls of a runtime, of TLS, of a request and of a sync.
const COSTLY: &str = "trace=socket,epoll_create1,eventfd2,clone,clone3,fsync,fdatasync";

#[test]
fn a_command_that_needs_no_request_starts_no_runtime_opens_no_socket_and_syncs_nothing() {
    let setup = Setup::new();
    setup.token_file();
    let Some(calls) = costly_calls(&setup, &["profile", "--tokens", "tokens.json"]) else { return };
    assert!(
        calls.contains("socket(") && calls.contains("epoll_create1("),
        "they are seen where they are made: {calls}"
    );
    for arguments in [&["token", "--tokens", "tokens.json"][..], &["status", "--tokens", "tokens.json"], &["accounts"]]
    {
        assert_eq!(costly_calls(&setup, arguments).unwrap(), "", "{arguments:?}");
    }
}

/// Runs the command, and returns which costly system calls it makes.
fn costly_calls(setup: &Setup, arguments: &[&str]) -> Option<String> {
    let command = setup.command(arguments);
    let log = setup.folder.0.join("calls");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", "signal=none", "-e", COSTLY, "-o", log.to_str().unwrap()])
        .arg(command.get_program())
        .args(arguments)
        .current_dir(&setup.folder.0)
        .env_clear()
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output();
    match output {
        Ok(output) => {
            Outcome::of(output).expect(0);
            Some(std::fs::read_to_string(log).unwrap())
        }
        Err(error) => {
            skipped(&format!("strace: {error} (Debian: apt-get install strace)"));
            None
        }
    }
}
