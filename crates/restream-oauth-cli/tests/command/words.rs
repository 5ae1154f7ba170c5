//! What is said on standard error: less with `--quiet`, each request with `--verbose`, and more on a terminal.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{Outcome, Setup, skipped};

const REFRESH: [&str; 3] = ["refresh", "--tokens", "tokens.json"];
/// The beginning of a failure, in colours.
const RED: &str = "\x1B[1;31mrestream-oauth:\x1B[0m account default";

fn make_readable_by_others(path: &Path) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
}

#[test]
fn quiet_leaves_out_what_happened_and_keeps_warnings_failures_and_results() {
    let setup = Setup::new();
    let path = setup.token_file();
    assert!(setup.run(&REFRESH).expect(0).stderr.contains("refreshed"));
    assert_eq!(setup.run(&[&REFRESH[..], &["--quiet"]].concat()).expect(0).stderr, "");
    assert_eq!(setup.run(&[&["-q"], &REFRESH[..]].concat()).expect(0).stderr, "");

    make_readable_by_others(&path);
    let outcome = setup.run(&["profile", "--tokens", "tokens.json", "-q"]).expect(0);
    assert!(outcome.stderr.starts_with("restream-oauth: warning: others can read tokens.json"), "{}", outcome.stderr);
    assert!(outcome.stdout.contains(r#""username""#), "{}", outcome.stdout);
    let outcome = setup.run(&["profile", "--tokens", "none.json", "--quiet"]).expect(3);
    assert!(outcome.stderr.contains("there are no tokens yet"), "{}", outcome.stderr);
}

#[test]
fn quiet_and_verbose_together_are_wrong_usage_wherever_they_are() {
    let setup = Setup::new();
    for arguments in [["-q", "-v", "accounts"], ["accounts", "--quiet", "--verbose"], ["-q", "accounts", "-v"]] {
        let outcome = setup.run(&arguments).expect(2);
        assert!(outcome.stderr.contains("cannot be used with"), "{arguments:?}: {}", outcome.stderr);
    }
}

/// [`Outcome::of`] fails if a secret is among the words.
#[test]
fn verbose_shows_each_request_and_its_answer_without_any_secret() {
    let setup = Setup::new();
    setup.token_file();
    let base = setup.sandbox.base_url();
    let outcome = setup.run(&[&REFRESH[..], &["--verbose"]].concat()).expect(0);
    for words in [
        &format!("→ POST {base}/oauth/token\n"),
        "  authorization: Basic …\n",
        "  content-type: application/x-www-form-urlencoded\n",
        "  grant_type=…&refresh_token=…\n",
        "← 200 OK after ",
    ] {
        assert!(outcome.stderr.contains(words), "{words:?} is not in: {}", outcome.stderr);
    }
    assert_eq!(outcome.stdout, "");

    let outcome = setup.run(&["-v", "profile", "--tokens", "tokens.json"]).expect(0);
    assert!(outcome.stderr.contains(&format!("→ GET {base}/v2/user/profile\n")), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("  authorization: Bearer …\n"), "{}", outcome.stderr);
    let bytes = outcome.stderr.split(" ms, ").nth(1).and_then(|rest| rest.strip_suffix(" bytes\n"));
    assert!(bytes.unwrap().parse::<usize>().unwrap() > 20, "{}", outcome.stderr);

    // The client secret and a token in the form.
    let outcome = setup.run(&["-v", "refresh", "--tokens", "tokens.json", "--client-auth", "body"]).expect(0);
    assert!(outcome.stderr.contains("client_secret=…"), "{}", outcome.stderr);
    let outcome = setup.run(&["revoke", "--tokens", "tokens.json", "-v"]).expect(0);
    assert!(outcome.stderr.contains("  token=…&token_type_hint=…\n"), "{}", outcome.stderr);
}

#[test]
fn verbose_shows_the_requests_of_the_demo_on_standard_error_too() {
    let setup = Setup::new();
    let outcome = setup.run(&["demo", "--verbose"]).expect(0);
    assert_eq!(outcome.stderr.matches("→ POST ").count(), 5, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("  grant_type=…&redirect_uri=…&code=…"), "{}", outcome.stderr);
    assert_eq!(setup.run(&["demo"]).expect(0).stderr, "");
}

#[test]
fn verbose_says_that_no_answer_came_or_a_part_alone() {
    let setup = Setup::new();
    setup.token_file();
    let refused = ["-v", "profile", "--tokens", "tokens.json", "--profile-url", "http://127.0.0.1:9/"];
    let outcome = setup.run(&refused).expect(4);
    assert!(outcome.stderr.contains("← no answer after "), "{}", outcome.stderr);
    setup.sandbox.inject(Fault::new(What::WrongLength { by: 5 }).on(Endpoint::Profile));
    let outcome = setup.run(&["-v", "profile", "--tokens", "tokens.json"]);
    assert!(outcome.stderr.contains(", incomplete\n"), "{}", outcome.stderr);
}

#[test]
fn who_waits_for_a_lock_says_so_at_once() {
    for command in ["refresh", "revoke"] {
        let setup = Setup::new();
        setup.token_file();
        let lock = File::options().read(true).write(true).open(setup.folder.0.join("tokens.json.lock")).unwrap();
        lock.lock().unwrap();
        let mut child = setup.command(&[command, "--tokens", "tokens.json"]).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        // The lock is released only after the words: if they never came, the command would end without a refresh.
        stderr.read_line(&mut said).unwrap();
        assert_eq!(said, "restream-oauth: waiting for tokens.json, which is in use by another process\n");
        drop(lock);
        said.clear();
        stderr.read_to_string(&mut said).unwrap();
        assert!(!said.contains("waiting for tokens.json"), "{command} says it once: {said}");
        assert!(child.wait().unwrap().success(), "{command}: {said}");
    }
}

#[test]
fn quiet_waits_for_a_lock_without_a_word() {
    let setup = Setup::new();
    setup.token_file();
    let lock = File::options().read(true).write(true).open(setup.folder.0.join("tokens.json.lock")).unwrap();
    lock.lock().unwrap();
    let outcome = setup.run(&["-q", "revoke", "--tokens", "tokens.json", "--timeout", "0.3"]).expect(4);
    assert_eq!(outcome.stderr, "restream-oauth: tokens.json is in use by another process: try again\n");
}

#[test]
fn colours_are_for_terminals_whose_user_wants_them() {
    let setup = Setup::new();
    let said = |variables: &[(&str, &str)]| on_a_terminal(&setup, "profile --account default", variables);
    let Some(coloured) = said(&[("TERM", "xterm")]) else { return };
    assert!(coloured.contains(RED), "{coloured:?}");
    assert!(said(&[("TERM", "xterm"), ("NO_COLOR", "")]).unwrap().contains(RED), "an empty NO_COLOR counts as unset");
    for variables in [&[("TERM", "xterm"), ("NO_COLOR", "1")][..], &[("TERM", "dumb")], &[]] {
        let plain = said(variables).unwrap();
        assert!(plain.contains("restream-oauth: account default"), "{plain:?}");
        assert!(!plain.contains('\x1B'), "{variables:?}: {plain:?}");
    }
    let piped = setup.command(&["profile", "--account", "default"]).env("TERM", "xterm").output().unwrap();
    assert!(!Outcome::of(piped).expect(3).stderr.contains('\x1B'));
}

#[test]
fn on_a_terminal_a_wait_of_more_than_a_second_is_shown_and_its_line_is_removed() {
    let setup = Setup::new();
    setup.token_file();
    let late = || setup.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(2_400))).on(Endpoint::Profile));
    let said = |options: &str, kind: &str| {
        late();
        on_a_terminal(&setup, &format!("profile --tokens tokens.json {options}"), &[("TERM", kind)])
    };
    let Some(shown) = said("", "xterm") else { return };
    let steps = "\r\x1B[Krestream-oauth: waiting for 127.0.0.1 (1 s)\r\x1B[Krestream-oauth: waiting for 127.0.0.1 (2 s)\r\x1B[K";
    assert!(shown.contains(steps), "{shown:?}");
    assert!(shown.ends_with("}\r\n"), "the result follows the removed line: {shown:?}");
    for (options, kind) in [("--quiet", "xterm"), ("", "dumb")] {
        let shown = said(options, kind).unwrap();
        assert!(shown.contains("username") && !shown.contains("waiting"), "{options} {kind}: {shown:?}");
    }
    late();
    assert_eq!(setup.run(&["profile", "--tokens", "tokens.json"]).expect(0).stderr, "");
}

/// An answer that may hold a token is kept, and nothing stays of it when there is a new pair.
#[test]
fn the_next_login_or_refresh_leaves_the_file_and_its_lock_alone() {
    for logs_in in [false, true] {
        let setup = Setup::new();
        setup.token_file();
        let torn = What::body("application/json", r#"{"access_token":"hal"#);
        setup.sandbox.inject(Fault::new(torn).on(Endpoint::Token).before_acting());
        if logs_in {
            // The run sends the refresh token again a second later, and is asked to wait for longer than it would.
            setup.sandbox.inject(Fault::new(What::retry_after(503, "600")).on(Endpoint::Token).before_acting());
            setup.run(&REFRESH).expect(4);
            assert!(setup.folder.names().len() > 2, "{:?}", setup.folder.names());
            setup.log_in();
        } else {
            let outcome = setup.run(&REFRESH).expect(0);
            assert!(outcome.stderr.contains("the answer is kept in tokens.json.answer-"), "{}", outcome.stderr);
        }
        assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"], "login: {logs_in}");
    }
}

/// Runs the command on a terminal of its own, and returns what it shows.
fn on_a_terminal(setup: &Setup, arguments: &str, variables: &[(&str, &str)]) -> Option<String> {
    let command = setup.command(&[]);
    let line = format!("{} {arguments}", env!("CARGO_BIN_EXE_restream-oauth"));
    let mut script = Command::new("script");
    script
        .args(["--quiet", "--command", &line, "/dev/null"])
        .current_dir(&setup.folder.0)
        .env_clear()
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(variables.iter().copied())
        .stdin(std::process::Stdio::null());
    match script.output() {
        Ok(output) => Some(Outcome::of(output).stdout),
        Err(error) => {
            skipped(&format!("script: {error}"));
            None
        }
    }
}
