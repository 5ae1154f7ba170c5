//! Which secrets of a call each stack leaves in freed memory. An allocator searches every block before it frees it. The
//! core leaves none, as its own tests check. The documentation of each adapter lists what its stack leaves; these tests
//! check that list.
#![cfg(not(target_arch = "wasm32"))]
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use restream_oauth_core::{AuthorizationCode, Call, Client, ClientBuilder, Endpoints, Entropy, Error, Tokens};
use restream_oauth_sandbox::{Certificate, Sandbox, spellings};
use rustls::pki_types::CertificateDer;

#[global_allocator]
static ALLOCATOR: Scanner = Scanner;

const SECRET: &str = "s3cretOfTheClient";
const TOKEN: &str = "c4meInTheAnswer";

/// The words to find: the client secret in the form, the same in base64 in the header, and the tokens of the answer.
static WORDS: LazyLock<[(&str, Vec<String>); 3]> = LazyLock::new(|| {
    let in_base64 = |spelling: &String| spelling.len() > 16 && !spelling.contains(SECRET) && is_base64(spelling);
    let header = spellings(SECRET).into_iter().filter(in_base64).collect();
    [("form", vec![SECRET.to_owned()]), ("header", header), ("answer", vec![TOKEN.to_owned()])]
});

fn is_base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric()) && text.bytes().any(|byte| byte.is_ascii_uppercase())
}

static FOUND: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

thread_local! {
    /// A stack works on the thread that calls it, so the threads of servers in this process are not watched.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

struct Scanner;

// SAFETY: every call goes to the system's allocator unchanged. A block is zeroed when it is allocated, so all of it may
// be read before it is freed.
unsafe impl GlobalAlloc for Scanner {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WATCHED.get() {
            // SAFETY: the block is not yet freed, is `size` bytes long, and was zeroed when it was allocated.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            for ((_, words), found) in WORDS.iter().zip(&FOUND) {
                if words.iter().any(|word| bytes.windows(word.len()).any(|window| window == word.as_bytes())) {
                    found.store(true, Ordering::Relaxed);
                }
            }
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Returns which secrets were in blocks that `work` freed.
fn left_by(work: impl FnOnce()) -> BTreeSet<&'static str> {
    for found in &FOUND {
        found.store(false, Ordering::Relaxed);
    }
    WATCHED.set(true);
    work();
    WATCHED.set(false);
    let names = WORDS.iter().map(|(name, _)| *name);
    names.zip(&FOUND).filter_map(|(name, found)| found.load(Ordering::Relaxed).then_some(name)).collect()
}

/// One test, because all tests would share the allocator's findings.
#[test]
fn each_stack_leaves_what_its_adapter_says_and_nothing_else() {
    // Evaluated before anything is watched: the search itself must not allocate.
    assert!(WORDS.iter().all(|(_, words)| !words.is_empty()));
    assert_eq!(left_by(|| drop(TOKEN.to_owned())), BTreeSet::from(["answer"]), "the search finds a token");

    for certificate in [None, Some(Certificate::Good)] {
        let sandbox = Sandbox::builder().client_secret(SECRET).token_prefix(TOKEN);
        let sandbox = match certificate {
            None => sandbox.start().unwrap(),
            Some(certificate) => sandbox.tls(certificate).start().unwrap(),
        };
        let root = || sandbox.ca_certificate_der().map(|der| CertificateDer::from(der.to_vec()));

        let left = left_by(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let transport = restream_oauth_hyper::Transport::builder().root_certificates(root()).build().unwrap();
            flow(&sandbox, |call| runtime.block_on(transport.send(call)));
        });
        assert_eq!(left, BTreeSet::from(["answer", "header"]), "hyper, {certificate:?}");

        let left = left_by(|| {
            let transport = restream_oauth_ureq::Transport::builder().only_root_certificates(root()).build().unwrap();
            flow(&sandbox, |call| transport.send(call));
        });
        assert_eq!(left, BTreeSet::from(["answer", "form", "header"]), "ureq, {certificate:?}");
    }
}

/// Sends an exchange with the secret in the form, and a refresh with the secret in the header.
fn flow(sandbox: &Sandbox, send: impl Fn(Call<Tokens>) -> Result<Tokens, Error>) {
    let builder = || {
        Client::builder(sandbox.client_id())
            .redirect_uri(&sandbox.redirect_uris()[0])
            .endpoints(Endpoints::at(sandbox.base_url()))
    };
    let secret = sandbox.client_secret().unwrap();
    let client = |builder: ClientBuilder| builder.build().unwrap();
    let [in_form, in_header] = [client(builder().secret_in_body(secret)), client(builder().secret(secret))];
    let tokens = send(in_form.exchange(&code(sandbox, &in_form))).unwrap();
    drop(send(in_header.refresh(tokens.refresh_token().unwrap())).unwrap());
}

fn code(sandbox: &Sandbox, client: &Client) -> AuthorizationCode {
    let mut login = client.login(Entropy::from([7; 64]));
    // The test itself carries the code, so its memory is not watched.
    WATCHED.set(false);
    let callback = sandbox.approve(login.url().as_str()).unwrap();
    let code = login.read_callback(&callback).unwrap();
    drop(callback);
    WATCHED.set(true);
    code
}
