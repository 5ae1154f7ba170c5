//! The adapter in a real runtime against a real server: built for wasm32 and run in Node, in a page and in a worker.
//!
//! `.ci/wasm` starts the server, sets the addresses at which it answers, and runs this in each of them.

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
fn the_suite_is_left_to_ci() {}
