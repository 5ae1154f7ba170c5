//! What the tests share: a sandbox, the command and folders, new for each test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use restream_oauth_core::{Client, RefreshToken, Tokens};
use restream_oauth_keeper::Spooled;
use restream_oauth_sandbox::{Builder, Sandbox, spellings};

/// Part of the client secret of `sandbox()`. `TOKEN` is part of every code and token that it issues. Both are easy to
/// find in the output, where they would be a leak.
const SECRET: &str = "s3cretOfTheClient";
const TOKEN: &str = "t0kenOfTheGrant";

pub(crate) fn sandbox() -> Builder {
    Sandbox::builder().client_secret(format!("{SECRET}-1")).token_prefix(TOKEN)
}

/// What a test needs. `redirect_uri` is registered in the sandbox, and its port is free.
pub(crate) struct Setup {
    pub(crate) sandbox: Sandbox,
    pub(crate) redirect_uri: String,
    pub(crate) address: SocketAddr,
    pub(crate) folder: Folder,
    /// The folder for temporary files.
    pub(crate) elsewhere: Folder,
    /// The place of tokens without an option. Empty counts as unset.
    tokens_variable: &'static str,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let address = free_address();
        let redirect_uri = format!("http://{address}/callback");
        let sandbox = sandbox().redirect_uri(&redirect_uri).start().unwrap();
        Self { sandbox, redirect_uri, address, folder: Folder::new(), elsewhere: Folder::new(), tokens_variable: "-" }
    }

    /// As [`new`](Self::new), with the environment of a person: without a place, the tokens are those of an account.
    pub(crate) fn without_tokens_variable() -> Self {
        Self { tokens_variable: "", ..Self::new() }
    }

    /// Returns the command with the credentials of the sandbox, and without the environment of the test.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restream-oauth"));
        command
            .args(arguments)
            .current_dir(&self.folder.0)
            .env_clear()
            .env("RESTREAM_BASE_URL", self.sandbox.base_url())
            .env("RESTREAM_CLIENT_ID", self.sandbox.client_id())
            .env("RESTREAM_CLIENT_SECRET", self.sandbox.client_secret().unwrap())
            // Unless a test names a file or an account, tokens come from standard input, and go to standard output.
            .env("RESTREAM_TOKENS", self.tokens_variable)
            .env("HOME", &self.folder.0)
            .env("TMPDIR", &self.elsewhere.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().unwrap())
    }

    #[track_caller]
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // The command may end before it reads, for example after a configuration error.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Outcome::of(child.wait_with_output().unwrap())
    }

    /// Runs a shell script that may mount file systems, and that exits with 99 if mounting fails. Returns `None` if
    /// this system does not allow it.
    pub(crate) fn run_with_mounts(&self, script: &str) -> Option<Outcome> {
        let command = self.command(&[]);
        let output = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "/bin/sh", "-c", script])
            .current_dir(&self.folder.0)
            .env_clear()
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .output();
        let output =
            output.ok().filter(|output| output.status.code() != Some(99) && !output.stderr.starts_with(b"unshare"));
        if output.is_none() {
            skipped("this system lets no test mount anything");
        }
        output.map(Outcome::of)
    }

    /// Returns the path of a file with tokens that the sandbox has just issued.
    pub(crate) fn token_file(&self) -> PathBuf {
        self.log_in();
        self.folder.0.join("tokens.json")
    }

    /// Fills `tokens.json` by `authorize-url` and `exchange`; returns how `exchange` ended.
    pub(crate) fn log_in(&self) -> Outcome {
        let redirect_uri = self.redirect_uri.clone();
        let url = self.run(&["authorize-url", "--save", "login.json", "--redirect-uri", &redirect_uri]).json();
        let callback = self.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
        let arguments =
            ["exchange", "--login", "login.json", "--tokens", "tokens.json", "--redirect-uri", &redirect_uri];
        self.run_with_input(&arguments, &callback).expect(0)
    }

    pub(crate) fn token_requests(&self) -> usize {
        self.sandbox.ledger().requests_to("/oauth/token").count()
    }
}

/// Reports that a test proved nothing. Writes to standard error directly, because the test runner captures `eprintln!`.
/// Fails in CI, which must have everything that the tests need.
pub(crate) fn skipped(why: &str) {
    let message = format!("SKIPPED: {why}\n");
    std::io::stderr().write_all(message.as_bytes()).unwrap();
    assert!(std::env::var_os("CI").is_none(), "{message}");
}

/// How a process ended.
pub(crate) struct Outcome {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Fails if the output holds a secret. Tokens are allowed on standard output, because some commands print them.
    #[track_caller]
    pub(crate) fn of(output: Output) -> Self {
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_holds_no(&stderr, TOKEN);
        assert_holds_no(&stderr, SECRET);
        assert_holds_no(&stdout, SECRET);
        Self { exit: output.status.code(), stdout, stderr }
    }

    #[track_caller]
    pub(crate) fn expect(self, exit: i32) -> Self {
        assert_eq!(self.exit, Some(exit), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        if exit != 0 {
            assert_eq!(self.stdout, "", "nothing goes to standard output at a failure");
            assert!(self.stderr.contains("restream-oauth: ") || self.stderr.contains("error: "), "{}", self.stderr);
        }
        self
    }

    /// Returns the output of a command that prints JSON and no tokens.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        let stdout = self.expect(0).stdout;
        assert_holds_no(&stdout, TOKEN);
        serde_json::from_str(&stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn tokens(self) -> Tokens {
        Tokens::from_saved(&self.expect(0).stdout).unwrap()
    }
}

#[track_caller]
fn assert_holds_no(said: &str, word: &str) {
    let found = spellings(word).into_iter().find(|spelling| said.contains(spelling));
    assert_eq!(found, None, "a secret was printed: {said}");
}

/// A running `login`, after it has shown its URL.
pub(crate) struct RunningLogin {
    pub(crate) url: String,
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
}

impl RunningLogin {
    pub(crate) fn start(setup: &Setup, more: &[&str]) -> Self {
        Self::start_with(setup, more, &[])
    }

    pub(crate) fn start_with(setup: &Setup, more: &[&str], variables: &[(&str, &Path)]) -> Self {
        let mut arguments = vec!["login", "--no-browser", "--redirect-uri", &setup.redirect_uri];
        arguments.extend(more);
        Self::spawn(setup.command(&arguments).envs(variables.iter().copied()))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let url = loop {
            let mut line = String::new();
            if stderr.read_line(&mut line).unwrap() == 0 {
                let status = child.wait().unwrap();
                panic!("it ended with {status}: {said}");
            }
            said.push_str(&line);
            if line.starts_with("http") {
                break line.trim_end().to_owned();
            }
        };
        Self { url, child, stderr, said }
    }

    /// Waits for a line of standard error with `words` in it, and returns that line.
    pub(crate) fn wait_for_words(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "it ended without {words:?}: {}", self.said);
            self.said.push_str(&line);
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Standard input, if it is a pipe.
    pub(crate) fn stdin(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().unwrap()
    }

    pub(crate) fn close_stdin(&mut self) {
        self.child.stdin = None;
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Interrupts the login as Ctrl-C does, and waits for its end.
    pub(crate) fn interrupt(mut self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let sent = Instant::now();
        while sent.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return assert!(!status.success());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.kill().unwrap();
        panic!("the command still runs. Is SIGINT ignored here, as in a job that a shell script runs with `&`?");
    }

    #[track_caller]
    pub(crate) fn finish(mut self) -> Outcome {
        self.stderr.read_to_string(&mut self.said).unwrap();
        let mut output = self.child.wait_with_output().unwrap();
        output.stderr = self.said.into_bytes();
        Outcome::of(output)
    }
}

/// A folder that is removed on drop.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("restream-oauth-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Returns the names in the folder.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Returns the pair in a token file.
#[track_caller]
pub(crate) fn pair(path: &Path) -> Tokens {
    Tokens::from_saved(std::fs::read(path).unwrap()).unwrap()
}

/// Returns what the keeper has written beside the pair in a token file.
#[track_caller]
pub(crate) fn kept(path: &Path) -> serde_json::Value {
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    document["keeper"].clone()
}

/// Returns the body in an answer that is kept beside a token file, and that came to this refresh token.
#[track_caller]
pub(crate) fn kept_body(answer: &Path, sent: &RefreshToken) -> String {
    let spooled = Spooled::from_saved(std::fs::read(answer).unwrap()).unwrap();
    let client = Client::builder("any").redirect_uri("https://app.example/callback").build().unwrap();
    let (_, reader) = client.refresh(sent).into_parts(std::time::SystemTime::UNIX_EPOCH);
    let answer = reader.restore_answer(spooled.answer.as_bytes()).unwrap();
    String::from_utf8(answer.expose_body().to_vec()).unwrap()
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Sends one GET over a new connection, and returns the whole response as text.
pub(crate) fn get(address: SocketAddr, target: &str, headers: &str) -> String {
    raw(address, &format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n"))
}

/// Sends some bytes over a new connection, and returns the whole response as text.
pub(crate) fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// Requests a callback as a browser does.
pub(crate) fn come_back(callback: &str) -> String {
    let (place, target) = callback.strip_prefix("http://").unwrap().split_once('/').unwrap();
    get(place.parse().unwrap(), &format!("/{target}"), "")
}

/// Returns an address whose port stays free until the command listens on it. The port is below those that the system
/// hands out by itself (32768 and above), and no test of this process gets it again before thousands of others had one.
/// Processes begin at different ports. It is tried by connecting, not by listening: a process that another thread starts
/// at that moment would inherit the socket and keep the port in use.
fn free_address() -> SocketAddr {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let (lowest, end) = (10_000, 32_768);
    let first = std::process::id().wrapping_mul(7919);
    loop {
        let number = first.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(lowest + number % (end - lowest)).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpStream::connect(address).is_err() {
            return address;
        }
    }
}
