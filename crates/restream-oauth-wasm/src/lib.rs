//! Sends the calls of `restream-oauth-core` over `fetch`: in browsers (pages and workers), Node, Deno, Bun and workerd.
//!
//! In scope: asking `fetch` the right way, a time limit, feeding the answer to its reader, and the two things that the
//! core takes from its platform, [`now`] and [`entropy`]. Out of scope: everything else. It follows no redirect and
//! retries nothing. `fetch` and all else are looked up in the global object; nothing assumes a window.
//!
//! ```no_run
//! use restream_oauth_core::{Client, RefreshToken};
//! use restream_oauth_wasm::Transport;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("client-id")
//!     .secret("client-secret") // on a server or at the edge; a page or a device must not hold it
//!     .redirect_uri("https://app.example/callback")
//!     .build()?;
//! let transport = Transport::new();
//! let login = client.login(restream_oauth_wasm::entropy()?);
//! let tokens = transport.send(client.refresh(&RefreshToken::new("9ca0e1e9"))).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The target is `wasm32-unknown-unknown`. On others the crate compiles, so that a workspace can be checked as a whole,
//! and does nothing: each call into JavaScript panics. The feature `javascript` adds the classes of the npm package;
//! `npm` also chooses the allocator of the whole program, and is for that package alone.
//!
//! # What `fetch` cannot tell
//!
//! - **Whether anything was sent.** A failure before the head of the answer is
//!   [`Unknown`](restream_oauth_core::Delivery::Unknown), even where the server was not there. Only a request that was
//!   never handed to `fetch` is `NotSent`.
//! - **Why a connection failed.** Browsers, Deno and workerd hide it: the kind is
//!   [`Other`](restream_oauth_core::transport::FailureKind::Other). Node and Bun tell a code, which is read.
//! - **Which redirect it was.** A browser answers `redirect: "manual"` with an empty answer of status 0. It is reported
//!   as `Redirected` with status 303, whichever it was, because it may have been that one; other runtimes give the real status.
//! - **How many bytes there were.** The runtime decodes compressed answers, so `Content-Length` does not count what this
//!   crate sees, and is left out. An answer that is cut is the runtime's to notice.
//! - **All that arrived before a break.** A stream that fails drops what nobody has read yet: Chromium and Bun lose a pair that
//!   came whole in the same moment as the break. It is then `Unknown`, where other stacks save the pair.
//!
//! # What `fetch` adds
//!
//! `Origin`, `User-Agent`, `Accept-Language`, `Sec-Fetch-*` and the like. A browser asks for compressed answers whatever
//! is set; elsewhere `Accept-Encoding: identity` and `Connection: close` are sent.
//!
//! # How often a request is sent
//!
//! This crate calls `fetch` once for each call. **Some runtimes then send the request a second time** by themselves. If the
//! server acted on the first request of a refresh, it answers the second one with `invalid_grant`.
//!
//! - **Browsers** may send a request again when the connection that they reused turns out to be closed, and when the answer
//!   is 421 (both measured in Chromium). No page can forbid it.
//! - **Node** sends a request again when the answer is 421, unless its body is a stream. A POST is given one there, with
//!   its length, so it goes out once and with `Content-Length`. A profile call has no body, and can be sent twice.
//! - **Deno** sends a POST again on a connection that was used before. It is asked for a connection of the call's own
//!   (`Deno.createHttpClient`), which rules that out. Where Deno has no such connection to give, nothing does.
//! - **Bun and workerd** sent each request once in all tests (421, lost answers). Nothing is known that would forbid them
//!   to send it twice.
//!
//! # Dropping the future
//!
//! A dropped call is aborted. The server may have acted all the same, and its answer is lost, which for a refresh may
//! be the grant: spawn refreshes (`js_sys::futures::spawn_local`) when the caller can be cancelled. `keepalive` is not
//! set, since a request that outlives its page is answered to nobody.
//!
//! # Where futures must be `Send`
//!
//! The future of a call is not `Send`, for one reason: it waits for a promise of JavaScript's, which stays on its thread.
//! Routers such as axum's want handlers whose futures are `Send`. A worker has one thread, so a wrapper that checks the
//! thread will do: `send_wrapper::SendWrapper::new(transport.send(call)).await`, or `SendFuture` and `#[worker::send]` of
//! Cloudflare's `worker` crate. The example `examples/worker.rs` is such an endpoint.
//!
//! # Memory
//!
//! Nothing is wiped beyond the core's own buffers: JavaScript's strings and the runtime's buffers cannot be.

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

/// The one of the npm package.
#[cfg(all(feature = "npm", target_arch = "wasm32", not(target_feature = "atomics")))]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

pub use platform::{EntropyError, entropy, now};
pub use restream_oauth_core;
pub use transport::Transport;
