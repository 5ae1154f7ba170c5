//! One round trip: a request to send and the bounded, chunk-fed reader of its answer.
//!
//! Feeding a reader cannot fail. Its only exits are [`Reader::finish`] and [`Reader::fail`], because an answer that broke
//! off may hold a whole pair.

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
