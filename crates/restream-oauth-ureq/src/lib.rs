//! Sends the calls of `restream-oauth-core` over ureq and rustls: blocking, without an async runtime.
//!
//! In scope: connecting, TLS, time limits, feeding the answer to its reader, and reporting the stage at which a call
//! failed. Out of scope: everything else. The crate follows no redirect, retries nothing, keeps no connection and asks
//! for no compression. It adds to a request only what HTTP needs and a `User-Agent`.
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
//! # How the crate proves `NotSent`
//!
//! A flag is set when ureq first asks for the request's body. A failure can be
//! [`NotSent`](restream_oauth_core::Delivery::NotSent) only while the flag is unset. The crate never concludes it from
//! the kind of an error.
//!
//! # An agent of your own
//!
//! [`Transport::with_agent`] takes a [`ureq::Agent`]. Each call overrides the settings that could only do harm:
//!
//! - A status is not an error. No redirect is followed.
//! - The limits of time and size are those of the transport. ureq adds no headers.
//! - Loopback addresses are reached without a proxy, and other addresses by https only.
//! - Each call has a new connection, which sends without delay. ureq sets up TLS anew for a call with settings of its
//!   own, so no TLS session is resumed, as it is with the agents of [`Transport::new`] and of the builder.
//!
//! All other settings stay as you made them:
//!
//! - **TLS settings**, even those that switch off the check of the server's certificate. RFC 6749 §10.9 requires this
//!   check. ureq panics at the first https call if the settings need a provider or roots whose feature is off.
//! - **Family of addresses**: IPv4, IPv6 or both.
//! - **Middleware**: it can read and change the request, with its `Authorization` header and its body.
//! - **Connector and resolver**: they decide where the bytes go.
//! - **Proxy**, off loopback. If the agent's configuration does not set a proxy, ureq takes one from `ALL_PROXY`,
//!   `HTTPS_PROXY` or `HTTP_PROXY`. The proxy sees the server's name. It cannot read the traffic, which is https.
//! - **Cookies**, with ureq's feature `cookies`.
//! - **Decoding**, with ureq's features `gzip`, `brotli` and `charset`. Any crate of a build can turn them on, and no
//!   call can turn them off. With the first two, ureq decodes a compressed answer, which is an error otherwise. With
//!   `charset`, ureq believes a wrong label: tokens in UTF-8 under `text/plain; charset=utf-16` become
//!   [`Malformed`](restream_oauth_core::error::ErrorKind::Malformed). Without it, the label is ignored. Memory stays
//!   bounded in all cases.
//!
//! # A proxy
//!
//! [`Transport::new`] uses no proxy, and the builder uses one only if the program switches it on. A variable in the
//! environment may be meant for another program, so it must not decide alone how a refresh token travels.
//! [`proxy_from_environment`](TransportBuilder::proxy_from_environment) uses the proxy in `HTTPS_PROXY`, or else the
//! one in `ALL_PROXY`. It connects directly to the domains in `NO_PROXY` and their subdomains, and always to loopback
//! addresses. Each name may be in lower case; upper case has precedence. `HTTP_PROXY` is not read, because plain http
//! is allowed on loopback only.
//!
//! The proxy opens a tunnel (`CONNECT`) and sees the server's name and port. TLS is with the server itself, whose
//! certificate is checked as without a proxy. If the proxy's URL has a user name and a password, the crate sends them
//! to the proxy as Basic authentication without TLS, and prints them nowhere. Only `http://` proxies are supported;
//! `build` fails with any other. An agent of your own may use others. If the proxy cannot be reached or opens no
//! tunnel, the failure is [`Connect`](restream_oauth_core::transport::FailureKind::Connect), and its source has the
//! reason.
//!
//! # Several addresses
//!
//! ureq tries a server's addresses one after the other. Of the default 10 seconds for connecting, the first of two
//! addresses gets 6.7, the first of three 5.7, and the first of four 5.3. Each further address gets half as much as the
//! one before. Most systems list IPv6 addresses first. If IPv6 is announced but does not work, every call would lose
//! these seconds. The agent of [`Transport::new`] and of the builder alternates the families and begins with IPv4, so
//! it loses time only if an IPv4 address does not work.
//!
//! An agent of your own keeps its resolver, and ureq's default resolver keeps the system's order. If IPv6 does not work
//! there, set `ip_family(IpFamily::Ipv4Only)` in the agent's configuration, or a greater [`Limits::connect`].
//!
//! # TLS
//!
//! TLS is rustls with ring, not installed process-wide, and with compiled-in Mozilla roots. The feature `system-roots`
//! adds `TransportBuilder::system_roots`, for machines with roots of their own. It costs a few more crates.
//!
//! # Secrets in the log
//!
//! This crate logs nothing. ureq logs with the crate `log`. **At the level TRACE, its module `ureq_proto::util` prints
//! secrets**: the head of each request, with the client secret or the access token in it, and the answer, with its
//! tokens. No setting of ureq prevents it. Keep that target below TRACE, for example with the filter
//! `trace,ureq_proto=debug`, or compile the level out with a feature of `log` such as `release_max_level_debug`. The
//! conformance tests find no secret in any other target or level.
//!
//! # Secrets in memory
//!
//! The core wipes its own memory. ureq frees its buffers without wiping them: the head of each request, with the client
//! secret or the access token in it; the form; and the answer, with its tokens. rustls and the kernel have copies too,
//! as with every TLS connection.

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
