//! Measures `restream-oauth-core` beside the `oauth2` crate and beside the floor, in one run.
//!
//! The floor is hand-written code that does the least work that is correct, with every constant computed beforehand. It
//! shows how much could still be gained. It checks little and wipes nothing, so nobody could ship it.
//!
//! ```text
//! rows ── three tasks each ──▶ measure ──▶ results ──▶ table, picture
//!          ours, peer, floor     time, allocations, instructions
//! ```
//!
//! `cargo bench -p restream-oauth-benches` runs it; `README.md` beside this crate says what the figures mean.

#[cfg(test)]
mod agreement;
pub mod allocations;
mod fixtures;
mod floor;
mod goals;
pub mod instructions;
pub mod machine;
pub mod measure;
mod ours;
pub mod page;
mod peer;
pub mod picture;
pub mod results;
pub mod rows;
pub mod table;
mod task;

/// The lock file that this program was built from.
pub const LOCK_FILE: &str = include_str!("../../Cargo.lock");
/// The crates whose versions the table shows.
pub const CRATES: [&str; 5] = ["restream-oauth-core", "oauth2", "http", "serde_json", "zeroize"];
