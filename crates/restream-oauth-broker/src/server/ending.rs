//! The end of devices: revoked, not redeemed in time, or not used for 90 days.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use restream_oauth_core::Client;
use restream_oauth_hyper::Transport;
use restream_oauth_keeper::store::{FileStore, Leftovers, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Keeper, TokenError};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::broker::Broker;
use super::tokens::LOGOUT_LIMIT;
use crate::devices::{DeviceId, DeviceOp, DeviceOutcome, DevicesError, Due, FileDevices};
use crate::metrics::{Gauge, HandleEnd, LoginStep};

/// How often the devices are looked at whose end is expected.
const TICK: Duration = Duration::from_secs(1);
/// How often all devices are looked at.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(3600);
/// How long an end that failed waits for its next try.
const BETWEEN_TRIES: Duration = Duration::from_secs(30);
/// How many devices are read at a time.
const PAGE: usize = 1024;
/// How many devices are ended at the same time.
const AT_ONCE: usize = 32;

/// The devices that may have to be ended soon, and when to look at each.
#[derive(Debug, Default)]
pub(super) struct Endings {
    expected: Mutex<BTreeMap<DeviceId, Option<SystemTime>>>,
    next_round: Mutex<Option<SystemTime>>,
    wanted: Notify,
}

impl Endings {
    /// Looks at a device at each tick until it is redeemed or ended.
    pub(super) fn expect(&self, id: DeviceId) {
        self.expected().insert(id, None);
    }

    /// Waits until there is something to end at once, or for a tick.
    pub(super) async fn tick(&self) {
        let _ = tokio::time::timeout(TICK, self.wanted.notified()).await;
    }

    fn expected(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Option<SystemTime>>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due(&self, now: SystemTime) -> Vec<DeviceId> {
        let is_due = |at: &Option<SystemTime>| at.is_none_or(|at| at <= now);
        self.expected().iter().filter(|(_, at)| is_due(at)).map(|(id, _)| *id).collect()
    }
}

/// Ends a device, durably, and revokes its grant at Restream: from a process beside a running broker, which gives nothing
/// out from then on. If Restream cannot be reached, the broker goes on trying at its next start, or within an hour.
///
/// # Errors
/// [`EndError`] says why the device, or its grant, has not ended.
pub async fn end_device(folder: &Path, client: Client, transport: Transport, id: DeviceId) -> Result<(), EndError> {
    let devices = FileDevices::beside(folder)?;
    loop {
        let DeviceOutcome::Device(Some(mut device)) = devices.run(DeviceOp::Read(id))? else {
            return Err(EndError::Unknown);
        };
        if device.has_ended() {
            break;
        }
        device.end();
        if matches!(devices.run(DeviceOp::Replace(device))?, DeviceOutcome::Done) {
            break;
        }
    }
    let store = FileStore::at(folder.join("grants")).map_err(DevicesError::Store)?;
    let keeper = Keeper::open(client, store.on_threads());
    let driver = tokio::spawn(keeper.run(async move |call| transport.receive(call).await, tokio::time::sleep));
    let grant = keeper.grant(&id.to_string()).map_err(|_| EndError::Unknown)?;
    let revoked = grant.log_out().await;
    keeper.shut_down().await;
    driver.abort();
    match revoked {
        Ok(()) | Err(TokenError::Gone(_)) => {
            devices.run(DeviceOp::Remove(id))?;
            Ok(())
        }
        Err(error) => Err(EndError::NotRevoked(error)),
    }
}

/// Why [`end_device`] did not end a device.
#[derive(Debug)]
#[non_exhaustive]
pub enum EndError {
    /// There is no such device.
    Unknown,
    /// The devices cannot be read or written.
    Devices(DevicesError),
    /// The device has ended, and gets nothing any more. Its grant is not revoked yet.
    NotRevoked(TokenError),
}

impl From<DevicesError> for EndError {
    fn from(error: DevicesError) -> Self {
        Self::Devices(error)
    }
}

impl fmt::Display for EndError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no device with this id: `devices list` prints them"),
            Self::Devices(error) => error.fmt(f),
            Self::NotRevoked(error) => {
                write!(f, "the device has ended, but its grant at Restream has not: {error}; run this again")
            }
        }
    }
}

impl std::error::Error for EndError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unknown => None,
            Self::Devices(error) => Some(error),
            Self::NotRevoked(error) => Some(error),
        }
    }
}

impl Broker {
    /// Reads all devices: after a restart, and once an hour.
    pub(super) async fn look_for_endings(&self) -> Result<(), DevicesError> {
        let (mut after, mut living) = (None, 0_u64);
        loop {
            let (devices, next) = self.storage.list(after, PAGE).await?;
            for device in &devices {
                if device.is_living(self.clock.now()) {
                    living = living.saturating_add(1);
                } else {
                    self.endings.expect(device.id);
                }
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        self.observer().metrics.set(Gauge::Handles, living);
        let next = self.clock.now().checked_add(BETWEEN_ROUNDS);
        *self.endings.next_round.lock().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// Ends what is due. Called each second.
    pub(super) async fn sweep(self: &Arc<Self>) {
        let now = self.clock.now();
        self.witnesses.forget(now);
        self.sightings.forget(now);
        let next_round = *self.endings.next_round.lock().unwrap_or_else(PoisonError::into_inner);
        if next_round.is_none_or(|at| at <= now) && self.look_for_endings().await.is_err() {
            return;
        }
        for some in self.endings.due(now).chunks(AT_ONCE) {
            let mut tasks = JoinSet::new();
            for &id in some {
                let broker = Arc::clone(self);
                tasks.spawn(async move { broker.look_at(id, now).await });
            }
            tasks.join_all().await;
        }
    }

    async fn look_at(self: &Arc<Self>, id: DeviceId, now: SystemTime) {
        let done = match self.storage.read(id) {
            Ok(None) => true,
            Ok(Some(device)) => match device.due(now) {
                Due::Nothing if device.is_living(now) => true,
                // Its code can still be redeemed.
                Due::Nothing => return,
                Due::Revoke => {
                    if !device.has_ended() {
                        self.observer().metrics.login(LoginStep::Abandoned);
                    }
                    self.end(id).await && self.log_out(id).await
                }
                Due::Forget => {
                    let forgotten = self.forget(id).await;
                    if forgotten {
                        self.observer().handle_ended(HandleEnd::Idle);
                    }
                    forgotten
                }
            },
            // A document that cannot be read stays for a person to look at.
            Err(_) => false,
        };
        if done {
            self.endings.expected().remove(&id);
        } else {
            self.endings.expected().insert(id, now.checked_add(BETWEEN_TRIES));
        }
    }

    /// Ends a device, durably: from now on nothing is given out. The grant is revoked in the background. False if the
    /// device could not be written.
    pub(super) async fn end(self: &Arc<Self>, id: DeviceId) -> bool {
        loop {
            let Ok(stored) = self.storage.read(id) else { return false };
            let Some(mut device) = stored else { return true };
            if device.has_ended() {
                break;
            }
            device.end();
            match self.storage.replace(device).await {
                Ok(Ok(())) => break,
                Ok(Err(None)) => return true,
                Ok(Err(Some(_))) => {}
                Err(_) => return false,
            }
        }
        self.end_soon(id);
        true
    }

    /// Revokes the grant of a device that has ended, in the background.
    pub(super) fn end_soon(self: &Arc<Self>, id: DeviceId) {
        self.endings.expect(id);
        self.endings.wanted.notify_one();
    }

    /// Revokes the grant of a device that has ended, and forgets both.
    async fn log_out(&self, id: DeviceId) -> bool {
        let Ok(grant) = self.grant(id) else { return false };
        match grant.with_limit(LOGOUT_LIMIT).log_out().await {
            Ok(()) | Err(TokenError::Gone(_)) => self.storage.remove(id).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Forgets a device that nobody uses, and its grant. Nothing is revoked: whoever holds its access token, or a backup,
    /// may go on.
    async fn forget(self: &Arc<Self>, id: DeviceId) -> bool {
        let broker = Arc::clone(self);
        let forgotten = tokio::task::spawn_blocking(move || broker.forget_grant(id)).await;
        forgotten.unwrap_or(false) && self.storage.remove(id).await.is_ok()
    }

    fn forget_grant(&self, id: DeviceId) -> bool {
        let Ok(name) = id.to_string().parse::<GrantName>() else { return false };
        let StoreOutcome::Claimed(claimed) = self.grants.run(&name, StoreOp::Claim) else { return false };
        let op = match claimed.stored.record() {
            Some(record) => StoreOp::Forget { claim: claimed.claim, tombstone: record.tombstone() },
            None => StoreOp::Settle { claim: claimed.claim, record: None, leftovers: Leftovers::Leave },
        };
        matches!(self.grants.run(&name, op), StoreOutcome::Done)
    }
}
