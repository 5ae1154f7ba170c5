//! Sends the calls of `restream-oauth-core` over `fetch`: in browsers (pages and workers), Node, Deno, Bun and workerd.
//!
//! In scope: the right options for `fetch`, a time limit, feeding the answer to its reader, and the time ([`now`]) and
//! randomness ([`entropy`]) for the core. Out of scope: everything else. The crate follows no redirect and retries
//! nothing. It looks up `fetch` and everything else in the global object, so it does not need a window.
//!
//! ```no_run
//! use restream_oauth_core::{Client, RefreshToken};
//! use restream_oauth_wasm::Transport;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("client-id")
//!     .secret("client-secret") // on a server or at the edge; a page or a device must not have it
//!     .redirect_uri("https://app.example/callback")
//!     .build()?;
//! let transport = Transport::new();
//! let login = client.login(restream_oauth_wasm::entropy()?);
//! let tokens = transport.send(client.refresh(&RefreshToken::new("9ca0e1e9"))).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The target is `wasm32-unknown-unknown`. On other targets the crate compiles, so that a whole workspace can be
//! checked, but each call into JavaScript panics. The feature `javascript` adds the classes of the npm package. The
//! feature `npm` also sets the allocator of the whole program; it is only for that package.
//!
//! # What `fetch` does not show
//!
//! - **Whether anything was sent.** A failure before the head of the answer is
//!   [`Unknown`](restream_oauth_core::Delivery::Unknown), even if the server does not exist. Only a request that was
//!   never passed to `fetch` is `NotSent`.
//! - **Why a connection failed.** Browsers, Deno and workerd hide the reason: the kind is
//!   [`Other`](restream_oauth_core::transport::FailureKind::Other). Node and Bun have codes, which this crate reads.
//! - **The status of a redirect.** With `redirect: "manual"`, a browser gives an empty answer with status 0. The crate
//!   reports it as `Redirected` with status 303, because 303 leaves the most in doubt. Other runtimes give the real
//!   status.
//! - **The number of bytes on the wire.** The runtime decodes compressed answers, so `Content-Length` may not count the
//!   bytes that this crate gets. The crate ignores it. Only the runtime can notice that a body is shorter than
//!   announced.
//! - **Bytes that were not yet read when the answer broke off.** Chromium and Bun drop them, even if they contain a
//!   whole pair. The refresh is then `Unknown`, where other stacks save the pair.
//!
//! # What `fetch` adds
//!
//! Runtimes add `Origin`, `User-Agent`, `Accept-Language`, `Sec-Fetch-*` and similar headers. A browser always asks for
//! compressed answers. Elsewhere the crate sends `Accept-Encoding: identity` and `Connection: close`.
//!
//! # How often a request is sent
//!
//! This crate calls `fetch` once for each call. **Some runtimes then send the request a second time** by themselves. If
//! the server acted on the first request of a refresh, it answers the second one with `invalid_grant`.
//!
//! - **Browsers** may send a request again if they reused a connection that turns out to be closed, and if the answer
//!   is 421 (both measured in Chromium). A page cannot prevent it.
//! - **Node** sends a request again if the answer is 421, unless the body is a stream. There, the crate gives a POST a
//!   stream as the body, and announces its length. So a POST is sent once, and with `Content-Length`. A profile call
//!   has no body and can be sent twice.
//! - **Deno** sends a POST again on a connection that was used before. The crate asks Deno for a new connection for
//!   each call (`Deno.createHttpClient`), which prevents it. If that function is missing, Deno may send a POST twice.
//! - **Bun and workerd** sent each request once in all tests (421, lost answers). No setting is known that guarantees
//!   it.
//!
//! # Dropping the future
//!
//! Dropping a call aborts it. The server may still act, and its answer is lost. After a refresh, that answer may be the
//! only copy of the grant. If the caller can be cancelled, spawn the refresh (`js_sys::futures::spawn_local`). The
//! crate does not set `keepalive`, because nothing would read the answer after its page is gone.
//!
//! # Where futures must be `Send`
//!
//! The future of a call is not `Send`, because it awaits a JavaScript promise, which stays on its thread. Routers such
//! as axum's need handlers whose futures are `Send`. A worker has only one thread, so a wrapper that checks the thread
//! is enough: `send_wrapper::SendWrapper::new(transport.send(call)).await`, or `SendFuture` and `#[worker::send]` of
//! Cloudflare's `worker` crate. The example `examples/worker.rs` is such an endpoint.
//!
//! # Memory
//!
//! The core wipes its own buffers. JavaScript's strings and the runtime's buffers cannot be wiped.

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

mod failure;
#[cfg(feature = "javascript")]
mod javascript;
mod own_connection;
mod platform;
mod request;
mod response;
mod time_limit;
mod transport;

/// The allocator of the npm package.
#[cfg(all(feature = "npm", target_arch = "wasm32", not(target_feature = "atomics")))]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

pub use platform::{EntropyError, entropy, now};
pub use restream_oauth_core;
pub use transport::Transport;
