//! An HTTP answer in memory, and its bytes without any fault.

use std::fmt::Write as _;

/// Status, headers and body. The conversion to bytes adds the framing.
///
/// There is no `Debug`, because bodies hold tokens.
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// An answer without a body.
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A JSON answer as Restream sends it: no cache may store it (RFC 6749 section 5.1).
    pub(crate) fn json(status: u16, body: String) -> Self {
        Self::new(status)
            .header("Cache-Control", "no-store")
            .header("Pragma", "no-cache")
            .with_body("application/json; charset=utf-8", body.into_bytes())
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body and its content type.
    pub(crate) fn with_body(self, content_type: &str, body: Vec<u8>) -> Self {
        Self { body, ..self.header("Content-Type", content_type) }
    }

    /// Copies the answer and adds a header.
    pub(crate) fn clone_with(&self, name: &str, value: &str) -> Self {
        let (headers, body) = (self.headers.clone(), self.body.clone());
        Self { status: self.status, headers, body }.header(name, value)
    }

    /// Replaces the body and keeps the headers.
    pub(crate) fn replace_body(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The value of a header.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The head, including the empty line. `framing` decides how it announces the body.
    pub(crate) fn head(&self, framing: Framing) -> Vec<u8> {
        let version = if framing == Framing::UntilClose { "1.0" } else { "1.1" };
        let mut head = format!("HTTP/{version} {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            // Writing to a String cannot fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        match framing {
            // RFC 9110 section 8.6: no Content-Length with 1xx and 204.
            Framing::Length(_) if self.status == 204 || self.status < 200 => {}
            Framing::Length(length) => {
                let _ = write!(head, "Content-Length: {length}\r\n");
            }
            Framing::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
            Framing::UntilClose => {}
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Head and body with a correct `Content-Length`.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(Framing::Length(self.body.len()));
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// How the head announces the end of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `Content-Length` with this value, whether or not it is correct.
    Length(usize),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// Not at all: the end of the connection ends the body, as in HTTP/1.0.
    UntilClose,
}

/// One chunk of a chunked body.
pub(crate) fn chunk(data: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unnamed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_carries_its_content_length() {
        let answer = Answer::new(200).with_body("text/plain", b"hello".to_vec());
        assert_eq!(answer.to_bytes(), b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
    }

    #[test]
    fn an_empty_200_has_a_content_length_and_a_204_has_none() {
        assert_eq!(Answer::new(200).to_bytes(), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(Answer::new(204).to_bytes(), b"HTTP/1.1 204 No Content\r\n\r\n");
    }
}
