//! The configurations of `deploy/` for nginx and Caddy, as they are but for addresses and paths, in front of a stand-in for
//! the broker. Without the proxy or `curl` a test says so; in CI it fails then.

mod curl;
mod proxy;
mod stand_in;

use std::net::IpAddr;

use ipnet::IpNet;
use restream_oauth_broker::addresses::asker;

use curl::curl;
use proxy::Proxy;
use stand_in::StandIn;

/// What no log may show.
const CANARY: &str = "c4n4ry5ecret";

/// RFC 9700 §4.13.
#[test]
fn nginx_does_what_its_page_promises() {
    let stand_in = StandIn::start();
    if let Some(proxy) = Proxy::nginx(stand_in.port()) {
        check(proxy, stand_in);
    }
}

#[test]
fn caddy_does_what_its_page_promises() {
    let stand_in = StandIn::start();
    if let Some(proxy) = Proxy::caddy(stand_in.port()) {
        check(proxy, stand_in);
    }
}

fn check(mut proxy: Proxy, stand_in: StandIn) {
    the_address_is_the_one_that_the_proxy_sees(&proxy, &stand_in);
    requests_and_answers_pass_unchanged(&proxy, &stand_in);
    a_request_is_sent_once(&proxy, &stand_in);
    a_long_body_ends_at_the_proxy(&proxy, &stand_in);
    drop(stand_in);
    assert_eq!(curl(&proxy, &["-d", CANARY], &format!("/dead?code={CANARY}")).status, 502);
    no_log_has_a_query(&mut proxy);
}

/// The client asks from 127.0.0.2, and claims to be somebody else.
fn the_address_is_the_one_that_the_proxy_sees(proxy: &Proxy, stand_in: &StandIn) {
    for claims in [
        ["-H", "X-Forwarded-For: 203.0.113.9", "-H", "Forwarded: for=203.0.113.9"],
        ["-H", "X-Forwarded-For: 203.0.113.9, 127.0.0.1", "-H", "X-Forwarded-For: 127.0.0.1"],
        ["-H", "Forwarded: for=\"203.0.113.9", "-H", "X-Real-IP: 203.0.113.9"],
    ] {
        assert_eq!(curl(proxy, &claims, "/address").status, 200);
        let seen = stand_in.last();
        let (peer, trusted): (IpAddr, IpNet) = ("127.0.0.1".parse().unwrap(), "127.0.0.1/32".parse().unwrap());
        assert_eq!(asker(peer, &seen.headers, &[trusted]).to_string(), "127.0.0.2", "{:?}", seen.headers);
    }
}

fn requests_and_answers_pass_unchanged(proxy: &Proxy, stand_in: &StandIn) {
    let target = format!("/obs/v1/restream/finalise?code={CANARY}&state=%2F%20+&x=//a/../b");
    let answer =
        curl(proxy, &["--compressed", "--path-as-is", "-H", &format!("Referer: https://x/?code={CANARY}")], &target);
    assert_eq!(answer.status, 200);
    assert_eq!(stand_in.last().target, target);
    for (name, value) in stand_in::HEADERS {
        assert_eq!(answer.header(name), Some(value), "{answer:?}");
    }
    assert_eq!(answer.header("content-encoding"), None, "{answer:?}");
    assert!(answer.header("strict-transport-security").is_some(), "{answer:?}");

    let body = "x".repeat(64 * 1024);
    assert_eq!(curl(proxy, &["-d", &body, "-H", "Expect:"], "/token").status, 200);
    assert_eq!(stand_in.last().body.len(), body.len());
}

/// The stand-in closes the connection without an answer. A proxy that kept the one of the request before could take this
/// for a connection that was closed in the meantime, and send the request again.
fn a_request_is_sent_once(proxy: &Proxy, stand_in: &StandIn) {
    for (arguments, target) in
        [(&[] as &[&str], "/cut/get"), (&["-d", "grant_type=refresh_token"], "/cut/post"), (&["-I"], "/cut/head")]
    {
        assert_eq!(curl(proxy, arguments, &format!("{target}?code={CANARY}")).status, 502, "{target}");
        assert_eq!(stand_in.requests_to(target), 1, "{target}");
    }
}

fn a_long_body_ends_at_the_proxy(proxy: &Proxy, stand_in: &StandIn) {
    let body = "x".repeat(64 * 1024 + 1);
    let answer = curl(proxy, &["-d", &body, "-H", "Expect:"], &format!("/long?code={CANARY}"));
    // Caddy begins to send what it reads, and cuts the request off.
    assert!(answer.status == 413 || answer.status == 502, "{answer:?}");
    assert!(stand_in.whole_requests_to("/long") == 0);
}

fn no_log_has_a_query(proxy: &mut Proxy) {
    // The last request is in the log, so those before it are.
    proxy.wait_for_log("/dead");
    let log = proxy.stop();
    for path in ["/address", "/obs/v1/restream/finalise", "/cut/get", "/cut/post", "/long", "/dead"] {
        assert!(log.contains(path), "{path} is in the log:\n{log}");
    }
    assert!(!log.contains(CANARY), "a log holds a code:\n{log}");
    assert!(!log.contains("state="), "a log holds a query:\n{log}");
}
