//! Our adapter over a ureq that decodes answers: any crate of a build can turn on ureq's features for that.
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
    /// The bytes that this thread holds now, and the most that it held. ureq works on the thread that calls it. The
    /// count begins high, because the thread frees some blocks that other threads allocated.
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

/// Sends a refresh that gets these bytes as its answer.
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
fn a_compressed_answer_is_decoded_although_the_request_did_not_ask_for_compression() {
    let tokens = refresh(&GZIP, zipped([ANSWER])).unwrap();
    assert_eq!(tokens.refresh_token().unwrap().expose_secret(), "r2");
}

/// CVE-2025-66418.
#[test]
fn decompression_stops_at_the_body_limit_and_holds_little_memory() {
    // 256 MiB, compressed to a quarter of a MiB.
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
fn a_wrong_charset_makes_an_answer_malformed_and_a_right_one_changes_nothing() {
    let error = refresh(&[("Content-Type", "text/plain; charset=utf-16")], ANSWER.into()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Malformed(_)), "{error}");
    let tokens = refresh(&[("Content-Type", "application/json; charset=utf-8")], ANSWER.into()).unwrap();
    assert_eq!(tokens.access_token().expose_secret(), "a2");
}
