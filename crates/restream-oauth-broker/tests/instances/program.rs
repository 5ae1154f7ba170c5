//! The program on a database.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::{CALLBACK, SECRET, World};

/// One instance of it.
pub(crate) struct Program {
    /// Whoever has it can kill the program.
    pub(crate) child: Arc<Mutex<Child>>,
    pub(crate) base: String,
    pub(crate) config: PathBuf,
}

impl Program {
    /// Starts an instance that listens on this address.
    pub(crate) fn start(world: &World, database: &str, name: &str, listen: &str) -> Self {
        std::fs::create_dir_all(&world.folder).unwrap();
        let config = world.folder.join(format!("{name}.toml"));
        let text = format!(
            r#"
            listen = "{listen}"
            issuer = "{base}"
            [restream]
            client_id = "{id}"
            base_url = "{sandbox}"
            [store]
            kind = "postgres"
            url = "{database}"
            [obs]
            prefix = "/obs/"
            [[clients]]
            id = "overlay"
            redirect_uris = ["{CALLBACK}"]
            "#,
            base = world.base,
            id = world.sandbox.client_id(),
            sandbox = world.sandbox.base_url(),
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Self::command(&config, &[]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut log = String::new();
            child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
            panic!("{error}: {line:?} {log}")
        });
        let child = Arc::new(Mutex::new(child));
        Self { child, base: ready["base_url"].as_str().unwrap().to_owned(), config }
    }

    pub(crate) fn command(config: &PathBuf, devices: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restream-oauth-broker"));
        if !devices.is_empty() {
            command.arg("devices");
        }
        command.arg("--config").arg(config).args(devices).env("RESTREAM_CLIENT_SECRET", SECRET).stdin(Stdio::null());
        command
    }

    /// `kill -9`.
    pub(crate) fn kill(self) {
        kill(&self.child);
    }

    /// True if somebody has killed it.
    pub(crate) fn was_killed(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_some()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        kill(&self.child);
    }
}

/// `kill -9`, and the end of the process.
pub(crate) fn kill(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap();
    let _ = child.kill();
    let _ = child.wait();
}
