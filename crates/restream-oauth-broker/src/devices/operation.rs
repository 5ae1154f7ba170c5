//! What the broker asks of a store of devices: operations as data, as the keeper asks its stores.

use std::fmt;
use std::time::SystemTime;

use restream_oauth_keeper::store::StoreError;

use super::device::Device;
use super::key::{DeviceId, Hash};

/// One operation. Each is done whole or not at all, also if the process is killed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DeviceOp {
    /// Stores a new device.
    Insert(Box<Device>),
    /// Reads one device, as it is now: another process may have ended it.
    Read(DeviceId),
    /// Replaces a device, if the stored one has the same [revision](Device::revision), and raises the revision.
    Replace(Box<Device>),
    /// Forgets a device.
    Remove(DeviceId),
    /// Lists devices in the order of their identifiers.
    List {
        /// Begins after this one.
        after: Option<DeviceId>,
        /// How many at most.
        most: usize,
    },
    /// Finds the device that was given this access token last.
    Find(Hash),
    /// Lists devices that somebody has to look at, although nobody asks for them: those that have ended, and those whose
    /// code or handle has expired. A handle may be in the list up to a day later than it expired.
    Due {
        /// What time it is.
        now: SystemTime,
        /// How many at most.
        most: usize,
    },
}

/// The result of an operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DeviceOutcome {
    /// It is done, and durable.
    Done,
    /// The device, or `None` if there is none: of [`Read`](DeviceOp::Read) and [`Find`](DeviceOp::Find).
    Device(Option<Box<Device>>),
    /// Of [`Replace`](DeviceOp::Replace): the stored device has another revision, or is gone. This is what is stored.
    Changed(Option<Box<Device>>),
    /// Of [`List`](DeviceOp::List) and [`Due`](DeviceOp::Due).
    Listed {
        /// The devices.
        devices: Vec<Device>,
        /// Those whose document cannot be read. Each stays where it is, for a person to look at.
        damaged: Vec<DeviceId>,
        /// Where the next list begins; `None` at the end, and of `Due`.
        next: Option<DeviceId>,
    },
}

/// Why an operation failed. No message holds a secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum DevicesError {
    /// Another broker has the folder.
    InUse {
        /// The folder.
        folder: Box<str>,
    },
    /// The document of a device cannot be read: it is torn, or of a newer version.
    Damaged {
        /// The device.
        id: DeviceId,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The disk or the database.
    Store(StoreError),
    /// The program ends, and begins nothing new.
    Stopping,
}

impl fmt::Display for DevicesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { folder } => write!(
                f,
                "expected a folder of our own, but another broker has {folder}: stop it, or give this one another path"
            ),
            Self::Damaged { id, reason } => write!(f, "the document of device {id} cannot be read: {reason}"),
            Self::Store(error) => error.fmt(f),
            Self::Stopping => f.write_str("the program ends"),
        }
    }
}

impl std::error::Error for DevicesError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::InUse { .. } | Self::Damaged { .. } | Self::Stopping => None,
        }
    }
}

impl From<StoreError> for DevicesError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
