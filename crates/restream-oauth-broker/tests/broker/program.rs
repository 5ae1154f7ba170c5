//! The program, as an operator runs it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Instant, SystemTime};

use restream_oauth_keeper::Record;
use restream_oauth_sandbox::Builder;
use serde_json::Value;

use crate::support::{CALLBACK, PATIENCE, SECRET, World};
use crate::tls::{Files, trusting};

/// The program in front of a sandbox.
pub(crate) struct Program {
    pub(crate) world: World,
    pub(crate) config: PathBuf,
}

impl Program {
    pub(crate) fn new() -> Self {
        Self::with(|sandbox| sandbox)
    }

    pub(crate) fn with(change: impl FnOnce(Builder) -> Builder) -> Self {
        let world = World::without_broker(change);
        fs::create_dir_all(&world.folder).unwrap();
        let config = world.folder.join("broker.toml");
        let text = format!(
            r#"
            listen = "127.0.0.1:0"
            issuer = "{base}"
            admin_listen = "127.0.0.1:0"
            [restream]
            client_id = "{id}"
            base_url = "{sandbox}"
            [store]
            kind = "file"
            path = "{folder}"
            [obs]
            [[clients]]
            id = "overlay"
            redirect_uris = ["{CALLBACK}"]
            "#,
            base = world.base,
            id = world.sandbox.client_id(),
            sandbox = world.sandbox.base_url(),
            folder = world.folder.join("store").display(),
        );
        fs::write(&config, text).unwrap();
        Self { world, config }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restream-oauth-broker"));
        // `devices --config FILE list`.
        let (first, rest) = arguments.split_at(arguments.len().min(1));
        command.args(first).arg("--config").arg(&self.config).args(rest).env("RESTREAM_CLIENT_SECRET", SECRET);
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Lifts the limits of one device and one address.
    pub(crate) fn without_limits(&self) {
        let text = fs::read_to_string(&self.config).unwrap();
        let limits = "[limits]\nper_device = 100000\nper_address = 100000\n";
        fs::write(&self.config, format!("{text}\n{limits}")).unwrap();
    }

    /// Ends the promise of every access token, so that its next use rotates. The program must not run.
    pub(crate) fn let_tokens_expire(&self) {
        for entry in fs::read_dir(self.world.folder.join("store/grants")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "json") {
                let mut record = Record::from_saved(fs::read(&path).unwrap()).unwrap();
                record.usable_until = SystemTime::UNIX_EPOCH;
                fs::write(&path, record.to_saved().as_bytes()).unwrap();
            }
        }
    }

    pub(crate) fn start(&self) -> Running {
        let running = Running::start(self.command(&[])).expect("a line when it is ready");
        self.world.reach_at(&running.ready);
        running
    }
}

pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) ready: Value,
}

impl Running {
    /// Starts the program, and waits until it is ready; `None` if it ends before.
    pub(crate) fn start(mut command: Command) -> Option<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_default();
        let running = Self { child, ready };
        (!running.ready.is_null()).then_some(running)
    }

    pub(crate) fn admin_url(&self) -> &str {
        self.ready["admin_url"].as_str().unwrap()
    }

    /// True if the program has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// As [`end`](Self::end), for a program that may have ended already.
    pub(crate) fn end_unless_ended(mut self, signal: &str) -> (Option<i32>, String) {
        if !self.has_ended() {
            self.signal(signal);
        }
        self.wait()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Sends a signal and waits for the end. Returns the exit code and standard error.
    pub(crate) fn end(self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        self.wait()
    }

    /// Waits for the end. Returns the exit code and standard error.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut log).unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), log);
            }
            assert!(begun.elapsed() < PATIENCE, "it goes on: {log}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            // What the program says of it is all that is left of a failure that does not come again.
            let log = self.child.stderr.take().map(std::io::read_to_string);
            eprintln!("the program's log: {}", log.and_then(Result::ok).unwrap_or_default());
        }
    }
}

#[test]
fn a_device_is_listed_and_ended_beside_a_running_broker() {
    let program = Program::new();
    let running = program.start();
    assert!(running.ready["base_url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(running.ready["admin_url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    let (one, other) = (program.world.log_in(), program.world.log_in());

    let listed = program.output(&["devices", "list"]);
    assert!(listed.status.success(), "{listed:?}");
    let lines: Vec<Value> =
        String::from_utf8(listed.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    // A handle begins with the id of its device.
    let id = one.refresh_token[..32].to_owned();
    let line = lines.iter().find(|line| line["id"] == id.as_str()).unwrap();
    assert_eq!(line["client_id"], "overlay");
    assert!(line["created_at"].as_str().unwrap().ends_with('Z') && line["last_used_at"].is_string());

    let ended = program.output(&["devices", "end", &id]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(program.world.sandbox.ledger().revocations, 1);
    assert_eq!(program.world.refresh(&one.refresh_token).refusal(), (400, "invalid_grant".into()));
    program.world.refresh(&other.refresh_token).tokens();
    let unknown = program.output(&["devices", "end", &id]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");

    let (code, log) = running.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["event"].is_string());
    }
    for secret in [SECRET, &one.refresh_token, &other.access_token] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn kill_9_loses_no_grant_and_a_second_broker_on_the_same_folder_is_refused() {
    let program = Program::new();
    let running = program.start();
    let tokens = program.world.log_in();
    let refused = program.output(&[]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another broker"), "{refused:?}");

    let (code, log) = running.end("-KILL");
    assert_eq!(code, None, "{log}");
    let running = program.start();
    assert_eq!(program.world.refresh(&tokens.refresh_token).tokens().access_token, tokens.access_token);
    assert_eq!(running.end("-TERM").0, Some(0));
}

#[test]
fn the_configuration_is_checked() {
    let program = Program::new();
    let checked = program.output(&["--check"]);
    assert!(checked.status.success(), "{checked:?}");
    let text = fs::read_to_string(&program.config).unwrap();
    for (change, to, named) in [
        ("issuer =", "isuer =", "isuer"),
        ("path = \"", "path = \"/proc/none", "store.path: no folder /proc/none"),
        ("path = \"", "path = \"/dev/null", "store.path: no folder /dev/null"),
        ("[store]", "mode_x = 1\n[store]", "mode_x"),
        ("admin_listen =", "mode = \"relay\"\nadmin_listen =", "OBS keeps the first refresh token"),
        ("admin_listen =", "tls_cert = \"/c\"\ntls_key = \"/k\"\nadmin_listen =", "tls_key: the file cannot be used"),
    ] {
        fs::write(&program.config, text.replace(change, to)).unwrap();
        let faulty = program.output(&["--check"]);
        assert_eq!(faulty.status.code(), Some(2), "{change}: {faulty:?}");
        let said = String::from_utf8(faulty.stderr).unwrap();
        assert!(said.contains(named) && !said.contains(SECRET), "{said}");
    }
    let nothing = Command::new(env!("CARGO_BIN_EXE_restream-oauth-broker")).output().unwrap();
    assert_eq!(nothing.status.code(), Some(2));
}

#[test]
fn the_program_serves_tls_of_its_own() {
    let (program, files) = (Program::new(), Files::new());
    let certificate = files.renew();
    let text = fs::read_to_string(&program.config).unwrap();
    let named = format!(
        "tls_cert = {:?}\ntls_key = {:?}\nadmin_listen =",
        files.names.certificate.to_str().unwrap(),
        files.names.key.to_str().unwrap()
    );
    let text = text.replace("admin_listen =", &named).replace("issuer = \"http:", "issuer = \"https:");
    fs::write(&program.config, text).unwrap();
    let running = program.start();
    let base = running.ready["base_url"].as_str().unwrap().to_owned();
    assert!(base.starts_with("https://127.0.0.1:"), "{base}");
    assert!(running.ready["admin_url"].as_str().unwrap().starts_with("http://"), "it is for this machine alone");
    let mut answer =
        trusting(&certificate).get(format!("{base}/.well-known/oauth-authorization-server")).call().unwrap();
    let metadata: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    let issuer = program.world.base.replacen("http:", "https:", 1);
    assert_eq!(metadata["token_endpoint"], format!("{issuer}/token"));
    let (code, log) = running.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_relay_runs_without_a_store_and_knows_no_devices() {
    let program = Program::new();
    let text = fs::read_to_string(&program.config).unwrap();
    let (before, after) = text.split_once("[store]").unwrap();
    let after = &after[after.find("[[clients]]").unwrap()..];
    let relay = before.replace("admin_listen =", "mode = \"relay\"\nadmin_listen =") + after;
    fs::write(&program.config, relay).unwrap();
    let running = program.start();
    let tokens = program.world.log_in();
    assert_ne!(program.world.refresh(&tokens.refresh_token).tokens().refresh_token, tokens.refresh_token);
    let listed = program.output(&["devices", "list"]);
    assert_eq!(listed.status.code(), Some(2), "{listed:?}");
    assert!(String::from_utf8_lossy(&listed.stderr).contains("a relay knows no devices"), "{listed:?}");
    assert_eq!(running.end("-TERM").0, Some(0));
}

/// No database is asked: what is wrong with the way to it shows in the configuration and the environment.
#[test]
fn the_way_to_a_database_is_checked_with_the_rest() {
    let program = Program::new();
    let text = fs::read_to_string(&program.config).unwrap();
    let folder = program.world.folder.join("store");
    let passwords = program.world.folder.join("pgpass");
    fs::write(&passwords, "*:*:*:*:c4n4ry\n").unwrap();
    let check = |url: &str, mode: u32| {
        let store = format!("kind = \"postgres\"\nurl = \"{url}\"");
        let file = format!("kind = \"file\"\n            path = \"{}\"", folder.display());
        assert!(text.contains(&file), "{text}");
        fs::write(&program.config, text.replace(&file, &store)).unwrap();
        fs::set_permissions(&passwords, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let mut command = program.command(&["--check"]);
        let output = command.env_remove("PGPASSWORD").env("PGPASSFILE", &passwords).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("c4n4ry"), "{said}");
        (output.status.code(), said)
    };
    assert_eq!(check("postgres://broker@db.example/broker", 0o600), (Some(0), String::new()));
    for (url, mode, named) in [
        ("postgres://broker:c4n4ry@db.example/broker", 0o600, "PGPASSFILE"),
        ("postgres://broker@db.example/broker", 0o644, "chmod 600"),
        ("postgres://broker@db.example/broker?sslmode=disable", 0o600, "expected TLS"),
    ] {
        let (code, said) = check(url, mode);
        assert_eq!(code, Some(2), "{url}: {said}");
        assert!(said.contains("store.url") && said.contains(named), "{url}: {said}");
    }
}
