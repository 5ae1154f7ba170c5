//! The reasons why stacks differ.

/// reqwest, minreq, curl, and fetch in every runtime.
pub(super) const NO_PROOF: &str =
    "It has no sent-flag, and the kind of its error does not prove that nothing was sent.";
/// reqwest: its error contains hyper's, which only a crate that depends on hyper can read.
pub(super) const UNNAMED: &str = "Its error does not say what failed.";
/// minreq, when no status line arrives.
pub(super) const MADE_UP: &str = "It reports a 503 when no answer arrived.";
/// minreq.
pub(super) const NO_INFORMATIONAL: &str = "It takes an informational answer for the final one.";
/// ureq, curl and fetch, with a body that ends with the connection.
pub(super) const NO_CLOSE_NOTIFY: &str =
    "It takes the end of the connection for the end of the body, with or without a close_notify.";
/// minreq; Node when the request has `Connection: close`.
pub(super) const NO_LAST_CHUNK: &str = "It takes the end of the connection for the last chunk.";
/// fetch, as its standard requires.
pub(super) const DECOMPRESSES: &str = "It decompresses even if the request did not ask for compression.";
/// Chromium. A page cannot change this.
pub(super) const KEEPS_CONNECTIONS: &str = "It keeps a connection unless the server closes it, as the sandbox does \
    after each answer. On a kept connection, it may send a request twice.";
/// Chromium, as the Fetch standard requires. Node, if the request has no body: a body that can be read only once
/// prevents it.
pub(super) const SENDS_AGAIN: &str = "It sends the request again by itself, on another connection.";
/// The glue whose parser reports both cases as an incomplete head.
pub(super) const TOO_LONG: &str = "It does not distinguish a head that is too long from one that broke off.";
/// Chromium: the Fetch standard has one error for everything that fails before the head.
pub(super) const HIDDEN: &str = "A page cannot read why a request failed.";
/// Chromium: by the Streams standard, a stream that fails drops its queue. Timing decides how much was read before.
pub(super) const DROPPED: &str = "It loses the bytes that were not yet read when the answer broke off.";
