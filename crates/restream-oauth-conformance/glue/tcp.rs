//! The core over a `TcpStream`: connects, sends one request of HTTP/1.1, and reads to the end of the connection.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_core::{Answer, Call, transport::Stage};

pub(crate) fn receive<T>(call: Call<T>, limit: Duration) -> Answer<T> {
    let (request, reader) = call.into_parts(SystemTime::now());
    let deadline = Instant::now() + limit;
    let until_deadline = || deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
    let left = || until_deadline().ok_or(ErrorKind::TimedOut);

    let host = request.uri().authority().map_or("", |authority| authority.as_str());
    let next = |last: io::Result<_>, address| last.or_else(|_| TcpStream::connect_timeout(&address, left()?));
    let connected = host.to_socket_addrs().and_then(|all| all.fold(Err(ErrorKind::NotFound.into()), next));
    let mut stream = match connected {
        Ok(stream) => stream,
        Err(error) => return reader.fail(Stage::BeforeBody, error.into()),
    };
    let (message, mut answer, mut piece) = (super::framing::framed(&request), Vec::new(), [0; 16 * 1024]);
    let mut exchange = || -> io::Result<()> {
        let mut unsent = &message[..];
        while !unsent.is_empty() {
            stream.set_write_timeout(Some(left()?))?;
            unsent = &unsent[stream.write(unsent)?..];
        }
        while answer.len() < 512 * 1024 {
            stream.set_read_timeout(Some(left()?))?;
            match stream.read(&mut piece)? {
                0 => break,
                length => answer.extend(&piece[..length]),
            }
        }
        Ok(())
    };
    let failure = exchange().err().map(Into::into);
    super::http1::read(reader, &answer, super::framing::unframed, failure)
}
