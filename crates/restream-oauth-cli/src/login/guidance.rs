//! What a person is told to do while the command waits for the login to come back.

use http::Uri;

use crate::login::environment;
use crate::login::pasting::Pasting;
use crate::login::waiting::Waiting;
use crate::terminal::say;

/// Says what to do before the URL is opened: over SSH, the browser cannot reach the port.
pub(crate) fn before_the_url(waiting: &Waiting, redirect_uri: &str) {
    if waiting.listens() && environment::is_remote() {
        say(&remote_words(redirect_uri, waiting.pasting().is_some()));
    }
}

/// Says how the URL that comes back can be pasted.
pub(crate) fn after_the_url(waiting: &Waiting) {
    match (waiting.pasting(), waiting.listens()) {
        (None, _) => {}
        (Some(_), true) => say(
            "waiting for the browser to come back; if it ends on a page that does not load, paste the URL of that page \
             here and press Enter",
        ),
        (Some(Pasting::Terminal), false) => {
            say("when the browser has ended on a page, paste the URL of that page here and press Enter");
        }
        (Some(Pasting::Other), false) => say("expecting the URL that comes back on standard input, alone on a line"),
    }
}

/// Names the line that lets a browser on the user's machine reach the port of this one.
fn remote_words(redirect_uri: &str, can_paste: bool) -> String {
    let uri: Option<Uri> = redirect_uri.parse().ok();
    let place = uri.as_ref().and_then(|uri| Some((uri.host()?, uri.port_u16()?)));
    let (host, port) = place.unwrap_or_default();
    let otherwise = if can_paste {
        "\nor open the URL all the same, and paste here the URL of the page that does not load then"
    } else {
        ""
    };
    format!(
        "this is a session of SSH, and the browser is on another machine, which cannot reach this one: run there,\n    \
         ssh -N -L {port}:{host}:{port} HOST\nwhere HOST is this machine, before you open the URL{otherwise}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_for_ssh_forwards_the_port_of_the_redirect_uri() {
        for (redirect_uri, line) in [
            ("http://127.0.0.1:8976/callback", "ssh -N -L 8976:127.0.0.1:8976 HOST\n"),
            ("http://localhost:80/", "ssh -N -L 80:localhost:80 HOST\n"),
            ("http://[::1]:9000/callback", "ssh -N -L 9000:[::1]:9000 HOST\n"),
        ] {
            let words = remote_words(redirect_uri, true);
            assert!(words.contains(line) && words.contains("paste"), "{words}");
            assert!(!remote_words(redirect_uri, false).contains("paste"));
        }
    }
}
