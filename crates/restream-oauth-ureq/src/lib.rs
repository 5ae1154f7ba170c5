//! Sends the calls of `restream-oauth-core` over ureq and rustls: blocking, without an async runtime.
//!
//! In scope: connecting, TLS, time limits, feeding the answer to its reader, and saying how far a failed call came.
//! Out of scope: everything else. It follows no redirect, retries nothing, keeps no connection, asks for no
//! compression, and adds to a request only what HTTP needs and a `User-Agent`.
//!
//! ```no_run
//! use restream_oauth_core::{Client, RefreshToken};
//! use restream_oauth_ureq::Transport;
//!
//! let client = Client::builder("client-id")
//!     .secret("client-secret")
//!     .redirect_uri("https://app.example/callback")
//!     .build()?;
//! let transport = Transport::new()?;
//! let tokens = transport.send(client.refresh(&RefreshToken::new("9ca0e1e9")))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What `NotSent` rests on
//!
//! A flag is set when ureq first asks for the request's body; only while it is unset can a failure be
//! [`NotSent`](restream_oauth_core::Delivery::NotSent). The names of ureq's errors are never used for that.
//!
//! # An agent of your own
//!
//! [`Transport::with_agent`] takes a [`ureq::Agent`], and each call overrides what could only do harm: statuses are no
//! errors, no redirects, all limits of time and size, the headers that ureq adds, no proxy to a loopback address, https
//! off loopback, a fresh connection that sends without delay. What you may have your reasons for stays yours:
//!
//! - **TLS settings**, with or without checking the server's certificate. It must be checked (RFC 6749 §10.9). ureq
//!   panics at the first call to https if these settings name a provider or roots whose feature is off.
//! - **Family of addresses**: IPv4, IPv6 or both.
//! - **Middleware**: it sees the `Authorization` header and the body, and whatever it changes is changed.
//! - **Connector and resolver**: where bytes really go.
//! - **Proxy**, off loopback. Every agent of your own whose configuration says nothing of a proxy takes one from
//!   `ALL_PROXY`, `HTTPS_PROXY` or `HTTP_PROXY`. It sees the server's name, and nothing of what goes through it: that is
//!   https.
//! - **Cookies**, with ureq's feature `cookies`.
//! - **Decoding**, with ureq's features `gzip`, `brotli` and `charset`, which any crate of a build can turn on, and no call
//!   can turn off. With the first two, an answer that nobody asked to compress is decoded, where it is an error otherwise.
//!   `charset` can spoil an answer: tokens in UTF-8 that come as `text/plain; charset=utf-16`, say, are then
//!   [`Malformed`](restream_oauth_core::error::ErrorKind::Malformed), where the label is ignored otherwise. Memory stays bounded
//!   either way.
//!
//! # A proxy
//!
//! [`Transport::new`] uses none, and the builder uses one if it is switched on: a variable in the environment, which some
//! other program may need, should not decide by itself how a refresh token travels. `proxy_from_environment` switches on the
//! proxy that `HTTPS_PROXY` names, or else `ALL_PROXY`. Domains in `NO_PROXY`, and all below them, are connected to directly,
//! as loopback addresses always are. Each name may be in lower case; upper case goes first. `HTTP_PROXY` plays no part: there
//! is no plain http off loopback.
//!
//! The proxy opens a tunnel (`CONNECT`) and sees the server's name and port. TLS is with the server itself, which the roots
//! must vouch for as ever. A user name and a password in the proxy's URL are sent to the proxy, as Basic authentication
//! without TLS, and printed nowhere. Only `http://` proxies are supported; `build` refuses all others, and an agent of your
//! own may have them. If the proxy cannot be reached or opens no tunnel, the failure is
//! [`Connect`](restream_oauth_core::transport::FailureKind::Connect), and its source has the reason.
//!
//! # Several addresses
//!
//! ureq tries a server's addresses one after the other. Of two it gives the first 6.7 of the default 10 seconds for
//! connecting, of three 5.7, of four 5.3, and each further one half of the one before. The system mostly names IPv6 first, so
//! an IPv6 that is announced and leads nowhere would cost these seconds at every call. The agent of [`Transport::new`] and of
//! the builder tries IPv4 first, then the families by turns, so it pays only where an IPv4 address leads nowhere.
//!
//! An agent of your own keeps its resolver, and with ureq's default one it pays. `ip_family(IpFamily::Ipv4Only)` in its
//! configuration, or a greater [`Limits::connect`], is the way out there.
//!
//! # TLS
//!
//! rustls with ring, never installed process-wide, and the Mozilla roots that are compiled in. The feature
//! `system-roots` adds `TransportBuilder::system_roots`, for machines with roots of their own, at the price of a few
//! more crates.
//!
//! # What stays in memory
//!
//! The core wipes what it owned. ureq leaves its buffers as they were when it frees them: the head of each request, with
//! the client secret or the access token in its header; the form; and what it read of the answer, tokens included. rustls
//! and the kernel have copies besides, as every TLS connection does.

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
mod entropy;
mod failure;
mod proxy;
mod resolver;
mod tls;
mod transport;

pub use build_error::BuildError;
pub use entropy::{EntropyError, entropy};
pub use restream_oauth_core;
pub use rustls;
pub use transport::{Limits, Transport, TransportBuilder};
pub use ureq;
