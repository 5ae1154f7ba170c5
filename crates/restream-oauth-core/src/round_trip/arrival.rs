//! What the head of an answer said, and how the answer ended.

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::question::Question;
use crate::error::{Failure, FailureKind, RetryAfter, Stage};

/// What of the head matters later.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) json: bool,
    pub(super) encoded: bool,
    pub(super) content_length: Option<u64>,
    /// If it says anything of that kind.
    pub(super) refusal: Option<Box<RefusalHead>>,
}

/// What the head of a refusal says besides.
pub(super) struct RefusalHead {
    pub(super) retry_after: Option<RetryAfter>,
    pub(super) challenges: Vec<HeaderValue>,
}

impl RefusalHead {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let retry_after = RetryAfter::read(headers);
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect();
        Self { retry_after, challenges }
    }
}

/// The question, and what is known of its answer besides the body.
pub(crate) struct Arrival {
    pub(super) question: Question,
    pub(super) head: Option<Head>,
    pub(super) too_large: bool,
    pub(super) broke_off: Option<(Stage, Failure)>,
}

impl Arrival {
    pub(super) fn limit(&self) -> usize {
        self.question.registration.body_limit
    }

    pub(super) fn status(&self) -> Option<StatusCode> {
        self.head.as_ref().map(|head| head.status)
    }

    /// True if not all of the answer arrived.
    pub(super) fn is_cut(&self) -> bool {
        self.broke_off.is_some() || self.too_large
    }

    /// A clean end that is none: no head, or fewer bytes than Content-Length promised.
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

/// `application/json`, `text/json` or `application/…+json`, whatever the parameters.
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
