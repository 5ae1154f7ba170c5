//! The programs over the glue log in and out, against a sandbox.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::duplicate_mod, reason = "each example is a program of its own elsewhere")]

#[path = "../examples/over_curl.rs"]
#[expect(dead_code, reason = "`main` starts what is started here")]
mod over_curl;
#[path = "../examples/over_minreq.rs"]
#[expect(dead_code, reason = "`main` starts what is started here")]
mod over_minreq;
#[path = "../examples/over_reqwest.rs"]
#[expect(dead_code, reason = "`main` starts what is started here")]
mod over_reqwest;
#[path = "../examples/over_tcp.rs"]
#[expect(dead_code, reason = "`main` starts what is started here")]
mod over_tcp;

use restream_oauth_sandbox::Sandbox;

#[tokio::test]
async fn reqwest() {
    let sandbox = Sandbox::start().unwrap();
    over_reqwest::run(&sandbox).await.unwrap();
    check(&sandbox);
}

#[test]
fn minreq() {
    let sandbox = Sandbox::start().unwrap();
    over_minreq::run(&sandbox).unwrap();
    check(&sandbox);
}

#[test]
fn tcp_stream() {
    let sandbox = Sandbox::start().unwrap();
    over_tcp::run(&sandbox).unwrap();
    check(&sandbox);
}

#[test]
fn curl() {
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        eprintln!("WARNING: no `curl` on this machine: its example is left out");
        assert!(std::env::var_os("CI").is_none(), "CI must have `curl`");
        return;
    }
    let sandbox = Sandbox::start().unwrap();
    over_curl::run(&sandbox).unwrap();
    check(&sandbox);
}

fn check(sandbox: &Sandbox) {
    let ledger = sandbox.ledger();
    assert_eq!((ledger.exchanges, ledger.revocations, ledger.requests.len()), (1, 1, 3), "{ledger:?}");
}
