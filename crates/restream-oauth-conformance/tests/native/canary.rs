//! Checks that no secret is logged. Every secret of the run contains one word; this searches the log for all spellings
//! of the word. A log may break its lines within the word, so each half of a spelling counts.
//!
//! Every stack logs at TRACE. The results of all calls are logged too, as a careless program would do it.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt::Debug;
use std::sync::{LazyLock, Mutex};
use std::thread::{self, ThreadId};
use std::{io, mem};

use restream_oauth_core::Error;
use restream_oauth_sandbox::spellings;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::prelude::*;

pub(crate) const WORD: &str = "c4nary7Qx2Vb";

/// Gives a `state` and a verifier that begin with the word. These bytes are the word, decoded from base64.
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

static HALVES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let halves = |spelling: &String| {
        let (first, second) = spelling.split_at(spelling.len() / 2);
        [first.to_owned(), second.to_owned()]
    };
    spellings(WORD).iter().flat_map(halves).collect()
});

/// The modules that must have logged something; otherwise the run proves nothing. hyper itself logs only in a build of
/// its own (README).
const TALKERS: &[&str] = &[
    #[cfg(hyper_unstable_tracing)]
    " hyper::proto::",
    " hyper_util::client::",
    " rustls::client::",
    " ureq::",
];
static HEARD: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

/// The events that contain a secret, with the thread that logged each. A stack works on the thread that called it; a
/// resolver has threads of its own.
static LEAKS: Mutex<Vec<(ThreadId, String)>> = Mutex::new(Vec::new());

struct Log;

impl io::Write for Log {
    /// One call gets one whole event.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let event = String::from_utf8_lossy(bytes);
        let heard: Vec<_> = TALKERS.iter().filter(|talker| event.contains(**talker)).collect();
        if !heard.is_empty() {
            HEARD.lock().unwrap().extend(heard);
        }
        if let Some(half) = HALVES.iter().find(|half| event.contains(half.as_str())) {
            let leak = format!("a secret was logged, in part as {half:?}: {event}");
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

/// Searches everything that any thread logs from now on with `tracing` or `log`, at TRACE, with one exception: at TRACE,
/// `ureq_proto` prints the head of each request and every byte of the answer. No setting of ureq prevents it. So this
/// filter is the one that the documentation of `restream-oauth-ureq` asks programs to set.
pub(crate) fn listen() {
    let filter = Targets::new().with_default(Level::TRACE).with_target("ureq_proto", Level::DEBUG);
    tracing_subscriber::registry().with(filter).with(fmt::layer().with_ansi(false).with_writer(Log)).init();
    let leak = || tracing::error!("client_secret={WORD}");
    leak();
    assert!(check_log().is_err(), "the search finds a secret");
    assert!(check_log().is_ok(), "each secret is reported once");
    tracing::error!("row 1: …{}", &WORD[..7]);
    assert!(check_log().is_err(), "the search finds a secret that the log breaks into rows");
    thread::spawn(leak).join().unwrap();
    assert!(check_log().is_ok(), "a secret that another thread logged is not reported here");
    assert_eq!(mem::take(&mut *LEAKS.lock().unwrap()).len(), 1, "the search covers other threads");
}

/// Logs everything that can be printed of a call's result.
pub(crate) fn log_all<T: Debug>(result: &Result<T, Error>) {
    tracing::info!("{result:?} {result:#?}");
    let Err(error) = result else { return };
    tracing::info!("{error} {:?} {:?}", error.server_message(), error.kind());
    let mut source = error.source();
    while let Some(cause) = source {
        tracing::info!("{cause} {cause:?} {cause:#?}");
        source = cause.source();
    }
}

/// Fails if this thread has logged a secret since its last call of this function.
pub(crate) fn check_log() -> Result<(), String> {
    let us = thread::current().id();
    let mut leaks = LEAKS.lock().unwrap();
    let ours = leaks.iter().find(|(thread, _)| *thread == us).map(|(_, leak)| leak.clone());
    leaks.retain(|(thread, _)| *thread != us);
    ours.map_or(Ok(()), Err)
}

/// Fails if a thread that never called [`check_log`] logged a secret, or if a stack of our adapters logged nothing.
pub(crate) fn check_the_rest() {
    let leaks = LEAKS.lock().unwrap();
    assert!(leaks.is_empty(), "{leaks:?}");
    let heard = HEARD.lock().unwrap();
    assert_eq!(heard.len(), TALKERS.len(), "only {heard:?} logged anything");
}
