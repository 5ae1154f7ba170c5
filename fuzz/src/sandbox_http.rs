//! A request to the sandbox: its head, and all of it.
//!
//! - Further bytes change no verdict: a complete head stays complete, and a refused one stays refused.
//! - An accepted request names its host once, and the length of its body in at most one way. The judge reads line by
//!   line.
//! - The body is as long as announced, or equals what an independent reader makes of its chunks. The bytes after it are
//!   left unread. No proper prefix is a request, and how the bytes are split changes nothing.
//! - Neither the query nor a header's value is printed.

use std::io::{self, Read, Write};

use restream_oauth_core::error::Operation;
use restream_oauth_sandbox::request::{BadRequest, Head, MAX_BODY, MAX_HEAD, parse_head, read_whole};

use crate::allocation::bounded;
use crate::canary::{Silence, echo};
use crate::expand::expand;

/// The oracle. `data` is everything that a client sends.
pub fn sandbox_http(data: &[u8]) {
    let bytes = echo(&expand(data), Operation::Refresh);
    check_whole(&bytes);
    let verdict = bounded(bytes.len(), || parse_head(&bytes));
    match &verdict {
        Ok(Some((head, length))) => {
            assert!(*length <= bytes.len() && *length <= MAX_HEAD);
            check_head(head, &bytes[..*length]);
            check_printed(head, data);
            for longer in [&bytes[..*length], &[&bytes, b"x".as_slice()].concat()] {
                assert_eq!(parse_head(longer).as_ref(), Ok(&Some((head.clone(), *length))));
            }
            for shorter in prefixes(*length) {
                assert_eq!(parse_head(&bytes[..shorter]), Ok(None), "the first {shorter} bytes");
            }
        }
        Ok(None) => {
            assert!(bytes.len() < MAX_HEAD);
            for shorter in prefixes(bytes.len()) {
                assert_eq!(parse_head(&bytes[..shorter]), Ok(None), "the first {shorter} bytes");
            }
        }
        Err(_) => {
            for tail in [&b"x"[..], b"\n", b"\r\n\r\n", b": x\r\n\r\n"] {
                assert!(parse_head(&[&bytes, tail].concat()).is_err(), "{tail:?} made it a request");
            }
            // Once a prefix is refused, every longer prefix is refused.
            let mut refused = false;
            for shorter in prefixes(bytes.len()) {
                match parse_head(&bytes[..shorter]) {
                    Ok(verdict) => assert!(verdict.is_none() && !refused, "{verdict:?} before a refusal"),
                    Err(_) => refused = true,
                }
            }
        }
    }
}

/// A dozen shorter lengths, from short to long.
fn prefixes(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(length.div_ceil(12).max(1))
}

/// Splits the head into lines in the simplest way, and compares.
fn check_head(head: &Head, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("what is accepted is text");
    let mut lines = text.trim_start_matches(['\r', '\n']).split('\n').map(|line| line.trim_end_matches('\r'));
    let request_line: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = request_line[..] else { panic!("{request_line:?} is no request line") };
    assert_eq!(head.method(), method);
    assert!(["HTTP/1.0", "HTTP/1.1"].contains(&version));
    let asked = if head.query().is_empty() { target.trim_end_matches('?') } else { target };
    assert_eq!([head.path(), head.query()].join(if head.query().is_empty() { "" } else { "?" }), asked);

    let headers: Vec<(String, &str)> = lines
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once(':').expect("each header has a colon"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim_matches([' ', '\t'])))
        .collect();
    assert!(head.header_names().eq(headers.iter().map(|(name, _)| name.as_str())));
    let count = |name: &str| headers.iter().filter(|(one, _)| one == name).count();
    assert!(count("host") == 1 || (count("host") == 0 && version == "HTTP/1.0"));
    assert!(count("content-length") + count("transfer-encoding") <= 1, "the body's length is told twice");
    for (name, value) in &headers {
        let first = headers.iter().find(|(one, _)| one == name).map(|(_, value)| *value);
        assert_eq!(head.header(name), first);
        match name.as_str() {
            "content-length" => assert!(value.parse::<usize>().is_ok() && !value.starts_with('+')),
            "transfer-encoding" => assert!(value.eq_ignore_ascii_case("chunked")),
            _ => {}
        }
    }
    let _ = head.keeps_alive();
}

/// Reads a connection that delivers these bytes and then ends.
fn check_whole(bytes: &[u8]) {
    let received = bounded(bytes.len(), || Received::of(bytes, bytes.len()));
    let head = parse_head(bytes).ok().flatten();
    let expected = head.as_ref().and_then(|(head, length)| {
        let (body, body_length) = body_of(head, &bytes[*length..])?;
        Some((head.clone(), body, length + body_length))
    });
    if let Ok(Some(request)) = &received.verdict {
        assert_eq!(Some(request), expected.as_ref());
        let (_, _, used) = request;
        for longer in [&bytes[..*used], &[bytes, b"x".as_slice()].concat()] {
            assert_eq!(Received::of(longer, longer.len()), received);
        }
    }
    let request = received.verdict.as_ref().map_or(None, Option::as_ref);
    // Whether a line that is longer than the limit for heads is refused depends on how it is split.
    let lines_are_short = bytes.len() < MAX_HEAD;
    for shorter in prefixes(request.map_or(bytes.len(), |(_, _, used)| *used)) {
        match Received::of(&bytes[..shorter], shorter).verdict {
            Ok(prefix) => assert_eq!(prefix, None, "the first {shorter} bytes"),
            Err(bad) => assert!(received.verdict.is_err() || !lines_are_short, "{bad:?} after {shorter} bytes"),
        }
    }
    if lines_are_short {
        assert_eq!(request, expected.as_ref(), "{:?}", received.verdict);
        for step in [bytes.len().div_ceil(12), bytes.len().div_ceil(500)] {
            assert_eq!(Received::of(bytes, step), received, "{step} bytes at a time");
        }
    }
    if let Some((head, _)) = &head {
        let has_body = head.header("content-length").is_some_and(|length| length.parse() != Ok(0))
            || head.header("transfer-encoding").is_some();
        let waits = has_body && head.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        let leave = if waits { "HTTP/1.1 100 Continue\r\n\r\n" } else { "" };
        assert_eq!(String::from_utf8_lossy(&received.told), leave);
    }
}

/// The result of reading a connection.
#[derive(Debug, PartialEq)]
struct Received {
    /// Head, body, and the length of both.
    verdict: Result<Option<(Head, Vec<u8>, usize)>, BadRequest>,
    /// The bytes that the server sent meanwhile.
    told: Vec<u8>,
}

impl Received {
    fn of(bytes: &[u8], step: usize) -> Self {
        let mut connection = Connection { rest: bytes, step, told: Vec::new() };
        let mut buffer = Vec::new();
        let verdict = read_whole(&mut connection, &mut buffer).map(|request| {
            request.map(|(head, body)| {
                let used = bytes.len() - buffer.len() - connection.rest.len();
                assert_eq!([&buffer, connection.rest].concat(), &bytes[used..], "what follows is left as it is");
                (head, body, used)
            })
        });
        Self { verdict, told: connection.told }
    }
}

/// Delivers at most `step` bytes at a time.
struct Connection<'a> {
    rest: &'a [u8],
    step: usize,
    told: Vec<u8>,
}

impl Read for Connection<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = self.step.min(into.len());
        self.rest.read(&mut into[..most])
    }
}

impl Write for Connection<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.told.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The body at the front of `bytes`, and its length on the wire. `None` if it does not follow RFC 9112 §6 and §7.1.
fn body_of(head: &Head, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    if head.header("transfer-encoding").is_none() {
        let length = head.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
        return Some((bytes.get(..length)?.to_owned(), length));
    }
    let (mut body, mut rest) = (Vec::new(), bytes);
    loop {
        let line = take_line(&mut rest)?;
        let digits = line.split(|&byte| byte == b';').next()?;
        let blank = digits.iter().rev().take_while(|byte| b" \t".contains(byte)).count();
        let digits = &digits[..digits.len() - blank];
        let hexadecimal = (1..=16).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
        if !hexadecimal || line.contains(&b'\r') {
            return None;
        }
        let size = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        if size > MAX_BODY - body.len() {
            return None;
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest[size..].strip_prefix(b"\r\n")?;
    }
    // Trailers are skipped.
    while !take_line(&mut rest)?.is_empty() {}
    Some((body, bytes.len() - rest.len()))
}

fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    Some(line)
}

/// Secrets may be in the query and in values of headers; if the method, the path or a name hold some, that is the
/// client's doing.
fn check_printed(head: &Head, data: &[u8]) {
    let names: Vec<&str> = head.header_names().collect();
    let shown = format!("{} {} {}", head.method(), head.path(), names.join(" "));
    let silence = Silence::after(data);
    if silence.find(&shown).is_none() {
        silence.check_debug(head);
    }
}
