//! Searches freed memory for secrets: an allocator inspects every block that is freed.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

#[path = "suite/support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use restream_oauth_core::config::RevocationOptions;
use restream_oauth_core::{AccessToken, Client, Entropy, RefreshToken, Tokens};
use support::sent_at;

const SECRET: &str = "c4nary-secret";
/// Both halves are equal, so that `state` and the verifier are equal.
const ENTROPY: [u8; 64] = *b"c4nary of 32 bytes, once again..c4nary of 32 bytes, once again..";

/// The searched texts: the beginning of every secret of this test; the client secret as a Basic header encodes it,
/// after the bytes of the identifier; and `state` and the verifier, which are the entropy in base64url.
static CANARIES: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    let basic = STANDARD.encode(format!("id:{SECRET}")).into_bytes();
    let random = URL_SAFE_NO_PAD.encode(&ENTROPY[..32]).into_bytes();
    [b"c4nary-".to_vec(), basic[4..16].to_vec(), random]
});

#[global_allocator]
static ALLOCATOR: Scanner = Scanner;
static WATCHING: AtomicBool = AtomicBool::new(false);
static FOUND: AtomicUsize = AtomicUsize::new(0);

struct Scanner;

// SAFETY: every call is passed on to the system's allocator, unchanged; the block is only read, before it is freed,
// and zeroed when it is made, so that all of it may be read.
unsafe impl GlobalAlloc for Scanner {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WATCHING.load(Ordering::Relaxed) {
            // SAFETY: the block is still ours, `size` bytes long, and was zeroed at first.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            if CANARIES.iter().any(|canary| bytes.windows(canary.len()).any(|window| window == canary)) {
                FOUND.fetch_add(1, Ordering::Relaxed);
            }
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

/// The number of blocks with a secret that were freed while `work` ran.
fn leaks(work: impl FnOnce()) -> usize {
    FOUND.store(0, Ordering::Relaxed);
    WATCHING.store(true, Ordering::Relaxed);
    work();
    WATCHING.store(false, Ordering::Relaxed);
    FOUND.load(Ordering::Relaxed)
}

/// One test, because all tests of a program share the allocator.
#[test]
fn no_freed_block_of_the_core_holds_a_secret() {
    for canary in &*CANARIES {
        assert_eq!(leaks(|| drop(canary.clone())), 1, "the allocator finds a secret");
    }
    assert_eq!(leaks(whole_flow), 0);
    assert_eq!(leaks(failures), 0);
    assert_eq!(leaks(leftovers_of_the_callers), 0);
}

/// Passes secrets as borrowed text, so that the test itself makes no copy.
fn client() -> Client {
    Client::builder("id").secret(SECRET).redirect_uri("https://app.example/callback").build().unwrap()
}

fn whole_flow() {
    for client in [client(), client_with_secret_in_body()] {
        let mut login = client.login(Entropy::from(ENTROPY));
        let saved = login.to_saved();
        let mut restored = client.restore_login(saved.expose_secret()).unwrap();
        let state = login.state();
        let mut callback = zeroize::Zeroizing::new(String::with_capacity(256));
        callback.push_str("/callback?code=c4nary-code&state=");
        callback.push_str(state.expose_secret());
        let code = login.read_callback(&callback).unwrap();
        drop(restored.read_callback(&callback).unwrap());

        let tokens = read(client.exchange(&code), ANSWER).unwrap();
        let saved = tokens.to_saved();
        let tokens = Tokens::from_saved(saved.expose_secret()).unwrap();
        drop(tokens.bearer_header().unwrap());
        drop(client.profile(tokens.access_token()).unwrap());
        let refreshed = read(client.refresh(tokens.refresh_token().unwrap()), ESCAPED_ANSWER).unwrap();
        let kept = read(client.refresh(refreshed.refresh_token().unwrap()), ACCESS_ONLY).unwrap();
        drop(kept.clone());
        drop(client.revoke(kept.access_token()));
        drop(client.revoke_with(kept.refresh_token().unwrap(), RevocationOptions::new().without_hint()));
    }
}

/// A `String` from the caller may hold more bytes than its text; a secret may also be in a box.
fn leftovers_of_the_callers() {
    let mut text = String::from("abc c4nary-token");
    text.truncate(3);
    drop(AccessToken::new(text));
    let mut bytes = [7; 64];
    bytes[..7].copy_from_slice(b"c4nary-");
    drop(Box::new(Entropy::from(bytes)));
}

/// Errors, and responses in small chunks, in odd encodings, or truncated.
fn failures() {
    let client = client();
    let refresh = || client.refresh(&RefreshToken::new("c4nary-refresh"));
    for body in [
        &br#"{"error":{"name":"c4nary-refresh","message":"c4nary-refresh and c4nary-secret"}}"#[..],
        br#"{"access_token":"c4nary-access","expires_in":36"#,
        br#"{"refresh_token":"c4nary-new","access_token":""}"#,
        b"{\"access_token\":\"c4nary-access\",\"x\":\"\xE9\",\"refresh_token\":\"c4nary-new\"}",
        b"c4nary- is not JSON",
    ] {
        for size in [1, 7, body.len()] {
            let (_, mut reader) = refresh().into_parts(sent_at());
            let _ = reader.head(http::StatusCode::OK, &http::HeaderMap::new());
            for chunk in body.chunks(size) {
                let _ = reader.chunk(chunk);
            }
            let outcome = reader.finish().interpret();
            // The printed text contains no secret, so its memory does not either.
            drop(format!("{outcome:?}"));
        }
    }
    drop(AccessToken::new("c4nary-\n").bearer_header());
}

const ANSWER: &str = r#"{"access_token":"c4nary-access","refresh_token":"c4nary-refresh","expires_in":3600}"#;
const ESCAPED_ANSWER: &str = r#"{"access_token":"c4nary-\u0061ccess","refreshToken":"c4nary-\/refresh"}"#;
const ACCESS_ONLY: &str = r#"{"access_token":"c4nary-access"}"#;

fn client_with_secret_in_body() -> Client {
    Client::builder("id").secret_in_body(SECRET).redirect_uri("https://app.example/callback").build().unwrap()
}

/// Feeds the response from constant memory.
fn read(call: restream_oauth_core::Call<Tokens>, body: &'static str) -> Result<Tokens, restream_oauth_core::Error> {
    let (request, reader) = call.into_parts(sent_at());
    drop(request);
    reader.read(http::Response::new(body))
}
