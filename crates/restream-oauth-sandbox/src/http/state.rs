//! What all connections share.

use std::sync::Mutex;

use crate::orders::fault::Queue;
use crate::provider::Provider;
use crate::system::sync::{Stop, lock};

/// One sandbox, as seen from its threads.
pub(crate) struct State {
    pub(crate) provider: Provider,
    /// Scheme, host and port, without a slash at the end.
    pub(crate) base_url: String,
    /// The port of `base_url`.
    pub(crate) port: u16,
    /// Whether other machines may reach it.
    pub(crate) public: bool,
    /// Whether a connection serves one request only, whatever the client asks for.
    pub(crate) one_request_per_connection: bool,
    pub(crate) faults: Mutex<Queue>,
    pub(crate) stop: Stop,
}

impl State {
    /// As after the start: no codes, tokens, faults or entries in the ledger, and the system's time.
    pub(crate) fn reset(&self) {
        lock(&self.faults).clear();
        self.provider.reset();
    }
}
