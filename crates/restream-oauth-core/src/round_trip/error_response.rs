//! Makes an [`Error`] of a response that does not hold the result of the call.

use http::StatusCode;

use super::arrival::Arrival;
use super::received::Received;
use crate::encoding::json::{self, Shape, Value};
use crate::encoding::redaction;
use crate::error::{
    Challenge, Error, ErrorCode, ErrorKind, FailureKind, Malformed, Operation, Report, Salvaged, Stage,
    means_dead_grant,
};
use crate::secret::CleanText;

impl Received<'_> {
    /// The error if the response is not a success (or is a success that carries an error), or if no head arrived.
    pub(crate) fn into_refusal(self) -> Error {
        let Some(status) = self.status() else {
            let kind = self.arrival.broke_off.as_ref().map_or(FailureKind::Interrupted, |(_, failure)| failure.kind());
            return self.into_error(ErrorKind::Transport(kind));
        };
        if status.is_redirection() {
            return self.into_error(ErrorKind::Redirected(status));
        }
        let refusal = self.read_refusal();
        let kind = match refusal.code.or_else(|| self.code_of_challenge()) {
            Some(code) => ErrorKind::Refused(code),
            // A success may carry an error object without an error code. Then the status in the object counts.
            None => ErrorKind::Status(if status.is_success() { refusal.status.unwrap_or(status) } else { status }),
        };
        let mut report = self.report(kind);
        if status.is_success() {
            report.judged_by = refusal.status.or(report.status);
        }
        report.server_message = refusal.message;
        report.dead_grant = refusal.dead_grant;
        Error::new(report)
    }

    /// The error code of a Bearer challenge (RFC 6750 §3), for the profile call only. No other call sends an access
    /// token, so at the token endpoint a challenge can only come from a gateway, which knows nothing about the grant.
    fn code_of_challenge(&self) -> Option<ErrorCode> {
        if self.question().operation != Operation::Profile {
            return None;
        }
        let challenges = &self.arrival.head.as_ref()?.refusal.as_ref()?.challenges;
        Challenge::from_values(challenges, &self.question().secrets())?.error().cloned()
    }

    /// The error of a success response that lacks the result. `reason` applies if the whole response arrived.
    pub(crate) fn into_unusable(self, reason: Malformed, salvaged: Option<Salvaged>, shape: Shape) -> Error {
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
        let mut report = self.report(kind);
        report.salvaged = salvaged;
        Error::new(report)
    }

    fn into_error(self, kind: ErrorKind) -> Error {
        Error::new(self.report(kind))
    }

    fn report(self, kind: ErrorKind) -> Report {
        let retry_after = self.retry_after();
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
            // A stack never asks for the body of a request without one. There the stage proves nothing.
            not_sent: unsent && status.is_none() && question.has_body(),
            failure: broke_off.map(|(_, failure)| failure),
        }
    }

    /// Reads an error body in any known form: flat (RFC 6749 §5.2), nested in `error` (Restream's), the same members
    /// without the wrapper, or a gateway's message. Any other body gives an empty result.
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
        // A known error code decides, whichever member holds it.
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
            text.is_some_and(|text| means_dead_grant(&redaction::redacted(&text, &secrets), operation))
        };
        let may_be_dead = matches!(code, None | Some(ErrorCode::Other(_) | ErrorCode::InvalidRequest));
        Refusal {
            is_error: code.as_ref().is_some_and(ErrorCode::is_known)
                || status.is_some()
                || [outer.error, inner.name, inner.code].into_iter().any(|value| text_of(value).is_some()),
            dead_grant: may_be_dead && names.into_iter().chain(messages).any(is_dead),
            message: messages.into_iter().find_map(text_of).map(|text| redaction::message(&text, &secrets)),
            code,
            status,
        }
    }
}

/// The members of an error body, or of the object nested in it. An empty value (`null`, `""`, `[]`) never replaces one
/// that is not empty.
#[derive(Default)]
struct ErrorMembers<'a> {
    error: Option<Value<'a>>,
    name: Option<Value<'a>>,
    code: Option<Value<'a>>,
    error_description: Option<Value<'a>>,
    message: Option<Value<'a>>,
    detail: Option<Value<'a>>,
    description: Option<Value<'a>>,
    /// Only a 4xx or 5xx: an object in a body redirects nobody.
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
    (status.is_client_error() || status.is_server_error()).then_some(status)
}

/// The content of an error body.
pub(crate) struct Refusal {
    code: Option<ErrorCode>,
    status: Option<StatusCode>,
    message: Option<Box<str>>,
    /// The text means that the grant is dead, and no error code contradicts it.
    dead_grant: bool,
    is_error: bool,
}

impl Refusal {
    /// True if the body of a success response describes an error. A top-level `name` or `code` may belong to something
    /// else, so each counts only if it is a known OAuth error code.
    pub(crate) fn is_error(&self) -> bool {
        self.is_error
    }
}

/// The text of a member that is a non-empty string.
fn text_of(value: Option<Value<'_>>) -> Option<CleanText<'_>> {
    value?.string().filter(|text| !text.is_empty())
}
