//! Where the broker keeps what it must not forget: devices, open logins and grants. In files, or in PostgreSQL.

use std::sync::Arc;
use std::time::SystemTime;

use restream_oauth_keeper::GrantName;
use restream_oauth_keeper::store::file::OnThreads;
use restream_oauth_keeper::store::{FileStore, Store as _, StoreOp, StoreOutcome};
use restream_oauth_keeper_postgres::{Config, PostgresStore};

use super::clock::Clock;
use super::observe::Observer;
use super::open_logins::OpenLogins;
use super::start_error::StartError;
use crate::devices::{
    Device, DeviceId, DeviceOp, DeviceOutcome, Devices, DevicesError, FileDevices, Hash, Login, PostgresDevices,
};
use crate::log::{Entry, Level};
use crate::metrics::Gauge;
use crate::protocol::Browser;
use crate::settings::Store;

/// The store of the grants.
#[derive(Clone, Debug)]
pub(super) enum Grants {
    File(OnThreads),
    Postgres(PostgresStore),
}

impl Grants {
    pub(super) async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        match self {
            Self::File(store) => store.execute(grant, op).await,
            Self::Postgres(store) => store.execute(grant, op).await,
        }
    }
}

/// Opens a store as a broker that runs: with files, as the one broker that has them. Tables that are not there are made.
pub(super) async fn open(store: Store, clock: &Clock, observer: &Observer) -> Result<(Devices, Grants), StartError> {
    match store {
        Store::File(folder) => {
            if !folder.join("devices").exists() {
                let message = format!("made a new store in {}: it knows no devices", folder.display());
                observer.log.write(Entry::new(Level::Warn, "new_store", &message));
            }
            let opened = tokio::task::spawn_blocking(move || -> Result<_, StartError> {
                let devices = FileDevices::open(&folder)?;
                Ok((Devices::File(devices), Grants::File(FileStore::at(folder.join("grants"))?.on_threads())))
            });
            opened.await.map_err(|_| StartError::Devices(DevicesError::Stopping))?
        }
        Store::Postgres(config) => {
            let clock = clock.clone();
            let config = config.clock(move || clock.now());
            PostgresStore::migrate(&config).await?;
            PostgresDevices::migrate(&config).await?;
            let opened = connect(&config).await?;
            if let Grants::Postgres(store) = &opened.1 {
                observer.log.write(Entry::new(Level::Info, "database", &store.durability().to_string()));
            }
            Ok(opened)
        }
    }
}

/// Opens a store beside brokers that run.
pub(super) async fn open_beside(store: &Store) -> Result<(Devices, Grants), StartError> {
    match store {
        Store::File(folder) => {
            let devices = FileDevices::beside(folder)?;
            Ok((Devices::File(devices), Grants::File(FileStore::at(folder.join("grants"))?.on_threads())))
        }
        Store::Postgres(config) => connect(config).await,
    }
}

async fn connect(config: &Config) -> Result<(Devices, Grants), StartError> {
    let store = PostgresStore::connect(config).await?;
    Ok((Devices::Postgres(PostgresDevices::new(store.clone())), Grants::Postgres(store)))
}

/// Devices and open logins.
#[derive(Debug)]
pub(super) struct Storage {
    devices: Devices,
    /// The open logins of a broker whose devices are in files. With PostgreSQL they are beside the devices.
    logins: OpenLogins,
    observer: Arc<Observer>,
}

impl Storage {
    pub(super) fn new(devices: Devices, observer: Arc<Observer>) -> Self {
        Self { devices, logins: OpenLogins::new(Arc::clone(&observer)), observer }
    }

    /// True if other instances use the same devices.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.devices, Devices::Postgres(_))
    }

    /// Remembers a login.
    pub(super) async fn begin(&self, login: Login, browser: &Browser, now: SystemTime) -> Result<(), DevicesError> {
        match &self.devices {
            Devices::File(_) => self.logins.begin(login, now),
            Devices::Postgres(devices) => {
                return self.observed(devices.insert_login(&login, browser.expose_secret()).await);
            }
        }
        Ok(())
    }

    /// Takes the login with this `state`, if it began in this browser. It is there once.
    pub(super) async fn take_login(
        &self,
        state: Hash,
        browser: &Browser,
        now: SystemTime,
    ) -> Result<Option<Login>, DevicesError> {
        match &self.devices {
            Devices::File(_) => Ok(self.logins.take(state, browser, now)),
            Devices::Postgres(devices) => self.observed(devices.take_login(state, browser.expose_secret(), now).await),
        }
    }

    /// The logins that began in this browser and have not come back.
    pub(super) async fn logins_of(&self, browser: &Browser, now: SystemTime) -> Result<Vec<Login>, DevicesError> {
        match &self.devices {
            Devices::File(_) => Ok(self.logins.of_browser(browser, now)),
            Devices::Postgres(devices) => self.observed(devices.logins_of_browser(browser.expose_secret(), now).await),
        }
    }

    /// Forgets the logins that have expired. In memory they go with the next one.
    pub(super) async fn expire_logins(&self, now: SystemTime) -> Result<(), DevicesError> {
        if let Devices::Postgres(devices) = &self.devices {
            let waiting = self.observed(devices.expire_logins(now).await)?;
            self.observer.metrics.set(Gauge::OpenLogins, waiting);
        }
        Ok(())
    }

    /// A device as it is now.
    pub(super) async fn read(&self, id: DeviceId) -> Result<Option<Device>, DevicesError> {
        self.run(DeviceOp::Read(id)).await.map(device)
    }

    pub(super) async fn find(&self, access_token: Hash) -> Result<Option<Device>, DevicesError> {
        self.run(DeviceOp::Find(access_token)).await.map(device)
    }

    pub(super) async fn insert(&self, device: Device) -> Result<(), DevicesError> {
        self.run(DeviceOp::Insert(Box::new(device))).await.map(drop)
    }

    /// Replaces a device. `Err` in `Ok` is what is stored, if somebody else has changed it since it was read.
    pub(super) async fn replace(&self, device: Device) -> Result<Result<(), Option<Device>>, DevicesError> {
        Ok(match self.run(DeviceOp::Replace(Box::new(device))).await? {
            DeviceOutcome::Changed(stored) => Err(stored.map(|stored| *stored)),
            _ => Ok(()),
        })
    }

    pub(super) async fn remove(&self, id: DeviceId) -> Result<(), DevicesError> {
        self.run(DeviceOp::Remove(id)).await.map(drop)
    }

    /// A page of devices, and where the next one begins.
    pub(super) async fn list(
        &self,
        after: Option<DeviceId>,
        most: usize,
    ) -> Result<(Vec<Device>, Option<DeviceId>), DevicesError> {
        Ok(match self.run(DeviceOp::List { after, most }).await? {
            DeviceOutcome::Listed { devices, next, .. } => (devices, next),
            _ => (Vec::new(), None),
        })
    }

    /// Devices that somebody has to look at.
    pub(super) async fn due(&self, now: SystemTime, most: usize) -> Result<Vec<Device>, DevicesError> {
        Ok(match self.run(DeviceOp::Due { now, most }).await? {
            DeviceOutcome::Listed { devices, .. } => devices,
            _ => Vec::new(),
        })
    }

    async fn run(&self, op: DeviceOp) -> Result<DeviceOutcome, DevicesError> {
        self.observed(self.devices.run(op).await)
    }

    fn observed<T>(&self, result: Result<T, DevicesError>) -> Result<T, DevicesError> {
        self.observer.store(&result);
        result
    }
}

fn device(outcome: DeviceOutcome) -> Option<Device> {
    match outcome {
        DeviceOutcome::Device(device) => device.map(|device| *device),
        _ => None,
    }
}
