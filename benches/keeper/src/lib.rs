//! Measures `restream-oauth-keeper` beside what others keep tokens with, in one run.
//!
//! ```text
//! rows ── ours, peer ──▶ results ──▶ table
//! ```
//!
//! `cargo bench` in this folder runs it; `README.md` in the folder above says what the figures mean.

mod crates;
mod fixtures;
pub mod live;
mod memory;
pub mod results;
mod rotation;
pub mod rows;
mod serving;
pub mod table;
// `timers` includes a file of the keeper, which takes this one from its crate.
#[allow(dead_code, reason = "the rest of it is for the keeper")]
#[path = "../../../crates/restream-oauth-keeper/src/tight.rs"]
mod tight;
mod timers;

use std::path::{Path, PathBuf};

/// The lock file that this program was built from.
pub const LOCK_FILE: &str = include_str!("../Cargo.lock");
/// The crates whose versions the table shows.
pub const CRATES: [&str; 4] = ["restream-oauth-keeper", "aws-smithy-runtime", "tokio", "tokio-util"];

/// The path of a file in this crate's folder.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
