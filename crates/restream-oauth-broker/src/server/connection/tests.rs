//! Limits of one connection, to the byte and to the second: its two ends are in memory, and time is set forward.

use std::path::PathBuf;
use std::time::SystemTime;

use restream_oauth_core::{Client, Endpoints};
use restream_oauth_hyper::Transport;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::*;
use crate::limits::Rates;
use crate::log::{Level, Log};
use crate::protocol::Rules;
use crate::server::serve::serve_for;
use crate::server::{Clock, Options};
use crate::settings::{Mode, Store};

const METADATA: &str = "/.well-known/oauth-authorization-server";

/// A broker in a folder that is removed on drop.
struct Served {
    broker: Arc<Broker>,
    folder: PathBuf,
    /// Connections end once it is gone.
    stopping: watch::Sender<bool>,
}

impl Served {
    async fn new() -> Self {
        Self::in_front_of("http://127.0.0.1:1").await
    }

    async fn in_front_of(restream: &str) -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        let folder = std::env::temp_dir().join(format!("restream-oauth-connection-{:x}", u64::from_ne_bytes(random)));
        let client = Client::builder("id").secret("secret").redirect_uri("http://127.0.0.1/callback");
        let options = Options {
            rules: Rules { issuer: "http://127.0.0.1".into(), obs_prefix: Some("/obs/".into()), ..Rules::default() },
            client: client.endpoints(Endpoints::at(restream)).build().unwrap(),
            transport: Transport::new().unwrap(),
            mode: Mode::Handle(Store::File(folder.clone())),
            relay_memory: 16,
            rates: Rates::default(),
            trusted_proxies: Vec::new(),
            clock: Clock::of(|| restream_oauth_keeper::Now { wall: SystemTime::UNIX_EPOCH, steady: Duration::ZERO }),
            log: Log::to(std::io::sink(), Level::Error),
        };
        Self { broker: Broker::start(options).await.unwrap(), folder, stopping: watch::Sender::new(false) }
    }

    fn connect(&self) -> DuplexStream {
        let (theirs, ours) = duplex(1024 * 1024);
        let peer = IpAddr::from([192, 0, 2, 1]);
        let stopping = self.stopping.subscribe();
        tokio::spawn(serve_connection(ours, peer, Arc::clone(&self.broker), Purpose::Devices, stopping));
        theirs
    }

    /// Sends each piece at its second. Returns what came back, and the second in which the connection ended.
    async fn send(&self, pieces: Vec<(u64, Vec<u8>)>) -> (String, u64) {
        let begun = Instant::now();
        let (mut reader, mut writer) = split(self.connect());
        let writing = tokio::spawn(async move {
            for (second, piece) in pieces {
                sleep_until(begun + Duration::from_secs(second)).await;
                // The connection may have ended by now.
                let _ = writer.write_all(&piece).await;
            }
            writer
        });
        let mut answer = Vec::new();
        let _ = reader.read_to_end(&mut answer).await;
        let ended = begun.elapsed();
        writing.abort();
        assert_eq!(ended.subsec_millis(), 0, "{ended:?}");
        (String::from_utf8(answer).unwrap(), ended.as_secs())
    }

    fn turned_away(&self, bound: &str) -> u64 {
        let name = format!("restream_oauth_broker_turned_away_total{{bound=\"{bound}\"}} ");
        let metrics = self.broker.observer().metrics.text();
        metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// One byte a second from a second on.
fn one_a_second(from: u64, bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    (from..).zip(bytes).map(|(second, byte)| (second, vec![*byte])).collect()
}

/// A head of exactly this length.
fn head_of(length: usize) -> Vec<u8> {
    let begin = format!("GET {METADATA} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: ");
    format!("{begin}{}\r\n\r\n", "x".repeat(length - begin.len() - 4)).into_bytes()
}

#[tokio::test(start_paused = true)]
async fn a_head_has_30_seconds_however_it_comes() {
    let served = Served::new().await;
    let head = b"GET / HTTP/1.0\r\nx: 123456789\r\n\r\n";
    let in_time = &head[head.len() - 30..];
    let first = head[..head.len() - 30].to_vec();
    // The last byte comes in second 29.
    let mut pieces = vec![(0, first)];
    pieces.extend(one_a_second(0, in_time));
    let (answer, ended) = served.send(pieces).await;
    assert!(answer.starts_with("HTTP/1.0 404"), "{answer}");
    assert_eq!(ended, 29);
    // The last byte would come in second 31.
    let (answer, ended) = served.send(one_a_second(0, head)).await;
    assert_eq!((answer.as_str(), ended), ("", 30));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_silent_ends_after_30_seconds() {
    let served = Served::new().await;
    assert_eq!(served.send(Vec::new()).await, (String::new(), 30));
    let request = format!("GET {METADATA} HTTP/1.1\r\nhost: x\r\n\r\n").into_bytes();
    let (answer, ended) = served.send(vec![(20, request)]).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(ended, 50);
}

/// Over TCP, where the buffers of a connection wait for its first byte.
#[tokio::test(start_paused = true)]
async fn a_connection_that_never_says_anything_ends_after_30_seconds_or_when_the_broker_stops() {
    let served = Served::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving =
        tokio::spawn(crate::server::serve(listener, Arc::clone(&served.broker), async move { drop(stopped.await) }));
    let begun = Instant::now();
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    // The clock may run ahead while a socket is on its way.
    assert!(begun.elapsed() >= Duration::from_secs(30), "{:?}", begun.elapsed());
    let mut speaking = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {METADATA} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    speaking.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    speaking.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut silent = TcpStream::connect(address).await.unwrap();
    stop.send(()).unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap_or_default(), 0);
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_over_the_bound_waits_until_another_one_has_ended() {
    let served = Served::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let broker = Arc::clone(&served.broker);
    let serving = tokio::spawn(serve_for(Purpose::Devices, None, listener, broker, 2, std::future::pending()));
    let _silent = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    let mut third = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {METADATA} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    third.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    third.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // The silent ones have had their half minute.
    assert!(served.turned_away("connections") >= 1);
    serving.abort();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_longer_than_a_minute_is_refused() {
    let served = Served::new().await;
    let head = |length| {
        let kind = "content-type: application/x-www-form-urlencoded";
        format!("POST /token HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{kind}\r\ncontent-length: {length}\r\n\r\n")
    };
    let with_body = |length: usize| {
        let mut pieces = vec![(0, head(length).into_bytes())];
        pieces.extend(one_a_second(0, "a".repeat(length).as_bytes()));
        pieces
    };
    let (answer, ended) = served.send(with_body(60)).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!((ended, served.turned_away("time")), (59, 0));
    let (answer, ended) = served.send(with_body(100)).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("\"invalid_request\""), "{answer}");
    assert_eq!((ended, served.turned_away("time")), (60, 1));
}

/// The time for its body counts as the time of a request.
#[tokio::test(start_paused = true)]
async fn a_request_has_a_minute_in_all_whatever_restream_does() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let served = Served::in_front_of(&format!("http://{}", silent.local_addr().unwrap())).await;
    let away = "GET /obs/v1/restream/redirect HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let (away, _) = served.send(vec![(0, away.into())]).await;
    let after = |name: &str, end: char| away.split_once(name).unwrap().1.split(end).next().unwrap().to_owned();
    let (state, cookie) = (after("state=", '&'), after("set-cookie: ", ';'));
    let state = state.split("\r\n").next().unwrap();
    let head = format!(
        "GET /callback?code=x&state={state} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncookie: {cookie}\r\n\
         content-length: 2\r\n\r\n"
    );
    let (answer, ended) = served.send(vec![(0, head.into()), (55, b"ab".to_vec())]).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 5"), "{answer}");
    assert_eq!((ended, served.turned_away("time")), (60, 1));
}

#[tokio::test(start_paused = true)]
async fn a_head_of_64_kib_is_read_and_one_of_a_byte_more_is_refused() {
    let served = Served::new().await;
    let mut refused = 0;
    // Whole, in pieces as they come from a network, and so that a byte is missing.
    for piece in [LONGEST_HEAD + 1, 1448, LONGEST_HEAD - 1, LONGEST_HEAD] {
        for (length, status) in [(LONGEST_HEAD, "200"), (LONGEST_HEAD + 1, "431")] {
            let head = head_of(length);
            assert_eq!(head.len(), length);
            let pieces = head.chunks(piece).map(|piece| (0, piece.to_vec())).collect();
            let (answer, _) = served.send(pieces).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{length} bytes by {piece}: {answer}");
            refused += u64::from(status == "431");
            assert_eq!(served.turned_away("size"), refused);
        }
        // A head without an end.
        let endless = head_of(LONGEST_HEAD * 2)[..LONGEST_HEAD].to_vec();
        let (answer, _) = served.send(endless.chunks(piece).map(|piece| (0, piece.to_vec())).collect()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "by {piece}: {answer}");
        refused += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_of_64_kib_is_read_and_one_of_a_byte_more_is_refused_however_it_comes() {
    let served = Served::new().await;
    for (length, status) in [(LONGEST_BODY, "400"), (LONGEST_BODY + 1, "413")] {
        let head = "POST /token HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
        let body = "a".repeat(length);
        let whole = format!("{head}content-length: {length}\r\n\r\n{body}");
        let chunk = |bytes: &[u8]| format!("{:x}\r\n{}\r\n", bytes.len(), "a".repeat(bytes.len()));
        let chunks = body.as_bytes().chunks(4096).map(chunk).collect::<Vec<_>>().concat();
        let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
        for request in [whole, chunked] {
            let (answer, _) = served.send(vec![(0, request.into_bytes())]).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{length}: {answer}");
        }
    }
    assert_eq!(served.turned_away("size"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_waited_for_as_long_as_a_head() {
    let (mut ours, mut theirs) = duplex(64);
    let (stop, mut stopping) = watch::channel(false);
    let begun = Instant::now();
    assert_eq!(first_byte(&mut ours, &mut stopping).await, None);
    assert_eq!(begun.elapsed().as_secs(), HEAD_LIMIT.as_secs());
    theirs.write_all(b"GET").await.unwrap();
    assert_eq!(first_byte(&mut ours, &mut stopping).await, Some(Bytes::from_static(b"G")));
    assert_eq!(ours.read_u8().await.unwrap(), b'E', "it takes one byte");
    let (mut silent, _open) = duplex(64);
    let begun = Instant::now();
    stop.send(true).unwrap();
    assert_eq!(first_byte(&mut silent, &mut stopping).await, None);
    assert!(begun.elapsed().is_zero());
}
