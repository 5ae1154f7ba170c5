//! Restream's OAuth 2.0 flow without I/O: HTTP requests out, response bytes in.
//!
//! This crate builds each [`http::Request`] of the flow and parses the response into a typed result. It opens no
//! socket, reads no clock, draws no randomness and logs nothing: the caller passes in the time, the random bytes and
//! the response. Most programs use it through an adapter for an HTTP stack: `restream-oauth-hyper` (async),
//! `restream-oauth-ureq` (blocking) or `restream-oauth-wasm` (`fetch`).
//!
//! ```text
//! Client ──▶ Call ──▶ http::Request ─────▶ any HTTP stack ──▶ Restream
//!              └────▶ Reader ◀── chunks ──────┘
//!                       └──▶ Tokens, or an Error that says what to do next
//! ```
//!
//! **In scope:** the login (steps 1 and 2), code exchange (step 3), refresh (step 4), revocation (step 5), the profile
//! call, and the saved form of a login, of tokens and of a response.
//!
//! **Out of scope:** connections, TLS and timeouts, which belong to the adapter; storing tokens and refreshing them
//! before they expire, which `restream-oauth-keeper` does.
//!
//! **Where to begin:** [`Client`] is a registered application, with one method per step. [`Call`] is one request and
//! the [`Reader`] of its response. [`Error::advice`] says what to do after a failure. The modules hold the details:
//! [`config`] (what [`ClientBuilder`] checks), [`login`] (steps 1 and 2), [`token`] (tokens and scopes), [`error`]
//! (failures and the retry rules) and [`transport`] (for the authors of adapters).
//!
//! ```
//! use std::time::SystemTime;
//! use restream_oauth_core::{Client, Entropy};
//! use restream_oauth_core::transport::{Failure, FailureKind, Stage};
//!
//! # fn random_64_bytes() -> [u8; 64] { std::array::from_fn(|n| n as u8) }
//! # struct MyStack;
//! # impl MyStack {
//! #     fn send(&self, _: http::Request<restream_oauth_core::Body>) -> Result<http::Response<Vec<u8>>, std::io::Error> {
//! #         Ok(http::Response::new(br#"{"access_token":"a1","refresh_token":"r1"}"#.to_vec()))
//! #     }
//! # }
//! # let my_stack = MyStack;
//! # let now = || SystemTime::UNIX_EPOCH;
//! let client = Client::builder("client-id")
//!     .secret("client-secret")
//!     .redirect_uri("https://app.example/callback")
//!     .build()?;
//!
//! // Steps 1 and 2: the user opens login.url(); the browser comes back with a code.
//! let mut login = client.login(Entropy::from(random_64_bytes()));
//! # let state = login.state();
//! # let uri_that_came_back = format!("https://app.example/callback?code=c0de&state={}", state.expose_secret());
//! let code = login.read_callback(&uri_that_came_back)?; // checks `state`
//!
//! // Step 3: the code exchange, on any HTTP stack.
//! let (request, reader) = client.exchange(&code).into_parts(now());
//! let tokens = match my_stack.send(request) {
//!     Ok(response) => reader.read(response),
//!     Err(error) => reader.fail(Stage::AwaitingHead, Failure::from(error)).interpret(),
//! }?;
//! assert_eq!(tokens.access_token().expose_secret(), "a1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects
    )
)]

mod client;
mod encoding;
pub mod error;
mod flow;
#[cfg(feature = "proptest")]
pub mod generators;
#[cfg(doctest)]
mod promises;
mod registration;
mod round_trip;
mod saved;
mod secret;
#[cfg(feature = "serde")]
pub mod serializable;
pub mod token;

pub use http;

pub use client::{Client, ClientBuilder};
#[doc(inline)]
pub use error::{Advice, Delivery, Error};
pub use flow::{AuthorizationCode, Entropy, Login, Profile, Revoked};
pub use registration::Endpoints;
pub use round_trip::{Answer, Body, Call, Reader};
pub use saved::{Saved, SavedError};
#[doc(inline)]
pub use token::{AccessToken, RefreshToken, Scope, Scopes, Tokens};

/// The configuration of a client: what can be wrong with it, how its credentials are encoded, and options for servers
/// other than Restream's.
pub mod config {
    pub use crate::encoding::uri::{UriPart, UriProblem};
    pub use crate::flow::RevocationOptions;
    pub use crate::registration::{BasicEncoding, ConfigError, TextProblem};
}

/// The types and functions of steps 1 and 2, around [`Client::login`](crate::Client::login) and
/// [`Login::read_callback`](crate::Login::read_callback).
pub mod login {
    pub use crate::flow::{
        AuthorizationUrl, CallbackError, CodeVerifier, InvalidCodeVerifier, LoginOptions, State, state_of,
    };
    pub use crate::saved::redirect_uri_of;
}

/// What an adapter for an HTTP stack needs besides [`Call`] and [`Reader`]: how to report a failure of the stack, and
/// how to send the calls of every step through one function.
pub mod transport {
    pub use crate::error::{Failure, FailureKind, Stage};
    pub use crate::round_trip::{Interpreter, Unread};
}
