//! Connections that stay open: what comes over one, in whatever pieces, is answered in its order.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU32;

use restream_oauth_broker::limits::Rates;

use crate::support::{PATIENCE, World, generous};

/// A connection that stays open.
struct Connection(TcpStream);

impl Connection {
    fn to(world: &World) -> Self {
        let stream = TcpStream::connect(world.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// The head and the body of the next answer. Nothing that comes after it is read.
    fn answer(&mut self) -> (String, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        (head, String::from_utf8(body).unwrap())
    }
}

fn refresh(handle: &str) -> String {
    let form = format!("grant_type=refresh_token&client_id=overlay&refresh_token={handle}");
    format!(
        "POST /token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{form}",
        form.len()
    )
}

#[test]
fn requests_in_pieces_and_several_at_once_are_answered_in_their_order() {
    let world = World::new();
    let (one, other) = (world.log_in(), world.log_in());
    let mut connection = Connection::to(&world);
    let (mine, theirs) = (refresh(&one.refresh_token), refresh(&other.refresh_token));
    for place in [1, 3, mine.find("\r\n\r\n").unwrap() + 2, mine.len() - 5] {
        // The end of a request arrives with the beginning of the next one, and the next one has to wait for its end.
        let (begin, end) = theirs.split_at(place);
        connection.send(&format!("{mine}{begin}"));
        assert!(connection.answer().1.contains(&one.access_token));
        connection.send(&format!("{end}{mine}"));
        assert!(connection.answer().1.contains(&other.access_token));
        assert!(connection.answer().1.contains(&one.access_token));
    }
    // Each byte alone.
    for byte in theirs.chars() {
        connection.send(&byte.to_string());
    }
    assert!(connection.answer().1.contains(&other.access_token));
}

#[test]
fn what_is_left_of_a_body_is_no_request() {
    let rates = Rates { per_address: NonZeroU32::MIN, ..generous() };
    let world = World::with(|sandbox| sandbox, rates);
    let inner = "GET /.well-known/oauth-authorization-server HTTP/1.1\r\nhost: x\r\n\r\n";
    for _ in 0..500 {
        let mut connection = Connection::to(&world);
        let length = inner.len() + 4;
        connection.send(&format!("POST /token HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\nbody"));
        // Over a limit, the broker answers before it has the body, and may close before it is written.
        let _ = connection.0.write_all(inner.as_bytes());
        let mut status = [0; 12];
        if connection.0.read_exact(&mut status).is_err() || status != *b"HTTP/1.1 429" {
            continue;
        }
        let _ = connection.0.write_all(b"GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let mut rest = Vec::new();
        let _ = connection.0.read_to_end(&mut rest);
        let rest = String::from_utf8_lossy(&rest);
        assert!(rest.matches("HTTP/1.1 ").count() <= 1 && !rest.contains("issuer"), "{rest}");
        return;
    }
    panic!("no request was refused");
}
