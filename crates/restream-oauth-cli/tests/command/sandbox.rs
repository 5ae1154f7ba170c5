//! `sandbox`: a local Restream as a server, for people and for the CI of programs in any language.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Setup, get, mode};

/// A running `sandbox`, after its ready line.
struct RunningSandbox {
    child: Child,
    line: String,
    ready: Value,
}

impl RunningSandbox {
    #[track_caller]
    fn start(setup: &Setup, options: &[&str]) -> Self {
        let arguments = [&["sandbox"], options].concat();
        let mut child = setup.command(&arguments).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{options:?}: {error}: {line:?}"));
        Self { child, line, ready }
    }

    fn base_url(&self) -> &str {
        self.ready["base_url"].as_str().unwrap()
    }

    fn address(&self) -> SocketAddr {
        self.base_url().strip_prefix("http://").unwrap().parse().unwrap()
    }

    fn config(&self) -> Value {
        let answer = get(self.address(), "/_sandbox/config", "Connection: close\r\n");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for RunningSandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_ready_file_appears_whole_and_private_when_the_sandbox_is_ready() {
    let setup = Setup::new();
    let path = setup.folder.0.join("ready.json");
    let mut child = setup.command(&["sandbox", "--port", "0", "--ready-file", "ready.json"]).spawn().unwrap();
    let started = Instant::now();
    let text = loop {
        // What appears is whole: the first text that can be read is all of it.
        match std::fs::read_to_string(&path) {
            Ok(text) => break text,
            Err(_) => assert!(started.elapsed() < Duration::from_secs(20), "no file appeared"),
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let ready: Value = serde_json::from_str(&text).unwrap();
    let address = ready["base_url"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    assert!(get(address, "/_sandbox/config", "Connection: close\r\n").starts_with("HTTP/1.1 200"), "it is ready");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(text, line, "standard output has the same line");
    assert_eq!(mode(&path), 0o600, "it holds the secret");
    assert_eq!(setup.folder.names(), ["ready.json"], "no temporary file is left");
}

#[test]
fn a_ready_file_of_an_earlier_run_is_removed_before_the_sandbox_starts() {
    let setup = Setup::new();
    let path = setup.folder.0.join("ready.json");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    std::fs::write(&path, "old").unwrap();
    setup.run(&["sandbox", "--port", &port, "--ready-file", "ready.json"]).expect(1);
    assert_eq!(setup.folder.names(), [""; 0], "a test that waits for the file must not find the old one");

    std::fs::write(&path, "old").unwrap();
    let sandbox = RunningSandbox::start(&setup, &["--ready-file", "ready.json"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), sandbox.line);
}

#[test]
fn a_ready_file_that_cannot_be_written_ends_the_command_before_it_listens() {
    let setup = Setup::new();
    std::fs::create_dir(setup.folder.0.join("folder")).unwrap();
    std::os::unix::fs::symlink("elsewhere", setup.folder.0.join("link")).unwrap();
    for (path, reason) in [
        ("missing/ready.json", "its folder does not exist"),
        ("folder", "it is not a regular file"),
        ("link", "it is a symbolic link"),
    ] {
        let outcome = setup.run(&["sandbox", "--ready-file", path]).expect(1);
        assert!(outcome.stderr.contains(path) && outcome.stderr.contains(reason), "{}", outcome.stderr);
    }
}

#[test]
fn a_port_is_enough_and_excludes_an_address() {
    let setup = Setup::new();
    let port = setup.address.port();
    let sandbox = RunningSandbox::start(&setup, &["--port", &port.to_string()]);
    assert_eq!(sandbox.base_url(), format!("http://127.0.0.1:{port}"));
    assert_ne!(RunningSandbox::start(&setup, &["--port", "0"]).address().port(), 0);
    for wrong in [&["--port", "0", "--listen", "127.0.0.1:0"][..], &["--port", "65536"], &["--port", "-1"]] {
        setup.run(&[&["sandbox"], wrong].concat()).expect(2);
    }
}

#[test]
fn options_set_the_rules() {
    let setup = Setup::new();
    let options = [
        ("basic", "decoded"),
        ("shape", "camel"),
        ("errors", "flat"),
        ("rotation", "grace=30"),
        ("refresh_scope", "refuse"),
    ];
    let arguments: Vec<_> =
        options.iter().flat_map(|(rule, word)| [format!("--{}", rule.replace('_', "-")), (*word).to_owned()]).collect();
    let others = ["--rule", "denial=with_parameters", "--rule", "token_format=jwt=2000"];
    let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(others).collect();
    let rules = RunningSandbox::start(&setup, &arguments).config()["rules"].clone();
    for (rule, word) in options.iter().chain(&[("denial", "with_parameters"), ("token_format", "jwt=2000")]) {
        assert_eq!(rules[rule], *word, "{rule}");
    }
}

#[test]
fn a_wrong_word_for_a_rule_is_wrong_usage_and_the_possible_words_are_named() {
    let setup = Setup::new();
    for (option, word, words) in [
        ("--basic", "Raw", "expected either, raw, decoded"),
        ("--shape", "", "expected documented, snake, camel, minimal"),
        ("--errors", "nest", "expected nested, flat, bare"),
        ("--rotation", "grace", "expected strict, family, none, grace=SECONDS"),
        ("--refresh-scope", "x", "expected ignore, refuse"),
        ("--rule", "denial=x", "expected without_parameters, with_parameters"),
        ("--rule", "denail=x", "unknown rule `denail`: expected basic, "),
        ("--rule", "denial", "expected NAME=WORD"),
    ] {
        let stderr = setup.run(&["sandbox", option, word]).expect(2).stderr;
        assert!(stderr.contains(words) && stderr.contains(option), "{stderr}");
    }
}

#[test]
fn options_set_scopes_and_lifetimes() {
    let setup = Setup::new();
    let lifetimes = ["--access-token-lifetime", "5", "--refresh-token-lifetime", "31536001"];
    let scopes = ["--scope", "chat.read", "--scope", " x:y  z "];
    let config = RunningSandbox::start(&setup, &[&lifetimes[..], &scopes].concat()).config();
    assert_eq!(config["scopes"], json!(["chat.read", "x:y", "z"]));
    assert_eq!(config["access_token_lifetime_seconds"], 5);
    assert_eq!(config["refresh_token_lifetime_seconds"], 31_536_001);
    for (option, wrong) in [
        ("--scope", "two\twords"),
        ("--scope", ""),
        ("--access-token-lifetime", "-1"),
        ("--access-token-lifetime", "1.5"),
        ("--refresh-token-lifetime", "1h"),
        ("--refresh-token-lifetime", "99999999999999999999"),
    ] {
        setup.run(&["sandbox", option, wrong]).expect(2);
    }
}

#[test]
fn a_client_with_a_space_and_odd_characters_comes_from_options_and_a_file() {
    const ID: &str = "my app 100%+&";
    const SECRET: &str = r#"p&ss:w+ rd %25="x"\"#;
    let setup = Setup::new();
    let file = setup.folder.0.join("a secret.txt");
    std::fs::write(&file, format!("{SECRET}\r\n")).unwrap();
    let sandbox = RunningSandbox::start(&setup, &["--client-id", ID, "--client-secret-file", "a secret.txt"]);
    assert_eq!((&sandbox.ready["client_id"], &sandbox.ready["client_secret"]), (&json!(ID), &json!(SECRET)));
    // Exit code 3: the server knows the client, but not its refresh token. Another client would get 2.
    for (secret, exit) in [(SECRET, 3), ("wrong", 2)] {
        let mut refresh = setup
            .command(&["refresh", "--client-id", ID])
            .env("RESTREAM_BASE_URL", sandbox.base_url())
            .env("RESTREAM_CLIENT_SECRET", secret)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        refresh.stdin.take().unwrap().write_all(b"unknown").unwrap();
        assert_eq!(refresh.wait_with_output().unwrap().status.code(), Some(exit), "{secret}");
    }
}

#[test]
fn the_secret_is_no_argument_because_every_user_can_read_those() {
    let setup = Setup::new();
    let outcome = setup.run(&["sandbox", "--client-secret", "x"]).expect(2);
    assert!(outcome.stderr.contains("unexpected argument"), "{}", outcome.stderr);
    setup.run(&["sandbox", "--public", "--client-secret-file", "x"]).expect(2);
}

#[test]
fn with_tls_the_certificate_of_its_authority_is_in_the_ready_line_and_in_a_file() {
    let setup = Setup::new();
    let options = ["--tls", "--save-ca", "ca.pem", "--ready-file", "ready.json"];
    let sandbox = RunningSandbox::start(&setup, &options);
    assert!(sandbox.base_url().starts_with("https://127.0.0.1:"), "{}", sandbox.line);
    let pem = std::fs::read_to_string(setup.folder.0.join("ca.pem")).unwrap();
    assert_eq!(sandbox.ready["ca_certificate_pem"], pem);
    assert_eq!(std::fs::read_to_string(setup.folder.0.join("ready.json")).unwrap(), sandbox.line);
    assert_eq!(setup.folder.names(), ["ca.pem", "ready.json"]);

    // Exit code 3: the server was reached, and does not know the refresh token. Without trust nothing is sent.
    for (trust, exit) in [(&["--ca-file", "ca.pem"][..], 3), (&[], 4)] {
        let mut refresh = setup
            .command(&[&["refresh"], trust].concat())
            .env("RESTREAM_BASE_URL", sandbox.base_url())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = refresh.stdin.take().unwrap().write_all(b"unknown");
        let output = refresh.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{trust:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_certificate_of_an_earlier_run_is_removed_before_the_sandbox_starts() {
    let setup = Setup::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    std::fs::write(setup.folder.0.join("ca.pem"), "old").unwrap();
    setup.run(&["sandbox", "--tls", "--port", &port, "--save-ca", "ca.pem"]).expect(1);
    assert_eq!(setup.folder.names(), [""; 0]);
}

#[test]
fn a_certificate_is_saved_only_with_tls_and_in_a_file_of_its_own() {
    let setup = Setup::new();
    setup.run(&["sandbox", "--save-ca", "ca.pem"]).expect(2);
    setup.run(&["sandbox", "--tls", "--save-ca", "x", "--ready-file", "x"]).expect(2);
    assert_eq!(setup.folder.names(), [""; 0]);
}
