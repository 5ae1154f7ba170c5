//! The fault menu: everything that goes wrong between a client and a server, to be ordered by the piece.
//!
//! A [`Fault`] is *where* (an [`Endpoint`]) × *how often* ([`Times`]) × *when* ([`Strikes`]) × *what*
//! ([`What`]). Faults wait in a queue; a request meets the first that fits its endpoint.
//!
//! # When
//!
//! Before acting, the server issues, rotates and revokes nothing. After acting, it has done all of that
//! and only the answer suffers: the case in which a refresh token may be spent. Each kind has the one that
//! it is usually about: what deforms the real answer strikes after acting, what replaces it before. A kind
//! that deforms but is told to strike before acting deforms a 503 `server_error` instead.
//!
//! # JSON
//!
//! `POST /_sandbox/faults` and [`Fault::from_json`] take one object. `what` names the kind; beside it stand
//! the members of that kind and, all optional, `endpoint` (`"token"`, `"revoke"`, `"profile"`, `"any"`; any
//! if absent), `times` (a number or `"always"`; 1 if absent) and `strikes` (`"before_acting"` or
//! `"after_acting"`). Durations are in milliseconds.
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
//! The points `accept` and `handshake` concern a connection, not a request: they strike the next one to
//! arrive, before any endpoint is known, and never after acting. Over HTTP, order them as the last thing
//! before the client under test connects: the next connection of the remote control would be struck as well. A client
//! that keeps connections meets them only if [it cannot](crate::Builder::one_request_per_connection).

mod json;
mod menu;
mod queue;

pub use json::FaultError;
pub use menu::{BodyFraming, Ending, Endpoint, Fault, Point, Strikes, Times, What};
pub(crate) use queue::Queue;
