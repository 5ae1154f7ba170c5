//! Measures `restream-oauth-core` beside the `oauth2` crate and beside the floor, in one run.
//!
//! The floor is hand-written code that does the least that is correct, with every constant computed before. It shows
//! what is left to gain; it checks little, wipes nothing and could not be shipped.
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
mod peer;
pub mod picture;
pub mod results;
pub mod rows;
pub mod table;
mod task;
