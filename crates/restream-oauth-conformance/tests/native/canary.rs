//! No secret is printed or logged: a word stands in every secret of the run, and is searched for in all its spellings.
//!
//! Every stack logs at its most talkative, and what each call gives is logged as a careless program would.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt::Debug;
use std::sync::{LazyLock, Mutex};
use std::thread::{self, ThreadId};
use std::{io, mem};

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

/// Who logged a secret, and what. A stack works on the thread that called it; a resolver has threads of its own.
static LEAKS: Mutex<Vec<(ThreadId, String)>> = Mutex::new(Vec::new());

struct Log;

impl io::Write for Log {
    /// An event comes whole.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let event = String::from_utf8_lossy(bytes);
        let heard: Vec<_> = TALKERS.iter().filter(|talker| event.contains(**talker)).collect();
        if !heard.is_empty() {
            HEARD.lock().unwrap().extend(heard);
        }
        if let Some(spelling) = SPELLINGS.iter().find(|spelling| event.contains(spelling.as_str())) {
            let leak = format!("a secret was logged, as {spelling:?}: {event}");
            LEAKS.lock().unwrap().push((thread::current().id(), leak));
        }
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

/// From now on all that is logged, by way of `tracing` or `log` and on whichever thread, is searched.
pub(crate) fn listen() {
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(Log).init();
    let leak = || tracing::error!("client_secret={WORD}");
    leak();
    assert!(check_log().is_err(), "what is logged is searched");
    assert!(check_log().is_ok(), "and then forgotten");
    thread::spawn(leak).join().unwrap();
    assert!(check_log().is_ok(), "what another thread logs is not ours");
    assert_eq!(mem::take(&mut *LEAKS.lock().unwrap()).len(), 1, "but is searched, too");
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

/// Whether this thread logged a secret since it was last asked.
pub(crate) fn check_log() -> Result<(), String> {
    let us = thread::current().id();
    let mut leaks = LEAKS.lock().unwrap();
    let ours = leaks.iter().find(|(thread, _)| *thread == us).map(|(_, leak)| leak.clone());
    leaks.retain(|(thread, _)| *thread != us);
    ours.map_or(Ok(()), Err)
}

/// No thread logged a secret that was not asked, and the stacks of our adapters have logged something.
pub(crate) fn check_the_rest() {
    let leaks = LEAKS.lock().unwrap();
    assert!(leaks.is_empty(), "{leaks:?}");
    let heard = HEARD.lock().unwrap();
    assert_eq!(heard.len(), TALKERS.len(), "only {heard:?} logged anything");
}
