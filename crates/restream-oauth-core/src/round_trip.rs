//! One round trip: a request to send and the bounded, chunk-fed reader of its answer.
//!
//! Feeding a reader cannot fail. Its only exits are [`Reader::finish`] and [`Reader::failed`] (or [`Reader::end`]
//! and [`Reader::broke`], which keep the raw bytes), because an answer that broke off may hold a whole pair.

mod answer;
mod arrival;
mod call;
mod collected;
mod error_response;
mod question;
mod reader;
mod received;

pub use answer::Answer;
pub use call::{Body, Call};
pub(crate) use question::Question;
pub use reader::Reader;
pub(crate) use received::{Interpret, Received};
