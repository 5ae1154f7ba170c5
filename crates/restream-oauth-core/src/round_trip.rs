//! One round trip: the request to send, and the reader that collects the response chunk by chunk, up to a limit.
//!
//! Feeding a [`Reader`] cannot fail. A truncated response may still hold both tokens, so a failure of the HTTP stack is
//! passed to the reader ([`Reader::fail`]) and ends the reading like the end of the response ([`Reader::finish`]): both
//! keep what has arrived.

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
