//! `demo` says that all is as documented only if it is.

use std::io::{BufRead, BufReader, Read as _};
use std::process::Child;

use crate::support::{Setup, come_back, raw};

/// Where the browser is redirected. The demo waits until the browser has been there.
const DONE: &str = "/restream-oauth/done";

/// A running `demo --browser` that waits for the click.
struct RunningDemo {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    stderr: BufReader<std::process::ChildStderr>,
    base_url: String,
    login_url: String,
}

impl RunningDemo {
    fn start() -> Self {
        let setup = Setup::new();
        let mut child =
            setup.command(&["demo", "--browser", "--wait", "20"]).env("BROWSER", "/bin/false").spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let first = line_with(&mut stdout, "A local Restream runs at ");
        let base_url = first.split_once(" at ").unwrap().1.split_once(". ").unwrap().0.to_owned();
        let login_url = line_with(&mut stderr, "state=").trim_end().to_owned();
        Self { child, stdout, stderr, base_url, login_url }
    }

    /// Controls the sandbox over HTTP.
    fn control(&self, path: &str, body: &str) -> String {
        let address = self.base_url.strip_prefix("http://").unwrap();
        let length = body.len();
        let head = format!("POST /_sandbox/{path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n");
        let answer = raw(address.parse().unwrap(), &format!("{head}Connection: close\r\n\r\n{body}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{body}: {answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Clicks approve. Returns the exit code and the whole output.
    fn finish(mut self) -> (Option<i32>, String) {
        let answer: serde_json::Value = serde_json::from_str(&self.control("approve", &self.login_url)).unwrap();
        let callback = answer["callback"].as_str().unwrap();
        come_back(callback);
        come_back(&format!("{}{DONE}", callback.split_once("/callback").unwrap().0));
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).unwrap();
        self.stderr.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

fn line_with(source: &mut impl BufRead, words: &str) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(source.read_line(&mut line).unwrap(), 0, "it ended without {words:?}");
        if line.contains(words) {
            return line;
        }
    }
}

#[test]
fn a_click_in_a_browser_runs_the_demo_to_its_end() {
    let (exit, said) = RunningDemo::start().finish();
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("All as documented."), "{said}");
}

#[test]
fn any_deviation_from_the_documentation_fails_the_demo() {
    let someone_else = r#""status":200,"body":"{\"id\":2}""#;
    let pair = r#"{\"access_token\":\"a\",\"refresh_token\":\"r\",\"expires_in\":3600,\"token_type\":\"Bearer\"}"#;
    let mut passed = Vec::new();
    for faults in [
        // The first 400 bytes hold both tokens.
        &[r#"{"what":"truncate","after":400,"endpoint":"token","times":2}"#.to_owned()][..],
        &[r#"{"what":"truncate","after":400,"endpoint":"token"}"#.to_owned()],
        &[r#"{"what":"status","status":201,"body":"{\"id\":1000001}","endpoint":"profile"}"#.to_owned()],
        &[format!(r#"{{"what":"status",{someone_else},"endpoint":"profile"}}"#)],
        &[format!(r#"{{"what":"status","status":201,"body":"{pair}","endpoint":"token"}}"#)],
        // The server rejects the old refresh token, but not with the documented status.
        &[
            r#"{"what":"delay","ms":1,"endpoint":"token","times":2}"#.to_owned(),
            r#"{"what":"status","status":401,"body":"{\"error\":\"invalid_grant\"}","endpoint":"token"}"#.to_owned(),
        ],
        &[
            r#"{"what":"delay","ms":1,"endpoint":"profile"}"#.to_owned(),
            r#"{"what":"status","status":403,"body":"{\"error\":\"invalid_token\"}","endpoint":"profile"}"#.to_owned(),
        ],
        &[r#"{"what":"status","status":204,"endpoint":"revoke"}"#.to_owned()],
        &[r#"{"what":"status","status":500,"endpoint":"revoke"}"#.to_owned()],
    ] {
        let demo = RunningDemo::start();
        for fault in faults {
            demo.control("faults", fault);
        }
        let (exit, said) = demo.finish();
        if exit == Some(0) || said.contains("All as documented.") {
            passed.push(faults.to_vec());
        }
    }
    assert!(passed.is_empty(), "{passed:#?}");
}
