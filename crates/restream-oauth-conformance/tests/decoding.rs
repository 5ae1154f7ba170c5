//! ureq in a build that decodes what arrives, as another crate may have turned on: what our adapter makes of it then.
//!
//!     cargo test -p restream-oauth-conformance --features decoding --test decoding
#![cfg(not(target_arch = "wasm32"))]
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use restream_oauth_core::error::ErrorKind;
use restream_oauth_core::{Client, Delivery, Endpoints, Error, RefreshToken, Tokens};
use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};
use restream_oauth_ureq::Transport;

const LIMIT: usize = 256 * 1024;
const ANSWER: &str = r#"{"access_token":"a2","refresh_token":"r2","token_type":"Bearer","expires_in":3600}"#;

#[global_allocator]
static ALLOCATOR: Counter = Counter;

thread_local! {
    /// What is held by this thread, on which the stack works, and the most that it was. Begins high: some of what it frees
    /// was made by others.
    static HELD: Cell<(usize, usize)> = const { Cell::new((1 << 30, 0)) };
}

struct Counter;

// SAFETY: every call is passed on to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (held, most) = HELD.get();
        let held = held + layout.size();
        HELD.set((held, most.max(held)));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (held, most) = HELD.get();
        HELD.set((held - layout.size(), most));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

/// A refresh that is answered with these bytes.
fn refresh(headers: &[(&str, &str)], body: Vec<u8>) -> Result<Tokens, Error> {
    let sandbox = Sandbox::start().unwrap();
    let builder = Client::builder("id").secret("secret").redirect_uri("http://127.0.0.1:8976/callback");
    let client = builder.endpoints(Endpoints::at(sandbox.base_url())).body_limit(LIMIT).build().unwrap();
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    sandbox.inject(Fault::new(What::Status { status: 200, headers, body }).on(Endpoint::Token));
    Transport::new().unwrap().send(client.refresh(&RefreshToken::new("r1")))
}

fn zipped(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written: io::Result<()> = pieces.into_iter().try_for_each(|piece| encoder.write_all(piece.as_ref()));
    written.unwrap();
    encoder.finish().unwrap()
}

const GZIP: [(&str, &str); 2] = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];

#[test]
fn an_answer_that_nobody_asked_to_compress_is_decoded() {
    let tokens = refresh(&GZIP, zipped([ANSWER])).unwrap();
    assert_eq!(tokens.refresh_token().unwrap().expose_secret(), "r2");
}

/// CVE-2025-66418.
#[test]
fn what_unpacks_without_end_ends_at_the_limit_and_is_never_held_whole() {
    // A quarter of a GiB in a quarter of a MiB.
    let bomb = zipped((0..256).map(|_| vec![b' '; 1024 * 1024]));
    assert!(bomb.len() < 300_000, "{}", bomb.len());
    let (before, _) = HELD.get();
    HELD.set((before, before));
    let error = refresh(&GZIP, bomb).unwrap_err();
    let (_, most) = HELD.get();
    assert_eq!(error.kind(), &ErrorKind::TooLarge { limit: LIMIT });
    assert_eq!(error.delivery(), Delivery::Unknown);
    assert!(most - before < 2 * 1024 * 1024, "{} bytes were held", most - before);
}

#[test]
fn a_wrong_charset_spoils_an_answer_and_nothing_else() {
    let error = refresh(&[("Content-Type", "text/plain; charset=utf-16")], ANSWER.into()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Malformed(_)), "{error}");
    let tokens = refresh(&[("Content-Type", "application/json; charset=utf-8")], ANSWER.into()).unwrap();
    assert_eq!(tokens.access_token().expose_secret(), "a2");
}
