//! The only place that writes to the terminal: words for people go to standard error, results to standard output.
//!
//! `--quiet` and `--verbose` are given once, at the start. Results, failures, warnings and words that a person has to act
//! on are written whatever was given.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::arguments::Loudness;
use crate::failure::Failure;

/// The start of words that are a warning.
const WARNING: &str = "warning:";
/// Removes the line of the terminal on which the cursor is.
const ERASE_LINE: &str = "\r\x1B[K";

static LOUDNESS: AtomicU8 = AtomicU8::new(Loudness::Normal as u8);
/// True while the last line of the terminal shows progress. Whoever writes to standard error holds this lock.
static PROGRESS_IS_SHOWN: Mutex<bool> = Mutex::new(false);

/// Sets how much is said, for the whole run.
pub(crate) fn set_loudness(loudness: Loudness) {
    LOUDNESS.store(loudness as u8, Ordering::Relaxed);
}

/// Says what happens, on standard error; nothing if the user asked for quiet. A warning is always said.
pub(crate) fn say(words: &str) {
    if is_at_least(Loudness::Normal) || words.starts_with(WARNING) {
        alert(words);
    }
}

/// Says what a person has to act on, on standard error, also if the user asked for quiet.
pub(crate) fn alert(words: &str) {
    let text = match words.strip_prefix(WARNING) {
        Some(rest) => format!("restream-oauth: {}{rest}", Colour::Yellow.paint(WARNING)),
        None => format!("restream-oauth: {words}"),
    };
    write_line(&text);
}

/// Says why the command failed, on standard error.
pub(crate) fn report(failure: &Failure) {
    write_line(&format!("{} {}", Colour::Red.paint("restream-oauth:"), failure.message()));
}

/// Writes a line on standard error if the user asked for details. The words are made only then.
pub(crate) fn detail(words: impl FnOnce() -> String) {
    if is_at_least(Loudness::Verbose) {
        write_line(&Colour::Dim.paint(&words()));
    }
}

/// Writes a URL to standard error, alone on a line, so that people can copy it and programs can read it.
pub(crate) fn show_url(url: &str) {
    write_line(url);
}

/// Shows what a command waits for, on the last line of a terminal. The next words replace that line, or
/// [`end_progress`] removes it. Anywhere else than on a terminal it would be clutter, so it is not written there.
pub(crate) fn show_progress(words: &str) {
    if is_at_least(Loudness::Normal) && has_cursor() {
        let mut shown = PROGRESS_IS_SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = true;
        write(&format!("{ERASE_LINE}restream-oauth: {words}"));
    }
}

/// Removes the line that shows progress, if there is one.
pub(crate) fn end_progress() {
    let mut shown = PROGRESS_IS_SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::take(&mut *shown) {
        write(ERASE_LINE);
    }
}

/// Writes a drawing of `width` columns to standard error. If the terminal is known to be
/// narrower, says so instead: it would break the lines.
pub(crate) fn draw(lines: &[String], width: usize) {
    if let Some(columns) = columns().filter(|columns| *columns < width) {
        alert(&format!("the QR code needs {width} columns, and this terminal has {columns}: make it wider"));
        return;
    }
    // White on black, whatever the terminal's own colours are: a scanner may not read a light code on dark ground.
    let (begin, end) = if has_colours() { ("\x1b[38;5;231;48;5;16m", "\x1b[0m") } else { ("", "") };
    for line in lines {
        write_line(&format!("{begin}{line}{end}"));
    }
}

/// Writes a JSON value to standard output, on a line of its own.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value}\n"))
}

/// Writes text to standard output. Returns an error where `print!` would panic.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// Writes bytes to standard output as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    // The terminal may be the same.
    end_progress();
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| Failure::other(format!("cannot write to standard output: {error}")))
}

/// Returns the width of the terminal that words for people go to.
#[cfg(unix)]
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(not(unix))]
fn columns() -> Option<usize> {
    None
}

fn is_at_least(loudness: Loudness) -> bool {
    LOUDNESS.load(Ordering::Relaxed) >= loudness as u8
}

fn write_line(text: &str) {
    let mut shown = PROGRESS_IS_SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let erase = if std::mem::take(&mut *shown) { ERASE_LINE } else { "" };
    write(&format!("{erase}{text}\n"));
}

/// Writes all at once, so that the lines of two processes do not mix. Ignores a failure: a closed terminal must not end
/// the program.
fn write(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

#[derive(Clone, Copy)]
enum Colour {
    Red,
    Yellow,
    Dim,
}

impl Colour {
    fn paint(self, text: &str) -> String {
        if !has_colours() {
            return text.to_owned();
        }
        let code = match self {
            Self::Red => "1;31",
            Self::Yellow => "1;33",
            Self::Dim => "2",
        };
        format!("\x1B[{code}m{text}\x1B[0m")
    }
}

/// True if standard error is a terminal with colours, and the user wants them (<https://no-color.org>).
fn has_colours() -> bool {
    let wanted = || std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    has_cursor() && wanted()
}

/// True if standard error is a terminal that can erase a line.
fn has_cursor() -> bool {
    static HAS_CURSOR: OnceLock<bool> = OnceLock::new();
    *HAS_CURSOR.get_or_init(|| {
        let named = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_capable = named("TERM").map_or(named("WT_SESSION").is_some(), |kind| kind != "dumb");
        io::stderr().is_terminal() && is_capable
    })
}
