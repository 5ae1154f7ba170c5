//! The state that all connections share.

use std::sync::Mutex;

use crate::orders::fault::Queue;
use crate::provider::Provider;
use crate::system::sync::{Stop, lock};

/// The state of one running sandbox.
pub(crate) struct State {
    pub(crate) provider: Provider,
    /// Scheme, host and port, without a slash at the end.
    pub(crate) base_url: String,
    /// The port of `base_url`.
    pub(crate) port: u16,
    /// Whether other machines may connect.
    pub(crate) public: bool,
    /// Whether the server closes each connection after one request.
    pub(crate) one_request_per_connection: bool,
    /// The largest number of simultaneous connections. The server closes further ones at once.
    pub(crate) most_connections: usize,
    pub(crate) faults: Mutex<Queue>,
    pub(crate) stop: Stop,
}

impl State {
    /// Forgets codes, tokens, faults and the ledger, and returns to the system's time and to the rules of the start.
    pub(crate) fn reset(&self) {
        lock(&self.faults).clear();
        self.provider.reset();
    }
}
