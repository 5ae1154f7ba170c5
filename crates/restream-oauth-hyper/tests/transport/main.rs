//! Tests of the adapter against the sandbox, over real sockets.

mod drops;
mod faults;
mod flow;
#[cfg(feature = "proxy")]
mod proxy;
mod support;
mod tls;
