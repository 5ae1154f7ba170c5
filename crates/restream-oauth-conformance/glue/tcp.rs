//! The core over a `TcpStream` that speaks HTTP/1.1: one connection, one request, then all that comes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_core::{Call, Error, Failure, Stage};

pub(crate) fn send<T>(call: Call<T>, limit: Duration) -> Result<T, Error> {
    let (request, reader) = call.into_parts();
    let (sent_at, deadline) = (SystemTime::now(), Instant::now() + limit);
    let (method, path, body) = (request.method(), request.uri().path(), request.body());
    let host = request.uri().authority().map_or("", |authority| authority.as_str());
    let mut message = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n").into_bytes();
    for (name, value) in request.headers() {
        message.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    message.extend([format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body.as_ref()].concat());

    let mut stream = match TcpStream::connect(host) {
        Ok(stream) => stream,
        Err(error) => return reader.failed(Stage::BeforeBody, error.into(), sent_at),
    };
    let (mut answer, mut piece) = (Vec::new(), [0; 16 * 1024]);
    let mut failure = stream.write_all(&message).err().map(Failure::from);
    while failure.is_none() && answer.len() < 512 * 1024 {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut piece)) {
            Ok(0) => break,
            Ok(length) => answer.extend(&piece[..length]),
            Err(error) => failure = Some(error.into()),
        }
    }
    super::http1::read(reader, &answer, super::framing::unframed, failure, sent_at)
}
