//! What the broker remembers of the devices that it serves: their handles, the codes that lead to a handle, and logins
//! whose browser has not come back.
//!
//! One login is one grant is one [`Device`]. Its [`DeviceId`] is the name of its grant in the keeper's store, and is no
//! secret: it is in logs and in the list of devices. The code and the handle of a device are [`Key`]s: the identifier
//! and 256 random bits, of which only a hash is stored. So a key is found without an index, and a backup of the store
//! gives nobody a handle.
//!
//! [`Device`] and [`Logins`] are pure: time and randomness come in, and no file is opened. [`FileDevices`] and
//! [`PostgresDevices`] execute [`DeviceOp`]s, as the keeper's stores execute theirs. [`Devices`] is one of the two.

mod device;
mod document;
mod file;
pub(crate) mod key;
mod login_document;
mod logins;
mod operation;
mod postgres;
mod store;

pub use self::device::{CODE_LIFE, CodeBinding, Device, Due, LONGEST_IDLE, Owner, Redemption, Shown};
pub use self::file::FileDevices;
pub use self::key::{DeviceId, Hash, InvalidId, Key};
pub use self::logins::{Login, Logins};
pub use self::operation::{DeviceOp, DeviceOutcome, DevicesError};
pub use self::postgres::{GRANTS, PostgresDevices, SCHEMA_VERSION, migrations};
pub use self::store::Devices;
