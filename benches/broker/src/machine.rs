//! The cores: one for the server that is measured, one for everything else.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use crate::Outcome;

/// The cores of a run.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    server: u32,
}

impl Cores {
    /// Takes the first two cores that this process may use, and moves this process to the second one.
    pub(crate) fn take() -> Outcome<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let allowed = field(&status, "Cpus_allowed_list:").ok_or("expected Cpus_allowed_list in /proc/self/status")?;
        let mut cores = Vec::new();
        for range in allowed.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            cores.extend(first.parse::<u32>()?..=last.parse()?);
        }
        let [server, load, ..] = cores[..] else { return Err("expected two cores: one for the server".into()) };
        let own = std::process::id().to_string();
        let output = Command::new("taskset").args(["-a", "-c", "-p", &load.to_string(), &own]).output()?;
        if !output.status.success() {
            return Err(format!("taskset: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(Self { server })
    }

    /// A command that runs on the core of the server, and may open as many files as the system lets it.
    pub(crate) fn server(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", &self.server.to_string(), "sh", "-c", MANY_FILES, "sh"]).arg(program);
        command
    }

    /// A command that runs on the core of the load.
    #[expect(clippy::unused_self, reason = "this process has moved to that core, and its children inherit it")]
    pub(crate) fn load(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", MANY_FILES, "sh"]).arg(program);
        command
    }
}

const MANY_FILES: &str = r#"ulimit -n "$(ulimit -H -n)" && exec "$@""#;

/// The rest of the line that begins with a name, without spaces around it.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// A port that is free now.
pub(crate) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
