//! No secret is printed or logged: a word stands in every secret of the run, and is searched for in all its spellings.
//!
//! Every stack logs at its most talkative, and what each call gives is logged as a careless program would.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt::Debug;
use std::io;
use std::sync::{LazyLock, Mutex};

use restream_oauth_core::Error;
use restream_oauth_sandbox::spellings;
use tracing_subscriber::fmt::MakeWriter;

pub(crate) const WORD: &str = "c4nary7Qx2Vb";

/// Becomes a `state` and a verifier that begin with the word: these bytes are it, read as base64.
pub(crate) const ENTROPY: [u8; 64] = {
    let word = [115, 137, 218, 175, 46, 208, 199, 101, 91];
    let mut bytes = [7; 64];
    let mut at = 0;
    while at < word.len() {
        bytes[at] = word[at];
        bytes[32 + at] = word[at];
        at += 1;
    }
    bytes
};

static SPELLINGS: LazyLock<BTreeSet<String>> = LazyLock::new(|| spellings(WORD));
/// Who must be heard: otherwise nothing is proven. hyper itself speaks only in a build of its own (README).
const TALKERS: &[&str] = &[
    #[cfg(hyper_unstable_tracing)]
    " hyper::proto::",
    " hyper_util::client::",
    " rustls::client::",
    " ureq::",
];
static HEARD: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

thread_local! {
    /// What was logged since the last check. A stack works on the thread that called it.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

/// From now on all that is logged, by way of `tracing` or `log`, is kept until it is searched.
pub(crate) fn listen() {
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(Log).init();
    tracing::error!("client_secret={WORD}");
    assert!(check_log().is_err(), "what is logged is searched");
    assert!(check_log().is_ok(), "and then forgotten");
}

/// All that can be printed of what a call gave.
pub(crate) fn log_all<T: Debug>(result: &Result<T, Error>) {
    tracing::info!("{result:?} {result:#?}");
    let Err(error) = result else { return };
    tracing::info!("{error} {:?} {:?}", error.server_message(), error.kind());
    let mut source = error.source();
    while let Some(one) = source {
        tracing::info!("{one} {one:?} {one:#?}");
        source = one.source();
    }
}

/// Searches what was logged on this thread.
pub(crate) fn check_log() -> Result<(), String> {
    let log = LOG.take();
    let text = String::from_utf8_lossy(&log);
    HEARD.lock().unwrap().extend(TALKERS.iter().filter(|talker| text.contains(**talker)));
    match SPELLINGS.iter().find(|spelling| text.contains(spelling.as_str())) {
        None => Ok(()),
        Some(spelling) => {
            let line = text.lines().find(|line| line.contains(spelling.as_str())).unwrap_or_default();
            Err(format!("a secret was logged, as {spelling:?}: {line}"))
        }
    }
}

/// The stacks of our adapters have logged something.
pub(crate) fn check_that_all_were_heard() {
    let heard = HEARD.lock().unwrap();
    assert_eq!(heard.len(), TALKERS.len(), "only {heard:?} logged anything");
}
