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
//! # A proxy
//!
//! None is used unless it is switched on: a variable in the environment, which some other program may need, should not
//! decide by itself how a refresh token travels. With the feature `proxy`, `TransportBuilder::proxy_from_environment`
//! switches on the proxy that `HTTPS_PROXY` names, or else `ALL_PROXY`. Servers in `NO_PROXY` are connected to directly, as
//! loopback addresses always are. Each name may be in lower case; upper case goes first. `HTTP_PROXY` plays no part: there
//! is no plain http off loopback.
//!
//! The proxy opens a tunnel (`CONNECT`) and sees the server's name and port. TLS is with the server itself, which the roots
//! must vouch for as ever. A user name and a password in the proxy's URL are sent to the proxy, as Basic authentication
//! without TLS, and printed nowhere. Only `http://` proxies are supported; `build` refuses all others. If the proxy cannot
//! be reached or opens no tunnel, the failure is [`Connect`](restream_oauth_core::transport::FailureKind::Connect); its sources name the
//! proxy and its reason. The time limit for connecting counts for both.
//!
//! For anything else there is [`Transport::with_connector`].
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
mod build_error;
mod connector;
mod entropy;
mod failure;
#[cfg(feature = "proxy")]
mod proxy;
mod tls;
mod transport;

pub use build_error::BuildError;
pub use connector::TcpConnector;
pub use entropy::{EntropyError, entropy};
pub use restream_oauth_core;
pub use rustls;
pub use transport::{Limits, Transport, TransportBuilder};

/// The programs of the README, run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
