//! A local Restream: an OAuth 2.0 authorization server for tests that behaves as Restream documents.
//!
//! The sandbox starts in-process on a free port of 127.0.0.1 and answers as Restream does. On request, it fails as
//! networks and servers fail. A ledger records the requests. Tests in Rust use [`Sandbox`], tests in other languages
//! use HTTP, and people open `/_sandbox/` in a browser.
//!
//! **In scope:** a login page with approve and deny, single-use codes, PKCE, confidential and public clients,
//! rotation that kills the old pair, revocation, the user's profile, Restream's error bodies, [`rules`] in which other
//! servers differ, a fault menu, a ledger that names what clients do wrong, a page that shows it, a clock that tests
//! move, https (feature `tls`), and [`spellings`] to search logs for secrets.
//!
//! **Out of scope:** accounts, several clients, persistence, HTTP/2, and security against other machines. The sandbox
//! issues tokens to everyone, and therefore listens on loopback only.
//!
//! ```
//! use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};
//!
//! let sandbox = Sandbox::start()?;
//!
//! // The user approves.
//! let authorize_url = format!(
//!     "{}/login?response_type=code&client_id={}&redirect_uri={}&state=xyz",
//!     sandbox.base_url(),
//!     sandbox.client_id(),
//!     sandbox.redirect_uris()[0],
//! );
//! let callback = sandbox.approve(&authorize_url)?;
//! assert!(callback.ends_with("&state=xyz"));
//!
//! // The next token request will succeed, but the client will not receive the answer.
//! sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token));
//!
//! // The ledger counts what the server did.
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
//! | `GET /v2/user/profile` | the user's profile, for a valid access token |
//! | `GET /_sandbox/` | a page for people: each request as it comes, with notes; switches faults on and ends grants |
//! | `GET /_sandbox/events` | the page's server-sent events |
//! | `GET /_sandbox/ledger` | [`Ledger`] as JSON |
//! | `POST /_sandbox/faults` | orders a fault; [`fault`] describes the JSON |
//! | `DELETE /_sandbox/faults` | clears all faults |
//! | `POST /_sandbox/approve`, `/_sandbox/deny` | presses the button: the body is the URL of the consent page, the answer `{"callback":"…"}` |
//! | `POST /_sandbox/advance` | moves the clock: `{"seconds":3600}` |
//! | `POST /_sandbox/rules` | sets rules; [`rules`] describes the JSON |
//! | `POST /_sandbox/end_grants` | ends all grants, as a user can: `{"ended":…}` counts those that were alive |
//! | `POST /_sandbox/reset` | forgets everything but the credentials, and returns to the rules of the start |
//! | `GET /_sandbox/config` | address, client id, redirect URIs, scopes, lifetimes, rules |
//! | `/_sandbox/canary` | the target of [`What::Redirect`]; the ledger counts its requests |

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

// The layout, from top to bottom. Each module imports only modules below it. A test of the core holds that:
// `tests/specifications/layout.rs`.
//
//     sandbox     a running sandbox: what a test calls
//     builder     its settings before it starts
//     http/       what moves bytes: connections, requests, endpoints, pages
//     orders/     what a test orders: faults, the scripts that carry them out, the user's decision
//     mint        grants in bulk
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
mod mint;
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
pub use ledger::Ledger;
pub use ledger::oddity::Oddity;
pub use ledger::seen_request::SeenRequest;
pub use ledger::uses::{PreviousAnswer, RefreshTokenUse};
pub use mint::{Mint, MintedGrant};
pub use orders::decision::AuthorizeError;
pub use orders::fault;
pub use orders::fault::{BodyFraming, Ending, Endpoint, Fault, FaultError, Point, Strikes, Times, What};
pub use restream::client_authentication::{BasicEncoding, ClientAuthentication};
pub use restream::reuse::Reuse;
pub use restream::rules;
pub use sandbox::Sandbox;
pub use spellings::spellings;
