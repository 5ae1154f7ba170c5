//! Promises about the crate itself: its types, its dependencies, and what its sources never do.

use std::collections::BTreeSet;
use std::fs;
use std::marker::PhantomPinned;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{client, exchange, refresh, sent_at};
use bytes::Bytes;
use restream_oauth_core::error::{Challenge, ErrorKind};
use restream_oauth_core::login::{AuthorizationUrl, CodeVerifier, LoginOptions, State};
use restream_oauth_core::transport::Failure;
use restream_oauth_core::{
    AccessToken, Advice, Answer, AuthorizationCode, Body, Call, Client, ClientBuilder, Delivery, Entropy, Error, Login,
    Profile, Reader, RefreshToken, Revoked, Saved, Scopes, Tokens,
};

/// The targets of the adapters: servers, desktops, browsers.
const TARGETS: [&str; 4] =
    ["x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc", "aarch64-apple-darwin", "wasm32-unknown-unknown"];
/// Including our own crate.
const MOST_CRATES: usize = 24;

const fn goes_anywhere<T: Send + Sync + Unpin + 'static>() {}
const fn is_an_error<T: std::error::Error + Send + Sync + 'static>() {}
const fn can_be_cloned<T: Clone>() {}

/// Does not compile if the type implements the trait, because then two implementations match `_`.
macro_rules! lacks {
    ($($type:ty),+: $bound:path) => {
        $(const _: fn() = || {
            trait Fits<Which> {
                fn fits() {}
            }
            impl<T> Fits<()> for T {}
            struct Implemented;
            impl<T: $bound> Fits<Implemented> for T {}
            let _ = <$type as Fits<_>>::fits;
        };)+
    };
}

/// The promises of a type that holds a secret.
macro_rules! is_secret {
    ($($type:ty),+) => {
        lacks!($($type),+: std::fmt::Display);
        lacks!($($type),+: serde_core::Serialize);
        lacks!($($type),+: std::ops::Deref);
        lacks!($($type),+: PartialEq<str>);
        lacks!($($type),+: PartialEq<&'static str>);
        lacks!($($type),+: PartialEq<String>);
        lacks!($($type),+: std::hash::Hash);
        lacks!($($type),+: PartialOrd);
    };
}

is_secret!(AccessToken, RefreshToken, State, CodeVerifier, Saved);
is_secret!(AuthorizationCode, AuthorizationUrl, Entropy, Login, Tokens, Body, Call<Tokens>, Answer<Tokens>);
// Each value of these types is used only once, so the types are not `Clone`.
lacks!(Call<Tokens>, Reader<Tokens>, Answer<Tokens>, Body, Login, AuthorizationCode, Entropy: Clone);

/// A type that is not thread-safe, must not be pinned, and implements no trait: the `T` of a call has no bound.
struct Odd(PhantomPinned);

// Checked when this file compiles.
const _: () = {
    goes_anywhere::<Call<Tokens>>();
    goes_anywhere::<Call<Revoked>>();
    goes_anywhere::<Call<Profile>>();
    goes_anywhere::<Reader<Tokens>>();
    goes_anywhere::<Reader<Odd>>();
    goes_anywhere::<Call<*const Odd>>();
    goes_anywhere::<Answer<Tokens>>();
    goes_anywhere::<Answer<*const Odd>>();
    goes_anywhere::<Tokens>();
    goes_anywhere::<Error>();
    goes_anywhere::<Failure>();
    goes_anywhere::<Client>();
    goes_anywhere::<ClientBuilder>();
    goes_anywhere::<(Login, LoginOptions, AuthorizationCode, AuthorizationUrl, Entropy, Body)>();
    goes_anywhere::<(AccessToken, RefreshToken, State, CodeVerifier, Saved, Scopes, Challenge)>();
    goes_anywhere::<(ErrorKind, Delivery, Advice)>();
    is_an_error::<Error>();
    is_an_error::<restream_oauth_core::config::ConfigError>();
    is_an_error::<restream_oauth_core::login::CallbackError>();
    is_an_error::<restream_oauth_core::SavedError>();
    is_an_error::<restream_oauth_core::token::BearerError>();
    is_an_error::<restream_oauth_core::token::InvalidScope>();
    can_be_cloned::<Client>();
    can_be_cloned::<Tokens>();
    assert!(size_of::<Error>() == size_of::<usize>());
    assert!(size_of::<Result<(), Error>>() == size_of::<usize>());
};

#[test]
fn a_body_becomes_bytes_without_a_copy() {
    for call in [exchange(), refresh()] {
        let body = call.into_parts(sent_at()).0.into_body();
        let (place, length) = (body.as_ref().as_ptr(), body.len());
        let bytes = Bytes::from(body);
        assert_eq!((bytes.as_ptr(), bytes.len()), (place, length));
    }
}

#[test]
fn calls_of_one_client_are_the_same_request_each_time() {
    let printed = |call: Call<Tokens>| {
        let (request, _) = call.into_parts(sent_at());
        (request.uri().clone(), request.headers().clone(), request.into_body().as_ref().to_owned())
    };
    assert_eq!(printed(exchange()), printed(exchange()));
    let shared = client();
    let token = RefreshToken::new("r");
    assert_eq!(printed(shared.refresh(&token)), printed(shared.clone().refresh(&token)));
}

/// The crates that are compiled into a program for `target`, without the dependencies of tests and build scripts.
fn normal_tree(target: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--no-dedupe"])
        .args(["--package", env!("CARGO_PKG_NAME"), "--target", target])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo must run here");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    printed.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// crates of 2025 and 2026 that stole keys.
#[test]
fn the_dependency_tree_is_small_and_runs_no_foreign_code_at_compile_time() {
    for target in TARGETS {
        let tree = normal_tree(target);
        assert!(tree.iter().any(|line| line.starts_with("restream-oauth-core v")), "{target}: {tree:?}");
        assert!(tree.iter().any(|line| line.starts_with("http v")), "{target}: {tree:?}");
        assert!(tree.len() <= MOST_CRATES, "{target}: {} crates: {tree:#?}", tree.len());
        let names: Vec<&str> = tree.iter().filter_map(|line| line.split(' ').next()).collect();
        for line in &tree {
            assert!(!line.contains("(proc-macro)"), "{target}: {line}");
        }
        for refused in
            ["openssl", "native-tls", "rand", "getrandom", "tokio", "log", "tracing", "serde", "url", "chrono"]
        {
            assert!(!names.contains(&refused), "{target}: {refused}");
        }
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), names.len(), "{target}: a crate comes in two versions: {names:?}");
    }
    assert!(!Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs").exists());
}

/// Each source file with its code, without comments and without its unit tests.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { paths.push(path) }
        }
    }
    let mut files = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
        let code = lines.collect::<Vec<_>>().join("\n");
        // One file holds only doctests.
        let is_code = ["use ", "mod ", "const "].iter().any(|word| code.contains(word));
        assert_ne!(is_code, path.ends_with("promises.rs"), "{}", path.display());
        files.push((path, code));
    }
    assert!(files.len() > 10, "{files:?}");
    files
}

#[test]
fn the_sources_read_no_clock_open_no_socket_draw_no_randomness_and_print_nothing() {
    let refused = [
        "SystemTime::now",
        "Instant",
        ".elapsed(",
        "chrono",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "std::os",
        "ToSocketAddrs",
        "std::fs",
        "std::env",
        "std::process",
        "std::thread",
        "std::io::std",
        "print!(",
        "println!(",
        "eprint!(",
        "eprintln!(",
        "dbg!(",
        "log::",
        "tracing::",
        "rand::",
        "getrandom",
        "RandomState",
        "HashMap",
        "HashSet",
        "unsafe ",
        "unsafe{",
        "extern \"",
        "panic!(",
        "todo!(",
        "unimplemented!(",
        ".unwrap()",
        ".expect(",
        "static mut",
    ];
    for (path, code) in sources() {
        for word in refused {
            assert!(!code.contains(word), "{word} in {}", path.display());
        }
    }
    // Tests the scan itself: it finds words that the sources contain.
    let all: String = sources().into_iter().map(|(_, code)| code).collect();
    for present in ["SystemTime", "std::sync::Arc", "#![forbid(unsafe_code)]", "struct Scanner"] {
        assert!(all.contains(present), "{present}");
    }
}

/// RFC 7636 §4.2, RFC 9700 §2.1.2, RFC 9700 §2.4.
#[test]
fn no_source_can_ask_for_a_password_grant_an_implicit_grant_or_a_plain_challenge() {
    let all: String = sources().into_iter().map(|(_, code)| code).collect();
    let asked = |name: &str| {
        let values = all.split(name).skip(1).map(|rest| rest.split(['&', '"']).next().unwrap_or_default());
        values.collect::<BTreeSet<_>>()
    };
    assert_eq!(asked("grant_type="), ["authorization_code", "refresh_token"].into());
    assert_eq!(asked("response_type="), ["code"].into());
    assert_eq!(asked("code_challenge_method="), ["S256"].into());
    assert!(!all.contains("\"password\"") && !all.contains("\"plain\""));
}

/// A test cannot measure times reliably. So this test checks which function compares.
/// RUSTSEC-2022-0018.
#[test]
fn state_is_compared_in_constant_time() {
    let code_of = |name: &str| sources().into_iter().find(|(path, _)| path.ends_with(name)).unwrap().1;
    let reading = code_of("flow/callback.rs");
    assert_eq!(reading.matches("if self.state != *state {").count(), 1);
    let state = code_of("flow/entropy.rs");
    let comparison = state.split("impl PartialEq<str> for LoginState").nth(1).unwrap().split("\n}").next().unwrap();
    assert!(
        comparison.contains("same_bytes(front, &self.random.0.0) & same_bytes(rest, self.data.as_ref())"),
        "{comparison}"
    );
    let comparing = code_of("secret/text.rs");
    let body = comparing.split("fn same_bytes(").nth(1).unwrap().split("\n}").next().unwrap();
    assert!(body.contains("one.ct_eq(other)"), "{body}");
    let equality = comparing.split("impl PartialEq for SecretText").nth(1).unwrap().split("\n}").next().unwrap();
    assert!(equality.contains("same_bytes(self.as_ref(), other.as_ref())"), "{equality}");
}
