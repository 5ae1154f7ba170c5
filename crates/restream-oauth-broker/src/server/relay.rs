//! The relay: a device gets the pair of Restream itself, and the broker adds the credentials. It keeps nothing on disk, and
//! in memory for minutes:
//!
//! - a pair until its code is redeemed, or for a minute: then it is revoked;
//! - each answer to a refresh for two minutes, sealed under the refresh token that it replaced. A device that lost the
//!   answer sends that token again, and gets the same bytes. Restream hears nothing of it.
//!
//! All of that is bounded. A request that there is no room for is refused before anything is sent: the answer to it could
//! be lost for good.

mod memory;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use restream_oauth_core::Tokens;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::memory::Memory;
pub(super) use self::memory::{NoPlace, Place};
use super::observe::Observer;
use super::open_logins::OpenLogins;
use crate::devices::{Device, DeviceId, Due};
use crate::protocol::Redeem;

/// What a relay remembers for minutes.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) logins: OpenLogins,
    /// One permit for each pair and each answer.
    room: Arc<Semaphore>,
    unredeemed: Mutex<HashMap<DeviceId, Unredeemed>>,
    pub(super) memory: Memory,
}

/// A pair whose code is on its way.
#[derive(Debug)]
pub(super) struct Unredeemed {
    pub(super) device: Device,
    pub(super) tokens: Tokens,
    _room: OwnedSemaphorePermit,
}

impl Relay {
    /// A relay that remembers so many pairs and answers at most.
    pub(super) fn new(most: usize, observer: Arc<Observer>) -> Self {
        let room = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        let memory = Memory::new(Arc::clone(&room));
        Self { logins: OpenLogins::new(observer), room, unredeemed: Mutex::default(), memory }
    }

    /// Room for one more pair; `None` if the memory is full.
    pub(super) fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }

    pub(super) fn unredeemed(&self) -> MutexGuard<'_, HashMap<DeviceId, Unredeemed>> {
        self.unredeemed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the pair of a code.
    pub(super) fn keep(&self, device: Device, tokens: Tokens, room: OwnedSemaphorePermit) {
        self.unredeemed().insert(device.id, Unredeemed { device, tokens, _room: room });
    }

    /// Takes the pair of a code. It is there once.
    pub(super) fn redeem(&self, redeem: &Redeem, now: SystemTime) -> Option<Unredeemed> {
        let mut unredeemed = self.unredeemed();
        let found = unredeemed.get(&redeem.code.id())?;
        if !found.device.can_redeem(&redeem.code, &redeem.owner, redeem.shown(), now) {
            return None;
        }
        unredeemed.remove(&redeem.code.id())
    }

    /// Takes the pairs whose codes nobody redeemed in time.
    pub(super) fn abandoned(&self, now: SystemTime) -> Vec<Unredeemed> {
        let is_abandoned = |pair: &Unredeemed| pair.device.due(now) == Due::Revoke;
        self.unredeemed().extract_if(|_, pair| is_abandoned(pair)).map(|(_, pair)| pair).collect()
    }
}
