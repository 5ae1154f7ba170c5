//! The only place that writes to the terminal: words for people go to standard error, results to standard output.

use std::io::{self, Write as _};

use crate::failure::Failure;

/// Writes words for people to standard error. Ignores a failure: a closed terminal must not end the program.
pub(crate) fn say(words: &str) {
    let _ = writeln!(io::stderr(), "restream-oauth: {words}");
}

/// Writes a URL to standard error, alone on a line, so that people can copy it and programs can read it.
pub(crate) fn show_url(url: &str) {
    let _ = writeln!(io::stderr(), "{url}");
}

/// Writes a JSON value to standard output, on a line of its own.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value}\n"))
}

/// Writes text to standard output. Returns an error where `print!` would panic.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::other(format!("cannot write to standard output: {error}")))
}
