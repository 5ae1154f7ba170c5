//! The open logins of a broker that is alone: in memory.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::observe::Observer;
use crate::devices::{Hash, Login, Logins};
use crate::metrics::Gauge;
use crate::protocol::Browser;

/// Logins whose browser has not come back from Restream, in memory.
#[derive(Debug)]
pub(super) struct OpenLogins {
    logins: Mutex<Logins>,
    observer: Arc<Observer>,
}

impl OpenLogins {
    pub(super) fn new(observer: Arc<Observer>) -> Self {
        Self { logins: Mutex::default(), observer }
    }

    /// Remembers a login.
    pub(super) fn begin(&self, login: Login, now: SystemTime) {
        self.with(|logins| logins.insert(login, now));
    }

    /// Takes the login with this `state`, if it began in this browser. It is there once.
    pub(super) fn take(&self, state: Hash, browser: &Browser, now: SystemTime) -> Option<Login> {
        self.with(|logins| logins.take(state, browser.hash(), now))
    }

    /// The logins that began in this browser and have not come back.
    pub(super) fn of_browser(&self, browser: &Browser, now: SystemTime) -> Vec<Login> {
        self.with(|logins| logins.of_browser(browser.hash(), now))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Logins) -> T) -> T {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut logins);
        self.observer.metrics.set(Gauge::OpenLogins, u64::try_from(logins.len()).unwrap_or(u64::MAX));
        result
    }
}
