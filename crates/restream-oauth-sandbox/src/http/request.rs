//! Reads one HTTP/1.1 request (RFC 9112), with limits on its size and strict rules for its framing.
//!
//! [`parse_head`] is a pure function of bytes, so that it can be fuzzed. The rest reads from any [`Read`].

use std::fmt;
use std::io::{self, Read, Write};

use crate::restream::form::Form;

/// The largest head, 64 KiB: request line, headers and the empty line.
pub const MAX_HEAD: usize = 64 * 1024;
/// The largest body, 1 MiB.
pub const MAX_BODY: usize = 1024 * 1024;
const MAX_HEADERS: usize = 100;

/// A request line and its headers.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    method: String,
    target: String,
    minor_version: u8,
    headers: Vec<(String, String)>,
}

/// Why bytes are not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadRequest {
    /// The bytes are not HTTP/1.0 or HTTP/1.1.
    Syntax,
    /// The head is larger than [`MAX_HEAD`] or has too many headers.
    HeadTooLarge,
    /// The body is larger than [`MAX_BODY`].
    BodyTooLarge,
    /// The headers do not give the length of the body in exactly one way (RFC 9112 section 6.3).
    Framing,
    /// An HTTP/1.1 request has no `Host`, or a request has more than one (RFC 9112 section 3.2).
    Host,
}

/// Parses the head at the front of `bytes`. Returns the head and its length, or `None` if more bytes are needed.
///
/// ```
/// use restream_oauth_sandbox::request::parse_head;
///
/// let bytes = b"POST /oauth/token HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nrest";
/// let (head, length) = parse_head(bytes)?.expect("it is complete");
/// assert_eq!(head.method(), "POST");
/// assert_eq!(length, bytes.len() - b"rest".len());
/// # Ok::<(), restream_oauth_sandbox::request::BadRequest>(())
/// ```
///
/// # Errors
///
/// Fails if no further byte could make this a request, or if the head or the announced body is too large.
pub fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, BadRequest> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(BadRequest::HeadTooLarge),
        Err(_) => return Err(BadRequest::Syntax),
    };
    let mut headers = Vec::with_capacity(parsed.headers.len());
    for header in parsed.headers.iter() {
        let value = std::str::from_utf8(header.value).map_err(|_| BadRequest::Syntax)?;
        headers.push((header.name.to_ascii_lowercase(), value.to_owned()));
    }
    let head = Head {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        minor_version: parsed.version.unwrap_or_default(),
        headers,
    };
    head.check_host()?;
    head.body_length()?;
    Ok(Some((head, length)))
}

impl Head {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path of the target: everything before the `?`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The query of the target, without the `?`.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The value of the first header of this name. Pass the name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The names of all headers, in lower case, in their order.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    /// Whether the client wants the connection to stay open (RFC 9112 section 9.3).
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        let says = |what: &str| {
            self.header("connection")
                .is_some_and(|value| value.split(',').any(|it| it.trim().eq_ignore_ascii_case(what)))
        };
        if self.minor_version == 0 { says("keep-alive") } else { !says("close") }
    }

    fn expects_continue(&self) -> bool {
        self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }

    fn check_host(&self) -> Result<(), BadRequest> {
        match (self.header_names().filter(|name| *name == "host").count(), self.minor_version) {
            (1, _) | (0, 0) => Ok(()),
            _ => Err(BadRequest::Host),
        }
    }

    /// How the headers give the length of the body. Fails if they give it twice, because request smuggling does so.
    fn body_length(&self) -> Result<BodyLength, BadRequest> {
        let mut told = None;
        for (name, value) in &self.headers {
            let this = match name.as_str() {
                "content-length" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                    // The value has only digits, so that parsing fails only if the value is empty or too large.
                    let too_large = |_| {
                        if value.is_empty() { BadRequest::Framing } else { BadRequest::BodyTooLarge }
                    };
                    BodyLength::Known(value.parse::<usize>().map_err(too_large)?)
                }
                "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => BodyLength::Chunked,
                "content-length" | "transfer-encoding" => return Err(BadRequest::Framing),
                _ => continue,
            };
            if told.replace(this).is_some() {
                return Err(BadRequest::Framing);
            }
        }
        match told {
            Some(BodyLength::Known(length)) if length > MAX_BODY => Err(BadRequest::BodyTooLarge),
            Some(told) => Ok(told),
            None => Ok(BodyLength::Known(0)),
        }
    }
}

/// Leaves out the query and the values of headers, because they hold codes, tokens and secrets.
impl fmt::Debug for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Head")
            .field("method", &self.method)
            .field("path", &self.path())
            .field("headers", &self.header_names().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyLength {
    Known(usize),
    Chunked,
}

/// A request with its body.
pub(crate) struct Request {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The body's parameters, if it is a form.
    pub(crate) fn form(&self) -> Option<Form> {
        let content_type = self.head.header("content-type")?;
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded").then(|| Form::parse(&self.body))
    }
}

/// Why the next request could not be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// The connection ended between two requests.
    Finished,
    /// The client sent something other than a request.
    Bad(BadRequest),
    /// The connection failed or ended within a request, or the deadline passed.
    Broken,
}

impl From<BadRequest> for Unreadable {
    fn from(bad: BadRequest) -> Self {
        Self::Bad(bad)
    }
}

impl From<io::Error> for Unreadable {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

/// Reads the next request. `buffer` holds the bytes that arrived already, and keeps those after the end of this request.
pub(crate) fn read_request(stream: &mut (impl Read + Write), buffer: &mut Vec<u8>) -> Result<Request, Unreadable> {
    let (head, length) = loop {
        if let Some(found) = parse_head(buffer)? {
            break found;
        }
        if !read_more(stream, buffer)? {
            return Err(if buffer.is_empty() { Unreadable::Finished } else { Unreadable::Broken });
        }
    };
    buffer.drain(..length);
    let told = head.body_length()?;
    if head.expects_continue() && told != BodyLength::Known(0) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        stream.flush()?;
    }
    let body = match told {
        BodyLength::Known(length) => take(stream, buffer, length)?,
        BodyLength::Chunked => read_chunks(stream, buffer)?,
    };
    Ok(Request { head, body })
}

/// Reads a request as the server does, for this project's fuzzing. Returns head and body, or `None` if the connection ends
/// first. `buffer` holds the bytes that arrived already, and keeps those after the end of this request.
///
/// # Errors
///
/// Fails if the bytes are not a request.
#[doc(hidden)]
pub fn read_whole(
    stream: &mut (impl Read + Write),
    buffer: &mut Vec<u8>,
) -> Result<Option<(Head, Vec<u8>)>, BadRequest> {
    match read_request(stream, buffer) {
        Ok(Request { head, body }) => Ok(Some((head, body))),
        Err(Unreadable::Bad(bad)) => Err(bad),
        Err(Unreadable::Finished | Unreadable::Broken) => Ok(None),
    }
}

/// Reads a chunked body (RFC 9112 section 7.1). Ignores chunk extensions and trailers.
fn read_chunks(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<Vec<u8>, Unreadable> {
    let mut body = Vec::new();
    loop {
        let size = read_chunk_size(stream, buffer)?;
        if size == 0 {
            break;
        }
        if size > MAX_BODY - body.len() {
            return Err(BadRequest::BodyTooLarge.into());
        }
        body.append(&mut take(stream, buffer, size)?);
        if take(stream, buffer, 2)? != b"\r\n" {
            return Err(BadRequest::Syntax.into());
        }
    }
    while read_line(stream, buffer)? > 0 {}
    Ok(body)
}

fn read_chunk_size(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<usize, Unreadable> {
    loop {
        match httparse::parse_chunk_size(buffer) {
            // httparse reads a line without digits as zero, which would end the body.
            Ok(httparse::Status::Complete(_)) if !buffer.first().is_some_and(u8::is_ascii_hexdigit) => {
                return Err(BadRequest::Syntax.into());
            }
            Ok(httparse::Status::Complete((at, size))) => {
                buffer.drain(..at);
                return usize::try_from(size).map_err(|_| BadRequest::BodyTooLarge.into());
            }
            Ok(httparse::Status::Partial) if buffer.len() < MAX_HEAD => need_more(stream, buffer)?,
            _ => return Err(BadRequest::Syntax.into()),
        }
    }
}

/// Takes one line off the buffer and returns its length without CRLF.
fn read_line(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<usize, Unreadable> {
    loop {
        if let Some(at) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            buffer.drain(..at + 2);
            return Ok(at);
        }
        if buffer.len() > MAX_HEAD {
            return Err(BadRequest::HeadTooLarge.into());
        }
        need_more(stream, buffer)?;
    }
}

fn take(stream: &mut impl Read, buffer: &mut Vec<u8>, length: usize) -> Result<Vec<u8>, Unreadable> {
    while buffer.len() < length {
        need_more(stream, buffer)?;
    }
    Ok(buffer.drain(..length).collect())
}

fn need_more(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<(), Unreadable> {
    if read_more(stream, buffer)? { Ok(()) } else { Err(Unreadable::Broken) }
}

fn read_more(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; 8 * 1024];
    let length = stream.read(&mut chunk)?;
    buffer.extend_from_slice(chunk.get(..length).unwrap_or_default());
    Ok(length > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that sends `step` bytes at a time and ignores what it receives.
    struct Client<'bytes> {
        sends: &'bytes [u8],
        step: usize,
    }

    impl Read for Client<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let step = self.step.min(into.len());
            self.sends.read(&mut into[..step])
        }
    }

    impl Write for Client<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
        3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n";
    const TWO: &[u8] = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde\
        GET /d HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n";

    #[test]
    fn every_split_of_the_bytes_reads_the_same_requests() {
        for step in 1..=TWO.len() {
            let (mut client, mut buffer) = (Client { sends: TWO, step }, Vec::new());
            let first = read_request(&mut client, &mut buffer).unwrap();
            assert_eq!((first.head.path(), first.head.query()), ("/a", "b=c"));
            assert_eq!(first.body, b"abcde");
            assert!(first.head.keeps_alive());
            let second = read_request(&mut client, &mut buffer).unwrap();
            assert_eq!(second.head.path(), "/d");
            assert!(!second.head.keeps_alive());
            assert!(matches!(read_request(&mut client, &mut buffer), Err(Unreadable::Finished)));
        }
    }

    #[test]
    fn the_chunks_of_a_body_are_joined() {
        for step in 1..=CHUNKED.len() {
            let (mut client, mut buffer) = (Client { sends: CHUNKED, step }, Vec::new());
            assert_eq!(read_request(&mut client, &mut buffer).unwrap().body, b"abcde");
            assert!(buffer.is_empty());
        }
    }

    /// RFC 9112 section 7.1.
    #[test]
    fn a_chunk_size_without_a_digit_is_a_syntax_error() {
        for line in ["", ";x", " "] {
            let bytes = format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{line}\r\n\r\n");
            let mut client = Client { sends: bytes.as_bytes(), step: 4096 };
            let read = read_request(&mut client, &mut Vec::new());
            assert!(matches!(read, Err(Unreadable::Bad(BadRequest::Syntax))), "{line:?}");
        }
    }

    #[test]
    fn a_client_that_expects_100_continue_gets_it() {
        struct Waiting<'sent>(&'sent [u8], Vec<u8>);
        impl Read for Waiting<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                self.0.read(into)
            }
        }
        impl Write for Waiting<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1.write(bytes)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let bytes = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na";
        let mut client = Waiting(bytes, Vec::new());
        assert_eq!(read_request(&mut client, &mut Vec::new()).unwrap().body, b"a");
        assert_eq!(client.1, b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    #[test]
    fn a_truncated_request_is_never_taken_for_a_whole_one() {
        for cut in 1..CHUNKED.len() {
            let mut client = Client { sends: &CHUNKED[..cut], step: 4096 };
            let read = read_request(&mut client, &mut Vec::new());
            assert!(matches!(read, Err(Unreadable::Broken)), "after {cut} bytes");
        }
    }

    #[test]
    fn a_body_length_that_is_not_given_exactly_once_is_an_error() {
        for (headers, verdict) in [
            ("Host: x\r\nContent-Length: 1\r\nContent-Length: 1", Err(BadRequest::Framing)),
            ("Host: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", Err(BadRequest::Framing)),
            ("Host: x\r\nTransfer-Encoding: gzip, chunked", Err(BadRequest::Framing)),
            ("Host: x\r\nContent-Length: +1", Err(BadRequest::Framing)),
            ("Host: x\r\nContent-Length: ", Err(BadRequest::Framing)),
            ("Host: x\r\nContent-Length: 1048577", Err(BadRequest::BodyTooLarge)),
            ("Host: x\r\nContent-Length: 99999999999999999999999", Err(BadRequest::BodyTooLarge)),
            ("Host: x\r\nHost: x", Err(BadRequest::Host)),
            ("Accept: */*", Err(BadRequest::Host)),
            ("Host: x\r\nContent-Length: 1048576", Ok(())),
        ] {
            let bytes = format!("POST / HTTP/1.1\r\n{headers}\r\n\r\n");
            assert_eq!(parse_head(bytes.as_bytes()).map(|_| ()), verdict, "{headers}");
        }
    }

    #[test]
    fn a_head_with_too_many_bytes_or_headers_is_an_error() {
        let endless = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(MAX_HEAD));
        assert_eq!(parse_head(endless.as_bytes()).err(), Some(BadRequest::HeadTooLarge));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(parse_head(many.as_bytes()).err(), Some(BadRequest::HeadTooLarge));
    }

    #[test]
    fn bytes_that_are_not_http_are_an_error_at_once() {
        for bytes in [&b"\x16\x03\x01\x02\x00"[..], b"GET  / HTTP/1.1\r\n", b"GET / HTTP/2.0\r\n"] {
            assert_eq!(parse_head(bytes).err(), Some(BadRequest::Syntax), "{bytes:?}");
        }
    }

    #[test]
    fn debug_shows_neither_the_query_nor_the_values_of_headers() {
        let bytes = b"GET /login?state=SECRET HTTP/1.1\r\nHost: x\r\nAuthorization: Basic SECRET\r\n\r\n";
        let (head, _) = parse_head(bytes).unwrap().unwrap();
        let printed = format!("{head:?}");
        assert!(printed.contains("/login") && printed.contains("authorization"));
        assert!(!printed.contains("SECRET"));
    }
}
