//! What arrived, before and while it is interpreted.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE,
};
use http::{Request, StatusCode};
use zeroize::Zeroizing;

use crate::bearer::Challenge;
use crate::call::{Body, Failure, FailureKind, Stage};
use crate::client::Registration;
use crate::error::{Error, ErrorCode, ErrorKind, Malformed, Operation, Report, Salvaged};
use crate::form;
use crate::json::{self, CleanText, Shape};
use crate::retry_after::RetryAfter;
use crate::secret::WipedBuffer;
use crate::server_text;

/// How an answer becomes a `T`: chosen by the method of `Client` that made the call.
pub(crate) type Interpret<T> = fn(Received, SystemTime) -> Result<T, Error>;

/// An answer that arrived, whole or not, and is not yet interpreted.
///
/// It exists for who must have the bytes on disk before anyone reads them: after a refresh they may be the only
/// copy of a grant. The bytes are wiped when it is dropped.
#[must_use = "an answer that is not read may hold the only copy of a rotated pair"]
pub struct Answer<T> {
    received: Received,
    interpret: Interpret<T>,
}

impl<T> Answer<T> {
    pub(crate) fn new(received: Received, interpret: Interpret<T>) -> Self {
        Self { received, interpret }
    }

    /// The status, if a head arrived.
    pub fn status(&self) -> Option<StatusCode> {
        self.received.status()
    }

    /// The raw bytes that arrived of the body, up to the limit. Those of a token answer are secret: write them
    /// nowhere but where tokens may stand.
    pub fn expose_body(&self) -> &[u8] {
        self.received.body.as_slice()
    }

    /// True if the answer ended as HTTP says it must, within the limit.
    pub fn is_whole(&self) -> bool {
        self.received.broke_off.is_none() && !self.received.too_large
    }

    /// Interprets it. `sent_at` is the time at which the request was sent.
    ///
    /// # Errors
    /// [`Error`] if the answer is not what was asked for.
    pub fn read(self, sent_at: SystemTime) -> Result<T, Error> {
        (self.interpret)(self.received, sent_at)
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Answer").field(&self.received).finish()
    }
}

/// What was asked, as far as the reading of the answer needs it. Handles to what the request holds, no copies.
pub(crate) struct Question {
    pub(crate) operation: Operation,
    registration: Arc<Registration>,
    body: Bytes,
    authorization: Option<HeaderValue>,
}

impl Question {
    /// Takes the body of the request by handle.
    pub(crate) fn new(
        operation: Operation,
        registration: &Arc<Registration>,
        request: &Request<Body>,
        body: Bytes,
    ) -> Self {
        let authorization = request.headers().get(AUTHORIZATION).cloned();
        Self { operation, registration: Arc::clone(registration), body, authorization }
    }

    /// The decoded value of a parameter that was sent.
    pub(crate) fn parameter(&self, name: &str) -> Option<Zeroizing<String>> {
        let form = std::str::from_utf8(&self.body).ok()?;
        form::pairs(form).find(|(sent, _)| *sent == name).and_then(|(_, value)| form::decode(value))
    }

    /// All that must not be repeated: each secret of this very call, plain, and percent-encoded in every way.
    pub(crate) fn secrets(&self) -> Vec<Zeroizing<String>> {
        const PUBLIC: [&str; 4] = ["grant_type", "redirect_uri", "token_type_hint", "client_id"];
        let mut plain: Vec<Zeroizing<String>> = Vec::new();
        let form = std::str::from_utf8(&self.body).unwrap_or_default();
        for (_, value) in form::pairs(form).filter(|(name, _)| !PUBLIC.contains(name)) {
            plain.extend(form::decode(value));
        }
        if let Some(header) = self.authorization.as_ref().and_then(|header| header.to_str().ok()) {
            plain.extend(header.split_once(' ').map(|(_, credentials)| Zeroizing::new(credentials.to_owned())));
        }
        plain.extend(self.registration.credentials.secret().map(|secret| Zeroizing::new(secret.to_owned())));
        let mut secrets: Vec<_> = plain.iter().flat_map(|secret| form::spellings(secret)).collect();
        // The longest first: a secret may contain another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }
}

/// What of the head matters later.
struct Head {
    status: StatusCode,
    json: bool,
    encoded: bool,
    content_length: Option<u64>,
    retry_after: Option<RetryAfter>,
    challenges: Vec<HeaderValue>,
}

/// The question and all that arrived of its answer.
pub(crate) struct Received {
    pub(crate) question: Question,
    head: Option<Head>,
    body: WipedBuffer,
    /// The length that the body is said to have, in bytes; 0 if nobody said.
    expected: usize,
    too_large: bool,
    broke_off: Option<(Stage, Failure)>,
}

impl Received {
    pub(crate) fn new(question: Question) -> Self {
        Self { question, head: None, body: WipedBuffer::default(), expected: 0, too_large: false, broke_off: None }
    }

    pub(crate) fn take_head(&mut self, status: StatusCode, headers: &HeaderMap) -> ControlFlow<()> {
        let informational = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
        if informational || self.head.is_some() {
            return ControlFlow::Continue(());
        }
        let text = |name: http::HeaderName| headers.get(name).and_then(|value| HeaderValue::to_str(value).ok());
        let refused = !status.is_success();
        self.head = Some(Head {
            status,
            json: text(CONTENT_TYPE).is_some_and(is_json),
            encoded: headers.contains_key(CONTENT_ENCODING) && text(CONTENT_ENCODING) != Some("identity"),
            content_length: text(CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            retry_after: if refused { RetryAfter::read(headers) } else { None },
            challenges: if refused { headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect() } else { Vec::new() },
        });
        let promised = self.head.as_ref().and_then(|head| head.content_length).unwrap_or(0);
        self.expected = usize::try_from(promised).unwrap_or(usize::MAX);
        if status.is_redirection() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The body comes in one piece of this length.
    pub(crate) fn announce(&mut self, length: usize) {
        self.expected = length;
    }

    pub(crate) fn take_chunk(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        if self.body.push_within(bytes, self.limit(), self.expected) && !self.too_large {
            return ControlFlow::Continue(());
        }
        self.too_large = true;
        ControlFlow::Break(())
    }

    /// A clean end that is none: no head, or fewer bytes than Content-Length promised.
    pub(crate) fn note_missing_bytes(&mut self) {
        let received = u64::try_from(self.body.as_slice().len()).unwrap_or(u64::MAX);
        let stage = match &self.head {
            None => Stage::AwaitingHead,
            Some(head) if head.status.is_redirection() || head.encoded || self.too_large => return,
            Some(head) if head.content_length.is_some_and(|promised| promised > received) => Stage::ReadingBody,
            Some(_) => return,
        };
        self.break_off(stage, Failure::new(FailureKind::Interrupted));
    }

    pub(crate) fn break_off(&mut self, stage: Stage, failure: Failure) {
        self.broke_off = Some((stage, failure));
    }

    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.head.as_ref().map(|head| head.status)
    }

    /// True unless the answer says that it is JSON.
    pub(crate) fn has_odd_content_type(&self) -> bool {
        !self.head.as_ref().is_some_and(|head| head.json)
    }

    /// True if not all of the answer arrived.
    pub(crate) fn is_cut(&self) -> bool {
        self.broke_off.is_some() || self.too_large
    }

    /// The body as text, whatever its encoding.
    pub(crate) fn text(&self) -> Text<'_> {
        Text::of(self.body.as_slice())
    }

    fn limit(&self) -> usize {
        self.question.registration.body_limit
    }

    fn retry_after(&self, sent_at: SystemTime) -> Option<Duration> {
        self.head.as_ref()?.retry_after.map(|after| after.delay(sent_at))
    }

    /// The error of an answer that is no success, or of none.
    pub(crate) fn into_refusal(self, sent_at: SystemTime) -> Error {
        let Some(status) = self.status() else {
            let kind = self.broke_off.as_ref().map_or(FailureKind::Interrupted, |(_, failure)| failure.kind());
            return self.into_error(ErrorKind::Transport(kind), sent_at);
        };
        if status.is_redirection() {
            return self.into_error(ErrorKind::Redirected(status), sent_at);
        }
        let refusal = self.read_refusal();
        let code = refusal.code.or_else(|| {
            let challenges = &self.head.as_ref()?.challenges;
            Challenge::from_values(challenges, &self.question.secrets())?.error().cloned()
        });
        let kind = match code {
            Some(code) => ErrorKind::Refused(code),
            // A success that carries an error object without a name: the status inside is the one that counts.
            None => ErrorKind::Status(if status.is_success() { refusal.status.unwrap_or(status) } else { status }),
        };
        let mut report = self.report(kind, sent_at);
        if status.is_success() {
            report.judged_by = refusal.status.or(report.status);
        }
        report.server_message = refusal.message;
        Error::new(report)
    }

    /// The error of a success answer that lacks what was asked for. `reason` is why, if all of it arrived.
    pub(crate) fn into_unusable(
        self,
        reason: Malformed,
        salvaged: Option<Salvaged>,
        shape: Shape,
        sent_at: SystemTime,
    ) -> Error {
        let kind = match &self.broke_off {
            _ if self.too_large => ErrorKind::TooLarge { limit: self.limit() },
            Some((_, failure)) => ErrorKind::Transport(failure.kind()),
            None if self.body.as_slice().iter().all(u8::is_ascii_whitespace) => ErrorKind::Malformed(Malformed::Empty),
            None if self.head.as_ref().is_some_and(|head| head.encoded) => ErrorKind::Malformed(Malformed::Compressed),
            None if shape == Shape::Cut => ErrorKind::Transport(FailureKind::Interrupted),
            None if matches!(shape, Shape::Broken | Shape::Followed) => ErrorKind::Malformed(Malformed::NotJson),
            None => ErrorKind::Malformed(reason),
        };
        let mut report = self.report(kind, sent_at);
        report.salvaged = salvaged;
        Error::new(report)
    }

    fn into_error(self, kind: ErrorKind, sent_at: SystemTime) -> Error {
        Error::new(self.report(kind, sent_at))
    }

    fn report(self, kind: ErrorKind, sent_at: SystemTime) -> Report {
        let unsent = matches!(self.broke_off, Some((Stage::BeforeBody, _)));
        Report {
            operation: self.question.operation,
            kind,
            status: self.status(),
            judged_by: self.status(),
            retry_after: self.retry_after(sent_at),
            server_message: None,
            salvaged: None,
            // A request without a body never has it asked for, so the flag proves nothing.
            not_sent: unsent && self.head.is_none() && !self.question.body.is_empty(),
            failure: self.broke_off.map(|(_, failure)| failure),
        }
    }

    /// Reads an error body: RFC 6749's flat one, Restream's nested one, a gateway's message, or none of them.
    pub(crate) fn read_refusal(&self) -> Refusal {
        let text = self.text();
        let mut error = None;
        let mut message = None;
        json::members(text.as_str(), |key, raw| match key {
            b"error" => error = Some(raw),
            b"error_description" => message = Some(raw),
            b"message" if message.is_none() => message = Some(raw),
            _ => {}
        });
        let mut name = error;
        let mut status = None;
        if let Some(object) = error.filter(|raw| raw.starts_with('{')) {
            name = None;
            json::members(object, |key, raw| match key {
                b"name" => name = Some(raw),
                b"message" => message = Some(raw),
                b"code" if raw.starts_with('"') => name = name.or(Some(raw)),
                b"statusCode" | b"status" | b"code" => status = raw.parse().ok().or(status),
                _ => {}
            });
        }
        let secrets = self.question.secrets();
        Refusal {
            code: text_of(name).map(|name| ErrorCode::read(&name, &secrets)),
            status: status.and_then(|status| StatusCode::from_u16(status).ok()).filter(|status| !status.is_success()),
            message: text_of(message).map(|text| server_text::message(&text, &secrets)),
        }
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("operation", &self.question.operation)
            .field("status", &self.status())
            .field("body", &format_args!("{} bytes, redacted", self.body.as_slice().len()))
            .field("broke_off", &self.broke_off)
            .finish_non_exhaustive()
    }
}

/// What an error body says.
pub(crate) struct Refusal {
    code: Option<ErrorCode>,
    status: Option<StatusCode>,
    message: Option<Box<str>>,
}

impl Refusal {
    /// True if the body said anything of an error.
    pub(crate) fn is_error(&self) -> bool {
        self.code.is_some() || self.status.is_some()
    }
}

/// The text of a member that holds some.
fn text_of(raw: Option<&str>) -> Option<CleanText<'_>> {
    raw.and_then(json::string).filter(|text| !text.is_empty())
}

/// `application/json`, `text/json` or `application/…+json`, whatever the parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
    let suffix = subtype.rsplit('+').next().unwrap_or_default();
    suffix.eq_ignore_ascii_case("json")
}

/// A body as text: as it is when it is UTF-8, otherwise decoded into wiped memory.
pub(crate) struct Text<'a> {
    buffer: TextBuffer<'a>,
    /// A byte order mark was taken off, or the bytes are not UTF-8.
    pub(crate) oddly_encoded: bool,
    /// What stands in the place of bytes that are no text. It occurs nowhere else.
    pub(crate) placeholder: Option<char>,
}

enum TextBuffer<'a> {
    Borrowed(&'a str),
    Decoded(Zeroizing<String>),
}

impl<'a> Text<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        if let Some(units) = bytes.strip_prefix(b"\xFF\xFE") {
            return Self::of_utf16(units, u16::from_le_bytes);
        }
        if let Some(units) = bytes.strip_prefix(b"\xFE\xFF") {
            return Self::of_utf16(units, u16::from_be_bytes);
        }
        let without_mark = bytes.strip_prefix(b"\xEF\xBB\xBF");
        let bytes = without_mark.unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).or_else(|error| match error.error_len() {
            // A character that is cut at the very end: all before it is text.
            None => std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()),
            Some(_) => Err(error),
        });
        if let Ok(text) = text {
            return Self {
                buffer: TextBuffer::Borrowed(text),
                oddly_encoded: without_mark.is_some(),
                placeholder: None,
            };
        }
        Self::decoded(bytes.utf8_chunks().flat_map(|chunk| {
            let no_text = (!chunk.invalid().is_empty()).then_some(None);
            chunk.valid().chars().map(Some).chain(no_text)
        }))
    }

    fn of_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Self {
        let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(unit));
        Self::decoded(char::decode_utf16(units).map(Result::ok))
    }

    /// Counted first, so that the buffer takes no more than it needs, never grows, and leaves no copy.
    fn decoded(characters: impl Iterator<Item = Option<char>> + Clone) -> Self {
        let mut placeholders = [char::REPLACEMENT_CHARACTER, '\u{FFFE}', '\u{FFFF}', char::MAX].into_iter();
        let unused = placeholders.find(|placeholder| !characters.clone().any(|one| one == Some(*placeholder)));
        let placeholder = unused.unwrap_or(char::REPLACEMENT_CHARACTER);
        let characters = characters.map(|one| one.unwrap_or(placeholder));
        let mut decoded = Zeroizing::new(String::with_capacity(characters.clone().map(char::len_utf8).sum()));
        decoded.extend(characters);
        Self { buffer: TextBuffer::Decoded(decoded), oddly_encoded: true, placeholder: Some(placeholder) }
    }

    pub(crate) fn as_str(&self) -> &str {
        match &self.buffer {
            TextBuffer::Borrowed(text) => text,
            TextBuffer::Decoded(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_content_types_are_recognised() {
        for content_type in
            ["application/json", "text/json", "Application/JSON; charset=utf-8", "application/problem+json"]
        {
            assert!(is_json(content_type), "{content_type}");
        }
        for content_type in ["", "json", "text/html", "application/jsonp", "application/json+xml"] {
            assert!(!is_json(content_type), "{content_type}");
        }
    }

    #[test]
    fn bodies_become_text_whatever_their_encoding() {
        let cases: [(&[u8], &str, bool); 7] = [
            (b"{}", "{}", false),
            (b"\xEF\xBB\xBF{}", "{}", true),
            (b"{\xE9}", "{\u{FFFD}}", true),
            (b"\xFF\xFE{\0}\0", "{}", true),
            (b"\xFE\xFF\0{\0}", "{}", true),
            (b"\xFF\xFE{\0}", "{", true),
            (b"", "", false),
        ];
        for (bytes, expected, oddly_encoded) in cases {
            let text = Text::of(bytes);
            assert_eq!((text.as_str(), text.oddly_encoded), (expected, oddly_encoded), "{bytes:?}");
        }
    }
}
