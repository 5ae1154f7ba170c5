//! Whether the API still accepts a token that a device has already.
//!
//! A device that asks again before its token ends may have got a 401 with it. OBS, for one, asks for nothing else then.
//! So the API is asked first: it is the witness. Once a minute a grant at most, since a device may also ask again and again
//! for no reason.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::OwnedMutexGuard;

use crate::devices::DeviceId;

/// How long a verdict counts.
const BETWEEN: Duration = Duration::from_secs(60);

/// When the API was asked about each grant, in the last minute.
#[derive(Debug, Default)]
pub(super) struct Witnesses {
    asked: Mutex<HashMap<DeviceId, Arc<tokio::sync::Mutex<Testimony>>>>,
}

/// What is known of a grant's token.
#[derive(Debug, Default)]
pub(super) struct Testimony {
    asked_at: Option<SystemTime>,
    /// The generation that the API refused.
    refused: Option<u64>,
}

impl Witnesses {
    /// Waits until nobody else asks about this grant.
    pub(super) async fn of(&self, id: DeviceId) -> OwnedMutexGuard<Testimony> {
        let testimony = Arc::clone(self.asked().entry(id).or_default());
        testimony.lock_owned().await
    }

    /// Forgets what does not count any more.
    pub(super) fn forget(&self, now: SystemTime) {
        self.asked().retain(|_, testimony| {
            Arc::strong_count(testimony) > 1 || testimony.try_lock().is_ok_and(|testimony| testimony.counts(now))
        });
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<DeviceId, Arc<tokio::sync::Mutex<Testimony>>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Testimony {
    /// True if the API was asked within a minute.
    pub(super) fn counts(&self, now: SystemTime) -> bool {
        self.asked_at.is_some_and(|at| now.duration_since(at).unwrap_or_default() < BETWEEN)
    }

    /// True if the API refused this generation when it was last asked.
    pub(super) fn refuses(&self, generation: u64) -> bool {
        self.refused == Some(generation)
    }

    pub(super) fn note(&mut self, refused: Option<u64>, now: SystemTime) {
        *self = Self { asked_at: Some(now), refused };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_verdict_counts_for_a_minute_and_is_forgotten_then() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let witnesses = Witnesses::default();
        let id = DeviceId::from([1; 16]);
        let mut testimony = witnesses.of(id).await;
        assert!(!testimony.counts(at(0)));
        testimony.note(Some(3), at(0));
        witnesses.forget(at(100));
        drop(testimony);
        let testimony = witnesses.of(id).await;
        assert!(testimony.counts(at(59)) && !testimony.counts(at(60)));
        assert!(testimony.refuses(3) && !testimony.refuses(4));
        drop(testimony);
        witnesses.forget(at(59));
        assert_eq!(witnesses.asked().len(), 1);
        witnesses.forget(at(60));
        assert!(witnesses.asked().is_empty());
    }
}
