//! The request and everything that arrived of its response: the input of each step's parser.

use std::time::{Duration, SystemTime};

use http::StatusCode;

use super::arrival::Arrival;
use super::question::Question;
use crate::encoding::text::Text;
use crate::error::Error;

/// Parses a response into a `T`. The method of `Client` that makes the call chooses it.
pub(crate) type Interpret<T> = fn(Received<'_>) -> Result<T, Error>;

/// The request and everything that arrived of its response.
pub(crate) struct Received<'a> {
    pub(super) arrival: Arrival,
    pub(super) body: &'a [u8],
}

impl<'a> Received<'a> {
    pub(crate) fn question(&self) -> &Question {
        &self.arrival.question
    }

    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.arrival.status()
    }

    /// True unless the Content-Type is JSON.
    pub(crate) fn has_odd_content_type(&self) -> bool {
        !self.arrival.head.as_ref().is_some_and(|head| head.json)
    }

    /// True if the body is compressed: the HTTP stack did not decode it.
    pub(crate) fn is_encoded(&self) -> bool {
        self.arrival.head.as_ref().is_some_and(|head| head.encoded)
    }

    /// True if only a part of the response arrived.
    pub(crate) fn is_cut(&self) -> bool {
        self.arrival.is_cut()
    }

    /// The body as UTF-8, converted from UTF-16 if necessary.
    pub(crate) fn text(&self) -> Text<'a> {
        Text::of(self.body)
    }

    /// When the request was sent.
    pub(crate) fn sent_at(&self) -> SystemTime {
        self.arrival.sent_at
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.arrival.head.as_ref()?.refusal.as_ref()?.retry_after.map(|after| after.delay(self.sent_at()))
    }
}
