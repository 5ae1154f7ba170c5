//! A local Restream: an OAuth 2.0 authorization server for tests, true to what Restream documents.
//!
//! It starts in-process on a free port of 127.0.0.1, answers what Restream answers, fails in every way
//! that networks and servers fail in, and remembers what it saw. Any client can be tested against it, in
//! Rust through [`Sandbox`] or in any language over HTTP.
//!
//! **In scope:** a login page with approve and deny, single-use codes, PKCE, both client authentications
//! and public clients, rotation that kills the old pair, revocation, the user's profile, Restream's error
//! bodies, a fault menu, a ledger, a clock that can be moved, https (feature `tls`), and [`spellings`] by which to
//! search logs for a secret.
//!
//! **Out of scope:** accounts, several clients, persistence, HTTP/2, and every property of a server that
//! is exposed: it hands tokens to anyone who asks, which is why it listens on loopback only.
//!
//! ```
//! use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};
//!
//! let sandbox = Sandbox::start()?;
//!
//! // The user agrees…
//! let authorize_url = format!(
//!     "{}/login?response_type=code&client_id={}&redirect_uri={}&state=xyz",
//!     sandbox.base_url(),
//!     sandbox.client_id(),
//!     sandbox.redirect_uris()[0],
//! );
//! let callback = sandbox.approve(&authorize_url)?;
//! assert!(callback.ends_with("&state=xyz"));
//!
//! // …the exchange rotates but its answer is lost: does the client cope?
//! sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token));
//!
//! // The ledger knows what really happened.
//! assert_eq!(sandbox.ledger().codes_issued, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Paths
//!
//! | request | answer |
//! |---|---|
//! | `GET /login`, `GET /oauth/authorize` | the consent page |
//! | `POST /oauth/token` | exchange and refresh |
//! | `POST /oauth/revoke` | 200, empty |
//! | `GET /v2/user/profile` | whose access token it is |
//! | `GET /_sandbox/ledger` | [`Ledger`] as JSON |
//! | `POST /_sandbox/faults` | takes a fault; [`fault`] describes the JSON |
//! | `DELETE /_sandbox/faults` | takes all faults back |
//! | `POST /_sandbox/approve`, `/_sandbox/deny` | presses the button: the body is the URL of the consent page, the answer `{"callback":"…"}` |
//! | `POST /_sandbox/advance` | moves the clock: `{"seconds":3600}` |
//! | `POST /_sandbox/reset` | forgets everything but the credentials |
//! | `GET /_sandbox/config` | address, client id, redirect URIs, scopes, lifetimes |
//! | `/_sandbox/canary` | counts who comes; where [`What::Redirect`] points |

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

// The layout, from top to bottom. Each imports only what stands below it; `tests/layout.rs` holds that.
//
//     sandbox     a running sandbox: what a test calls
//     builder     its settings before it starts
//     http/       what moves bytes: connections, requests, endpoints, pages
//     orders/     what a test orders: faults, the scripts that they become, the user's decision
//     provider    one Restream with its clock, its randomness and its ledger
//     ledger      what the sandbox saw
//     restream/   what Restream decides: knows no HTTP, looks at no clock, draws nothing at random
//     answer      an HTTP answer in memory
//     calendar    how a time is written
//     spellings   how a secret looks in a log
//     system/     clock, randomness, locks
mod answer;
mod builder;
mod calendar;
mod http;
mod ledger;
mod orders;
mod provider;
mod restream;
mod sandbox;
mod spellings;
mod system;

pub use builder::{Builder, StartError};
pub use http::request;
#[cfg(feature = "tls")]
pub use http::tls::{Certificate, TlsError};
pub use ledger::{Ledger, SeenRequest};
pub use orders::decision::AuthorizeError;
pub use orders::fault;
pub use orders::fault::{BodyFraming, Ending, Endpoint, Fault, FaultError, Point, Strikes, Times, What};
pub use restream::client_authentication::ClientAuthentication;
pub use sandbox::Sandbox;
pub use spellings::spellings;
