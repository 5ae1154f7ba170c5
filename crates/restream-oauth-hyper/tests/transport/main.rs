//! The adapter over real sockets, against the sandbox.

mod drops;
mod faults;
mod flow;
mod support;
mod tls;
