//! Reads the URL that a person pastes, line by line from standard input.
//!
//! Only the query of the URL counts, because a web IDE rewrites host and path: `state` decides whether the URL belongs
//! to the login.

use std::io::{self, IsTerminal as _, Read};
use std::str;

use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// The most bytes of a line that Linux passes on from a terminal in canonical mode, without the end of the line. It
/// drops the rest of the line.
const LONGEST_OF_TERMINAL: usize = 4095;
/// The longest line that is kept, in bytes: far longer than any URL.
const LONGEST: usize = 64 * 1024;

/// Where a URL is pasted: into a terminal, or into any other standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pasting {
    Terminal,
    Other,
}

impl Pasting {
    /// Returns the terminal, if standard input is one.
    pub(crate) fn at_a_terminal() -> Option<Self> {
        io::stdin().is_terminal().then_some(Self::Terminal)
    }

    /// Returns standard input, whatever it is.
    pub(crate) fn of_any_kind() -> Self {
        Self::at_a_terminal().unwrap_or(Self::Other)
    }

    /// Begins to read lines in a thread, which ends with the process: nothing can interrupt a read from a terminal.
    pub(crate) fn start(self) -> PastedLines {
        let (sender, lines) = mpsc::channel(16);
        // Without a thread, the channel closes: that counts as the end of standard input.
        let _ = std::thread::Builder::new().spawn(move || read_all(self, &sender));
        PastedLines(lines)
    }
}

/// The lines of standard input.
pub(crate) struct PastedLines(mpsc::Receiver<Pasted>);

impl PastedLines {
    /// Waits for the next line that is not empty.
    pub(crate) async fn next(&mut self) -> Pasted {
        self.0.recv().await.unwrap_or(Pasted::End)
    }
}

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pasted {
    /// A question mark and the query of the URL, which may be empty.
    Query(Zeroizing<String>),
    /// No URL, for this reason.
    Useless(&'static str),
    /// Standard input has ended.
    End,
}

fn read_all(pasting: Pasting, sender: &mpsc::Sender<Pasted>) {
    let Ok(mut input) = standard_input() else { return };
    let mut lines = Lines::of(pasting);
    // As long as the longest line of a terminal, so that such a line comes whole.
    let mut piece = Zeroizing::new([0; LONGEST_OF_TERMINAL + 1]);
    loop {
        if pasting == Pasting::Terminal {
            foreground::wait_for_input(&input);
        }
        let ended = match input.read(piece.as_mut_slice()) {
            Ok(0) => true,
            Ok(length) => {
                let pasted = lines.feed(piece.get(..length).unwrap_or_default());
                if pasted.into_iter().any(|pasted| sender.blocking_send(pasted).is_err()) {
                    return;
                }
                false
            }
            Err(error) => error.kind() != io::ErrorKind::Interrupted,
        };
        if ended {
            // The receiver takes the closed channel for the end.
            let _ = lines.end().map(|pasted| sender.blocking_send(pasted));
            return;
        }
    }
}

/// The pieces of standard input, as lines.
struct Lines {
    pasting: Pasting,
    line: Zeroizing<Vec<u8>>,
    is_too_long: bool,
}

impl Lines {
    fn of(pasting: Pasting) -> Self {
        Self { pasting, line: empty_line(), is_too_long: false }
    }

    /// Takes a piece. Returns what the lines hold that end in it.
    fn feed(&mut self, piece: &[u8]) -> Vec<Pasted> {
        let mut pasted = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n");
            let kept = text.unwrap_or(part);
            self.is_too_long |= self.line.len().saturating_add(kept.len()) > LONGEST;
            if !self.is_too_long {
                self.line.extend_from_slice(kept);
            }
            if text.is_some() {
                pasted.extend(self.end());
            }
        }
        pasted
    }

    /// Ends the line. Returns what it holds, if it is not empty.
    fn end(&mut self) -> Option<Pasted> {
        let line = std::mem::replace(&mut self.line, empty_line());
        if std::mem::take(&mut self.is_too_long) {
            return Some(Pasted::Useless("the line is too long to be the URL of a login"));
        }
        // The code may be cut too, and the server would refuse it once and for all.
        if self.pasting == Pasting::Terminal && line.len() == LONGEST_OF_TERMINAL {
            return Some(Pasted::Useless(
                "the terminal cut the line, because it takes 4,095 bytes in one line: paste only the parameters \
                 `code=…&state=…` of the URL, or run `stty -icanon` before the login",
            ));
        }
        let text = str::from_utf8(&line).unwrap_or("\0").trim_matches(is_around);
        (!text.is_empty()).then(|| query_of(text))
    }
}

/// Has room for most lines, so that no copy of a code stays behind when the line grows.
fn empty_line() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(LONGEST_OF_TERMINAL))
}

/// White space, and what surrounds a URL in a text or a shell.
fn is_around(character: char) -> bool {
    character.is_whitespace() || "\"'<>".contains(character)
}

/// Returns the query of a URL, or of a query alone.
fn query_of(text: &str) -> Pasted {
    let query = match text.split_once('?') {
        Some((_, query)) => Some(query),
        None if text.contains('=') => Some(text),
        // A URL without parameters: that is how Restream says that the login was denied.
        None if text.contains("://") || text.starts_with('/') => Some(""),
        None => None,
    };
    match query.filter(|_| text.bytes().all(|byte| byte.is_ascii_graphic())) {
        Some(query) => Pasted::Query(Zeroizing::new(format!("?{query}"))),
        None => Pasted::Useless("this is no URL: paste the whole URL on which the browser ended"),
    }
}

/// Opens standard input without the buffer of the standard library, which would keep a copy of the code.
#[cfg(unix)]
fn standard_input() -> io::Result<std::fs::File> {
    use std::os::fd::AsFd as _;
    io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from)
}

#[cfg(not(unix))]
fn standard_input() -> io::Result<io::Stdin> {
    Ok(io::stdin())
}

/// A command that runs in the background (`login &`) must not read from the terminal: the system would stop it, and the
/// input belongs to another job.
#[cfg(unix)]
mod foreground {
    use std::fs::File;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::process::getpgrp;
    use rustix::termios::tcgetpgrp;

    /// How often a command in the background looks whether it has come to the foreground.
    const PAUSE: Duration = Duration::from_millis(200);

    /// Waits until there is input for this job. A terminal that does not control this session has no jobs.
    pub(super) fn wait_for_input(terminal: &File) {
        loop {
            // After an error, the read that follows reports it.
            let _ = poll(&mut [PollFd::new(terminal, PollFlags::IN)], None);
            match tcgetpgrp(terminal) {
                Ok(foreground) if foreground != getpgrp() => std::thread::sleep(PAUSE),
                _ => return,
            }
        }
    }
}

#[cfg(not(unix))]
mod foreground {
    pub(super) fn wait_for_input(_: &std::io::Stdin) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Pasted {
        Pasted::Query(Zeroizing::new(text.to_owned()))
    }

    fn pasted(pasting: Pasting, pieces: &[&[u8]]) -> Vec<Pasted> {
        let mut lines = Lines::of(pasting);
        let mut pasted: Vec<_> = pieces.iter().flat_map(|piece| lines.feed(piece)).collect();
        pasted.extend(lines.end());
        pasted
    }

    #[test]
    fn only_the_query_of_a_url_counts() {
        for text in [
            "http://127.0.0.1:8976/callback?code=c&state=s",
            "https://name-8976.app.github.dev/callback?code=c&state=s",
            "https://ide.example/proxy/8976/callback?code=c&state=s",
            "/callback?code=c&state=s",
            "?code=c&state=s",
            "code=c&state=s",
            "  'http://127.0.0.1:8976/callback?code=c&state=s'\r",
            "\"https://x.example/?code=c&state=s\"",
            "<https://x.example/?code=c&state=s>",
        ] {
            assert_eq!(pasted(Pasting::Terminal, &[text.as_bytes(), b"\n"]), [query("?code=c&state=s")], "{text}");
        }
    }

    #[test]
    fn a_url_without_parameters_is_a_denial_and_other_text_is_no_url() {
        for text in ["http://127.0.0.1:8976/callback", "/callback", "http://127.0.0.1:8976/callback?"] {
            assert_eq!(pasted(Pasting::Terminal, &[text.as_bytes(), b"\n"]), [query("?")], "{text}");
        }
        for text in ["y", "4f1a", "what is this?", "code = c", "http://x/?code=\u{e9}"] {
            let lines = pasted(Pasting::Terminal, &[text.as_bytes(), b"\n"]);
            assert!(matches!(lines.as_slice(), [Pasted::Useless(_)]), "{text}: {lines:?}");
        }
        assert!(matches!(pasted(Pasting::Terminal, &[b"?code=\xFF\n"]).as_slice(), [Pasted::Useless(_)]));
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        let expected = [query("?code=1"), query("?code=2"), query("?code=3")];
        let text = b"?code=1\n\n  \r\n?code=2\r\n?code=3";
        assert_eq!(pasted(Pasting::Other, &[text]), expected);
        let bytes: Vec<_> = text.iter().map(std::slice::from_ref).collect();
        assert_eq!(pasted(Pasting::Other, &bytes), expected);
    }

    #[test]
    fn a_line_that_a_terminal_cut_is_not_used() {
        let line = |length: usize| format!("?code={}\n", "x".repeat(length - 6)).into_bytes();
        let is_cut = |pasting, length| {
            let lines = pasted(pasting, &[&line(length), b"?code=2\n"]);
            assert_eq!(lines.last(), Some(&query("?code=2")), "the next line counts");
            matches!(lines.first(), Some(Pasted::Useless(reason)) if reason.contains("4,095"))
        };
        assert!(is_cut(Pasting::Terminal, 4095));
        assert!(!is_cut(Pasting::Terminal, 4094));
        // Such lines come from a terminal that is not in canonical mode.
        assert!(!is_cut(Pasting::Terminal, 4096));
        assert!(!is_cut(Pasting::Other, 4095));
    }

    #[test]
    fn memory_is_bounded() {
        let mut lines = Lines::of(Pasting::Other);
        for _ in 0..1000 {
            assert!(lines.feed(&[b'x'; 1000]).is_empty());
            assert!(lines.line.len() <= LONGEST);
        }
        assert!(matches!(lines.feed(b"\n?code=2\n").as_slice(), [Pasted::Useless(_), Pasted::Query(_)]));
    }
}
