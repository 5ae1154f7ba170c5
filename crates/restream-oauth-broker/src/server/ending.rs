//! The end of devices: revoked, not redeemed in time, or not used for 90 days.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use restream_oauth_core::Client;
use restream_oauth_hyper::Transport;
use restream_oauth_keeper::store::{Leftovers, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Keeper, TokenError};
use tokio::task::JoinSet;

use super::broker::Broker;
use super::endings::{Ended, LOGOUT_LIMIT};
use super::kept::Handles;
use super::start_error::StartError;
use super::storage::{self, Grants};
use crate::devices::{DeviceId, DeviceOp, DeviceOutcome, Devices, DevicesError, Due};
use crate::metrics::{Gauge, HandleEnd, LoginStep};
use crate::settings::Store;

/// How often all devices are looked at.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(3600);
/// How often the store is asked for devices of other instances whose end is due.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// How late such a device is before this instance ends it. The instance that knows it is faster.
const LATE: Duration = Duration::from_secs(5);
/// How long an end that failed waits for its next try.
const BETWEEN_TRIES: Duration = Duration::from_secs(30);
/// How many devices are read at a time.
const PAGE: usize = 1024;
/// How many devices are ended at the same time.
const AT_ONCE: usize = 32;

/// Opens the devices of a store beside brokers that may run: to list them.
///
/// # Errors
/// [`StartError`] if the store cannot be used.
pub async fn devices_beside(store: &Store) -> Result<Devices, StartError> {
    storage::open_beside(store).await.map(|(devices, _)| devices)
}

/// Ends a device, durably, and revokes its grant at Restream: from a process beside running brokers, which give nothing
/// out from then on. If Restream cannot be reached, a broker goes on trying: with PostgreSQL within seconds, otherwise at
/// its next start, or within an hour.
///
/// # Errors
/// [`EndError`] says why the device, or its grant, has not ended.
pub async fn end_device(store: &Store, client: Client, transport: Transport, id: DeviceId) -> Result<(), EndError> {
    let (devices, grants) = storage::open_beside(store).await.map_err(EndError::Store)?;
    loop {
        let DeviceOutcome::Device(Some(mut device)) = devices.run(DeviceOp::Read(id)).await? else {
            return Err(EndError::Unknown);
        };
        if device.has_ended() {
            break;
        }
        device.end();
        if matches!(devices.run(DeviceOp::Replace(device)).await?, DeviceOutcome::Done) {
            break;
        }
    }
    let keeper = match grants {
        Grants::File(store) => Keeper::open(client, store),
        Grants::Postgres(store) => Keeper::open(client, store),
    };
    let driver = tokio::spawn(keeper.run(async move |call| transport.receive(call).await, tokio::time::sleep));
    let grant = keeper.grant(&id.to_string()).map_err(|_| EndError::Unknown)?;
    let revoked = grant.log_out().await;
    keeper.shut_down().await;
    driver.abort();
    match revoked {
        Ok(()) | Err(TokenError::Gone(_)) => {
            devices.run(DeviceOp::Remove(id)).await?;
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
    /// The store cannot be opened.
    Store(StartError),
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
            Self::Store(error) => error.fmt(f),
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
            Self::Store(error) => Some(error),
            Self::Devices(error) => Some(error),
            Self::NotRevoked(error) => Some(error),
        }
    }
}

impl Broker {
    /// Reads all devices: after a restart, and once an hour.
    pub(super) async fn look_for_endings(&self, handles: &Handles) -> Result<(), DevicesError> {
        let (mut after, mut living) = (None, 0_u64);
        loop {
            let (devices, next) = handles.storage.list(after, PAGE).await?;
            for device in &devices {
                if device.is_living(self.clock.now()) {
                    living = living.saturating_add(1);
                } else {
                    handles.endings.expect_also(device.id);
                }
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        self.observer().metrics.set(Gauge::Handles, living);
        let next = self.clock.now().checked_add(BETWEEN_ROUNDS);
        *handles.endings.next_round.lock().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// Ends what is due. Called each second.
    pub(super) async fn sweep(self: &Arc<Self>, handles: &Arc<Handles>) {
        let now = self.clock.now();
        handles.witnesses.forget(now);
        handles.sightings.forget(now);
        let next_round = *handles.endings.next_round.lock().unwrap_or_else(PoisonError::into_inner);
        if is_time(next_round, now, BETWEEN_ROUNDS) && self.look_for_endings(handles).await.is_err() {
            return;
        }
        handles.look_for_others(now).await;
        for some in handles.endings.due(now).chunks(AT_ONCE) {
            let mut tasks = JoinSet::new();
            for &id in some {
                let (broker, handles) = (Arc::clone(self), Arc::clone(handles));
                tasks.spawn(async move { broker.look_at(&handles, id, now).await });
            }
            tasks.join_all().await;
        }
    }

    async fn look_at(&self, handles: &Handles, id: DeviceId, now: SystemTime) {
        let done = match handles.storage.read(id).await {
            Ok(None) => true,
            Ok(Some(device)) => match device.due(now) {
                Due::Nothing if device.is_living(now) => true,
                // Its code can still be redeemed.
                Due::Nothing => return,
                Due::Revoke => {
                    if !device.has_ended() {
                        self.observer().metrics.login(LoginStep::Abandoned);
                    }
                    // What was cut off comes before the keeper hears of the grant, and takes in what is left of it.
                    handles.end(id).await != Ended::Not
                        && self.revoke_what_was_cut_off(handles, id).await
                        && handles.log_out(id).await
                }
                Due::Forget => {
                    let forgotten = handles.forget(id).await;
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
            handles.endings.expected().remove(&id);
        } else {
            handles.endings.expected().insert(id, now.checked_add(BETWEEN_TRIES));
        }
    }
}

impl Broker {
    /// Revokes tokens of a login whose process died while it stored them. They lie beside a grant that is not there, so a
    /// logout would not find them, and the keeper would take them in later. False if they could not be revoked.
    async fn revoke_what_was_cut_off(&self, handles: &Handles, id: DeviceId) -> bool {
        let Ok(name) = id.to_string().parse::<GrantName>() else { return false };
        match handles.grants.execute(&name, StoreOp::Read).await {
            StoreOutcome::Read { stored, left: true } if stored.record().is_none() => {}
            StoreOutcome::Read { .. } => return true,
            _ => return false,
        }
        let StoreOutcome::Claimed(claimed) = handles.grants.execute(&name, StoreOp::Claim).await else { return false };
        // Another process may have stored them since. Then the logout finds them.
        let logins = if claimed.stored.record().is_none() { &*claimed.logins } else { &[] };
        let mut revoked = true;
        for tokens in logins {
            revoked &= self.revoke_at_once(tokens).await;
        }
        let leftovers = if revoked && !logins.is_empty() { Leftovers::Remove } else { Leftovers::Leave };
        let settle = StoreOp::Settle { claim: claimed.claim, record: None, leftovers };
        matches!(handles.grants.execute(&name, settle).await, StoreOutcome::Done) && revoked
    }
}

/// True if it is time for something that is done `every` so often. Also if the next time is further away than that: then
/// the clock was set back.
fn is_time(next: Option<SystemTime>, now: SystemTime, every: Duration) -> bool {
    next.is_none_or(|at| at <= now || at.duration_since(now).is_ok_and(|wait| wait > every))
}

impl Handles {
    /// Looks for devices whose end another instance expected, which may have died. And forgets logins that have expired.
    async fn look_for_others(&self, now: SystemTime) {
        if !self.storage.is_shared() {
            return;
        }
        {
            let mut next_look = self.endings.next_look.lock().unwrap_or_else(PoisonError::into_inner);
            if !is_time(*next_look, now, BETWEEN_LOOKS) {
                return;
            }
            *next_look = now.checked_add(BETWEEN_LOOKS);
        }
        // If the database cannot be asked, the next look does it.
        let _ = self.storage.expire_logins(now).await;
        let late = now.checked_sub(LATE).unwrap_or(now);
        for device in self.storage.due(late, PAGE).await.unwrap_or_default() {
            self.endings.expect_also(device.id);
        }
    }

    /// Ends a device, durably: from now on nothing is given out. The grant is revoked in the background.
    pub(super) async fn end(&self, id: DeviceId) -> Ended {
        loop {
            let Ok(stored) = self.storage.read(id).await else { return Ended::Not };
            let Some(mut device) = stored else { return Ended::Before };
            if device.has_ended() {
                self.end_soon(id);
                return Ended::Before;
            }
            device.end();
            match self.storage.replace(device).await {
                Ok(Ok(())) => {
                    self.end_soon(id);
                    return Ended::Now;
                }
                Ok(Err(None)) => return Ended::Before,
                Ok(Err(Some(_))) => {}
                Err(_) => return Ended::Not,
            }
        }
    }

    /// Revokes the grant of a device that has ended, in the background.
    pub(super) fn end_soon(&self, id: DeviceId) {
        self.endings.expect(id);
        self.endings.hurry();
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
    async fn forget(&self, id: DeviceId) -> bool {
        self.forget_grant(id).await && self.storage.remove(id).await.is_ok()
    }

    async fn forget_grant(&self, id: DeviceId) -> bool {
        let Ok(name) = id.to_string().parse::<GrantName>() else { return false };
        let StoreOutcome::Claimed(claimed) = self.grants.execute(&name, StoreOp::Claim).await else { return false };
        let op = match claimed.stored.record() {
            Some(record) => StoreOp::Forget { claim: claimed.claim, tombstone: record.tombstone() },
            None => StoreOp::Settle { claim: claimed.claim, record: None, leftovers: Leftovers::Leave },
        };
        matches!(self.grants.execute(&name, op).await, StoreOutcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_puts_no_round_off_until_it_has_caught_up() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let hour = Duration::from_secs(3600);
        assert!(is_time(None, at(0), hour));
        let next = Some(at(10_000));
        assert!(is_time(next, at(10_000), hour) && is_time(next, at(20_000), hour));
        assert!(!is_time(next, at(9_999), hour) && !is_time(next, at(6_400), hour));
        assert!(is_time(next, at(6_399), hour));
    }
}
