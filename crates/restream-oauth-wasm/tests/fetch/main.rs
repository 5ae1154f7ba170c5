//! Tests the adapter, built for wasm32, in Node, in a page and in a worker, against the example `sandbox`.
//!
//! `.ci/wasm` starts the example, sets the addresses that it prints, and runs these tests in each runtime.

#[cfg(target_arch = "wasm32")]
mod asking;
#[cfg(target_arch = "wasm32")]
mod broken;
#[cfg(target_arch = "wasm32")]
mod flow;
#[cfg(target_arch = "wasm32")]
mod redirect;
#[cfg(target_arch = "wasm32")]
mod sandbox;
#[cfg(target_arch = "wasm32")]
mod time;
#[cfg(target_arch = "wasm32")]
mod worker;

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[ignore = "runs in Node and Chromium: see .ci/wasm"]
fn these_tests_run_in_ci_only() {}
