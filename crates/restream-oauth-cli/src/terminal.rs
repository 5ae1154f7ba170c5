//! The one place that writes to the terminal: words for people on standard error, results on standard output.

use std::io::{self, Write as _};

use crate::failure::Failure;

/// Words for people, on standard error. Nobody may be listening any more: that must end nothing.
pub(crate) fn say(words: &str) {
    let _ = writeln!(io::stderr(), "restream-oauth: {words}");
}

/// A URL alone on a line of standard error, so that it can be copied, or read by a program.
pub(crate) fn show_url(url: &str) {
    let _ = writeln!(io::stderr(), "{url}");
}

/// A JSON value on a line of its own on standard output.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value}\n"))
}

/// Text on standard output, with an error where `print!` would panic.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::other(format!("cannot write to standard output: {error}")))
}
