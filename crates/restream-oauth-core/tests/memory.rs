//! Measures memory with a counting allocator.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

#[path = "suite/support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, Response, StatusCode};
use support::{DOCUMENTED, client, known_code, refresh, sent_at};

#[global_allocator]
static ALLOCATOR: Counter = Counter;
static CALLS: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counter;

// SAFETY: every call is passed on to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Returns the number of allocations that `work` makes, the largest growth of its memory in bytes, and its result.
fn measure<T>(work: impl FnOnce() -> T) -> (usize, usize, T) {
    let (calls, held) = (CALLS.load(Ordering::Relaxed), HELD.load(Ordering::Relaxed));
    PEAK.store(held, Ordering::Relaxed);
    let result = work();
    (CALLS.load(Ordering::Relaxed) - calls, PEAK.load(Ordering::Relaxed) - held, result)
}

const KIB: usize = 1024;
const LIMIT: usize = 256 * KIB;

/// One test, because all tests of a program share the allocator.
/// CVE-2025-22868.
#[test]
fn memory_is_bounded_and_allocations_are_few() {
    a_call_takes_few_allocations();
    receiving_holds_no_more_than_the_limit_and_64_kib();
    parsing_takes_no_more_than_four_times_the_answer_and_64_kib();
}

fn a_call_takes_few_allocations() {
    let (client, code) = (client(), known_code());
    let token = restream_oauth_core::RefreshToken::new("9ca0e1e99ae3eae136a2bd98fc9c1534ea928ed3");
    // Warms up: the first clone of a shared buffer may allocate.
    drop((client.exchange(&code), client.refresh(&token)));

    let (allocations, _, call) = measure(|| client.exchange(&code));
    assert!(allocations <= 4, "exchange: {allocations}");
    let (allocations, _, _call) = measure(|| client.refresh(&token));
    assert!(allocations <= 4, "refresh: {allocations}");
    let entropy = support::entropy(1);
    let (allocations, _, _login) = measure(|| client.login(entropy));
    assert!(allocations <= 2, "authorization URL: {allocations}");

    let mut headers = HeaderMap::new();
    headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    let mut answer = Response::new(DOCUMENTED);
    *answer.headers_mut() = headers;
    let (_, reader) = call.into_parts(sent_at());
    let (allocations, _, tokens) = measure(|| reader.read(answer));
    assert!(tokens.is_ok());
    assert!(allocations <= 3, "the documented response, which is read without a copy: {allocations}");
}

fn receiving_holds_no_more_than_the_limit_and_64_kib() {
    let chunk = vec![b' '; 64 * KIB];
    for size in [1, 1000, 4 * KIB, 16 * KIB, 64 * KIB] {
        let (_, mut reader) = refresh().into_parts(sent_at());
        let (_, peak, ()) = measure(|| {
            let _ = reader.head(StatusCode::OK, &HeaderMap::new());
            while reader.chunk(&chunk[..size]).is_continue() {}
        });
        assert!(peak <= LIMIT + 64 * KIB, "chunks of {size} bytes: {peak}");
    }
}

fn parsing_takes_no_more_than_four_times_the_answer_and_64_kib() {
    let n = 200 * KIB;
    let hostile = [
        format!(r#"{{"x":{}"#, "[".repeat(n)),
        format!(r#"{{"scope":"{}"}}"#, "a ".repeat(n / 2)),
        format!(r#"{{"scopeJson":[{}"a"]}}"#, r#""a","#.repeat(n / 4)),
        format!(r#"{{"access_token":"{}"}}"#, r"\u0041".repeat(n / 6)),
        format!(r#"{{"{}":1}}"#, r"\u0041".repeat(n / 6)),
        format!("{{{}\"a\":1}}", r#""a":1,"#.repeat(n / 6)),
        format!(r#"{{"error":"{}","error_description":"{}"}}"#, "\u{202E}".repeat(n / 8), "\u{202E}".repeat(n / 8)),
        format!("{{\"x\":\"{}", "\u{20AC}".repeat(n / 3)),
        "\u{FFFD}".repeat(n / 3),
        "\0".repeat(n),
    ];
    for body in &hostile {
        for status in [200, 400] {
            for bytes in [body.as_bytes(), [b"\xFF\xFE", body.as_bytes()].concat().as_slice(), &lossy(body)] {
                let (_, mut reader) = refresh().into_parts(sent_at());
                let _ = reader.head(StatusCode::from_u16(status).unwrap(), &HeaderMap::new());
                let _ = reader.chunk(bytes);
                let (_, peak, outcome) = measure(|| reader.finish().interpret());
                drop(outcome);
                assert!(peak <= 4 * bytes.len() + 64 * KIB, "{status} {body:.20}…: {peak} for {}", bytes.len());
            }
        }
    }
}

/// The same bytes with one byte that is not UTF-8.
fn lossy(body: &str) -> Vec<u8> {
    [body.as_bytes(), b"\xE9"].concat()
}
