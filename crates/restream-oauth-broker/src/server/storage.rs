//! The devices and the logins, without blocking the threads of the runtime.

use std::sync::{Arc, Mutex, PoisonError};

use super::observe::Observer;
use crate::devices::{Device, DeviceId, DeviceOp, DeviceOutcome, DevicesError, FileDevices, Hash, Logins};
use crate::metrics::Gauge;

#[derive(Debug)]
pub(super) struct Storage {
    devices: FileDevices,
    logins: Mutex<Logins>,
    observer: Arc<Observer>,
}

impl Storage {
    pub(super) fn new(devices: FileDevices, observer: Arc<Observer>) -> Self {
        Self { devices, logins: Mutex::default(), observer }
    }

    pub(super) fn logins<T>(&self, work: impl FnOnce(&mut Logins) -> T) -> T {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut logins);
        self.observer.metrics.set(Gauge::OpenLogins, u64::try_from(logins.len()).unwrap_or(u64::MAX));
        result
    }

    /// A device as it is now. One small file is read, which takes microseconds.
    pub(super) fn read(&self, id: DeviceId) -> Result<Option<Device>, DevicesError> {
        let read = self.devices.run(DeviceOp::Read(id));
        self.observer.store(&read);
        read.map(device)
    }

    pub(super) fn find(&self, access_token: Hash) -> Result<Option<Device>, DevicesError> {
        self.devices.run(DeviceOp::Find(access_token)).map(device)
    }

    pub(super) async fn insert(&self, device: Device) -> Result<(), DevicesError> {
        self.on_a_thread(DeviceOp::Insert(Box::new(device))).await.map(drop)
    }

    /// Replaces a device. `Err` in `Ok` is what is stored, if somebody else has changed it since it was read.
    pub(super) async fn replace(&self, device: Device) -> Result<Result<(), Option<Device>>, DevicesError> {
        Ok(match self.on_a_thread(DeviceOp::Replace(Box::new(device))).await? {
            DeviceOutcome::Changed(stored) => Err(stored.map(|stored| *stored)),
            _ => Ok(()),
        })
    }

    pub(super) async fn remove(&self, id: DeviceId) -> Result<(), DevicesError> {
        self.on_a_thread(DeviceOp::Remove(id)).await.map(drop)
    }

    /// A page of devices, and where the next one begins.
    pub(super) async fn list(
        &self,
        after: Option<DeviceId>,
        most: usize,
    ) -> Result<(Vec<Device>, Option<DeviceId>), DevicesError> {
        Ok(match self.on_a_thread(DeviceOp::List { after, most }).await? {
            DeviceOutcome::Listed { devices, next, .. } => (devices, next),
            _ => (Vec::new(), None),
        })
    }

    async fn on_a_thread(&self, op: DeviceOp) -> Result<DeviceOutcome, DevicesError> {
        let devices = self.devices.clone();
        match tokio::task::spawn_blocking(move || devices.run(op)).await {
            Ok(outcome) => {
                self.observer.store(&outcome);
                outcome
            }
            // The runtime ends, and takes no more work.
            Err(_) => Err(DevicesError::Stopping),
        }
    }
}

fn device(outcome: DeviceOutcome) -> Option<Device> {
    match outcome {
        DeviceOutcome::Device(device) => device.map(|device| *device),
        _ => None,
    }
}
