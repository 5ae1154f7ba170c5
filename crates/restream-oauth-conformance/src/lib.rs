//! What every HTTP stack must make of every failure that a server and a network can produce: as data.
//!
//! [`table()`] is a list of [`Scenario`]s. Each says what the sandbox is told to do (JSON for `POST /_sandbox/faults`),
//! which step of the flow is sent, what must come of it, and what the server's ledger must show afterwards. Where stacks
//! differ, the [`Difference`] is part of the scenario, with its reason, and the stack is held against that alone: it fails
//! if it comes to anything else, be it what the others come to, unless the difference allows for that too.
//!
//! In scope: the scenarios, the comparison ([`Outcome`]) and the printed [`report`]. Out of scope: running them. Nothing
//! here opens a socket or knows the sandbox's types, so the same table is compiled to wasm32: `tests/wasm` runs it in Node
//! and in Chromium. `tests/native` runs it over the stacks of this platform, and `glue/` shows how little it takes to put
//! the core on one for which there is no adapter.

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

/// The names of the stacks, as the table uses them.
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

    /// All of them, in the order of the table's columns.
    pub const ALL: [&str; 8] = [HYPER, UREQ, NODE, CHROMIUM, REQWEST, MINREQ, TCP, CURL];
    /// Those that cannot be asked for https.
    pub const WITHOUT_TLS: [&str; 2] = [MINREQ, TCP];
}
