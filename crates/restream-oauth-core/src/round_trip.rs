//! One round trip: the request to send, and the reader that collects the response chunk by chunk, up to a limit.
//!
//! Feeding a [`Reader`] cannot fail. A truncated response may still hold both tokens, so a failure of the HTTP stack
//! is one of the ways to end the reading ([`Reader::fail`]), beside [`Reader::finish`] and [`Reader::read`]. Each way
//! interprets what has arrived.

mod answer;
mod arrival;
mod call;
mod collected;
mod error_response;
mod question;
mod reader;
mod received;

pub use answer::Answer;
pub(crate) use arrival::{Head, RefusalHead};
pub use call::{Body, Call, Interpreter, Unread};
pub(crate) use collected::Restored;
pub(crate) use question::Question;
pub use reader::Reader;
pub(crate) use received::{Interpret, Received};
