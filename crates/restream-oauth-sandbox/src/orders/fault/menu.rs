//! [`Fault`] and its parts.

use std::fmt;
use std::time::Duration;

/// Something that goes wrong. Pass it to [`Sandbox::inject`](crate::Sandbox::inject).
///
/// ```
/// use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};
///
/// let sandbox = Sandbox::start()?;
/// // The next two refreshes rotate the tokens, but the client never receives the answer.
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
    /// Strikes once, on any endpoint, before or after acting as is the default of its kind.
    #[must_use]
    pub fn new(what: What) -> Self {
        Self { endpoint: Endpoint::Any, times: Times::Count(1), strikes: what.usually_strikes(), what }
    }

    /// Strikes only on this endpoint.
    #[must_use]
    pub fn on(self, endpoint: Endpoint) -> Self {
        Self { endpoint, ..self }
    }

    /// Strikes this many times.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self { times: Times::Count(count), ..self }
    }

    /// Strikes until the faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        Self { times: Times::Always, ..self }
    }

    /// Strikes before the server does what the request asks for.
    #[must_use]
    pub fn before_acting(self) -> Self {
        Self { strikes: Strikes::BeforeActing, ..self }
    }

    /// Strikes after the server did what the request asks for: only the answer is damaged.
    #[must_use]
    pub fn after_acting(self) -> Self {
        Self { strikes: Strikes::AfterActing, ..self }
    }
}

/// For a person: `status 503, on token, 2 times, before acting`. It has no body and no value of a header.
impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.what.name())?;
        if let What::Status { status, .. } | What::Redirect { status, .. } = &self.what {
            write!(formatter, " {status}")?;
        }
        let endpoint = match self.endpoint {
            Endpoint::Token => "on token",
            Endpoint::Revoke => "on revoke",
            Endpoint::Profile => "on profile",
            Endpoint::Any => "on any endpoint",
        };
        write!(formatter, ", {endpoint}, ")?;
        match self.times {
            Times::Count(1) => formatter.write_str("once")?,
            Times::Count(count) => write!(formatter, "{count} times")?,
            Times::Always => formatter.write_str("always")?,
        }
        formatter.write_str(match self.strikes {
            Strikes::BeforeActing => ", before acting",
            Strikes::AfterActing => ", after acting",
        })
    }
}

/// The requests that a fault can strike.
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
    /// The endpoint at a path, or `None` if faults cannot strike that path.
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
    /// This many times.
    Count(u32),
    /// Until the faults are cleared.
    Always,
}

/// Whether a fault strikes before or after the server does what the request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strikes {
    /// Before: nothing is issued, rotated or revoked.
    BeforeActing,
    /// After: tokens are issued, rotated or revoked, and only the answer is damaged.
    AfterActing,
}

/// A kind of fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A complete, well-formed answer of your own, in place of the real one.
    Status {
        /// The status.
        status: u16,
        /// The headers, except those that frame the body.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Sends the real answer late.
    Delay(Duration),
    /// Sends nothing from this point on, until the client gives up.
    Hang(Point),
    /// Ends the connection at a point.
    Drop {
        /// Where the connection ends.
        point: Point,
        /// How the connection ends.
        ending: Ending,
    },
    /// Truncates the body of the real answer, then ends the connection.
    Truncate {
        /// How many bytes of the body are sent.
        after: usize,
        /// How the head announced the length of the body.
        framing: BodyFraming,
        /// How the connection ends.
        ending: Ending,
    },
    /// Sends an oversize body with a correct `Content-Length`: spaces after the real answer, or only spaces.
    Oversize {
        /// The length of the body. A body that begins with the real answer is at least as long as that answer.
        bytes: u64,
        /// Whether the body begins with the real answer.
        answer_first: bool,
    },
    /// Sends a chunked body of spaces that never ends.
    Endless {
        /// Whether the body begins with the real answer.
        answer_first: bool,
    },
    /// Sends the real answer, head included, a few bytes at a time.
    Drip {
        /// How many bytes at a time, at least one.
        bytes: usize,
        /// The pause after each write.
        every: Duration,
    },
    /// A redirect in place of the real answer. [`Sandbox::canary_url`](crate::Sandbox::canary_url) counts the clients that
    /// follow.
    Redirect {
        /// 301, 302, 303, 307, 308 or any other.
        status: u16,
        /// The target; `None` for the canary.
        location: Option<String>,
    },
    /// Sends the real answer under a wrong `Content-Length`, then closes the connection.
    WrongLength {
        /// The announced length minus the real one.
        by: i64,
    },
    /// Sends the real answer in two chunks. The size of the second is not a number.
    BadChunk,
    /// Sends the real answer as gzip, whether or not the client accepts gzip.
    Gzip,
    /// Sends the real answer as HTTP/1.0: without a length, so that the connection's end is the body's end.
    Http10,
    /// Sends informational (1xx) answers before the real one.
    Informational {
        /// 100, 102 or 103. For 101 there is [`What::SwitchingProtocols`].
        status: u16,
        /// How many; with `None` they never end, and the real answer never follows.
        times: Option<u64>,
        /// The pause after each.
        every: Duration,
    },
    /// Sends 101 for a protocol that the client did not ask for, then closes the connection.
    SwitchingProtocols,
    /// Sends the real answer with a huge additional header.
    HugeHeader {
        /// The length of the header's value, 64 MiB at most.
        bytes: usize,
    },
    /// Sends the real answer with each byte of its body in a chunk and a write of its own.
    TinyChunks,
}

impl What {
    /// An answer with this status, without headers or a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Status { status, headers: Vec::new(), body: Vec::new() }
    }

    /// An answer, usually 429 or 503, with `Retry-After`: seconds, an HTTP date, or any other text.
    #[must_use]
    pub fn retry_after(status: u16, value: &str) -> Self {
        let headers = vec![("Retry-After".to_owned(), value.to_owned())];
        Self::Status { status, headers, body: Vec::new() }
    }

    /// An answer with status 200 and these bytes.
    #[must_use]
    pub fn body(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self::Status { status: 200, headers, body: body.into() }
    }

    /// An HTML page, as captive portals (200) and gateways (502, 520 and up) send it.
    #[must_use]
    pub fn html(status: u16) -> Self {
        let headers = vec![("Content-Type".to_owned(), "text/html; charset=utf-8".to_owned())];
        Self::Status { status, headers, body: HTML.as_bytes().to_vec() }
    }

    /// Truncated JSON under a correct `Content-Length`.
    #[must_use]
    pub fn bad_json() -> Self {
        Self::body("application/json; charset=utf-8", r#"{"access_tok"#)
    }

    /// Closes the connection in place of an answer.
    #[must_use]
    pub fn lost_answer() -> Self {
        Self::Drop { point: Point::BeforeHead, ending: Ending::Close }
    }

    /// Resets the connection in place of an answer.
    #[must_use]
    pub fn reset() -> Self {
        Self::Drop { point: Point::BeforeHead, ending: Ending::Reset }
    }

    /// A redirect to the canary.
    #[must_use]
    pub fn redirect(status: u16) -> Self {
        Self::Redirect { status, location: None }
    }

    /// The point at which this strikes a connection, or `None` if it strikes a request.
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

/// A point in the life of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Point {
    /// Right after the server accepted the connection; it reads nothing.
    Accept,
    /// After the client's first bytes, with TLS its `ClientHello`, which stays unanswered.
    Handshake,
    /// Before the head of the answer.
    BeforeHead,
    /// In the status line, after `HTTP/1.1 2`.
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
    /// TCP closes in order (FIN). With TLS there is no `close_notify`, so that the client sees a truncation.
    Close,
    /// TCP resets the connection (RST).
    Reset,
}

/// How the head announces the length of a body that will be truncated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyFraming {
    /// By the `Content-Length` of the whole body.
    Length,
    /// Not at all, as in HTTP/1.0: the truncation looks like the end of the body.
    UntilClose,
    /// By chunks; the last one is missing.
    Chunked,
}

const HTML: &str = "<!doctype html>\n<html><head><title>Welcome to our network</title></head>\n\
    <body><h1>Please accept the terms of use</h1></body></html>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_a_replaced_answer_is_before_acting_and_an_altered_one_after() {
        assert_eq!(Fault::new(What::html(200)).strikes, Strikes::BeforeActing);
        assert_eq!(Fault::new(What::redirect(307)).strikes, Strikes::BeforeActing);
        assert_eq!(Fault::new(What::Gzip).strikes, Strikes::AfterActing);
        assert_eq!(Fault::new(What::lost_answer()).strikes, Strikes::AfterActing);
    }
}
