//! Whole keepers on the store, against a local Restream.

#[path = "../support/mod.rs"]
mod support;

mod clocks;
mod deaths;
mod proxy;
mod workers;
mod world;
