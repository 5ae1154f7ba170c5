//! Restream's OAuth 2.0 flow as a pure function of bytes.
//!
//! This crate turns intent into an [`http::Request`] and the answer's bytes into a typed outcome. It opens no
//! socket, reads no clock, draws no randomness and logs nothing: the caller passes in the time, the random bytes and
//! the answer. Most programs take an adapter beside it, such as `restream-oauth-hyper`.
//!
//! ```text
//! intent ──▶ Call ──▶ http::Request ─────▶ any HTTP stack ──▶ Restream
//!              └────▶ Reader ◀── chunks ──────┘
//!                       └──▶ Tokens, or an Error that says what to do now
//! ```
//!
//! In scope: [`Client`] (a registered application) makes a [`Login`] (steps 1 and 2), and calls for code exchange
//! and refresh ([`Tokens`], steps 3 and 4), revocation ([`Revoked`], step 5) and the [`Profile`]. Out of scope:
//! connecting, TLS, time limits (an adapter's), storing tokens and refreshing in time (the program's).
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
//! // 1 and 2: the browser goes out to login.url() and comes back
//! let mut login = client.login(Entropy::from(random_64_bytes()));
//! # let state = login.state();
//! # let uri_that_came_back = format!("https://app.example/callback?code=c0de&state={}", state.expose_secret());
//! let code = login.read_callback(&uri_that_came_back)?; // state checked: the door to a code
//!
//! // 3: the exchange, on any HTTP stack at all
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

/// The configuration of a client: what can be wrong with it, how credentials are written, and what servers other than
/// Restream's may want.
pub mod config {
    pub use crate::encoding::uri::{UriPart, UriProblem};
    pub use crate::flow::RevocationOptions;
    pub use crate::registration::{BasicEncoding, ConfigError, TextProblem};
}

/// Steps 1 and 2 beyond [`Client::login`](crate::Client::login) and [`Login::read_callback`](crate::Login::read_callback).
pub mod login {
    pub use crate::flow::{
        AuthorizationUrl, CallbackError, CodeVerifier, InvalidCodeVerifier, LoginOptions, State, state_of,
    };
    pub use crate::saved::redirect_uri_of;
}

/// What an adapter for an HTTP stack needs beyond [`Call`](crate::Call) and [`Reader`](crate::Reader).
pub mod transport {
    pub use crate::error::{Failure, FailureKind, Stage};
    pub use crate::round_trip::{Interpreter, Unread};
}
