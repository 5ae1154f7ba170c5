//! A store of devices, whichever it is.

use super::file::FileDevices;
use super::operation::{DeviceOp, DeviceOutcome, DevicesError};
use super::postgres::PostgresDevices;

/// A store of devices. Cheap to clone; clones are the same store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Devices {
    /// Files, for one broker.
    File(FileDevices),
    /// A database, for any number of instances.
    Postgres(PostgresDevices),
}

impl Devices {
    /// Executes one operation, without blocking the threads of the runtime for longer than a small file takes to read.
    ///
    /// # Errors
    /// [`DevicesError`] says why it failed.
    pub async fn run(&self, op: DeviceOp) -> Result<DeviceOutcome, DevicesError> {
        match (self, op) {
            (Self::Postgres(devices), op) => devices.run(op).await,
            // Microseconds.
            (Self::File(devices), op @ (DeviceOp::Read(_) | DeviceOp::Find(_))) => devices.run(op),
            (Self::File(devices), op) => {
                let devices = devices.clone();
                // It fails if the runtime ends, which takes no more work then.
                tokio::task::spawn_blocking(move || devices.run(op)).await.unwrap_or(Err(DevicesError::Stopping))
            }
        }
    }
}
