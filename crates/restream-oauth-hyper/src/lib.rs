//! Sends the calls of `restream-oauth-core` over hyper and rustls.
//!
//! In scope: connecting, TLS, time limits, feeding the answer to its reader, and saying how far a failed call came.
//! Out of scope: everything else. It follows no redirect, retries nothing, keeps no connection, asks for no
//! compression, and adds to a request only what HTTP needs and a `User-Agent`.
//!
//! ```no_run
//! use restream_oauth_core::{Client, RefreshToken};
//! use restream_oauth_hyper::Transport;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("client-id")
//!     .secret("client-secret")
//!     .redirect_uri("https://app.example/callback")
//!     .build()?;
//! let transport = Transport::new()?;
//! let tokens = transport.send(client.refresh(&RefreshToken::new("9ca0e1e9"))).await?;
//! # Ok(())
//! # }
//! ```
//!
//! It needs a tokio runtime with time and I/O enabled.
//!
//! # What `NotSent` rests on
//!
//! A flag is set when hyper first asks for the request's body; only while it is unset can a failure be
//! [`NotSent`](restream_oauth_core::Delivery::NotSent). The names of hyper's errors are never used for that.
//!
//! # Dropping the future
//!
//! A dropped call closes its connection. If the flag was set by then, the server acts on the request all the same
//! and its answer is lost, which for a refresh may be the grant: run refreshes in a task of their own
//! (`tokio::spawn`) when the caller can be cancelled.
//!
//! # TLS
//!
//! rustls with ring, never installed process-wide, and the Mozilla roots that are compiled in. The feature
//! `system-roots` adds `TransportBuilder::system_roots`, for machines with roots of their own, at the price of a few
//! more crates.
//!
//! # What stays in memory
//!
//! The core wipes what it owned. hyper leaves two copies in memory that it frees: the head of each request, with the
//! client secret or the access token in its header, and what it read of the answer, tokens included. The form is sent from
//! the core's own memory. rustls and the kernel have copies besides, as every TLS connection does.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod body;
mod failure;
mod tls;
mod transport;

pub use rustls;
pub use tls::BuildError;
pub use transport::{Limits, Transport, TransportBuilder};

/// The programs of the README, run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
