//! What each stack leaves of a call in freed memory: an allocator looks at every block that is given back. The core leaves
//! nothing (its own tests see to that); what the stacks leave is named in the documentation of their adapters, and here.
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

/// What is looked for: the client secret in a form and, in base64, in a header; and the tokens of an answer.
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
    /// Servers in this process are not watched: a stack works on the thread that called it.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

struct Scanner;

// SAFETY: every call is passed on to the system's allocator, unchanged; the block is only read, before it is freed,
// and zeroed when it is made, so that all of it may be read.
unsafe impl GlobalAlloc for Scanner {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WATCHED.get() {
            // SAFETY: the block is still ours, `size` bytes long, and was zeroed at first.
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

/// What of a call was found in blocks that `work` freed.
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

/// One test, because the allocator is everybody's.
#[test]
fn each_stack_leaves_what_its_adapter_says_and_nothing_else() {
    // Made before anything is watched: whoever looks must not allocate.
    assert!(WORDS.iter().all(|(_, words)| !words.is_empty()));
    assert_eq!(left_by(|| drop(TOKEN.to_owned())), BTreeSet::from(["answer"]), "the allocator does look");

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

/// An exchange with the secret in the form, and a refresh with it in the header.
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
    // What carries the code here is the test's own.
    WATCHED.set(false);
    let callback = sandbox.approve(login.url().as_str()).unwrap();
    let code = login.read_callback(&callback).unwrap();
    drop(callback);
    WATCHED.set(true);
    code
}
