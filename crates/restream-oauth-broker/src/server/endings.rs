//! The devices whose end is expected, and what came of an end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use crate::devices::DeviceId;

/// How long a logout at Restream is waited for. It goes on without the one who asked.
pub(super) const LOGOUT_LIMIT: Duration = Duration::from_secs(20);
/// How often the devices are looked at whose end is expected.
const TICK: Duration = Duration::from_secs(1);

/// The devices that may have to be ended soon, and when to look at each.
#[derive(Debug, Default)]
pub(super) struct Endings {
    expected: Mutex<BTreeMap<DeviceId, Option<SystemTime>>>,
    pub(super) next_round: Mutex<Option<SystemTime>>,
    pub(super) next_look: Mutex<Option<SystemTime>>,
    wanted: Notify,
}

impl Endings {
    /// Looks at a device at each tick until it is redeemed or ended.
    pub(super) fn expect(&self, id: DeviceId) {
        self.expected().insert(id, None);
    }

    /// Like [`expect`](Self::expect). A device whose end failed keeps waiting for its next try.
    pub(super) fn expect_also(&self, id: DeviceId) {
        self.expected().entry(id).or_default();
    }

    /// Ends the wait for a tick.
    pub(super) fn hurry(&self) {
        self.wanted.notify_one();
    }

    /// Waits until there is something to end at once, or for a tick.
    pub(super) async fn tick(&self) {
        let _ = tokio::time::timeout(TICK, self.wanted.notified()).await;
    }

    /// When to look at each; `None` is at the next tick.
    pub(super) fn expected(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Option<SystemTime>>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The devices to look at now.
    pub(super) fn due(&self, now: SystemTime) -> Vec<DeviceId> {
        let is_due = |at: &Option<SystemTime>| at.is_none_or(|at| at <= now);
        self.expected().iter().filter(|(_, at)| is_due(at)).map(|(id, _)| *id).collect()
    }
}

/// Whether a device has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Now,
    /// Somebody else ended it, perhaps in another process.
    Before,
    /// It could not be written.
    Not,
}
