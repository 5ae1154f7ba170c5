//! Devices and open logins in PostgreSQL, beside the grants: for several instances of the broker at once.
//!
//! Each operation is one statement that commits by itself. A device is read from the database for each request, so what
//! another instance has ended is not served again. A code is redeemed by [`Replace`](DeviceOp::Replace), which one of two
//! instances can do.
//!
//! The database holds hashes of codes, handles, tokens, `state`s and cookies. What has to be read back of a login (its PKCE
//! verifier, the `state` of the device) is sealed under the cookie of the browser, which the browser brings along.
//!
//! Times are those of the instances' clocks, which have to agree within a few seconds.

mod schema;
mod sql;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use restream_oauth_keeper::store::{StoreError, StoreErrorKind};
use restream_oauth_keeper_postgres::{Config, ConnectError, Parameter, PostgresStore, Row};
use zeroize::Zeroizing;

pub use self::schema::{GRANTS, SCHEMA_VERSION, migrations};
use super::device::Device;
use super::key::{DeviceId, Hash};
use super::logins::{LIFE, Login, MOST, MOST_OF_BROWSER};
use super::operation::{DeviceOp, DeviceOutcome, DevicesError};
use super::{document, login_document};

/// A store of devices and open logins in PostgreSQL. Cheap to clone; clones are the same store.
#[derive(Clone, Debug)]
pub struct PostgresDevices {
    store: PostgresStore,
}

impl PostgresDevices {
    /// Brings the broker's tables to the version of this release, after the keeper's ([`PostgresStore::migrate`]). Returns
    /// the version that they had; 0 if they were not there. Any number of processes may do so at the same time.
    ///
    /// # Errors
    /// [`ConnectError`] if the database cannot be reached, or a newer release has migrated it.
    pub async fn migrate(config: &Config) -> Result<i32, ConnectError> {
        schema::migrate(config).await
    }

    /// The devices beside the grants of this store.
    pub fn new(store: PostgresStore) -> Self {
        Self { store }
    }

    /// Executes one operation.
    ///
    /// # Errors
    /// [`DevicesError`] says why it failed. If the connection broke, nobody knows whether it was done; it may be tried again.
    pub async fn run(&self, op: DeviceOp) -> Result<DeviceOutcome, DevicesError> {
        match op {
            DeviceOp::Read(id) => Ok(DeviceOutcome::Device(self.read(id).await?.map(Box::new))),
            DeviceOp::Insert(device) => {
                self.store.query(sql::INSERT, &columns(&device, device.revision)).await?;
                Ok(DeviceOutcome::Done)
            }
            DeviceOp::Replace(device) => self.replace(*device).await,
            DeviceOp::Remove(id) => {
                self.store.query(sql::REMOVE, &[id_of(id)]).await?;
                Ok(DeviceOutcome::Done)
            }
            DeviceOp::List { after, most } => self.list(after, most).await,
            DeviceOp::Find(access_token) => self.find(access_token).await,
            DeviceOp::Due { now, most } => {
                let rows = self.store.query(sql::DUE, &[time_of(now), count_of(most)]).await?;
                let (devices, damaged) = read_all(&rows)?;
                Ok(DeviceOutcome::Listed { devices, damaged, next: None })
            }
        }
    }

    async fn read(&self, id: DeviceId) -> Result<Option<Device>, DevicesError> {
        let rows = self.store.query(sql::READ, &[id_of(id)]).await?;
        rows.first().map(|row| document::read(id, text_of(row, "document")?.as_bytes())).transpose()
    }

    async fn replace(&self, mut device: Device) -> Result<DeviceOutcome, DevicesError> {
        let before = device.revision;
        device.revision = before.saturating_add(1);
        let done = self.store.query(sql::REPLACE, &columns(&device, before)).await?;
        if !done.is_empty() {
            return Ok(DeviceOutcome::Done);
        }
        let stored = self.read(device.id).await?;
        // Sent again because its connection broke, the statement finds what it has written itself.
        // Compared as they are written, in whole seconds.
        if stored.as_ref().is_some_and(|stored| document::write(stored) == document::write(&device)) {
            return Ok(DeviceOutcome::Done);
        }
        Ok(DeviceOutcome::Changed(stored.map(Box::new)))
    }

    async fn find(&self, access_token: Hash) -> Result<DeviceOutcome, DevicesError> {
        let rows = self.store.query(sql::FIND, &[hash_of(access_token)]).await?;
        let device = rows.first().map(read_row).transpose()?;
        Ok(DeviceOutcome::Device(device.map(Box::new)))
    }

    async fn list(&self, after: Option<DeviceId>, most: usize) -> Result<DeviceOutcome, DevicesError> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let parameters = [Parameter::Text(after.into()), count_of(most.saturating_add(1))];
        let rows = self.store.query(sql::LIST, &parameters).await?;
        let page = rows.get(..most).unwrap_or(&rows);
        let next = if rows.len() > most { page.last().map(id_in).transpose()? } else { None };
        let (devices, damaged) = read_all(page)?;
        Ok(DeviceOutcome::Listed { devices, damaged, next })
    }

    /// Remembers a login. `cookie` is that of the browser in which it began, as the browser brings it back.
    ///
    /// # Errors
    /// [`DevicesError`] if it was not remembered.
    pub async fn insert_login(&self, login: &Login, cookie: &str) -> Result<(), DevicesError> {
        let sealed = login_document::write(login, cookie).ok_or_else(|| {
            StoreError::new(StoreErrorKind::Unavailable, "the operating system gives no random bytes")
        })?;
        let sealed = Parameter::Bytes(Some(Zeroizing::new(sealed)));
        let parameters = [hash_of(login.state), hash_of(login.browser), time_of(login.began_at), sealed];
        self.store.query(sql::INSERT_LOGIN, &parameters).await?;
        Ok(())
    }

    /// Takes the login with this `state`, if it began in the browser with this cookie less than ten minutes ago. It is
    /// there once, whichever instance asks: a second callback finds nothing.
    ///
    /// # Errors
    /// [`DevicesError`]. The login may be taken all the same, and be lost: then its user begins again.
    pub async fn take_login(&self, state: Hash, cookie: &str, now: SystemTime) -> Result<Option<Login>, DevicesError> {
        let parameters = [hash_of(state), hash_of(Hash::of(cookie)), too_old(now)];
        let rows = self.store.query_once(sql::TAKE_LOGIN, &parameters).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        read_login(row, state, cookie)
    }

    /// The newest 32 logins that began in the browser with this cookie and have not come back, oldest first.
    ///
    /// # Errors
    /// [`DevicesError`] if the database cannot be asked.
    pub async fn logins_of_browser(&self, cookie: &str, now: SystemTime) -> Result<Vec<Login>, DevicesError> {
        let parameters = [hash_of(Hash::of(cookie)), too_old(now), count_of(MOST_OF_BROWSER)];
        let rows = self.store.query(sql::LOGINS_OF_BROWSER, &parameters).await?;
        let mut logins = Vec::with_capacity(rows.len());
        for row in rows.iter().rev() {
            let state: &[u8] = row.try_get("state").map_err(unexpected)?;
            let state = Hash::from_bytes(state.try_into().map_err(unexpected)?);
            logins.extend(read_login(row, state, cookie)?);
        }
        Ok(logins)
    }

    /// Forgets the logins that are older than ten minutes, and the oldest of those that are more than 20,000. Returns how
    /// many wait.
    ///
    /// # Errors
    /// [`DevicesError`] if the database cannot be asked.
    pub async fn expire_logins(&self, now: SystemTime) -> Result<u64, DevicesError> {
        let rows = self.store.query(sql::EXPIRE_LOGINS, &[too_old(now), count_of(MOST)]).await?;
        let waiting = rows.first().map(|row| row.try_get::<_, i64>("waiting")).transpose().map_err(unexpected)?;
        Ok(waiting.and_then(|waiting| u64::try_from(waiting).ok()).unwrap_or_default())
    }
}

/// The parameters of a statement that writes a device.
fn columns(device: &Device, revision: u64) -> [Parameter; 5] {
    [
        id_of(device.id),
        Parameter::Number(Some(i64::try_from(revision).unwrap_or(i64::MAX))),
        Parameter::Bytes(device.given.map(|hash| Zeroizing::new(hash.into_bytes().to_vec()))),
        time_of(device.due_at()),
        Parameter::Text(document::write(device).trim_end().into()),
    ]
}

fn id_of(id: DeviceId) -> Parameter {
    Parameter::Text(id.to_string().into())
}

fn hash_of(hash: Hash) -> Parameter {
    Parameter::Bytes(Some(Zeroizing::new(hash.into_bytes().to_vec())))
}

/// Microseconds since 1970. A time before counts as 1970.
fn time_of(time: SystemTime) -> Parameter {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Parameter::Number(Some(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
}

fn count_of(count: usize) -> Parameter {
    Parameter::Number(Some(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// When a login began that has expired by now.
fn too_old(now: SystemTime) -> Parameter {
    time_of(now.checked_sub(LIFE).unwrap_or(UNIX_EPOCH))
}

/// The devices of some rows, and those whose document cannot be read.
fn read_all(rows: &[Row]) -> Result<(Vec<Device>, Vec<DeviceId>), DevicesError> {
    let (mut devices, mut damaged) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        match read_row(row) {
            Ok(device) => devices.push(device),
            Err(DevicesError::Damaged { id, .. }) => damaged.push(id),
            Err(error) => return Err(error),
        }
    }
    Ok((devices, damaged))
}

fn read_row(row: &Row) -> Result<Device, DevicesError> {
    document::read(id_in(row)?, text_of(row, "document")?.as_bytes())
}

fn id_in(row: &Row) -> Result<DeviceId, DevicesError> {
    text_of(row, "id")?.parse().map_err(|error| unexpected(error).into())
}

fn text_of<'a>(row: &'a Row, column: &str) -> Result<&'a str, StoreError> {
    row.try_get(column).map_err(unexpected)
}

/// `None` for a login that cannot be opened: it is of a newer release, or the row was moved.
fn read_login(row: &Row, state: Hash, cookie: &str) -> Result<Option<Login>, DevicesError> {
    let began_at: i64 = row.try_get("began_at").map_err(unexpected)?;
    let began_at = Duration::from_micros(u64::try_from(began_at).unwrap_or_default());
    let began_at = UNIX_EPOCH.checked_add(began_at).unwrap_or(UNIX_EPOCH);
    let sealed: &[u8] = row.try_get("sealed").map_err(unexpected)?;
    Ok(login_document::read(state, cookie, began_at, sealed))
}

/// The words of the cause stay away: they can quote what was read.
fn unexpected<E>(_: E) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the database returned a row that this release does not know")
}
