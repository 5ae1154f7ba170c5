//! The fault menu: tests order what goes wrong between a client and the server.
//!
//! A [`Fault`] is *where* (an [`Endpoint`]) × *how often* ([`Times`]) × *when* ([`Strikes`]) × *what*
//! ([`What`]). Faults wait in a queue; a request meets the first that fits its endpoint.
//!
//! # When
//!
//! A fault that strikes *before acting* keeps the server from issuing, rotating or revoking anything. A fault that
//! strikes *after acting* lets the server do its work and damages only the answer. This is the case in which a refresh
//! token is spent although the client never sees the new one.
//!
//! Each kind has a default: a kind that replaces the answer strikes before acting, a kind that alters the real answer
//! strikes after acting. If a kind of the second sort is ordered to strike before acting, it alters a 503 `server_error`.
//!
//! # JSON
//!
//! `POST /_sandbox/faults` and [`Fault::from_json`] take one object. `what` names the kind, and the table lists the
//! members of each kind. Three more members are optional: `endpoint` (`"token"`, `"revoke"`, `"profile"` or `"any"`, the
//! default), `times` (a number or `"always"`; 1 by default) and `strikes` (`"before_acting"` or `"after_acting"`).
//! Durations are in milliseconds.
//!
//! ```json
//! {"what":"truncate", "after":40, "framing":"chunked", "ending":"reset", "endpoint":"token", "times":2}
//! ```
//!
//! | `what` | members (default) | strikes |
//! |---|---|---|
//! | `status` | `status`, `headers` ({}), `body` ("") or `body_base64`, `content_type` ("application/json"; none at all if "") | before |
//! | `delay` | `ms` | after |
//! | `hang` | `point`: `accept`, `handshake`, `before_head`, `in_head`, `after_head`, `in_body`; `after` (0) | after |
//! | `drop` | `point`: as above; `after` (0); `ending`: `close`, `reset` (`close`) | after |
//! | `truncate` | `after`; `framing`: `length`, `until_close`, `chunked` (`length`); `ending` (`close`) | after |
//! | `oversize` | `bytes`; `answer_first` (false) | after |
//! | `endless` | `answer_first` (false) | after |
//! | `drip` | `bytes` (1), `ms` | after |
//! | `redirect` | `status` (302), `location` (the canary) | before |
//! | `wrong_length` | `by` (negative: shorter) | after |
//! | `bad_chunk` | | after |
//! | `gzip` | | after |
//! | `http10` | | after |
//! | `informational` | `status` (103), `times_sent` or `endless`: true, `ms` (0) | after |
//! | `switching_protocols` | | after |
//! | `huge_header` | `bytes` | after |
//! | `tiny_chunks` | | after |
//! | `html` | `status` (200) | before |
//! | `bad_json` | | before |
//!
//! The points `accept` and `handshake` concern a connection, not a request. Such a fault strikes the next connection,
//! before any endpoint is known, and always before acting. If you order it over HTTP, let the client under test connect
//! next: a further connection to `/_sandbox/` would meet the fault instead. A client that reuses a connection does not
//! meet the fault, unless the sandbox serves [one request per connection](crate::Builder::one_request_per_connection).

mod json;
mod menu;
mod queue;

pub use json::FaultError;
pub use menu::{BodyFraming, Ending, Endpoint, Fault, Point, Strikes, Times, What};
pub(crate) use queue::Queue;
