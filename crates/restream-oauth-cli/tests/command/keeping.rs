//! What the tests of `keep` share: accounts whose tokens have an age, a running `keep`, and requests to its socket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_keeper::Record;
use serde_json::Value;

use crate::support::{Outcome, Setup, sandbox};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const TEN_SECONDS: Duration = Duration::from_secs(10);

/// A sandbox whose tokens live this long, and no place of tokens in the environment.
pub(crate) fn setup(lifetime: Duration) -> Setup {
    let mut setup = Setup::without_tokens_variable();
    setup.sandbox = sandbox().redirect_uri(&setup.redirect_uri).access_token_lifetime(lifetime).start().unwrap();
    setup
}

pub(crate) fn file(setup: &Setup, account: &str) -> PathBuf {
    setup.folder.0.join(".local/state/restream-oauth/accounts").join(format!("{account}.json"))
}

pub(crate) fn log_in(setup: &Setup, account: &str) {
    let redirect_uri = setup.redirect_uri.clone();
    let url = setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", &redirect_uri]).json();
    let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
    let arguments = ["exchange", "--login", "login.json", "--account", account];
    setup.run_with_input(&arguments, &callback).expect(0);
}

pub(crate) fn record(setup: &Setup, account: &str) -> Record {
    Record::from_saved(std::fs::read(file(setup, account)).unwrap()).unwrap()
}

/// The access token in the file of an account. A running `keep` gives a new one out as soon as its answer is safe beside
/// the file, so the file may hold the old one for a while: compare after its end.
pub(crate) fn token(setup: &Setup, account: &str) -> String {
    record(setup, account).tokens.access_token().expose_secret().to_owned()
}

/// Changes what the file of an account says about its pair, and sets back when the pair was issued.
pub(crate) fn change(setup: &Setup, account: &str, age: Duration, change: impl FnOnce(&mut Record)) {
    let path = file(setup, account);
    let mut document: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let sent_at = (SystemTime::now() - age).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    document["sent_at"] = format!("{}.{:09}", sent_at.as_secs(), sent_at.subsec_nanos()).into();
    let mut record = Record::from_saved(document.to_string()).unwrap();
    change(&mut record);
    std::fs::write(&path, record.to_saved().as_bytes()).unwrap();
}

pub(crate) fn refreshes(setup: &Setup) -> u64 {
    setup.sandbox.ledger().refreshes
}

pub(crate) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < TEN_SECONDS, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A folder that only its user can enter, and the path of a socket in it.
pub(crate) fn socket_path(setup: &Setup) -> PathBuf {
    let folder = setup.folder.0.join("run");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    folder.join("socket")
}

/// A running `keep`.
pub(crate) struct Keeping {
    child: Child,
    pub(crate) socket: PathBuf,
    lines: Mutex<Receiver<String>>,
    said: Vec<String>,
}

impl Keeping {
    /// Starts it with a socket, and waits until it serves.
    pub(crate) fn start(setup: &Setup, more: &[&str]) -> Self {
        Self::start_at(setup, socket_path(setup), more)
    }

    /// The same at a socket of its own, beside another one.
    pub(crate) fn start_at(setup: &Setup, socket: PathBuf, more: &[&str]) -> Self {
        let mut arguments = vec!["keep", "--socket", socket.to_str().unwrap()];
        arguments.extend(more);
        let mut child = setup.command(&arguments).spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        wait_for("the socket", || UnixStream::connect(&socket).is_ok());
        Self { child, socket, lines: Mutex::new(lines), said: Vec::new() }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for a line on standard output about this event.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        loop {
            let line = self
                .lines
                .get_mut()
                .unwrap()
                .recv_timeout(TEN_SECONDS)
                .unwrap_or_else(|_| panic!("no {name}: {:?}", self.said));
            self.said.push(line.clone());
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Waits for its end. Fails if it printed a secret, on whatever stream.
    pub(crate) fn end(mut self) -> Outcome {
        // Words are few, so they fit into the pipe.
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < 9 * TEN_SECONDS, "it did not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        self.said.extend(self.lines.get_mut().unwrap().iter());
        let stdout = self.said.join("\n").into_bytes();
        let mut stderr = Vec::new();
        self.child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        // Tokens are looked for in standard error. They belong in neither.
        stderr.extend_from_slice(b"\n");
        stderr.extend_from_slice(&stdout);
        Outcome::of(Output { status, stdout, stderr })
    }

    pub(crate) fn stop(self) -> Outcome {
        self.signal("-TERM");
        self.end()
    }

    pub(crate) fn get(&self, target: &str, headers: &str) -> Answer {
        ask(&self.socket, &format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"))
    }

    /// The token that a GET gives out, whose answer must be 200.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        let answer = self.get("/token", "");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn reject(&self, token: &str) -> Answer {
        self.post("/rejected", token)
    }

    pub(crate) fn post(&self, target: &str, body: &str) -> Answer {
        let length = body.len();
        ask(
            &self.socket,
            &format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"),
        )
    }
}

/// A test that failed leaves no process behind.
impl Drop for Keeping {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let is_it = |line: &&str| line.to_ascii_lowercase().starts_with(&format!("{name}:"));
        self.head.lines().find(is_it)?.split_once(": ").map(|(_, value)| value)
    }
}

pub(crate) fn ask(socket: &Path, request: &str) -> Answer {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(3 * TEN_SECONDS)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    read(&mut stream)
}

pub(crate) fn read(stream: &mut UnixStream) -> Answer {
    let mut text = String::new();
    // A server that closes with something unread resets the connection behind its answer.
    let _ = stream.read_to_string(&mut text);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}
