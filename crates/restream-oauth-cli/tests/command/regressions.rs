//! Regression tests: each case failed once.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use restream_oauth_core::Tokens;
use restream_oauth_sandbox::{Endpoint, Fault, Point, What};

use crate::support::{Outcome, RunningLogin, Setup, come_back, get, kept, mode, pair, sandbox};

const REFRESH: [&str; 3] = ["refresh", "--tokens", "tokens.json"];

/// Returns a setup with tokens, where the response to the next refresh is late.
fn slow() -> Setup {
    let setup = Setup::new();
    setup.token_file();
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(600))).on(Endpoint::Token));
    setup
}

fn wait_for_the_refresh(setup: &Setup) {
    let seen =
        setup.sandbox.wait_until(Duration::from_secs(10), |ledger| ledger.requests_to("/oauth/token").count() == 2);
    assert!(seen, "the refresh was not sent");
}

/// codex #41133.
#[test]
fn one_signal_during_a_refresh_does_not_lose_the_grant() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let setup = slow();
        let child = setup.command(&REFRESH).spawn().unwrap();
        wait_for_the_refresh(&setup);
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let outcome = Outcome::of(child.wait_with_output().unwrap()).expect(0);
        assert!(outcome.stderr.contains("waiting for the answer"), "{signal}: {}", outcome.stderr);
        setup.run(&REFRESH).expect(0);
    }
}

/// A shell and the kernel both say that the terminal has closed.
#[test]
fn a_signal_that_comes_twice_at_once_is_one_signal() {
    let setup = slow();
    let child = setup.command(&REFRESH).spawn().unwrap();
    wait_for_the_refresh(&setup);
    signal(&child, "-HUP");
    std::thread::sleep(Duration::from_millis(20));
    signal(&child, "-HUP");
    let outcome = Outcome::of(child.wait_with_output().unwrap()).expect(0);
    assert!(outcome.stderr.contains("waiting for the answer"), "{}", outcome.stderr);
    setup.run(&REFRESH).expect(0);
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_second_signal_during_a_refresh_gives_up_and_leaves_no_files() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = pair(&path);
    setup.sandbox.inject(Fault::new(What::Hang(Point::BeforeHead)).on(Endpoint::Token).before_acting());
    let mut child = setup.command(&REFRESH).spawn().unwrap();
    wait_for_the_refresh(&setup);
    signal(&child, "-INT");
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    stderr.read_line(&mut said).unwrap();
    assert!(said.contains("interrupt again"), "{said}");
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "-INT");
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("may have spent the refresh token"), "{said}");
    assert_eq!(pair(&path), before);
    assert_eq!(kept(&path)["doubt"]["in_flight"], false, "the connection is known to be dead");
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
    setup.run(&REFRESH).expect(0);
}

#[test]
fn after_a_second_signal_the_file_holds_the_newest_refresh_token() {
    let setup = Setup::new();
    let path = setup.token_file();
    setup.sandbox.inject(
        Fault::new(What::body("application/json", r#"{"refresh_token":"r2"}"#)).on(Endpoint::Token).before_acting(),
    );
    setup.sandbox.inject(Fault::new(What::Hang(Point::BeforeHead)).on(Endpoint::Token).before_acting());
    let mut child = setup.command(&REFRESH).spawn().unwrap();
    let sent =
        setup.sandbox.wait_until(Duration::from_secs(10), |ledger| ledger.requests_to("/oauth/token").count() == 3);
    assert!(sent, "the newest refresh token was not sent");
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    signal(&child, "-INT");
    while !said.contains("interrupt again") {
        assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
    }
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "-INT");
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("tokens.json remembers this"), "{said}");
    assert_eq!(kept(&path)["salvaged"], "r2");
}

#[test]
fn too_few_file_descriptors_are_reported_before_a_request_is_sent() {
    let setup = Setup::new();
    setup.token_file();
    let sent = setup.token_requests();
    let run = |limit: u32| {
        let script =
            format!("ulimit -n {limit}; exec {} refresh --tokens tokens.json", env!("CARGO_BIN_EXE_restream-oauth"));
        let command = setup.command(&[]);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script]).current_dir(&setup.folder.0).env_clear();
        Outcome::of(shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).output().unwrap())
    };
    // With the lowest limit that lets the command begin, the command also succeeds.
    let first = (6..64).find(|limit| {
        let outcome = run(*limit);
        if outcome.exit == Some(0) {
            return true;
        }
        assert_eq!(setup.token_requests(), sent, "{limit}: nothing was sent");
        assert!(outcome.expect(1).stderr.contains("ulimit -n"), "{limit}");
        false
    });
    assert!(first.is_some_and(|first| first > 16), "{first:?}");
}

#[test]
fn a_standard_error_that_cannot_be_written_does_not_end_a_refresh() {
    let setup = slow();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = setup.command(&REFRESH).stderr(full).spawn().unwrap();
    wait_for_the_refresh(&setup);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    setup.run(&REFRESH).expect(0);
}

/// toolhive #6559.
#[test]
fn tokens_that_cannot_be_printed_are_saved_elsewhere() {
    let setup = Setup::new();
    let tokens = std::fs::read_to_string(setup.token_file()).unwrap();
    let refresh_token = Tokens::from_saved(&tokens).unwrap().refresh_token().unwrap().expose_secret().to_owned();
    std::fs::write(setup.folder.0.join("input"), refresh_token).unwrap();
    let input = || File::open(setup.folder.0.join("input")).unwrap();

    // Standard output discards everything, so no request is sent.
    let sent = setup.token_requests();
    let output = setup.command(&["refresh"]).stdin(input()).stdout(Stdio::null()).output().unwrap();
    assert!(Outcome::of(output).expect(2).stderr.contains("standard output leads nowhere"));
    assert_eq!(setup.token_requests(), sent);

    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = setup.command(&["refresh"]);
    let output = command.stdin(input()).stdout(full).env("TMPDIR", &setup.folder.0).output().unwrap();
    let outcome = Outcome::of(output).expect(1);
    let names = setup.folder.names();
    let rescued = names.iter().find(|name| name.starts_with("restream-oauth-tokens-")).expect("saved elsewhere");
    assert!(outcome.stderr.contains(rescued.as_str()), "{}", outcome.stderr);
    assert_eq!(mode(&setup.folder.0.join(rescued)), 0o600);
    let rescued = std::fs::read_to_string(setup.folder.0.join(rescued)).unwrap();
    setup.run_with_input(&["profile"], &rescued).expect(0);
}

#[test]
fn the_tokens_of_a_login_whose_file_became_unusable_are_kept_and_put_in_place_later() {
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &["--tokens", "tokens.json"]);
    std::fs::create_dir(setup.folder.0.join("tokens.json")).unwrap();
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    let outcome = login.finish().expect(1);
    assert!(outcome.stderr.contains("the new tokens are in tokens.json.logins"), "{}", outcome.stderr);
    let kept: Vec<_> = std::fs::read_dir(setup.folder.0.join("tokens.json.logins")).unwrap().collect();
    let kept = kept.into_iter().next().unwrap().unwrap().path();
    assert_eq!(mode(&kept), 0o600);
    assert!(Tokens::from_saved(std::fs::read_to_string(&kept).unwrap()).is_ok());
    assert!(setup.elsewhere.names().is_empty(), "{:?}", setup.elsewhere.names());
    std::fs::remove_dir(setup.folder.0.join("tokens.json")).unwrap();
    setup.run(&REFRESH).expect(0);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
}

#[test]
fn the_tokens_of_a_login_that_can_be_kept_nowhere_beside_its_file_are_saved_elsewhere() {
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &["--tokens", "tokens.json"]);
    std::fs::create_dir(setup.folder.0.join("tokens.json")).unwrap();
    std::fs::write(setup.folder.0.join("tokens.json.logins"), "no folder").unwrap();
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    let outcome = login.finish().expect(1);
    let rescued = setup.elsewhere.names();
    assert_eq!(rescued.len(), 1);
    assert!(outcome.stderr.contains(&rescued[0]), "{}", outcome.stderr);
    assert!(Tokens::from_saved(std::fs::read_to_string(setup.elsewhere.0.join(&rescued[0])).unwrap()).is_ok());
}

#[test]
fn a_typing_error_overwrites_no_other_file() {
    let setup = Setup::new();
    setup.token_file();
    let redirect_uri = setup.redirect_uri.as_str();
    let before = std::fs::read(setup.folder.0.join("tokens.json")).unwrap();
    setup.run(&["authorize-url", "--save", "tokens.json"]).expect(1);
    let text = setup.folder.0.join("notes.txt");
    std::fs::write(&text, "precious").unwrap();
    setup.run(&["login", "--no-browser", "--redirect-uri", redirect_uri, "--tokens", "notes.txt"]).expect(1);
    setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", redirect_uri]).expect(0);
    setup
        .run_with_input(&["exchange", "--login", "login.json", "--tokens", "login.json"], "/callback?code=c")
        .expect(2);
    // Binary data, a long file, and text that only mentions a login are no saved logins either.
    let long = vec![b'x'; 1_100_000];
    for precious in [&b"\xFF\xD8\x00binary"[..], &long, br#"notes: "kind":"login" is how it begins"#, b"{}"] {
        let file = setup.folder.0.join("precious");
        std::fs::write(&file, precious).unwrap();
        let outcome = setup.run(&["authorize-url", "--save", "precious"]).expect(1);
        assert!(outcome.stderr.contains("precious"), "{}", outcome.stderr);
        assert_eq!(std::fs::read(file).unwrap(), precious);
    }
    // A saved login of any client is replaced, and so is an empty file.
    for client in ["one", "another"] {
        setup.run(&["authorize-url", "--save", "again.json", "--client-id", client]).expect(0);
    }
    std::fs::write(setup.folder.0.join("again.json"), "").unwrap();
    setup.run(&["authorize-url", "--save", "again.json"]).expect(0);
    assert_eq!(std::fs::read_to_string(text).unwrap(), "precious");
    assert_eq!(std::fs::read(setup.folder.0.join("tokens.json")).unwrap(), before);
    assert!(setup.folder.names().contains(&"login.json".to_owned()));
}

#[test]
fn a_pipe_as_a_token_file_is_an_error_at_once() {
    let setup = Setup::new();
    assert!(Command::new("mkfifo").arg(setup.folder.0.join("pipe")).status().unwrap().success());
    for command in ["refresh", "revoke", "profile"] {
        let outcome = setup.run(&[command, "--tokens", "pipe"]).expect(1);
        assert!(outcome.stderr.contains("not a regular file"), "{}", outcome.stderr);
    }
    assert_eq!(setup.folder.names(), ["pipe"], "no lock is left behind");
}

/// RUSTSEC-2023-0018.
#[test]
fn a_leftover_is_trusted_only_if_it_is_private() {
    let setup = Setup::new();
    let path = setup.token_file();
    let left = setup.folder.0.join("tokens.json.new");
    let planted = std::fs::read_to_string(&path).unwrap().replace("access_token\":\"", "access_token\":\"planted");
    std::fs::write(&left, &planted).unwrap();
    std::fs::set_permissions(&left, Permissions::from_mode(0o644)).unwrap();
    let outcome = setup.run(&REFRESH).expect(0);
    assert!(outcome.stderr.contains("others could have written it"), "{}", outcome.stderr);
    // On a file system without modes every file looks like that, and this one may be the only copy of a pair.
    let aside = setup.folder.names().into_iter().find(|name| name.starts_with("tokens.json.leftover"));
    let aside = setup.folder.0.join(aside.expect("the leftover is set aside"));
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), planted);
    std::fs::remove_file(aside).unwrap();
    let target = setup.elsewhere.0.join("target");
    std::fs::write(&target, "precious").unwrap();
    std::os::unix::fs::symlink(&target, &left).unwrap();
    setup.run(&REFRESH).expect(0);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
}

#[test]
fn rfc_6749_4_1_2_a_code_in_doubt_is_not_sent_again() {
    let setup = Setup::new();
    let redirect_uri = setup.redirect_uri.as_str();
    let url = setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", redirect_uri]).json();
    let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token));
    setup.run_with_input(&["exchange", "--login", "login.json"], &callback).expect(3);
    setup.run_with_input(&["exchange", "--login", "login.json"], &callback).expect(1);
    assert_eq!(setup.sandbox.ledger().codes_replayed, 0);
}

#[test]
fn rfc_6749_4_1_2_two_exchanges_of_one_login_send_its_code_once() {
    let setup = Setup::new();
    let redirect_uri = setup.redirect_uri.as_str();
    let url = setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", redirect_uri]).json();
    let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
    std::fs::write(setup.folder.0.join("callback"), &callback).unwrap();
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(600))).on(Endpoint::Token));
    let exchange = ["exchange", "--login", "login.json"];
    let input = File::open(setup.folder.0.join("callback")).unwrap();
    let first = setup.command(&exchange).stdin(input).spawn().unwrap();
    let seen =
        setup.sandbox.wait_until(Duration::from_secs(10), |ledger| ledger.requests_to("/oauth/token").count() == 1);
    assert!(seen, "the exchange was not sent");
    let second = setup.run_with_input(&exchange, &callback).expect(4);
    assert!(second.stderr.contains("login.json is in use"), "{}", second.stderr);
    let tokens = Outcome::of(first.wait_with_output().unwrap()).expect(0).stdout;
    assert_eq!(setup.token_requests(), 1);
    assert!(!setup.folder.names().contains(&"login.json".to_owned()));
    setup.run_with_input(&["profile"], &tokens).expect(0);
}

#[test]
fn a_code_that_was_not_used_up_can_be_sent_again() {
    let setup = Setup::new();
    let redirect_uri = setup.redirect_uri.as_str();
    let url = setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", redirect_uri]).json();
    let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
    let exchange = ["exchange", "--login", "login.json"];
    setup.sandbox.inject(Fault::new(What::retry_after(429, "1")).on(Endpoint::Token));
    setup.run_with_input(&exchange, &callback).expect(4);
    setup.run_with_input(&exchange, &callback).expect(0);
}

#[test]
fn a_refresh_token_that_arrives_alone_is_used_at_once() {
    let setup = Setup::new();
    setup.token_file();
    // As if the server had rotated and sent only the refresh token. Here that token is the one that is still alive.
    let alive = Tokens::from_saved(std::fs::read_to_string(setup.folder.0.join("tokens.json")).unwrap()).unwrap();
    let body = format!(r#"{{"refresh_token":"{}"}}"#, alive.refresh_token().unwrap().expose_secret());
    setup.sandbox.inject(Fault::new(What::body("application/json", body)).on(Endpoint::Token));
    setup.run(&REFRESH).expect(0);
    assert_eq!(setup.sandbox.ledger().refreshes, 1);
}

/// RFC 8252 §7.3.
#[test]
fn loopback_addresses_are_recognised_however_they_are_written() {
    let mut setup = Setup::new();
    let port = std::net::TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap().port();
    setup.redirect_uri = format!("http://[0:0:0:0:0:0:0:1]:{port}/callback");
    setup.sandbox = sandbox().redirect_uri(&setup.redirect_uri).start().unwrap();
    let login = RunningLogin::start(&setup, &[]);
    let callback = setup.sandbox.approve(&login.url).unwrap();
    let target = callback.split_once("/callback").unwrap().1;
    let page = get(format!("[::1]:{port}").parse().unwrap(), &format!("/callback{target}"), "");
    assert!(page.starts_with("HTTP/1.1 303"), "{page}");
    login.finish().expect(0);
}

/// RFC 8252 §8.7.
#[test]
fn the_url_is_shown_even_if_a_browser_starts() {
    let setup = Setup::new();
    let arguments = ["login", "--redirect-uri", &setup.redirect_uri, "--wait", "0.3"];
    let mut child = setup.command(&arguments).env("BROWSER", "/bin/false").spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    assert!(said.lines().any(|line| line.starts_with("http://") && line.contains("state=")), "{said}");
}

#[test]
fn rfc_8252_8_7_people_see_the_host_that_they_are_sent_to() {
    let setup = Setup::new();
    let host = setup.sandbox.base_url().strip_prefix("http://").unwrap();
    let arguments = ["login", "--redirect-uri", &setup.redirect_uri, "--wait", "0.3"];
    for (browser, words) in [
        ("/bin/false", format!("opening the browser at {host};")),
        ("/nowhere/browser", format!("open this URL at {host} yourself")),
    ] {
        let output = setup.command(&arguments).env("BROWSER", browser).env("PATH", "/nowhere").output().unwrap();
        let outcome = Outcome::of(output).expect(5);
        assert!(outcome.stderr.contains(&words), "{}", outcome.stderr);
    }
}

#[test]
fn a_server_that_hangs_is_timed_out_and_the_pair_stays() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = pair(&path);
    setup.sandbox.inject(Fault::new(What::Hang(Point::BeforeHead)).on(Endpoint::Token).before_acting());
    // The replay ends the run.
    setup.sandbox.inject(Fault::new(What::retry_after(429, "1")).on(Endpoint::Token));
    setup.run(&["refresh", "--tokens", "tokens.json", "--timeout", "0.5"]).expect(4);
    assert_eq!(setup.token_requests(), 3);
    assert_eq!(pair(&path), before);
    setup.run(&REFRESH).expect(0);
}

#[test]
fn a_name_lookup_that_hangs_does_not_delay_the_timeout() {
    let setup = Setup::new();
    // No process writes to the pipe, so a name lookup that reads it waits for ever.
    let script = format!(
        "mkfifo pipe && mount --bind pipe /etc/hosts || exit 99; \
         echo r0 | timeout -s KILL 20 {} refresh --timeout 0.5 --base-url https://restream.invalid",
        env!("CARGO_BIN_EXE_restream-oauth")
    );
    if let Some(outcome) = setup.run_with_mounts(&script) {
        let outcome = outcome.expect(4);
        assert!(outcome.stderr.contains("the time limit passed; nothing was sent"), "{}", outcome.stderr);
    }
}
