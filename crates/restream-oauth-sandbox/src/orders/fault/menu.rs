//! What can be ordered: [`Fault`] and its parts.

use std::time::Duration;

/// Something that goes wrong, once it is given to [`Sandbox::inject`](crate::Sandbox::inject).
///
/// ```
/// use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};
///
/// let sandbox = Sandbox::start()?;
/// // The next two refreshes rotate, and nobody hears of it.
/// sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).times(2).after_acting());
/// # Ok::<(), restream_oauth_sandbox::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(crate) endpoint: Endpoint,
    pub(crate) times: Times,
    pub(crate) strikes: Strikes,
    pub(crate) what: What,
}

impl Fault {
    /// Once, on any endpoint, before or after acting as its kind usually does.
    #[must_use]
    pub fn new(what: What) -> Self {
        Self { endpoint: Endpoint::Any, times: Times::Count(1), strikes: what.usually_strikes(), what }
    }

    /// Only on this endpoint.
    #[must_use]
    pub fn on(self, endpoint: Endpoint) -> Self {
        Self { endpoint, ..self }
    }

    /// This often.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self { times: Times::Count(count), ..self }
    }

    /// Until the faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        Self { times: Times::Always, ..self }
    }

    /// The server does nothing of what was asked.
    #[must_use]
    pub fn before_acting(self) -> Self {
        Self { strikes: Strikes::BeforeActing, ..self }
    }

    /// The server does what was asked; only its answer suffers.
    #[must_use]
    pub fn after_acting(self) -> Self {
        Self { strikes: Strikes::AfterActing, ..self }
    }
}

/// Which requests a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST /oauth/token`.
    Token,
    /// `POST /oauth/revoke`.
    Revoke,
    /// `GET /v2/user/profile`.
    Profile,
    /// All three.
    Any,
}

impl Endpoint {
    /// The endpoint at a path, unless it is one that has no faults.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            "/oauth/token" => Some(Self::Token),
            "/oauth/revoke" => Some(Self::Revoke),
            "/v2/user/profile" => Some(Self::Profile),
            _ => None,
        }
    }
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Times {
    /// This often.
    Count(u32),
    /// Until the faults are cleared.
    Always,
}

/// Whether the server did what was asked when the fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strikes {
    /// Nothing was issued, rotated or revoked.
    BeforeActing,
    /// All of it was.
    AfterActing,
}

/// A kind of fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A whole, well-formed answer of your own making.
    Status {
        /// The status.
        status: u16,
        /// Headers, framing excluded.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// The real answer, late.
    Delay(Duration),
    /// Silence from a point on, until the client gives up.
    Hang(Point),
    /// The end of the connection at a point.
    Drop {
        /// Where.
        point: Point,
        /// How.
        ending: Ending,
    },
    /// The real answer's body up to a byte, then the end of the connection.
    Truncate {
        /// How many bytes of the body are sent.
        after: usize,
        /// What the head promised about its length.
        framing: BodyFraming,
        /// How the connection ends.
        ending: Ending,
    },
    /// A body of at least this many bytes, honestly announced: white space around, or instead of, the answer.
    Oversize {
        /// How many bytes in all.
        bytes: u64,
        /// Whether the real answer is at the front.
        answer_first: bool,
    },
    /// A chunked body of white space that never ends.
    Endless {
        /// Whether the real answer is at the front.
        answer_first: bool,
    },
    /// The real answer, head included, a few bytes at a time.
    Drip {
        /// How many bytes at a time, at least one.
        bytes: usize,
        /// How long between them.
        every: Duration,
    },
    /// A redirect. Who follows it to [`Sandbox::canary_url`](crate::Sandbox::canary_url) is counted there.
    Redirect {
        /// 301, 302, 303, 307, 308 or any other.
        status: u16,
        /// Where to; `None` is the canary.
        location: Option<String>,
    },
    /// The real answer under a `Content-Length` that is off by this much, then the end of the connection.
    WrongLength {
        /// Negative: less was announced than is sent.
        by: i64,
    },
    /// The real answer in two chunks, the second with a size that is no number.
    BadChunk,
    /// The real answer as gzip, whether or not the client accepts that.
    Gzip,
    /// The real answer the way of HTTP/1.0: its end is the end of the connection.
    Http10,
    /// Informational answers before the real one.
    Informational {
        /// 100, 102 or 103; 101 is no informational answer but [`What::SwitchingProtocols`].
        status: u16,
        /// How many; `None` never comes to the real one.
        times: Option<u64>,
        /// How long between them.
        every: Duration,
    },
    /// 101 to a protocol that nobody asked for.
    SwitchingProtocols,
    /// The real answer with one more header, of this many bytes.
    HugeHeader {
        /// The length of the header's value, 64 MiB at most.
        bytes: usize,
    },
    /// The real answer, every byte of the body in a chunk and a write of its own.
    TinyChunks,
}

impl What {
    /// An answer with a status and nothing else.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Status { status, headers: Vec::new(), body: Vec::new() }
    }

    /// 429 or 503 with `Retry-After`: seconds, an HTTP date, or anything else worth testing.
    #[must_use]
    pub fn retry_after(status: u16, value: &str) -> Self {
        let headers = vec![("Retry-After".to_owned(), value.to_owned())];
        Self::Status { status, headers, body: Vec::new() }
    }

    /// Any bytes under 200.
    #[must_use]
    pub fn body(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self::Status { status: 200, headers, body: body.into() }
    }

    /// A page for people, as captive portals (200) and gateways (502, 520 and up) send it.
    #[must_use]
    pub fn html(status: u16) -> Self {
        let headers = vec![("Content-Type".to_owned(), "text/html; charset=utf-8".to_owned())];
        Self::Status { status, headers, body: HTML.as_bytes().to_vec() }
    }

    /// JSON that breaks off in the middle of a name, in a body of the right length.
    #[must_use]
    pub fn bad_json() -> Self {
        Self::body("application/json; charset=utf-8", r#"{"access_tok"#)
    }

    /// The connection is closed where the answer should have begun.
    #[must_use]
    pub fn lost_answer() -> Self {
        Self::Drop { point: Point::BeforeHead, ending: Ending::Close }
    }

    /// The connection is reset where the answer should have begun.
    #[must_use]
    pub fn reset() -> Self {
        Self::Drop { point: Point::BeforeHead, ending: Ending::Reset }
    }

    /// A redirect to the canary.
    #[must_use]
    pub fn redirect(status: u16) -> Self {
        Self::Redirect { status, location: None }
    }

    /// Whether this concerns a connection rather than a request.
    pub(crate) fn connection_point(&self) -> Option<Point> {
        match self {
            Self::Hang(point) | Self::Drop { point, .. } => {
                Some(*point).filter(|point| matches!(point, Point::Accept | Point::Handshake))
            }
            _ => None,
        }
    }

    /// The name in JSON and in the ledger.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Delay(_) => "delay",
            Self::Hang(_) => "hang",
            Self::Drop { .. } => "drop",
            Self::Truncate { .. } => "truncate",
            Self::Oversize { .. } => "oversize",
            Self::Endless { .. } => "endless",
            Self::Drip { .. } => "drip",
            Self::Redirect { .. } => "redirect",
            Self::WrongLength { .. } => "wrong_length",
            Self::BadChunk => "bad_chunk",
            Self::Gzip => "gzip",
            Self::Http10 => "http10",
            Self::Informational { .. } => "informational",
            Self::SwitchingProtocols => "switching_protocols",
            Self::HugeHeader { .. } => "huge_header",
            Self::TinyChunks => "tiny_chunks",
        }
    }

    fn usually_strikes(&self) -> Strikes {
        match self {
            Self::Status { .. } | Self::Redirect { .. } => Strikes::BeforeActing,
            _ if self.connection_point().is_some() => Strikes::BeforeActing,
            _ => Strikes::AfterActing,
        }
    }
}

/// A place in the life of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Point {
    /// Right after accepting; nothing is read.
    Accept,
    /// After the client's first bytes (with TLS its hello), unanswered.
    Handshake,
    /// Where the head of the answer should begin.
    BeforeHead,
    /// Within the status line: after `HTTP/1.1 2`.
    InHead,
    /// After the head, before the body.
    AfterHead,
    /// After this many bytes of the body.
    InBody(usize),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// Orderly for TCP (FIN); with TLS without a `close_notify`, which is a truncation.
    Close,
    /// RST.
    Reset,
}

/// What a head promises about the body that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyFraming {
    /// The whole body's `Content-Length`.
    Length,
    /// Nothing: HTTP/1.0, so that the cut looks like the end.
    UntilClose,
    /// Chunks, without the last one.
    Chunked,
}

const HTML: &str = "<!doctype html>\n<html><head><title>Welcome to our network</title></head>\n\
    <body><h1>Please accept the terms of use</h1></body></html>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_replaces_the_answer_strikes_before_acting_and_what_deforms_it_after() {
        assert_eq!(Fault::new(What::html(200)).strikes, Strikes::BeforeActing);
        assert_eq!(Fault::new(What::redirect(307)).strikes, Strikes::BeforeActing);
        assert_eq!(Fault::new(What::Gzip).strikes, Strikes::AfterActing);
        assert_eq!(Fault::new(What::lost_answer()).strikes, Strikes::AfterActing);
    }
}
