//! A table of what servers and networks do to a call, and of the outcome that every HTTP stack must report.
//!
//! [`table()`] is a list of [`Scenario`]s. Each has the faults of the sandbox (JSON for `POST /_sandbox/faults`), the
//! step of the flow that is sent, the expected outcomes, and what the server's ledger must show afterwards. Where a
//! stack differs, a [`Difference`] in the scenario has the outcomes that replace the expected ones, and the reason. The
//! stack fails with any other outcome, even with the one that the other stacks must have.
//!
//! In scope: the scenarios, the comparison ([`Outcome`]) and the printed [`report`]. Out of scope: running the
//! scenarios. Nothing here opens a socket or uses the sandbox's types, so the table also compiles to wasm32.
//! `tests/native` runs it over native stacks, and `tests/wasm` in Node and in Chromium. `glue/` shows how little code
//! puts the core on a stack without an adapter.

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

pub mod outcome;
pub mod report;
mod scenario;
pub mod table;

pub use outcome::Outcome;
pub use scenario::{Case, Certificate, Difference, LedgerShows, Limit, Operation, Scenario, Server};
pub use table::table;

/// The names of the stacks in the table.
pub mod stack {
    /// `restream-oauth-hyper`.
    pub const HYPER: &str = "hyper";
    /// `restream-oauth-ureq`.
    pub const UREQ: &str = "ureq";
    /// `glue/reqwest.rs`.
    pub const REQWEST: &str = "reqwest";
    /// `glue/minreq.rs`.
    pub const MINREQ: &str = "minreq";
    /// `glue/tcp.rs`.
    pub const TCP: &str = "TcpStream";
    /// `glue/curl.rs`.
    pub const CURL: &str = "curl";
    /// `restream-oauth-wasm` in Node.
    pub const NODE: &str = "Node";
    /// `restream-oauth-wasm` in Chromium.
    pub const CHROMIUM: &str = "Chromium";

    /// All stacks, in the order of the table's columns.
    pub const ALL: [&str; 8] = [HYPER, UREQ, NODE, CHROMIUM, REQWEST, MINREQ, TCP, CURL];
    /// The stacks without https.
    pub const WITHOUT_TLS: [&str; 2] = [MINREQ, TCP];
}
