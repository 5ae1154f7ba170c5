//! What moves bytes: connections, requests, endpoints and pages.

pub(crate) mod control;
pub(crate) mod endpoints;
pub(crate) mod events;
pub(crate) mod guard;
pub(crate) mod observation;
pub(crate) mod page;
pub(crate) mod rendering;
pub mod request;
pub(crate) mod server;
pub(crate) mod state;
#[cfg(feature = "tls")]
pub(crate) mod tls;
pub(crate) mod watch;
pub(crate) mod wire;
