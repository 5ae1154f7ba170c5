//! The head of a request to the sandbox.
//!
//! - The verdict on a prefix is the verdict on the whole: what is complete stays as it is, what is refused stays refused.
//! - What is accepted tells its host once and the length of its body in at most one way, judged line by line.
//! - Neither the query nor a header's value is printed.

use restream_oauth_core::Operation;
use restream_oauth_sandbox::request::{Head, MAX_HEAD, parse_head};

use crate::allocation::bounded;
use crate::canary::{Silence, echo};
use crate::expand::expand;

/// The oracle: `data` is what a client sends.
pub fn sandbox_http(data: &[u8]) {
    let bytes = echo(&expand(data), Operation::Refresh);
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
            // Once a prefix is complete or refused, it is so with whatever follows.
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

/// The lines of the head, as anyone would split them.
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
