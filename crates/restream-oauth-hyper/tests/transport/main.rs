//! The adapter over real sockets, against the sandbox.

mod drops;
mod faults;
mod flow;
#[cfg(feature = "proxy")]
mod proxy;
mod support;
mod tls;
