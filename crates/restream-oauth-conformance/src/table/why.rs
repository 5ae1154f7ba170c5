//! Why stacks differ.

/// Reqwest, minreq, curl, and fetch everywhere.
pub(super) const NO_PROOF: &str = "It has no sent-flag, and the name of an error proves nothing.";
/// Reqwest: the error of hyper that it carries is found by nobody who does not depend on hyper too.
pub(super) const UNNAMED: &str = "It does not tell what failed.";
/// Minreq, when no status line comes.
pub(super) const MADE_UP: &str = "It makes up an answer of 503 where none came.";
/// Minreq.
pub(super) const NO_INFORMATIONAL: &str = "It takes an answer before the answer for the answer.";
/// Ureq, curl, fetch, with HTTP/1.0.
pub(super) const NO_FAREWELL: &str = "It takes the end of a connection for the end of the body, farewell or not.";
/// Minreq; Node, where the connection is not to be kept anyway.
pub(super) const NO_LAST_CHUNK: &str = "It takes the end of a connection for the last chunk.";
/// Fetch, as its standard has it.
pub(super) const DECOMPRESSES: &str = "It decompresses, asked or not.";
/// Chromium: no page has a say in it.
pub(super) const KEEPS_CONNECTIONS: &str = "It keeps a connection unless the server closes it, as ours does after each \
    answer; on one that it kept, it may send a request twice.";
/// Chromium, as the Fetch standard has it: no page can forbid it. Node, where the request has no body: a body that can be
/// read once is what forbids it.
pub(super) const SENDS_AGAIN: &str = "It sends the request again by itself, on another connection.";
/// The glue that reads with the same parser; it has no word for it.
pub(super) const TOO_LONG: &str = "It does not tell too long a head from a broken one.";
/// Chromium: the Fetch standard has one error for all that happens before the head.
pub(super) const HIDDEN: &str = "A page is not told why a request failed.";
/// Chromium: a stream that fails forgets what it holds, as the Streams standard has it; time decides what was read before.
pub(super) const DROPPED: &str = "What has not been read when the answer breaks off is lost.";
