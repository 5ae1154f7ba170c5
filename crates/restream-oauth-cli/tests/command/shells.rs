//! The command in the scripts and shells of a newcomer: a job of cron, and a prompt of bash.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{Outcome, Setup, sandbox, skipped};
use crate::terminal::Terminal;

/// A job of cron as the README shows it. A pipe hides how its first command ended, so the token is fetched before.
const JOB: &str = "\
token=$(restream-oauth token --header) || exit
printf '%s\\n' \"$token\" | curl --silent --show-error --fail -H @- \"$RESTREAM_BASE_URL/v2/user/profile\"
";

/// The same in one line, which the README shows too.
const PIPE: &str = "restream-oauth token --header | curl --silent --show-error --fail -H @- \
                    \"$RESTREAM_BASE_URL/v2/user/profile\"";

/// Shows the user, and how `token` ends if that is no success.
const PROMPT: &str = r#"PS1='[$(restream-oauth status --json 2>/dev/null | sed -n "s/.*\"username\":\"\([^\"]*\)\".*/\1/p")$(restream-oauth token >/dev/null 2>&1 || echo " exit $?")]> '"#;

/// How long an access token lives that a test sees expire.
const LIFETIME: Duration = Duration::from_secs(2);

/// A sandbox, an empty home, and a `PATH` with the command.
struct Home {
    setup: Setup,
    path: OsString,
}

impl Home {
    fn new(access_token_lifetime: Duration) -> Self {
        let mut setup = Setup::without_tokens_variable();
        setup.sandbox =
            sandbox().redirect_uri(&setup.redirect_uri).access_token_lifetime(access_token_lifetime).start().unwrap();
        let bin = setup.folder.0.join("bin");
        std::fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_restream-oauth"), bin.join("restream-oauth")).unwrap();
        let mut path = bin.into_os_string();
        path.push(":/usr/bin:/bin");
        Self { setup, path }
    }

    /// Logs the default account in.
    fn log_in(&self) {
        let redirect_uri = &self.setup.redirect_uri;
        let url = self.setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", redirect_uri]).json();
        let callback = self.setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
        self.setup.run_with_input(&["exchange", "--login", "login.json"], &callback).expect(0);
    }

    /// Gives a program `HOME`, `PATH` and the client of the sandbox, and nothing else.
    fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let sandbox = &self.setup.sandbox;
        command
            .current_dir(&self.setup.folder.0)
            .env_clear()
            .env("HOME", &self.setup.folder.0)
            .env("PATH", &self.path)
            .env("RESTREAM_BASE_URL", sandbox.base_url())
            .env("RESTREAM_CLIENT_ID", sandbox.client_id())
            .env("RESTREAM_CLIENT_SECRET", sandbox.client_secret().unwrap())
    }

    fn run_as_cron(&self, script: &str) -> Outcome {
        let mut command = Command::new("/bin/sh");
        Outcome::of(self.environment(command.args(["-c", script])).output().unwrap())
    }
}

fn has_curl() -> bool {
    let found = Path::new("/usr/bin/curl").exists() || Path::new("/bin/curl").exists();
    if !found {
        skipped("curl is not installed (Debian: apt-get install curl)");
    }
    found
}

#[test]
fn a_job_of_cron_calls_the_api_with_a_living_token() {
    if !has_curl() {
        return;
    }
    let home = Home::new(LIFETIME);
    home.log_in();
    for job in [JOB, PIPE] {
        for expired in [false, true] {
            if expired {
                std::thread::sleep(LIFETIME);
            }
            let before = home.setup.sandbox.ledger().refreshes;
            let outcome = home.run_as_cron(job);
            assert_eq!((outcome.exit, outcome.stderr.as_str()), (Some(0), ""), "{job}");
            let profile: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
            assert_eq!(profile["username"], "sandbox-user", "{job}");
            if expired {
                assert_eq!(home.setup.sandbox.ledger().refreshes, before + 1, "{job}");
            }
        }
    }
    assert_eq!(home.setup.sandbox.ledger().dead_access_tokens_used, 0);
}

#[test]
fn a_job_of_cron_ends_with_the_exit_code_of_the_command() {
    let home = Home::new(LIFETIME);
    let outcome = home.run_as_cron(JOB);
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (Some(3), ""), "nobody has logged in: {}", outcome.stderr);
    home.log_in();
    std::thread::sleep(LIFETIME);
    let busy = What::Status { status: 429, headers: Vec::new(), body: Vec::new() };
    home.setup.sandbox.inject(Fault::new(busy).on(Endpoint::Token));
    let outcome = home.run_as_cron(JOB);
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (Some(4), ""), "the server is busy: {}", outcome.stderr);
}

/// A bash that a person uses, on a terminal.
struct Bash {
    terminal: Terminal,
    shell: Child,
    said: Receiver<Vec<u8>>,
}

impl Bash {
    /// `None` if a program is missing.
    fn start(home: &Home) -> Option<Self> {
        for program in ["setsid", "bash"] {
            if Command::new(program).arg("--version").output().is_err() {
                skipped(&format!("{program} is not installed (Debian: apt-get install {program})"));
                return None;
            }
        }
        let terminal = Terminal::open();
        let mut command = Command::new("setsid");
        home.environment(command.args(["--ctty", "--wait", "bash", "--noprofile", "--norc", "-i"]))
            .env("TERM", "dumb")
            .stdin(terminal.for_command())
            .stdout(terminal.for_command())
            .stderr(terminal.for_command());
        let shell = command.spawn().unwrap();
        let (send, said) = mpsc::channel();
        let mut person = terminal.person.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = person.read(&mut bytes) {
                if send.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Some(Self { terminal, shell, said })
    }

    /// Types a line, and waits until the terminal shows `expected` at the end, where the cursor is.
    #[track_caller]
    fn types(&mut self, line: &str, expected: &str) {
        self.terminal.paste(line);
        let (mut shown, begun) = (String::new(), Instant::now());
        while !shown.ends_with(expected) {
            let left = Duration::from_secs(20).saturating_sub(begun.elapsed());
            let Ok(more) = self.said.recv_timeout(left) else { panic!("{line}: expected {expected:?}, got {shown:?}") };
            shown.push_str(&String::from_utf8_lossy(&more));
        }
    }
}

impl Drop for Bash {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

#[test]
fn a_prompt_of_bash_shows_the_user_of_the_account_and_that_it_needs_a_login() {
    let home = Home::new(Duration::from_secs(3600));
    let Some(mut bash) = Bash::start(&home) else { return };
    bash.types(PROMPT, "[ exit 3]> ");
    home.log_in();
    let before = home.setup.sandbox.ledger().requests.len();
    bash.types("true", "[sandbox-user]> ");
    assert_eq!(home.setup.sandbox.ledger().requests.len(), before, "a prompt sends nothing while the token lives");
    home.setup.sandbox.end_grants();
    // The refresh finds out.
    bash.types("restream-oauth refresh 2>/dev/null; echo ended with $?", "[sandbox-user exit 3]> ");
    bash.types("restream-oauth logout 2>/dev/null", "[ exit 3]> ");
    bash.types("exit 7", "exit\r\n");
    assert_eq!(bash.shell.wait().unwrap().code(), Some(7));
}
