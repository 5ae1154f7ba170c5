#!/usr/bin/env bash
# Software: ureq 3.5.2 with rustls 0.23.46 (crates.io), on Linux. Rust 1.85 or later.
#
# What was run: two POSTs to a TLS server on loopback, by one agent that keeps no connection, so that a lost answer
# cannot be the answer of another call. Three times: with the time limit as an option of the agent; with the same limit as
# an option of each call; and the same after one call without options. The server says of each connection whether it
# resumed a TLS session.
#
# A good engineer would guess: a time limit has nothing to do with TLS. The agent's TLS settings are the same in all
# cases, so the second call resumes the session of the first (RFC 8446, section 2.2), as rustls does by itself.
#
# What happens: a call with any option of its own gets its TLS set up from nothing: the root certificates are read again,
# and the store of sessions is new. No call ever resumes. One call without options changes that for all later ones: what
# it has set up is kept by the agent, and taken by every call whose TLS settings are equal.
#
# What follows: a client that sets a limit for each call, as one that refreshes tokens should, pays for a full handshake
# and a new store of roots each time. Whether it does depends on whether some other part of the program has used the agent
# plainly before, so a measurement in one program says nothing about another.
#
# How to avoid: set the options on the agent, and make one agent for each set of options.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"
[dependencies]
rcgen = { version = "=0.14.10", default-features = false, features = ["crypto", "pem", "ring"] }
rustls = { version = "=0.23.46", default-features = false, features = ["ring", "std"] }
ureq = { version = "=3.5.2", default-features = false, features = ["rustls"] }
TOML
cat > src/main.rs <<'RS'
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{mpsc, Arc};
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::Agent;

const LIMIT: Option<Duration> = Some(Duration::from_secs(30));

fn main() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions().unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let server = Arc::new(server);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/token", listener.local_addr().unwrap().port());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(server.clone()).unwrap(), stream.unwrap()));
            let mut length = 0;
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).unwrap() == 0 || line == "\r\n" { break }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") { length = value.trim().parse().unwrap() }
            }
            stream.read_exact(&mut vec![0; length]).unwrap();
            tell.send(stream.get_ref().conn.handshake_kind().unwrap()).unwrap();
            stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}").unwrap();
            stream.get_mut().conn.send_close_notify();
            let _ = stream.get_mut().flush();
        }
    });

    let agent = |limit| {
        let roots = RootCerts::from(vec![Certificate::from_der(made.cert.der()).to_owned()]);
        let tls = TlsConfig::builder().root_certs(roots).build();
        Agent::new_with_config(Agent::config_builder().tls_config(tls).max_idle_connections(0).timeout_global(limit).build())
    };
    let plain = |agent: &Agent| { agent.post(&url).send("a=b").unwrap(); };
    let limited = |agent: &Agent| { agent.post(&url).config().timeout_global(LIMIT).build().send("a=b").unwrap(); };
    let kinds = |count| (0..count).map(|_| format!("{:?}", told.recv().unwrap())).collect::<Vec<_>>().join(", ");

    let one = agent(LIMIT);
    plain(&one); plain(&one);
    println!("limit of the agent             : {}", kinds(2));
    let two = agent(None);
    limited(&two); limited(&two); limited(&two);
    println!("limit of each call             : {}", kinds(3));
    let three = agent(None);
    plain(&three); limited(&three); limited(&three);
    println!("the same, after one plain call : {}", kinds(3));
}
RS
cargo build --quiet
echo "ureq $(cargo tree --depth 1 --prefix none | sed -n 's/^ureq v//p'), rustls $(cargo tree --depth 1 --prefix none | sed -n 's/^rustls v//p')"
echo "expected: the first connection of an agent with a full handshake, all others resumed"
target/debug/probe | tee out
grep -q '^limit of the agent *: Full, Resumed$' out && grep -q '^limit of each call *: Full, Full, Full$' out \
  && grep -q '^the same, after one plain call *: Full, Resumed, Resumed$' out \
  && echo "SEEN: a time limit on a call costs it the TLS session" || { echo "NO LONGER SEEN"; exit 1; }
