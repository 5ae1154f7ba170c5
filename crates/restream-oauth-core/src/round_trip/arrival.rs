//! The head of a response, and how the response ended.

use std::time::SystemTime;

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::question::Question;
use crate::error::{Failure, FailureKind, RetryAfter, Stage};

/// The parts of the response head that are needed later.
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) json: bool,
    pub(crate) encoded: bool,
    pub(crate) content_length: Option<u64>,
    /// `Some` if the head has a `Retry-After` or a `WWW-Authenticate` header.
    pub(crate) refusal: Option<Box<RefusalHead>>,
}

/// The headers that matter in an error response.
pub(crate) struct RefusalHead {
    pub(crate) retry_after: Option<RetryAfter>,
    pub(crate) challenges: Vec<HeaderValue>,
}

impl RefusalHead {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let retry_after = RetryAfter::read(headers);
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect();
        Self { retry_after, challenges }
    }
}

/// The request, and everything that is known of its response except the body.
pub(crate) struct Arrival {
    pub(crate) question: Question,
    pub(crate) sent_at: SystemTime,
    pub(crate) head: Option<Head>,
    pub(crate) too_large: bool,
    pub(crate) broke_off: Option<(Stage, Failure)>,
}

impl Arrival {
    pub(super) fn limit(&self) -> usize {
        self.question.registration.body_limit
    }

    pub(super) fn status(&self) -> Option<StatusCode> {
        self.head.as_ref().map(|head| head.status)
    }

    /// True if only a part of the response arrived.
    pub(super) fn is_cut(&self) -> bool {
        self.broke_off.is_some() || self.too_large
    }

    /// Checks a normal end that the HTTP stack reported. The response is truncated all the same if no head arrived, or
    /// fewer bytes than Content-Length announced.
    pub(super) fn note_missing_bytes(&mut self, received: usize) {
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

/// True for `…/json` and `…/…+json`, with any parameters.
pub(super) fn is_json(content_type: &HeaderValue) -> bool {
    let essence = content_type.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    match essence.split_last_chunk::<5>() {
        Some((kind, [b'/', json @ ..])) => !kind.is_empty() && json.eq_ignore_ascii_case(b"json"),
        Some((kind, [b'+', json @ ..])) => kind.contains(&b'/') && json.eq_ignore_ascii_case(b"json"),
        _ => false,
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
}
