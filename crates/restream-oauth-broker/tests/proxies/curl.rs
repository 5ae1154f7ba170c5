//! A device: the `curl` program, from an address of its own.

use std::process::Command;

use crate::proxy::Proxy;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
}

impl Answer {
    /// The one header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = |line| {
            let (known, value) = str::split_once(line, ':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        };
        let mut values = self.head.lines().filter_map(value);
        let first = values.next();
        assert_eq!(values.next(), None, "{name} comes once: {self:?}");
        first
    }
}

/// Asks a proxy for a path and a query. Fails if there is no answer.
pub(crate) fn curl(proxy: &Proxy, arguments: &[&str], target: &str) -> Answer {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--insecure", "--interface", "127.0.0.2", "--max-time", "60", "--http1.1"])
        .args(["--output", "/dev/null", "--dump-header", "-"])
        .args(arguments)
        .arg(format!("https://127.0.0.1:{}{target}", proxy.port()))
        .output()
        .unwrap();
    let head = String::from_utf8(output.stdout).unwrap();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    Answer { status, head }
}
