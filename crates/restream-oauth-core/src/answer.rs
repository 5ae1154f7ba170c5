//! What arrived, before and while it is interpreted.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::StatusCode;
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};

use crate::bearer::Challenge;
use crate::call::{Failure, FailureKind, Stage};
use crate::client::Registration;
use crate::error::{Error, ErrorCode, ErrorKind, Malformed, Operation, Report, Salvaged, means_dead_grant};
use crate::form;
use crate::json::{self, Shape, Value};
use crate::retry_after::RetryAfter;
use crate::secret::{CleanText, WipedBuffer};
use crate::server_text;

/// How an answer becomes a `T`: chosen by the method of `Client` that made the call.
pub(crate) type Interpret<T> = fn(Received<'_>, SystemTime) -> Result<T, Error>;

/// An answer that arrived, whole or not, and is not yet interpreted.
///
/// It exists for who must have the bytes on disk before anyone reads them: after a refresh they may be the only
/// copy of a grant. The bytes are wiped when it is dropped.
#[must_use = "an answer that is not read may hold the only copy of a rotated pair"]
pub struct Answer<T> {
    collected: Collected,
    interpret: Interpret<T>,
}

impl<T> Answer<T> {
    pub(crate) fn new(collected: Collected, interpret: Interpret<T>) -> Self {
        Self { collected, interpret }
    }

    /// The status, if a head arrived.
    pub fn status(&self) -> Option<StatusCode> {
        self.collected.arrival.status()
    }

    /// The raw bytes that arrived of the body, up to the limit. Those of a token answer are secret: write them
    /// nowhere but where tokens may stand.
    pub fn expose_body(&self) -> &[u8] {
        self.collected.body.as_slice()
    }

    /// True if the answer ended as HTTP says it must, within the limit.
    pub fn is_whole(&self) -> bool {
        !self.collected.arrival.is_cut()
    }

    /// Interprets it. `sent_at` is the time at which the request was sent.
    ///
    /// # Errors
    /// [`Error`] if the answer is not what was asked for.
    pub fn read(self, sent_at: SystemTime) -> Result<T, Error> {
        let Collected { arrival, body, .. } = self.collected;
        (self.interpret)(Received { arrival, body: body.as_slice() }, sent_at)
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Answer").field(&self.collected).finish()
    }
}

/// What was asked, as far as the reading of the answer needs it. Handles to what the request holds, no copies.
pub(crate) struct Question {
    pub(crate) operation: Operation,
    pub(crate) registration: Arc<Registration>,
    /// What of the request changes from call to call: its form, or the bearer header of one that has no body.
    pub(crate) sent: Bytes,
}

impl Question {
    /// The decoded value of a parameter that was sent.
    pub(crate) fn parameter(&self, name: &str) -> Option<CleanText<'_>> {
        self.parameters().find(|(sent, _)| *sent == name).and_then(|(_, value)| form::decode(value))
    }

    fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let form = if self.has_body() { std::str::from_utf8(&self.sent) } else { Ok("") };
        form::pairs(form.unwrap_or_default())
    }

    fn has_body(&self) -> bool {
        self.operation != Operation::Profile
    }

    /// All that must not be repeated: each secret of this very call.
    pub(crate) fn secrets(&self) -> Vec<CleanText<'_>> {
        const PUBLIC: [&str; 4] = ["grant_type", "redirect_uri", "token_type_hint", "client_id"];
        let mut secrets = Vec::with_capacity(MOST_SECRETS);
        let sent = self.parameters().filter(|(name, _)| !PUBLIC.contains(name));
        secrets.extend(sent.filter_map(|(_, value)| form::decode(value)));
        let basic = self.registration.basic.as_ref().map(HeaderValue::as_bytes);
        let header = if self.has_body() { basic } else { Some(&*self.sent) };
        let header = header.and_then(|header| std::str::from_utf8(header).ok()?.split_once(' '));
        secrets.extend(header.map(|(_scheme, credentials)| CleanText::AsItStands(credentials)));
        secrets.extend(self.registration.credentials.secret().map(CleanText::AsItStands));
        secrets
    }
}

/// Code, verifier and client secret in the body, the credentials of the header, and the client secret itself.
const MOST_SECRETS: usize = 5;

/// What of the head matters later.
struct Head {
    status: StatusCode,
    json: bool,
    encoded: bool,
    content_length: Option<u64>,
    /// If it says anything of that kind.
    refusal: Option<Box<RefusalHead>>,
}

/// What the head of a refusal says besides.
struct RefusalHead {
    retry_after: Option<RetryAfter>,
    challenges: Vec<HeaderValue>,
}

impl RefusalHead {
    fn read(headers: &HeaderMap) -> Self {
        let retry_after = RetryAfter::read(headers);
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect();
        Self { retry_after, challenges }
    }
}

/// The question, and what is known of its answer besides the body.
pub(crate) struct Arrival {
    question: Question,
    head: Option<Head>,
    too_large: bool,
    broke_off: Option<(Stage, Failure)>,
}

impl Arrival {
    fn limit(&self) -> usize {
        self.question.registration.body_limit
    }

    fn status(&self) -> Option<StatusCode> {
        self.head.as_ref().map(|head| head.status)
    }

    /// True if not all of the answer arrived.
    fn is_cut(&self) -> bool {
        self.broke_off.is_some() || self.too_large
    }

    /// A clean end that is none: no head, or fewer bytes than Content-Length promised.
    fn note_missing_bytes(&mut self, received: usize) {
        let received = u64::try_from(received).unwrap_or(u64::MAX);
        let stage = match &self.head {
            None => Stage::AwaitingHead,
            Some(head) if head.status.is_redirection() || head.encoded || self.too_large => return,
            Some(head) if head.content_length.is_some_and(|promised| promised > received) => Stage::ReadingBody,
            Some(_) => return,
        };
        self.broke_off = Some((stage, Failure::new(FailureKind::Interrupted)));
    }
}

/// What was collected of an answer, piece by piece.
pub(crate) struct Collected {
    arrival: Arrival,
    body: WipedBuffer,
}

impl Collected {
    #[inline]
    pub(crate) fn new(question: Question) -> Self {
        let limit = question.registration.body_limit;
        let arrival = Arrival { question, head: None, too_large: false, broke_off: None };
        Self { arrival, body: WipedBuffer::of_at_most(limit) }
    }

    pub(crate) fn take_head(&mut self, status: StatusCode, headers: &HeaderMap) -> ControlFlow<()> {
        let informational = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
        if informational || self.arrival.head.is_some() {
            return ControlFlow::Continue(());
        }
        // Once over all of them: to look each up takes longer, as many as an answer has.
        let (mut length, mut content_type, mut coding, mut says_more) = (None, None, None, false);
        for (name, value) in headers {
            if name == CONTENT_LENGTH {
                length = length.or(Some(value));
            } else if name == CONTENT_TYPE {
                content_type = content_type.or(Some(value));
            } else if name == CONTENT_ENCODING {
                coding = coding.or(Some(value));
            } else if name == RETRY_AFTER || name == WWW_AUTHENTICATE {
                says_more = true;
            }
        }
        let content_length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        self.body.expect_length(usize::try_from(content_length.unwrap_or(0)).unwrap_or(usize::MAX));
        self.arrival.head = Some(Head {
            status,
            json: content_type.is_some_and(is_json),
            encoded: coding.is_some_and(|coding| coding != "identity"),
            content_length,
            refusal: says_more.then(|| Box::new(RefusalHead::read(headers))),
        });
        if status.is_redirection() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    #[inline]
    pub(crate) fn take_chunk(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        if !self.arrival.too_large && self.body.push_if_there_is_room(bytes) {
            return ControlFlow::Continue(());
        }
        self.grow_by_chunk(bytes)
    }

    fn grow_by_chunk(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        let fits = self.body.push_up_to_limit(bytes);
        self.arrival.too_large |= !fits;
        if self.arrival.too_large { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    pub(crate) fn has_body(&self) -> bool {
        !self.body.as_slice().is_empty()
    }

    /// The answer ended by itself.
    pub(crate) fn end(&mut self) {
        self.arrival.note_missing_bytes(self.body.as_slice().len());
    }

    pub(crate) fn break_off(&mut self, stage: Stage, failure: Failure) {
        self.arrival.broke_off = Some((stage, failure));
    }

    /// The whole body at once, up to the limit, and without a copy.
    pub(crate) fn with_body(mut self, body: &[u8]) -> Received<'_> {
        let (within, beyond) = body.split_at(body.len().min(self.arrival.limit()));
        self.arrival.too_large = !beyond.is_empty();
        self.arrival.note_missing_bytes(body.len());
        Received { arrival: self.arrival, body: within }
    }
}

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected")
            .field("operation", &self.arrival.question.operation)
            .field("status", &self.arrival.status())
            .field("body", &format_args!("{} bytes, redacted", self.body.as_slice().len()))
            .field("broke_off", &self.arrival.broke_off)
            .finish_non_exhaustive()
    }
}

/// The question and all that arrived of its answer.
pub(crate) struct Received<'a> {
    arrival: Arrival,
    body: &'a [u8],
}

impl<'a> Received<'a> {
    pub(crate) fn question(&self) -> &Question {
        &self.arrival.question
    }

    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.arrival.status()
    }

    /// True unless the answer says that it is JSON.
    pub(crate) fn has_odd_content_type(&self) -> bool {
        !self.arrival.head.as_ref().is_some_and(|head| head.json)
    }

    /// True if the body is compressed, and the HTTP stack left it so.
    pub(crate) fn is_encoded(&self) -> bool {
        self.arrival.head.as_ref().is_some_and(|head| head.encoded)
    }

    /// True if not all of the answer arrived.
    pub(crate) fn is_cut(&self) -> bool {
        self.arrival.is_cut()
    }

    /// The body as text, whatever its encoding.
    pub(crate) fn text(&self) -> Text<'a> {
        Text::of(self.body)
    }

    fn retry_after(&self, sent_at: SystemTime) -> Option<Duration> {
        self.arrival.head.as_ref()?.refusal.as_ref()?.retry_after.map(|after| after.delay(sent_at))
    }

    /// The error of an answer that is no success, or of none.
    pub(crate) fn into_refusal(self, sent_at: SystemTime) -> Error {
        let Some(status) = self.status() else {
            let kind = self.arrival.broke_off.as_ref().map_or(FailureKind::Interrupted, |(_, failure)| failure.kind());
            return self.into_error(ErrorKind::Transport(kind), sent_at);
        };
        if status.is_redirection() {
            return self.into_error(ErrorKind::Redirected(status), sent_at);
        }
        let refusal = self.read_refusal();
        let kind = match refusal.code.or_else(|| self.code_of_challenge()) {
            Some(code) => ErrorKind::Refused(code),
            // A success that carries an error object without a name: the status inside is the one that counts.
            None => ErrorKind::Status(if status.is_success() { refusal.status.unwrap_or(status) } else { status }),
        };
        let mut report = self.report(kind, sent_at);
        if status.is_success() {
            report.judged_by = refusal.status.or(report.status);
        }
        report.server_message = refusal.message;
        report.dead_grant = refusal.dead_grant;
        Error::new(report)
    }

    /// The error code of a Bearer challenge (RFC 6750 §3). Only an API call sends an access token, so only there does
    /// the challenge say anything: a gateway that puts one before the token endpoint knows nothing of the grant.
    fn code_of_challenge(&self) -> Option<ErrorCode> {
        if self.question().operation != Operation::Profile {
            return None;
        }
        let challenges = &self.arrival.head.as_ref()?.refusal.as_ref()?.challenges;
        Challenge::from_values(challenges, &self.question().secrets())?.error().cloned()
    }

    /// The error of a success answer that lacks what was asked for. `reason` is why, if all of it arrived.
    pub(crate) fn into_unusable(
        self,
        reason: Malformed,
        salvaged: Option<Salvaged>,
        shape: Shape,
        sent_at: SystemTime,
    ) -> Error {
        let kind = match &self.arrival.broke_off {
            _ if self.arrival.too_large => ErrorKind::TooLarge { limit: self.arrival.limit() },
            Some((_, failure)) => ErrorKind::Transport(failure.kind()),
            None if self.body.trim_ascii().is_empty() => ErrorKind::Malformed(Malformed::Empty),
            None if self.is_encoded() => ErrorKind::Malformed(Malformed::Compressed),
            None if shape == Shape::Cut => ErrorKind::Transport(FailureKind::Interrupted),
            None if matches!(shape, Shape::Broken | Shape::Followed) && reason != Malformed::UnusableRefreshToken => {
                ErrorKind::Malformed(Malformed::NotJson)
            }
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
        let retry_after = self.retry_after(sent_at);
        let status = self.status();
        let truncated = self.is_cut();
        let Arrival { question, broke_off, .. } = self.arrival;
        let unsent = matches!(broke_off, Some((Stage::BeforeBody, _)));
        Report {
            operation: question.operation,
            kind,
            status,
            judged_by: status,
            retry_after,
            server_message: None,
            salvaged: None,
            dead_grant: false,
            truncated,
            // A request without a body never has it asked for, so the flag proves nothing.
            not_sent: unsent && status.is_none() && question.has_body(),
            failure: broke_off.map(|(_, failure)| failure),
        }
    }

    /// Reads an error body: RFC 6749's flat one, Restream's nested one or the same without its wrapper, a gateway's
    /// message, or none of them.
    pub(crate) fn read_refusal(&self) -> Refusal {
        let text = self.text();
        let mut outer = ErrorMembers::default();
        outer.read(text.as_bytes());
        let mut inner = ErrorMembers::default();
        if let Some(object) = outer.error.filter(|error| error.is_object()) {
            inner.read(object.written());
        }
        let secrets = self.question().secrets();
        let names = [outer.error, inner.name, inner.code, outer.name, outer.code];
        let mut codes = names.into_iter().filter_map(text_of).map(|name| ErrorCode::read(&name, &secrets));
        let first = codes.next();
        // A code that is known decides, wherever it is written.
        let code = match first {
            Some(ErrorCode::Other(_)) => codes.find(ErrorCode::is_known).or(first),
            known_or_none => known_or_none,
        };
        let status = inner.status.or(outer.status);
        let messages = [
            outer.error_description,
            inner.message,
            outer.message,
            inner.detail,
            outer.detail,
            inner.description,
            outer.description,
        ];
        let operation = self.question().operation;
        let is_dead = |value| {
            let text = text_of(value);
            text.is_some_and(|text| means_dead_grant(&server_text::redacted(&text, &secrets), operation))
        };
        let may_be_dead = matches!(code, None | Some(ErrorCode::Other(_) | ErrorCode::InvalidRequest));
        Refusal {
            is_error: code.as_ref().is_some_and(ErrorCode::is_known)
                || status.is_some()
                || [outer.error, inner.name, inner.code].into_iter().any(|value| text_of(value).is_some()),
            dead_grant: may_be_dead && names.into_iter().chain(messages).any(is_dead),
            message: messages.into_iter().find_map(text_of).map(|text| server_text::message(&text, &secrets)),
            code,
            status,
        }
    }
}

/// The members of an error body, or of the object in it, that say something. What holds nothing never replaces what
/// holds something.
#[derive(Default)]
struct ErrorMembers<'a> {
    error: Option<Value<'a>>,
    name: Option<Value<'a>>,
    code: Option<Value<'a>>,
    error_description: Option<Value<'a>>,
    message: Option<Value<'a>>,
    detail: Option<Value<'a>>,
    description: Option<Value<'a>>,
    /// That of an error.
    status: Option<StatusCode>,
}

impl<'a> ErrorMembers<'a> {
    fn read(&mut self, object: &'a [u8]) {
        json::members(object, |key, value| match key {
            _ if !value.holds_something() => {}
            b"error" => self.error = Some(value),
            b"name" => self.name = Some(value),
            b"code" if value.is_string() => self.code = Some(value),
            b"statusCode" | b"status" | b"code" => self.status = error_status(value).or(self.status),
            b"error_description" => self.error_description = Some(value),
            b"message" => self.message = Some(value),
            b"detail" => self.detail = Some(value),
            b"description" => self.description = Some(value),
            _ => {}
        });
    }
}

fn error_status(value: Value<'_>) -> Option<StatusCode> {
    let status = StatusCode::from_u16(u16::try_from(value.integer()?).ok()?).ok()?;
    (!status.is_success()).then_some(status)
}

/// What an error body says.
pub(crate) struct Refusal {
    code: Option<ErrorCode>,
    status: Option<StatusCode>,
    message: Option<Box<str>>,
    /// In words, and no code that decides stands against it.
    dead_grant: bool,
    is_error: bool,
}

impl Refusal {
    /// True if the body of a success says anything of an error. A name or a code at its top may belong to something else,
    /// unless it is one that OAuth knows.
    pub(crate) fn is_error(&self) -> bool {
        self.is_error
    }
}

/// The text of a member that holds some.
fn text_of(value: Option<Value<'_>>) -> Option<CleanText<'_>> {
    value?.string().filter(|text| !text.is_empty())
}

/// `application/json`, `text/json` or `application/…+json`, whatever the parameters.
fn is_json(content_type: &HeaderValue) -> bool {
    let essence = content_type.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    match essence.split_last_chunk::<5>() {
        Some((kind, [b'/', json @ ..])) => !kind.is_empty() && json.eq_ignore_ascii_case(b"json"),
        Some((kind, [b'+', json @ ..])) => kind.contains(&b'/') && json.eq_ignore_ascii_case(b"json"),
        _ => false,
    }
}

/// A body in UTF-8, as far as it is text at all: as it is, or put so from UTF-16 in wiped memory.
pub(crate) struct Text<'a> {
    body: TextBytes<'a>,
    /// A byte order mark was taken off, or some bytes are no text.
    pub(crate) oddly_encoded: bool,
    /// No byte is anything but text.
    pub(crate) wholly_utf8: bool,
}

enum TextBytes<'a> {
    AsTheyStand(&'a [u8]),
    Made(WipedBuffer),
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
        let checked = std::str::from_utf8(bytes);
        // A character that is cut at the very end is not strange.
        let odd = checked.is_err_and(|error| error.error_len().is_some());
        Self {
            body: TextBytes::AsTheyStand(bytes),
            oddly_encoded: odd || without_mark.is_some(),
            wholly_utf8: checked.is_ok(),
        }
    }

    /// A unit that is no character becomes a byte that is none.
    fn of_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Self {
        let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(unit));
        let characters = char::decode_utf16(units).map(Result::ok);
        // Counted first, so that the buffer takes no more than it needs, never grows, and leaves no copy.
        let length = characters.clone().map(|character| character.map_or(1, char::len_utf8)).sum();
        let mut made = WipedBuffer::with_room_for(length);
        for character in characters {
            let mut utf8 = [0; 4];
            let encoded = character.map(|character| character.encode_utf8(&mut utf8).as_bytes());
            made.push_if_there_is_room(encoded.unwrap_or(b"\xFF"));
        }
        Self { body: TextBytes::Made(made), oddly_encoded: true, wholly_utf8: false }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.body {
            TextBytes::AsTheyStand(bytes) => bytes,
            TextBytes::Made(bytes) => bytes.as_slice(),
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
            assert!(is_json(&HeaderValue::from_static(content_type)), "{content_type}");
        }
        for content_type in [
            "",
            "json",
            "text/html",
            "application/jsonp",
            "application/json+xml",
            "application/x+yaml",
            "x+json",
            "/json",
        ] {
            assert!(!is_json(&HeaderValue::from_static(content_type)), "{content_type}");
        }
    }

    #[test]
    fn bodies_become_text_whatever_their_encoding() {
        let cases: [(&[u8], &[u8], bool); 9] = [
            (b"{}", b"{}", false),
            (b"\xEF\xBB\xBF{}", b"{}", true),
            (b"{\xE9}", b"{\xE9}", true),
            (b"{\xC3", b"{\xC3", false),
            (b"\xFF\xFE{\0}\0", b"{}", true),
            (b"\xFE\xFF\0{\0}", b"{}", true),
            (b"\xFF\xFE{\0}", b"{", true),
            (b"\xFF\xFE{\0\0\xD8\xE9\0", b"{\xFF\xC3\xA9", true),
            (b"", b"", false),
        ];
        for (bytes, expected, oddly_encoded) in cases {
            let text = Text::of(bytes);
            assert_eq!((text.as_bytes(), text.oddly_encoded), (expected, oddly_encoded), "{bytes:?}");
        }
    }
}
