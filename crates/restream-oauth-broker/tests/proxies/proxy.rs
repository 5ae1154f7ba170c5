//! A real proxy, with the configuration of `deploy/`.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// More than a loaded machine needs. No test waits for all of it.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Proxy {
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl Proxy {
    /// Starts nginx, or says why not.
    pub(crate) fn nginx(upstream: u16) -> Option<Self> {
        if !is_there("nginx", "-v") {
            return None;
        }
        Some(Self::start("nginx", |folder, port| {
            let path = folder.display();
            let site = replaced(
                include_str!("../../deploy/nginx.conf"),
                &[
                    ("listen 443 ssl;", &format!("listen 127.0.0.1:{port} ssl;")),
                    ("    listen [::]:443 ssl;\n", ""),
                    ("/etc/letsencrypt/live/broker.example/fullchain.pem", &format!("{path}/cert.pem")),
                    ("/etc/letsencrypt/live/broker.example/privkey.pem", &format!("{path}/key.pem")),
                    ("/var/log/nginx/restream-oauth-broker.log", &format!("{path}/access.log")),
                    ("/var/log/nginx/restream-oauth-broker.error.log", &format!("{path}/error.log")),
                    ("http://127.0.0.1:8080", &format!("http://127.0.0.1:{upstream}")),
                ],
            );
            fs::write(folder.join("site.conf"), site).unwrap();
            let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {path}/{kind};\n"))
                .concat();
            let main = format!(
                "daemon off;\nmaster_process off;\npid {path}/pid;\nevents {{}}\nhttp {{\n{temporary}include {path}/site.conf;\n}}\n"
            );
            fs::write(folder.join("nginx.conf"), main).unwrap();
            let mut command = Command::new("nginx");
            command
                .arg("-p")
                .arg(folder)
                .arg("-e")
                .arg(folder.join("start.log"))
                .arg("-c")
                .arg(folder.join("nginx.conf"));
            command
        }))
    }

    /// Starts Caddy, or says why not.
    pub(crate) fn caddy(upstream: u16) -> Option<Self> {
        if !is_there("caddy", "version") {
            return None;
        }
        Some(Self::start("caddy", |folder, port| {
            let path = folder.display();
            let text = replaced(
                include_str!("../../deploy/Caddyfile"),
                &[
                    ("\tauto_https disable_redirects\n", "\tauto_https off\n\tadmin off\n"),
                    (
                        "\nbroker.example {\n",
                        &format!(
                            "\nhttps://127.0.0.1:{port} {{\n\ttls {path}/cert.pem {path}/key.pem\n\tbind 127.0.0.1\n"
                        ),
                    ),
                    ("reverse_proxy 127.0.0.1:8080", &format!("reverse_proxy 127.0.0.1:{upstream}")),
                ],
            );
            fs::write(folder.join("Caddyfile"), text).unwrap();
            let mut command = Command::new("caddy");
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(folder.join("Caddyfile"));
            command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
            command
        }))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until a log shows a text.
    pub(crate) fn wait_for_log(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(begun.elapsed() < LIMIT, "{text} comes in no log:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the proxy. Returns everything that it wrote into its logs.
    pub(crate) fn stop(&mut self) -> String {
        let _ = self.process.kill();
        self.process.wait().unwrap();
        self.log()
    }

    fn log(&self) -> String {
        let files = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()).collect()
    }

    /// A free port may be taken by somebody else before the proxy listens there, so another one is tried then.
    fn start(name: &str, command: impl Fn(&Path, u16) -> Command) -> Self {
        for attempt in 0..5 {
            let folder =
                std::env::temp_dir().join(format!("restream-oauth-broker-{name}-{}-{attempt}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            let certificate = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
            fs::write(folder.join("cert.pem"), certificate.cert.pem()).unwrap();
            fs::write(folder.join("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let output = File::create(folder.join("output.log")).unwrap();
            let mut command = command(&folder, port);
            command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
            let mut proxy = Self { process: command.spawn().unwrap(), port, folder };
            if proxy.listens() {
                return proxy;
            }
            let why = proxy.log();
            assert!(attempt < 4, "{name} does not start:\n{why}");
        }
        unreachable!("the last attempt ends above");
    }

    /// Waits until the proxy listens. Returns false if it ends.
    fn listens(&mut self) -> bool {
        let begun = Instant::now();
        while self.process.try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            assert!(begun.elapsed() < LIMIT, "it does not listen:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Fails if the text does not have a part, so that a configuration which changes is not tested in vain.
fn replaced(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (part, instead)| {
        assert!(text.contains(part), "{part}");
        text.replace(part, instead)
    })
}

/// True if the proxy and `curl` are there. Otherwise says so on standard error, past the test runner, and fails in CI.
fn is_there(program: &str, version: &str) -> bool {
    let runs = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).stdin(Stdio::null()).output();
        output.is_ok_and(|output| output.status.success())
    };
    let missing =
        [(program, version), ("curl", "--version")].into_iter().find(|(program, version)| !runs(program, version));
    if let Some((program, _)) = missing {
        let message = format!("SKIPPED: `{program}` is missing, so its configuration is not tested\n");
        std::io::stderr().write_all(message.as_bytes()).unwrap();
        assert!(std::env::var_os("CI").is_none(), "{message}");
    }
    missing.is_none()
}
