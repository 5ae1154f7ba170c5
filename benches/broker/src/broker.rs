//! The broker as a program, with a local Restream behind it, and handles that were made by whole logins.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_sandbox::Sandbox;
use serde_json::Value;

use crate::Outcome;
use crate::machine::{Cores, field, free_port};

const CALLBACK: &str = "https://overlay.example/callback";
const SECRET_NAME: &str = "RESTREAM_CLIENT_SECRET";
const SECRET: &str = "secret";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// How many users log in at once.
const AT_ONCE: usize = 8;
/// The broker writes the use of a handle down if the last one that it wrote is this old.
const BETWEEN_USES: Duration = Duration::from_mins(1);
/// Far more than anything takes.
const PATIENCE: Duration = Duration::from_mins(5);

/// Where a broker keeps what it must not forget.
pub(crate) struct Store {
    pub(crate) title: &'static str,
    /// The table `[store]` of the configuration. `{folder}` is a folder of the run.
    table: String,
}

/// The stores that can be measured here. Each has rows of its own.
pub(crate) fn stores() -> Outcome<Vec<Store>> {
    let mut stores = vec![Store { title: "files", table: "kind = \"file\"\npath = \"{folder}/store\"".to_owned() }];
    if let Ok(server) = env::var("RESTREAM_TEST_POSTGRES") {
        let url = database(&server)?;
        stores.push(Store { title: "PostgreSQL", table: format!("kind = \"postgres\"\nurl = \"{url}\"") });
    } else {
        eprintln!("left out: PostgreSQL, which `.ci/postgres` starts");
    }
    Ok(stores)
}

/// Creates a database of our own. Returns its URL.
fn database(server: &str) -> Outcome<String> {
    let name = format!("broker_bench_{}", std::process::id());
    let psql = Path::new(&env::var("RESTREAM_TEST_PG_DUMP")?).with_file_name("psql");
    let create = format!("CREATE DATABASE {name} TEMPLATE template0");
    if !Command::new(psql).args(["--quiet", "--command", &create, server]).status()?.success() {
        return Err("the database cannot be created".into());
    }
    let (server, _) = server.rsplit_once('/').ok_or("expected a URL with a database")?;
    Ok(format!("{server}/{name}"))
}

const CONFIGURATION: &str = r#"
listen = "127.0.0.1:{port}"
issuer = "http://127.0.0.1:{port}"
admin_listen = "127.0.0.1:0"
[restream]
client_id = "{client_id}"
base_url = "{restream}"
[store]
{store}
[[clients]]
id = "overlay"
redirect_uris = ["https://overlay.example/callback"]
[limits]
per_device = 100000
per_address = 100000
"#;

/// Builds the program as an operator installs it. Returns its path.
pub(crate) fn build() -> Outcome<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/restream-oauth-broker/Cargo.toml");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--quiet", "--message-format=json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(manifest)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("the broker cannot be built".into());
    }
    let messages = String::from_utf8(output.stdout)?;
    let mut programs = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    programs.next_back().ok_or_else(|| "cargo built no program".into())
}

/// A broker that runs, and its devices.
pub(crate) struct Broker {
    process: Child,
    program: PathBuf,
    folder: PathBuf,
    address: String,
    admin_url: String,
    sandbox: Sandbox,
    /// What devices send: a request for the token of each handle, as a form.
    forms: String,
}

impl Broker {
    /// Starts the broker, and logs devices in.
    pub(crate) fn start(cores: Cores, program: &Path, store: &Store, devices: usize) -> Outcome<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let (_, port) = address.split_once(':').unwrap_or_default();
        let sandbox = Sandbox::builder()
            .client_secret(SECRET)
            .redirect_uri(format!("http://{address}/callback"))
            // A device asks again before its token ends, also if the run takes long.
            .access_token_lifetime(Duration::from_hours(24))
            .start()?;
        let folder = env::temp_dir().join(format!("restream-oauth-broker-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let text = CONFIGURATION
            .replace("{store}", &store.table)
            .replace("{folder}", &folder.display().to_string())
            .replace("{port}", port)
            .replace("{client_id}", sandbox.client_id())
            .replace("{restream}", sandbox.base_url());
        let config = folder.join("broker.toml");
        fs::write(&config, text)?;
        let check =
            Command::new(program).arg("--check").arg("--config").arg(&config).env(SECRET_NAME, SECRET).status()?;
        if !check.success() {
            return Err("the broker does not take its configuration".into());
        }
        let mut process = cores
            .server(program)
            .arg("--config")
            .arg(&config)
            .env(SECRET_NAME, SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // The broker writes a line for each request, as nginx does.
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("expected an output")?).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).map_err(|_| "the broker does not start")?;
        let admin_url = ready["admin_url"].as_str().ok_or("expected an admin_url")?.to_owned();
        let program = program.to_owned();
        let mut broker = Self { process, program, folder, address, admin_url, sandbox, forms: String::new() };
        broker.forms = broker.log_in_all(devices)?;
        Ok(broker)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What devices send: a form a line, each with another handle.
    pub(crate) fn requests(&self) -> &str {
        &self.forms
    }

    /// What a device gets.
    pub(crate) fn body_of_an_answer(&self) -> Outcome<String> {
        self.ask(self.forms.lines().next().ok_or("expected a device")?)
    }

    /// Waits until no use of a handle has to be written down for a while: the broker writes one a minute, and that
    /// takes as long as a disk takes for some syncs.
    pub(crate) fn settle(&self, calm: Duration) -> Outcome<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let output = Command::new(&self.program)
                .args(["devices", "--config"])
                .arg(self.folder.join("broker.toml"))
                .arg("list")
                .env(SECRET_NAME, SECRET)
                .output()?;
            let (now, mut oldest) = (SystemTime::now(), Duration::ZERO);
            for line in String::from_utf8(output.stdout)?.lines() {
                let device: Value = serde_json::from_str(line)?;
                let used = humantime::parse_rfc3339(device["last_used_at"].as_str().ok_or("expected a time")?)?;
                let age = now.duration_since(used).unwrap_or_default();
                oldest = oldest.max(age);
                let id = device["id"].as_str().ok_or("expected an id")?;
                if age >= BETWEEN_USES
                    && let Some(form) = self.forms.lines().find(|form| form.contains(id))
                {
                    self.ask(form)?;
                }
            }
            if oldest + calm < BETWEEN_USES {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(500));
        }
        Err("the broker does not write down that its handles were used".into())
    }

    /// The resident memory of the process, in bytes.
    pub(crate) fn memory(&self) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let kibibytes = field(&status, "VmRSS:").and_then(|size| size.strip_suffix(" kB")).ok_or("expected VmRSS")?;
        Ok(kibibytes.trim().parse::<u64>()? * 1024)
    }

    /// Fails if the broker has closed some of the connections.
    pub(crate) fn has_connections(&self, least: usize) -> Outcome<()> {
        let open = self.metric("connections")?;
        if open < u64::try_from(least)? {
            return Err(format!("expected {least} connections, and the broker has {open}").into());
        }
        Ok(())
    }

    /// How many lines of its log the broker has dropped, because they came too fast.
    pub(crate) fn lines_dropped(&self) -> Outcome<u64> {
        self.metric("log_lines_dropped_total")
    }

    fn metric(&self, name: &str) -> Outcome<u64> {
        let metrics = agent().get(format!("{}/metrics", self.admin_url)).call()?.body_mut().read_to_string()?;
        let value = field(&metrics, &format!("restream_oauth_broker_{name} ")).ok_or("expected a metric")?;
        Ok(value.parse()?)
    }

    fn ask(&self, form: &str) -> Outcome<String> {
        let request = agent().post(format!("http://{}/token", self.address));
        let mut answer = request.header("content-type", "application/x-www-form-urlencoded").send(form)?;
        Ok(answer.body_mut().read_to_string()?)
    }

    /// Returns a form for each device.
    fn log_in_all(&self, devices: usize) -> Outcome<String> {
        let handles: Result<Vec<String>, String> = thread::scope(|scope| {
            let users: Vec<_> = (0..AT_ONCE)
                .map(|user| {
                    scope.spawn(move || -> Result<Vec<String>, String> {
                        let mine = (user..devices).step_by(AT_ONCE);
                        mine.map(|_| self.log_in().map_err(|error| format!("a login: {error}"))).collect()
                    })
                })
                .collect();
            let mut handles = Vec::new();
            for user in users {
                handles.extend(user.join().map_err(|_| "a login panicked".to_owned())??);
            }
            Ok(handles)
        });
        let mut forms = String::new();
        for handle in handles? {
            writeln!(forms, "grant_type=refresh_token&client_id=overlay&refresh_token={handle}")?;
        }
        Ok(forms)
    }

    /// A user logs in for the overlay, which redeems its code. Returns the handle.
    fn log_in(&self) -> Outcome<String> {
        let agent = agent();
        let query = form(&[
            ("client_id", "overlay"),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", "state"),
        ]);
        let mut page = agent.get(format!("http://{}/authorize?{query}", self.address)).call()?;
        let cookie = page.headers().get("set-cookie").ok_or("expected a cookie")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let page = page.body_mut().read_to_string()?;
        let link = between(&page, "href=\"", "\"").ok_or("expected a link")?.replace("&amp;", "&");
        let browse = |url: &str| -> Outcome<String> {
            let answer = agent.get(url).header("cookie", &cookie).call()?;
            Ok(answer.headers().get("location").ok_or("expected a redirect")?.to_str()?.to_owned())
        };
        let consent = browse(&format!("http://{}{link}", self.address))?;
        let back = browse(&self.sandbox.approve(&consent)?)?;
        let code = between(&back, "code=", "&").ok_or("expected a code")?;
        let answer = self.ask(&form(&[
            ("grant_type", "authorization_code"),
            ("client_id", "overlay"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ]))?;
        let tokens: Value = serde_json::from_str(&answer)?;
        Ok(tokens["refresh_token"].as_str().ok_or("expected a handle")?.to_owned())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().max_redirects(0).proxy(None).timeout_global(Some(PATIENCE)).build().into()
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What stands between the first `before` and the next `after`, or the end.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split(after).next()
}
