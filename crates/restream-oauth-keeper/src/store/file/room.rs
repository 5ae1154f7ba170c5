//! The room for an answer, and the answer in it.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::path::Path;

use super::disk::{self, cannot};
use super::shelf::{Held, Outcome, Shelf, claim_lost};
use crate::operation::{ClaimId, StoreError, StoreOutcome};
use crate::seal::{About, Kind};
use crate::spooled::Spooled;

/// How much room is made for an answer. Most answers have a fiftieth of it.
pub(super) static ROOM: [u8; 64 * 1024] = [b' '; 64 * 1024];

impl Shelf {
    /// Creates a file that takes its room on the disk. [`sync_room`](Self::sync_room) and the sync of the folder make it
    /// durable.
    pub(super) fn make_room(&mut self) -> Result<(), StoreError> {
        let Some(held) = &mut self.held else { return Ok(()) };
        let path = self.place.spool();
        let before = held.room.take();
        let created = match disk::create_private(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                held.clear_the_way(before, &path)?;
                disk::create_private(&path)
            }
            created => created,
        };
        let mut file = created.map_err(|error| cannot("create", &path, &error))?;
        if let Err(error) = file.write_all(&ROOM) {
            let _ = disk::remove(&path);
            return Err(cannot("make room in", &path, &error));
        }
        if !held.spools.contains(&path) {
            held.spools.push(path);
        }
        held.room = Some(file);
        Ok(())
    }

    /// Makes the room durable: it has its blocks on the disk then.
    pub(super) fn sync_room(&self) -> Result<(), StoreError> {
        let Some(room) = self.held.as_ref().and_then(|held| held.room.as_ref()) else { return Ok(()) };
        room.sync_all().map_err(|error| cannot("make room in", &self.place.spool(), &error))
    }

    pub(super) fn drop_room(&mut self) {
        if self.held.as_mut().is_some_and(|held| held.room.take().is_some()) {
            let _ = disk::remove(&self.place.spool());
        }
    }

    /// Writes an answer into the room: one write, one sync. Without a room, or after a failure, it gets a new file.
    pub(super) fn spool(&mut self, claim: ClaimId, answer: &Spooled) -> Outcome {
        let Some(held) = self.held.as_mut().filter(|held| held.claim == claim) else { return Err(claim_lost()) };
        let (form, path) = (&self.place.form, self.place.spool());
        let document = form.close(Kind::Answer, &path, answer.to_saved(), || About::answer(answer))?;
        let room = held.room.take().filter(|room| disk::is_at(room, &self.place.spool()));
        if let Some(mut room) = room {
            room.rewind()
                .and_then(|()| room.write_all(document.as_bytes()))
                // Length and blocks are on the disk already, so the data is all that must be synced.
                .and_then(|()| room.sync_data())
                .map_err(|error| cannot("write", &self.place.spool(), &error))?;
            return Ok(StoreOutcome::Done);
        }
        let path = disk::unused(&self.place.spool());
        let file = disk::create_private(&path).map_err(|error| cannot("create", &path, &error))?;
        held.spools.push(path.clone());
        disk::write_and_sync(&file, document.as_bytes())
            .and_then(|()| disk::sync_folder_of(&path))
            .map_err(|error| cannot("write", &path, &error))?;
        Ok(StoreOutcome::Done)
    }
}

impl Held {
    /// Makes the name of the room free. `before` is the room that this claim had.
    fn clear_the_way(&mut self, before: Option<File>, path: &Path) -> Result<(), StoreError> {
        // A room from which nothing was taken is made again: this costs little, and is always right.
        let is_ours = before.is_some_and(|room| disk::is_at(&room, path));
        if is_ours || disk::read(path)?.is_none_or(|content| content.is_blank()) {
            return disk::remove(path).map_err(|error| cannot("remove", path, &error));
        }
        // An answer that is not dealt with.
        let other = disk::unused(path);
        fs::rename(path, &other).map_err(|error| cannot("move", path, &error))?;
        self.spools.push(other);
        Ok(())
    }
}
