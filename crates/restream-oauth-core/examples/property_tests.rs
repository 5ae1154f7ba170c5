//! Property tests of a transport of your own, with the generators of the feature `proptest`.
//!
//!     cargo run -p restream-oauth-core --example property_tests
//!
//! A server of the test sends token answers that are as strange as they can be, cut into pieces of all sizes. Whatever the
//! transport does, both tokens must arrive. In your program, `main` is a `#[test]`, and `Cargo.toml` has
//! `restream-oauth-core = { version = "0.1", features = ["proptest"] }` among its `dev-dependencies`.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the core itself does none of this"
)]

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::SystemTime;

use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use restream_oauth_core::generators::{Pieces, pieces, token_answer};
use restream_oauth_core::transport::Stage;
use restream_oauth_core::{Answer, Call, Client, Endpoints, RefreshToken};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = Client::builder("id")
        .secret("s")
        .redirect_uri("https://app.example/callback")
        .endpoints(Endpoints::at(&format!("http://{}", listener.local_addr()?)))
        .build()?;
    let refresh_token = RefreshToken::new("r0");

    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(answer in token_answer(), pieces in pieces())| {
        let answered = thread::scope(|scope| {
            scope.spawn(|| serve_once(&listener, answer.body.as_bytes(), &pieces));
            send(client.refresh(&refresh_token))
        });
        let tokens = answered.interpret().map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(tokens.access_token().expose_secret(), &answer.access_token);
        prop_assert_eq!(tokens.refresh_token().map(RefreshToken::expose_secret), Some(&*answer.refresh_token));
    });
    println!("64 answers, and both tokens of each arrived");
    Ok(())
}

/// Answers one connection: the body in pieces, a write for each, and no length but the end of the connection.
fn serve_once(listener: &TcpListener, body: &[u8], pieces: &Pieces) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let mut request = Vec::new();
    // The transport below closes its side when it has sent all.
    stream.read_to_end(&mut request)?;
    stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n")?;
    pieces.of(body).filter(|piece| !piece.is_empty()).try_for_each(|piece| stream.write_all(piece))
}

/// The transport under test. This one is as small as it can be; put yours in its place.
fn send<T>(call: Call<T>) -> Answer<T> {
    let (request, mut reader) = call.into_parts(SystemTime::now());
    let place = request.uri().authority().map_or("", |authority| authority.as_str());
    let mut stream = match TcpStream::connect(place) {
        Ok(stream) => stream,
        Err(error) => return reader.fail(Stage::BeforeBody, error.into()),
    };
    let mut message = format!("{} {} HTTP/1.0\r\n", request.method(), request.uri().path()).into_bytes();
    for (name, value) in request.headers() {
        message.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    message.extend([b"\r\n", request.body().as_ref()].concat());
    let mut answer = Vec::new();
    let mut exchange = || {
        stream.write_all(&message)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        stream.read_to_end(&mut answer)
    };
    let failed = exchange().err();
    if let Some(head) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
        let status = std::str::from_utf8(&answer[9..12]).ok().and_then(|status| status.parse().ok());
        if reader.head(status.unwrap_or(StatusCode::BAD_GATEWAY), &HeaderMap::new()).is_continue() {
            let _ = reader.chunk(&answer[head + 4..]);
        }
    }
    match failed {
        Some(error) => reader.fail(Stage::AwaitingHead, error.into()),
        None => reader.finish(),
    }
}
