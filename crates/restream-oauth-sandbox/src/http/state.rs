//! What all connections share.

use std::sync::Mutex;

use crate::ledger::Book;
use crate::orders::fault::Queue;
use crate::restream::authorization_server::{AuthorizationServer, Settings};
use crate::system::sync::{Stop, lock};
use crate::system::time::Clock;

/// One sandbox, as seen from its threads.
pub(crate) struct State {
    pub(crate) settings: Settings,
    /// Scheme, host and port, without a slash at the end.
    pub(crate) base_url: String,
    /// The port of `base_url`.
    pub(crate) port: u16,
    /// Whether other machines may reach it.
    pub(crate) public: bool,
    /// Whether a connection serves one request only, whatever the client asks for.
    pub(crate) one_request_per_connection: bool,
    pub(crate) authorization_server: Mutex<AuthorizationServer>,
    pub(crate) faults: Mutex<Queue>,
    pub(crate) book: Book,
    pub(crate) clock: Clock,
    pub(crate) stop: Stop,
}

impl State {
    /// As after the start: no codes, tokens, faults or entries in the ledger, and the system's time.
    pub(crate) fn reset(&self) {
        *lock(&self.authorization_server) = AuthorizationServer::default();
        lock(&self.faults).clear();
        self.clock.reset();
        self.book.reset();
    }
}
