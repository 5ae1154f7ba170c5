//! A login with a browser, on this machine or on another.

pub(crate) mod browser;
pub(crate) mod callback_listener;
mod environment;
pub(crate) mod file;
pub(crate) mod guidance;
mod pages;
pub(crate) mod pasting;
mod qr_code;
pub(crate) mod waiting;

use restream_oauth_core::Client;

use crate::failure::{Exit, Failure};
use crate::terminal::{draw, say, show_url};

/// The failure of an exchange that a second signal ended before the response came.
pub(crate) fn code_in_doubt() -> Failure {
    Failure::new(Exit::Interrupted, "given up before the answer came: the code is used up; log in again")
}

/// Opens the browser, and prints the URL alone on a line: the program that opens it may start and still open nothing.
pub(crate) fn show(client: &Client, url: &str, no_browser: bool) {
    if !no_browser {
        let host = host_of(&client.endpoints().authorization);
        if browser::open(url) {
            say(&format!("opening the browser at {host}; if it does not open, use this URL:"));
        } else {
            say(&format!("no browser could be opened; open this URL at {host} yourself:"));
        }
    }
    show_url(url);
}

/// Draws the URL as a QR code.
pub(crate) fn show_qr_code(url: &str) {
    match qr_code::draw(url) {
        Some(drawing) => draw(&drawing.lines, drawing.width),
        None => say("the URL is too long for a QR code"),
    }
}

/// Returns the host of a URL, so that people see where the browser goes (RFC 8252 §8.7).
fn host_of(url: &str) -> String {
    let uri: Option<http::Uri> = url.parse().ok();
    uri.and_then(|uri| uri.authority().map(ToString::to_string)).unwrap_or_default()
}
