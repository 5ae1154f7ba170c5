//! The store on a running server, which stays up. Each test has a database of its own.

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod batches;
mod clocks;
mod connecting;
mod contract;
mod leases;
mod restoring;
mod schema;
