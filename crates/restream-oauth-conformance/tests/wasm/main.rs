//! Runs the table over `restream-oauth-wasm`, compiled to wasm32: in Node and in a page of Chromium, against sandboxes
//! in another process.
//!
//! `.ci/wasm` starts the example `servers`, sets the addresses that it prints, and runs these tests in both.

#[cfg(target_arch = "wasm32")]
mod bench;
#[cfg(target_arch = "wasm32")]
mod lanes;
#[cfg(target_arch = "wasm32")]
mod remote;

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[ignore = "runs in Node and Chromium: see .ci/wasm"]
fn the_table_over_fetch_runs_in_ci_only() {}
