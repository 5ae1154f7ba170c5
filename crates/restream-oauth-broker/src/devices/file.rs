//! Devices in plain files: one file a device, in `FOLDER/devices`, readable and writable by its user alone.
//!
//! | name | what it is |
//! |---|---|
//! | `FOLDER/broker.lock` | a running broker holds a lock on it, so that a second one is refused |
//! | `FOLDER/devices/ID.json` | a device: one line of JSON, replaced whole (temporary file, sync, rename, sync of the folder) |
//! | `FOLDER/devices/ID.json.new`, `….probe` | the next content of that file; a crash may leave it, and the next start removes it |
//! | `FOLDER/devices.lock` | held while a device is changed, so that `devices end` works beside a running broker |
//!
//! A device is read from its file for each request, so what another process ended is not served again.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use restream_oauth_keeper::store::file::private_file;
use restream_oauth_keeper::store::{FileStore, StoreError, StoreErrorKind};

use super::device::Device;
use super::document;
use super::key::{DeviceId, Hash};
use super::operation::{DeviceOp, DeviceOutcome, DevicesError};

/// The longest document that is read, in bytes: far more than any of ours.
const LONGEST: u64 = 64 * 1024;
/// How many devices are read at a time.
const PAGE: usize = 4096;

/// A store of devices in a folder. Cheap to clone; clones are the same store.
#[derive(Clone, Debug)]
pub struct FileDevices {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// Locked while a device is changed. A lock on a file does not exclude the threads that share it, so there is a mutex.
    changes: Mutex<File>,
    /// Held as long as this broker runs; `None` for a process beside it.
    _instance: Option<Instance>,
    /// Which device was given an access token last. Kept by the broker alone.
    given: Mutex<HashMap<[u8; 32], DeviceId>>,
}

impl FileDevices {
    /// Opens the folder as the one broker that has it, and reads all devices once.
    ///
    /// # Errors
    /// [`DevicesError::InUse`] if another broker has the folder, and [`DevicesError::Store`] if it cannot be used.
    pub fn open(folder: &Path) -> Result<Self, DevicesError> {
        let devices = Self::at(folder, true)?;
        devices.inner.change(|| devices.inner.remove_leftovers())?;
        let mut after = None;
        while let DeviceOutcome::Listed { devices: listed, next, .. } = devices.inner.list(after, PAGE)? {
            let given = listed.iter().filter_map(|device| Some((device.given?.into_bytes(), device.id)));
            devices.inner.given().extend(given);
            after = next;
            if after.is_none() {
                break;
            }
        }
        Ok(devices)
    }

    /// Opens the folder beside a broker that may run: to list devices, and to end them.
    ///
    /// # Errors
    /// [`DevicesError::Store`] if the folder cannot be used.
    pub fn beside(folder: &Path) -> Result<Self, DevicesError> {
        Self::at(folder, false)
    }

    fn at(folder: &Path, alone: bool) -> Result<Self, DevicesError> {
        let devices = folder.join("devices");
        // Creates the folder with mode 0700, and refuses one in which every user can replace files.
        drop(FileStore::at(&devices)?);
        let instance = if alone { Some(lock_instance(folder)?) } else { None };
        let changes = open_lock(&folder.join("devices.lock"))?;
        let inner =
            Inner { folder: devices, changes: Mutex::new(changes), _instance: instance, given: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Executes one operation, and blocks until it is done and durable. A [`Read`](DeviceOp::Read) takes microseconds.
    /// Those that write take as long as a disk takes for a few syncs: on an async runtime, give them a thread.
    ///
    /// # Errors
    /// [`DevicesError`] says why. Nothing is half done.
    pub fn run(&self, op: DeviceOp) -> Result<DeviceOutcome, DevicesError> {
        let inner = &self.inner;
        match op {
            DeviceOp::Read(id) => inner.read(id).map(|device| DeviceOutcome::Device(device.map(Box::new))),
            DeviceOp::Insert(device) => inner.change(|| {
                inner.write(&device)?;
                Ok(DeviceOutcome::Done)
            }),
            DeviceOp::Replace(device) => inner.change(|| inner.replace(*device)),
            DeviceOp::Remove(id) => inner.change(|| inner.remove(id)),
            DeviceOp::List { after, most } => inner.list(after, most),
            DeviceOp::Find(access_token) => inner.find(access_token),
            DeviceOp::Due { now, most } => inner.due(now, most),
        }
    }
}

impl Inner {
    fn path(&self, id: DeviceId) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    fn given(&self) -> MutexGuard<'_, HashMap<[u8; 32], DeviceId>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something while no other thread and no other process changes a device.
    fn change<T>(&self, work: impl FnOnce() -> Result<T, DevicesError>) -> Result<T, DevicesError> {
        let file = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        file.lock().map_err(|error| cannot("lock", &self.folder.with_extension("lock"), &error))?;
        let done = work();
        // It is unlocked when the file is closed, at the latest.
        let _ = file.unlock();
        done
    }

    fn read(&self, id: DeviceId) -> Result<Option<Device>, DevicesError> {
        let path = self.path(id);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes)) {
            Ok(_) => document::read(id, &bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Without its folder, as when a disk is not mounted, every device would seem to have ended.
                fs::metadata(&self.folder).map_err(|error| cannot("use", &self.folder, &error))?;
                Ok(None)
            }
            Err(error) => Err(cannot("read", &path, &error)),
        }
    }

    fn write(&self, device: &Device) -> Result<(), DevicesError> {
        private_file::replace(&self.path(device.id), document::write(device).as_bytes())?;
        if let Some(token) = device.given {
            self.given().insert(token.into_bytes(), device.id);
        }
        Ok(())
    }

    fn replace(&self, mut device: Device) -> Result<DeviceOutcome, DevicesError> {
        let stored = self.read(device.id)?;
        let Some(before) = stored.as_ref().filter(|stored| stored.revision == device.revision) else {
            return Ok(DeviceOutcome::Changed(stored.map(Box::new)));
        };
        device.revision = device.revision.saturating_add(1);
        self.write(&device)?;
        if before.given != device.given {
            self.forget_given(before);
        }
        Ok(DeviceOutcome::Done)
    }

    fn remove(&self, id: DeviceId) -> Result<DeviceOutcome, DevicesError> {
        let path = self.path(id);
        let before = self.read(id);
        private_file::remove(&path).map_err(|error| cannot("remove", &path, &error))?;
        if let Ok(Some(before)) = before {
            self.forget_given(&before);
        }
        Ok(DeviceOutcome::Done)
    }

    /// Removes what a crash left of devices that may be gone. Nobody is writing now: changes are locked.
    fn remove_leftovers(&self) -> Result<(), DevicesError> {
        for entry in fs::read_dir(&self.folder).map_err(|error| cannot("list", &self.folder, &error))? {
            let Ok(entry) = entry else { continue };
            let name = entry.file_name();
            let of_a_device = |name: &str| {
                let name = name.strip_suffix(".new").or_else(|| name.strip_suffix(".probe"))?;
                name.strip_suffix(".json")?.parse::<DeviceId>().ok()
            };
            if name.to_str().and_then(of_a_device).is_some() {
                // What cannot be removed is in nobody's way.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    fn forget_given(&self, device: &Device) {
        let Some(token) = device.given else { return };
        let mut given = self.given();
        if given.get(&token.into_bytes()) == Some(&device.id) {
            given.remove(&token.into_bytes());
        }
    }

    fn find(&self, access_token: Hash) -> Result<DeviceOutcome, DevicesError> {
        let found = self.given().get(&access_token.into_bytes()).copied();
        let device = found.map(|id| self.read(id)).transpose()?.flatten();
        Ok(DeviceOutcome::Device(device.filter(|device| device.given == Some(access_token)).map(Box::new)))
    }

    /// Reads all devices, because there is no index of what is due.
    fn due(&self, now: SystemTime, most: usize) -> Result<DeviceOutcome, DevicesError> {
        let (mut due, mut broken, mut after) = (Vec::new(), Vec::new(), None);
        while let DeviceOutcome::Listed { devices, damaged, next } = self.list(after, PAGE)? {
            due.extend(devices.into_iter().filter(|device| device.due_at() <= now));
            broken.extend(damaged);
            after = next;
            if after.is_none() || due.len() >= most {
                break;
            }
        }
        due.truncate(most);
        Ok(DeviceOutcome::Listed { devices: due, damaged: broken, next: None })
    }

    fn list(&self, after: Option<DeviceId>, most: usize) -> Result<DeviceOutcome, DevicesError> {
        let names = fs::read_dir(&self.folder).map_err(|error| cannot("list", &self.folder, &error))?;
        let mut ids: Vec<DeviceId> = names
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".json")?.parse().ok())
            .filter(|id| after.is_none_or(|after| *id > after))
            .collect();
        ids.sort_unstable();
        let next = (ids.len() > most).then(|| ids.get(most.saturating_sub(1)).copied()).flatten();
        ids.truncate(most);
        let (mut devices, mut damaged) = (Vec::with_capacity(ids.len()), Vec::new());
        for id in ids {
            match self.read(id) {
                Ok(device) => devices.extend(device),
                Err(DevicesError::Damaged { id, .. }) => damaged.push(id),
                Err(error) => return Err(error),
            }
        }
        Ok(DeviceOutcome::Listed { devices, damaged, next })
    }
}

/// The lock that a running broker holds.
#[derive(Debug)]
struct Instance(File);

impl Drop for Instance {
    fn drop(&mut self) {
        // Closing alone would not do: a child process that is just being started has the same open file.
        let _ = self.0.unlock();
    }
}

fn lock_instance(folder: &Path) -> Result<Instance, DevicesError> {
    let path = folder.join("broker.lock");
    let file = open_lock(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(Instance(file)),
        Err(TryLockError::WouldBlock) => Err(DevicesError::InUse { folder: folder.display().to_string().into() }),
        Err(TryLockError::Error(error)) => Err(cannot("lock", &path, &error)),
    }
}

/// Opens the file of a lock, or creates it. It is empty and holds no secret.
fn open_lock(path: &Path) -> Result<File, DevicesError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| cannot("open", path, &error))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> DevicesError {
    let message = format!("cannot {what} {}: {error}", path.display());
    DevicesError::Store(StoreError::new(StoreErrorKind::Unavailable, message))
}

#[cfg(test)]
mod tests;
