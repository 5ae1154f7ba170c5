//! Tests of the adapter against the sandbox, over real sockets.

mod drops;
mod faults;
mod flow;
#[cfg(feature = "proxy")]
mod proxy;
#[cfg(feature = "proxy")]
#[path = "../../../restream-oauth-conformance/support/proxy_server.rs"]
mod proxy_server;
mod support;
mod tls;
