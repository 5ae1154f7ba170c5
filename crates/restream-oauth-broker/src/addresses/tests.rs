use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const PROXY: &str = "10.0.0.1";

/// Each line of a header as `name: value`.
fn asked(peer: &str, lines: &[&str]) -> String {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
    asker(peer.parse().unwrap(), &headers, &trusted).to_string()
}

/// RFC 9700 §4.13, CVE-2026-40575.
#[test]
fn only_named_proxies_are_believed() {
    for line in ["X-Forwarded-For: 203.0.113.7", "Forwarded: for=203.0.113.7"] {
        assert_eq!(asked("192.0.2.1", &[line]), "192.0.2.1");
        assert_eq!(asked("::ffff:192.0.2.1", &[line]), "192.0.2.1");
        assert_eq!(asked(PROXY, &[line]), "203.0.113.7");
        assert_eq!(asked("::ffff:10.0.0.1", &[line]), "203.0.113.7", "an IPv4 peer of an IPv6 socket");
        assert_eq!(asked("fd00::1", &[line]), "203.0.113.7");
    }
    assert_eq!(asked(PROXY, &[]), PROXY);
}

#[test]
fn x_forwarded_for_is_read_from_the_right() {
    for (value, expected) in [
        ("203.0.113.7", "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7", "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("1.1.1.1,203.0.113.7,10.0.0.2", "203.0.113.7"),
        // Nothing but proxies: the farthest.
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        // What cannot be read is the proxy's that sent it.
        ("unknown", PROXY),
        ("203.0.113.7, unknown", PROXY),
        ("203.0.113.7, unknown, 10.0.0.2", "10.0.0.2"),
        ("", PROXY),
        ("203.0.113.7,", PROXY),
        ("203.0.113.7, 203.0.113.300", PROXY),
        ("203.0.113.7, 0x7f.1", PROXY),
        ("203.0.113.7, 127.1", PROXY),
        ("203.0.113.7, 203.0.113.007", PROXY),
        ("203.0.113.7, fe80::1%eth0", PROXY),
        ("203.0.113.7, [fe80::1%1]:80", PROXY),
        ("203.0.113.7, [::1", PROXY),
        ("203.0.113.7, [10.0.0.1]", PROXY),
        ("203.0.113.7, \"198.51.100.1\"", PROXY),
        ("203.0.113.7, localhost", PROXY),
    ] {
        assert_eq!(asked(PROXY, &[&format!("X-Forwarded-For: {value}")]), expected, "{value}");
    }
}

/// The examples are those of RFC 7239 §4 and §6.
#[test]
fn forwarded_is_read_from_the_right() {
    for (value, expected) in [
        ("for=192.0.2.43", "192.0.2.43"),
        ("for=192.0.2.43, for=198.51.100.17", "198.51.100.17"),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
        ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
        ("for=192.0.2.43, for=\"[2001:db8:cafe::17]\"", "2001:db8:cafe::17"),
        ("proto=https ; FOR=\"192.0.2.43:47011\"", "192.0.2.43"),
        ("for=192.0.2.43, for=\"10.0.0.2:80\"", "192.0.2.43"),
        ("for=\"_gazonk\"", PROXY),
        ("for=unknown", PROXY),
        ("for=192.0.2.43, for=_SEVKISEK", PROXY),
        ("for=192.0.2.43, proto=http", PROXY),
        ("for=192.0.2.43;for=198.51.100.17", PROXY),
        ("for=192.0.2.43;", PROXY),
        ("for", PROXY),
        // A comma, a semicolon and an escaped quote within quotes separate nothing.
        ("by=\"a,for=1.1.1.1;\\\",\";for=192.0.2.43", "192.0.2.43"),
        ("for=\"192.0.2.43", PROXY),
        // A client opens a quote; the proxy's part counts all the same.
        ("for=\"1.1.1.1, for=192.0.2.43", "192.0.2.43"),
        ("for=\"\\, for=192.0.2.43;proto=https", "192.0.2.43"),
        ("for=1.1.1.1;secret=\", for=\"[2001:db8::1]\"", "2001:db8::1"),
    ] {
        assert_eq!(asked(PROXY, &[&format!("Forwarded: {value}")]), expected, "{value}");
    }
}

#[test]
fn several_lines_count_as_one_list() {
    for (lines, expected) in [
        (["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.7"], "203.0.113.7"),
        (["X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 10.0.0.2"], "203.0.113.7"),
        (["Forwarded: for=\"1.1.1.1", "Forwarded: for=203.0.113.7"], "203.0.113.7"),
    ] {
        assert_eq!(asked(PROXY, &lines), expected, "{lines:?}");
    }
}

/// nginx appends to `X-Forwarded-For` and passes `Forwarded` on as the client wrote it; other proxies do it the other way
/// round.
#[test]
fn two_headers_that_contradict_each_other_are_not_believed() {
    assert_eq!(asked(PROXY, &["X-Forwarded-For: 203.0.113.7", "Forwarded: for=203.0.113.7"]), "203.0.113.7");
    for (one, other) in [
        ("X-Forwarded-For: 203.0.113.7", "Forwarded: for=1.1.1.1"),
        ("X-Forwarded-For: 1.1.1.1", "Forwarded: for=203.0.113.7"),
        ("X-Forwarded-For: 203.0.113.7", "Forwarded: for=unknown"),
        ("X-Forwarded-For: ", "Forwarded: for=203.0.113.7"),
    ] {
        assert_eq!(asked(PROXY, &[one, other]), PROXY, "{one} {other}");
    }
}

#[test]
fn a_chain_and_an_element_have_a_longest_length() {
    let chain = format!("X-Forwarded-For: 203.0.113.7{}", ", 10.0.0.2".repeat(LONGEST_CHAIN));
    assert_eq!(asked(PROXY, &[&chain]), "10.0.0.2");
    let chain = format!("X-Forwarded-For: 203.0.113.7{}", ", 10.0.0.2".repeat(LONGEST_CHAIN - 1));
    assert_eq!(asked(PROXY, &[&chain]), "203.0.113.7");
    let element = format!("Forwarded: for=203.0.113.7;by={}", "x".repeat(LONGEST_ELEMENT));
    assert_eq!(asked(PROXY, &[&element]), PROXY);
}

fn header_name() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("X-Forwarded-For"), Just("Forwarded")]
}

proptest! {
    /// Whatever a client writes, the address that the proxy saw counts.
    #[test]
    fn nothing_that_a_client_writes_changes_its_address(
        name in header_name(),
        written in "[ -~]{0,40}|(for=)?\"?[0-9.:,;\\[\\]\\\\\" ]{0,40}",
        client in any::<[u8; 16]>(),
    ) {
        let client = IpAddr::from(client).to_canonical();
        let trusted: [IpNet; 1] = ["10.0.0.0/8".parse().unwrap()];
        prop_assume!(!trusted[0].contains(&client));
        let seen = if name == "Forwarded" { format!("for=\"[{client}]\"") } else { client.to_string() };
        let seen = if client.is_ipv4() { seen.replace(['[', ']'], "") } else { seen };
        for lines in [vec![format!("{name}: {written}, {seen}")], vec![format!("{name}: {written}"), format!("{name}: {seen}")]] {
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            prop_assert_eq!(asked(PROXY, &lines), client.to_string());
        }
    }

    #[test]
    fn every_header_gives_an_address(name in header_name(), value in prop::collection::vec(32_u8..=255, 0..200)) {
        prop_assume!(!value.contains(&127));
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(&value).unwrap());
        asker(PROXY.parse().unwrap(), &headers, &["10.0.0.0/8".parse().unwrap()]);
    }
}
