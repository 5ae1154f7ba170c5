//! Sends the calls of `restream-oauth-core` over hyper and rustls.
//!
//! In scope: connecting, TLS, time limits, feeding the answer to its reader, and reporting the stage at which a call
//! failed. Out of scope: everything else. The crate follows no redirect, retries nothing, keeps no connection and asks
//! for no compression. It adds to a request only what HTTP needs and a `User-Agent`.
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
//! The crate needs a tokio runtime with time and I/O enabled.
//!
//! # How the crate proves `NotSent`
//!
//! A flag is set when hyper first asks for the request's body. A failure can be
//! [`NotSent`](restream_oauth_core::Delivery::NotSent) only while the flag is unset. The crate never concludes it from
//! the kind of an error.
//!
//! # Dropping the future
//!
//! Dropping a call closes its connection. If the flag was set by then, the server still acts on the request, and its
//! answer is lost. After a refresh, that answer may be the only copy of the grant. If the caller can be cancelled, run
//! the refresh in a task of its own (`tokio::spawn`).
//!
//! # TLS
//!
//! TLS is rustls with ring, not installed process-wide, and with compiled-in Mozilla roots. The feature `system-roots`
//! adds `TransportBuilder::system_roots`, for machines with roots of their own. It costs a few more crates.
//!
//! # A proxy
//!
//! The crate uses no proxy unless the program switches it on. A variable in the environment may be meant for another
//! program, so it must not decide alone how a refresh token travels. The feature `proxy` adds
//! `TransportBuilder::proxy_from_environment`, which uses the proxy in `HTTPS_PROXY`, or else the one in `ALL_PROXY`.
//! It connects directly to servers in `NO_PROXY`, and always to loopback addresses. Each name may be in lower case;
//! upper case has precedence. `HTTP_PROXY` is not read, because plain http is allowed on loopback only.
//!
//! The proxy opens a tunnel (`CONNECT`) and sees the server's name and port. TLS is with the server itself, whose
//! certificate is checked as without a proxy. If the proxy's URL has a user name and a password, the crate sends them
//! to the proxy as Basic authentication without TLS, and prints them nowhere. Only `http://` proxies are supported;
//! `build` fails with any other. If the proxy cannot be reached or opens no tunnel, the failure is
//! [`Connect`](restream_oauth_core::transport::FailureKind::Connect), and its sources name the proxy and the reason.
//! The time limit for connecting covers the proxy and the server together.
//!
//! For any other proxy, pass a connector to [`Transport::with_connector`].
//!
//! # Secrets in memory
//!
//! The core wipes its own memory. hyper frees two copies without wiping them: the head of each request, with the client
//! secret or the access token in it, and the answer, with its tokens. hyper sends the form from the core's memory,
//! without a copy. rustls and the kernel have copies too, as with every TLS connection.

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

/// Compiles the programs of the README together with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
