//! What a stack puts on the wire, and when it gives up. These tests use bare sockets, not the table and its sandboxes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use restream_oauth_conformance::Outcome;
use restream_oauth_core::error::ErrorKind;
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{AccessToken, Client, Endpoints};

use crate::stacks::{Curl, Hyper, Minreq, Reqwest, Stack, Tcp, Ureq};

type Profile = fn(Duration, &Client, &AccessToken) -> Outcome;

const STACKS: [(&str, Profile); 6] = [
    (Hyper::NAME, profile::<Hyper>),
    (Ureq::NAME, profile::<Ureq>),
    (Reqwest::NAME, profile::<Reqwest>),
    (Minreq::NAME, profile::<Minreq>),
    (Tcp::NAME, profile::<Tcp>),
    (Curl::NAME, profile::<Curl>),
];

/// Less than a second: some stacks round that to no limit at all.
const LIMIT: Duration = Duration::from_millis(300);

#[test]
fn an_access_token_and_a_query_arrive_unchanged_whatever_characters_they_have() {
    for (name, profile) in stacks() {
        for token in [r"a\nX-Evil:1", r#"a"b"#, r"a\b", r#"a\"b"#, r"a\\", "'$`%&@;#{}[]"] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = client_of(&listener);
            let seen = thread::spawn(move || answered_with_401(&listener).0);
            let outcome = profile(Duration::from_secs(30), &client, &AccessToken::new(token));
            assert!(outcome.to_string().contains("401"), "{name}: {outcome}");
            let head = seen.join().unwrap();
            let line = format!("\r\nauthorization: bearer {}\r\n", token.to_ascii_lowercase());
            assert!(head.starts_with("get /v2/user/profile?region=eu http/1.1\r\n"), "{name}: {head}");
            assert!(head.contains(&line) && !head.contains("\r\nx-evil"), "{name}: {head}");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_arguments_of_curl_hold_nothing_secret() {
    if !crate::curl_is_there() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client_of(&listener);
    let seen = thread::spawn(move || answered_with_401(&listener).1);
    profile::<Curl>(Duration::from_secs(30), &client, &AccessToken::new("t0ps3cret"));
    // curl was still running when the server read its arguments: it waited for this answer.
    let arguments = seen.join().unwrap();
    assert!(arguments.iter().any(|arguments| arguments.starts_with("curl\0")), "{arguments:?}");
    assert!(!arguments.iter().any(|arguments| arguments.contains("t0ps3cret")), "{arguments:?}");
}

#[test]
fn a_time_limit_below_a_second_is_kept() {
    for (name, profile) in stacks() {
        ends_in_time(name, profile, &AccessToken::new("a1"), TcpListener::bind("127.0.0.1:0").unwrap());
    }
}

/// With a full backlog, Linux leaves the next connection pending. Other systems refuse it.
#[test]
#[cfg(target_os = "linux")]
fn a_connection_that_stays_pending_ends_at_the_time_limit() {
    use socket2::{Domain, Socket, Type};

    for (name, profile) in stacks() {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let listener = TcpListener::from(listener);
        let address = listener.local_addr().unwrap();
        let _full: Vec<_> = std::iter::from_fn(|| TcpStream::connect_timeout(&address, LIMIT).ok()).collect();
        ends_in_time(name, profile, &AccessToken::new("a1"), listener);
    }
}

#[test]
fn a_long_request_to_a_server_that_does_not_read_ends_at_the_time_limit() {
    let longer_than_all_buffers = AccessToken::new("a".repeat(8 << 20));
    ends_in_time(Tcp::NAME, profile::<Tcp>, &longer_than_all_buffers, TcpListener::bind("127.0.0.1:0").unwrap());
}

fn stacks() -> impl Iterator<Item = (&'static str, Profile)> {
    STACKS.into_iter().filter(|(name, _)| *name != Curl::NAME || crate::curl_is_there())
}

fn profile<S: Stack>(limit: Duration, client: &Client, token: &AccessToken) -> Outcome {
    Outcome::of(&S::new(limit, None).send(client.profile(token).unwrap()))
}

/// Checks that a call ends at its time limit when the server accepts the connection at most.
fn ends_in_time(name: &str, profile: Profile, token: &AccessToken, listener: TcpListener) {
    let client = client_of(&listener);
    // A stack without a time limit fails here, and does not wait for ever.
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    thread::spawn(move || {
        let _ = waiting.recv_timeout(Duration::from_secs(5));
        drop(listener);
    });
    let started = Instant::now();
    let outcome = profile(LIMIT, &client, token);
    let elapsed = started.elapsed();
    drop(done);
    let timeout = ErrorKind::Transport(FailureKind::Timeout);
    assert!(matches!(&outcome, Outcome::Failed { kind, .. } if *kind == timeout), "{name}: {outcome:?}");
    // ureq's limit is a little shorter, minreq's is a whole second, and a busy machine adds time.
    assert!(elapsed > LIMIT / 2 && elapsed < Duration::from_secs(4), "{name}: {elapsed:?}");
}

fn client_of(listener: &TcpListener) -> Client {
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let endpoints = Endpoints { profile: format!("{base_url}/v2/user/profile?region=eu"), ..Endpoints::at(&base_url) };
    let builder = Client::builder("id").secret("secret").redirect_uri("http://127.0.0.1:8976/callback");
    builder.endpoints(endpoints).build().unwrap()
}

/// Answers one request with 401. Returns its head in lower case, and the arguments of this process's children.
fn answered_with_401(listener: &TcpListener) -> (String, Vec<String>) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let arguments = arguments_of_children();
    stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").unwrap();
    (String::from_utf8(head).unwrap().to_ascii_lowercase(), arguments)
}

/// Reads `/proc`, so the list is empty on other systems than Linux.
fn arguments_of_children() -> Vec<String> {
    let arguments = |process: std::fs::DirEntry| {
        // The line is "pid (name) state parent …". The name can contain anything.
        let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()?;
        let is_child = parent == std::process::id();
        is_child.then(|| std::fs::read_to_string(process.path().join("cmdline")).ok()).flatten()
    };
    std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(arguments).collect()
}
