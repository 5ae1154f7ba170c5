//! Collects a response, chunk by chunk.

use std::fmt;
use std::ops::ControlFlow;
use std::time::SystemTime;

use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};

use super::arrival::{Arrival, Head, RefusalHead, is_json};
use super::question::Question;
use super::received::Received;
use crate::error::{Failure, FailureKind, Stage};
use crate::secret::WipedBuffer;

/// The content of a saved answer.
pub(crate) struct Restored<'a> {
    pub(crate) sent_at: SystemTime,
    pub(crate) head: Option<Head>,
    pub(crate) too_large: bool,
    pub(crate) broke_off: Option<(Stage, FailureKind)>,
    pub(crate) body: &'a [u8],
}

/// What was collected of a response so far.
pub(crate) struct Collected {
    pub(super) arrival: Arrival,
    pub(super) body: WipedBuffer,
}

impl Collected {
    #[inline]
    pub(crate) fn new(question: Question, sent_at: SystemTime) -> Self {
        let limit = question.registration.body_limit;
        let arrival = Arrival { question, sent_at, head: None, too_large: false, broke_off: None };
        Self { arrival, body: WipedBuffer::of_at_most(limit) }
    }

    pub(crate) fn take_head(&mut self, status: StatusCode, headers: &HeaderMap) -> ControlFlow<()> {
        let informational = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
        if informational || self.arrival.head.is_some() {
            return ControlFlow::Continue(());
        }
        // One pass over all headers. Looking up each name takes longer: a response has only a few headers.
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

    /// The HTTP stack reported the normal end of the response.
    pub(crate) fn end(&mut self) {
        self.arrival.note_missing_bytes(self.body.as_slice().len());
    }

    pub(crate) fn break_off(&mut self, stage: Stage, failure: Failure) {
        self.arrival.broke_off = Some((stage, failure));
    }

    pub(super) fn restore(&mut self, restored: Restored<'_>) {
        let Restored { sent_at, head, too_large, broke_off, body } = restored;
        self.body = WipedBuffer::of_at_most(self.arrival.limit());
        self.body.expect_length(body.len());
        let fits = self.body.push_up_to_limit(body);
        self.arrival.sent_at = sent_at;
        self.arrival.head = head;
        self.arrival.too_large = too_large || !fits;
        self.arrival.broke_off = broke_off.map(|(stage, kind)| (stage, Failure::new(kind)));
    }

    /// Takes the whole body at once, up to the limit, without a copy.
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
