//! A disk that forgets what was not synced.
//!
//! A file has a content that programs see and one that a power loss leaves. So has the folder. At a power loss each
//! change that was not synced is kept or lost by itself, in any combination, and a file that was written and not synced
//! may be torn. A process that dies takes nothing with it but its locks.

use std::collections::{BTreeMap, BTreeSet};

use restream_oauth_core::Tokens;
use restream_oauth_keeper::{Record, Spooled, Tombstone};

use crate::random::Random;
use crate::time::Time;

/// The name of a file: the grant it belongs to, and its part in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) grant: usize,
    pub(crate) part: Part,
}

/// The part that a file has in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Record,
    Tombstone,
    Temporary(u64),
    Spool(u64),
    SetAside(u64),
    Stash(u64),
}

/// What is in a file.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Nothing, or room for an answer.
    Blank,
    /// Half of something. No program writes this.
    Torn,
    Record(Box<Record>),
    Tombstone(Tombstone),
    Spooled(Box<Spooled>),
    Login(Box<Tokens>),
}

#[derive(Debug)]
struct File {
    seen: Content,
    /// What a power loss leaves for sure.
    synced: Content,
    dirty: bool,
}

/// Why an operation of the disk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Full,
    ReadOnly,
    Broken,
}

/// The disk of one host, with one folder of grants.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: BTreeMap<u64, File>,
    seen: BTreeMap<Name, u64>,
    durable: BTreeMap<Name, u64>,
    next: u64,
    /// The disk fails in this way until a time.
    pub(crate) trouble: Option<(Trouble, Time)>,
}

impl Disk {
    /// Creates a file, or replaces the one of this name by a new one.
    pub(crate) fn create(&mut self, name: Name, content: Content, now: Time) -> Result<(), Trouble> {
        self.check(now, &[Trouble::Full, Trouble::ReadOnly])?;
        self.next += 1;
        self.files.insert(self.next, File { seen: content, synced: Content::Blank, dirty: true });
        self.seen.insert(name, self.next);
        Ok(())
    }

    /// Overwrites a file in place. Needs no room.
    pub(crate) fn overwrite(&mut self, name: Name, content: Content, now: Time) -> Result<(), Trouble> {
        self.check(now, &[Trouble::ReadOnly])?;
        let file = self.seen.get(&name).and_then(|file| self.files.get_mut(file)).ok_or(Trouble::Broken)?;
        file.seen = content;
        file.dirty = true;
        Ok(())
    }

    pub(crate) fn sync_file(&mut self, name: Name, now: Time) -> Result<(), Trouble> {
        self.check(now, &[Trouble::Broken])?;
        if let Some(file) = self.seen.get(&name).and_then(|file| self.files.get_mut(file)) {
            if file.dirty {
                file.synced = file.seen.clone();
                file.dirty = false;
            }
        }
        Ok(())
    }

    pub(crate) fn sync_folder(&mut self, now: Time) -> Result<(), Trouble> {
        self.check(now, &[Trouble::Broken])?;
        self.durable.clone_from(&self.seen);
        self.collect();
        Ok(())
    }

    pub(crate) fn rename(&mut self, from: Name, to: Name, now: Time) -> Result<(), Trouble> {
        self.check(now, &[Trouble::ReadOnly])?;
        if let Some(file) = self.seen.remove(&from) {
            self.seen.insert(to, file);
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: Name, now: Time) -> Result<(), Trouble> {
        self.check(now, &[Trouble::ReadOnly])?;
        self.seen.remove(&name);
        Ok(())
    }

    /// What programs see in a file.
    pub(crate) fn read(&self, name: Name) -> Option<&Content> {
        self.seen.get(&name).and_then(|file| self.files.get(file)).map(|file| &file.seen)
    }

    /// The files of a grant that programs see.
    pub(crate) fn files_of(&self, grant: usize) -> impl Iterator<Item = (Part, &Content)> {
        let names = self.seen.range(Name { grant, part: Part::Record }..);
        names
            .take_while(move |(name, _)| name.grant == grant)
            .filter_map(|(name, file)| Some((name.part, &self.files.get(file)?.seen)))
    }

    /// The files of a grant that a power loss leaves for sure, with what it leaves in them.
    pub(crate) fn durable_files_of(&self, grant: usize) -> impl Iterator<Item = (Part, &Content)> {
        let names = self.durable.range(Name { grant, part: Part::Record }..);
        names
            .take_while(move |(name, _)| name.grant == grant)
            .filter_map(|(name, file)| Some((name.part, &self.files.get(file)?.synced)))
    }

    /// The power fails: what was not synced is kept, lost or torn.
    pub(crate) fn lose_power(&mut self, random: &mut Random) {
        let names: Vec<Name> = self.seen.keys().chain(self.durable.keys()).copied().collect();
        for name in names {
            let (seen, durable) = (self.seen.get(&name).copied(), self.durable.get(&name).copied());
            if seen != durable && random.chance(5000) {
                match durable {
                    Some(file) => self.seen.insert(name, file),
                    None => self.seen.remove(&name),
                };
            }
        }
        for file in self.files.values_mut().filter(|file| file.dirty) {
            file.seen = match random.below(3) {
                0 => file.synced.clone(),
                1 => file.seen.clone(),
                _ => Content::Torn,
            };
            file.synced = file.seen.clone();
            file.dirty = false;
        }
        self.durable.clone_from(&self.seen);
        self.collect();
    }

    /// Fails if the disk has this trouble now. A broken disk fails every operation that it is asked for.
    fn check(&self, now: Time, of: &[Trouble]) -> Result<(), Trouble> {
        match self.trouble {
            Some((trouble, until)) if now < until && (of.contains(&trouble)) => Err(trouble),
            _ => Ok(()),
        }
    }

    /// Drops files that have no name any more.
    fn collect(&mut self) {
        let named: BTreeSet<u64> = self.seen.values().chain(self.durable.values()).copied().collect();
        self.files.retain(|file, _| named.contains(file));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Name = Name { grant: 0, part: Part::Record };
    const TEMPORARY: Name = Name { grant: 0, part: Part::Temporary(1) };

    fn replaced(sync_file: bool, sync_folder: bool) -> Vec<bool> {
        (0..64)
            .map(|seed| {
                let mut disk = Disk::default();
                disk.create(RECORD, Content::Blank, 0).unwrap();
                disk.sync_file(RECORD, 0).unwrap();
                disk.sync_folder(0).unwrap();
                let text = format!(
                    r#"{{"version":1,"kind":"tombstone","login":"{}","logged_in_at":0,"generation":3}}"#,
                    "0".repeat(64)
                );
                let tombstone = Tombstone::from_saved(text.as_bytes()).unwrap();
                disk.create(TEMPORARY, Content::Tombstone(tombstone), 0).unwrap();
                if sync_file {
                    disk.sync_file(TEMPORARY, 0).unwrap();
                }
                disk.rename(TEMPORARY, RECORD, 0).unwrap();
                if sync_folder {
                    disk.sync_folder(0).unwrap();
                }
                disk.lose_power(&mut Random::new(seed));
                matches!(disk.read(RECORD), Some(Content::Tombstone(_)))
            })
            .collect()
    }

    #[test]
    fn a_replaced_file_survives_a_power_loss_only_if_file_and_folder_were_synced() {
        assert!(replaced(true, true).into_iter().all(|survived| survived));
        for (file, folder) in [(true, false), (false, true), (false, false)] {
            let survived = replaced(file, folder);
            assert!(survived.contains(&true) && survived.contains(&false), "{file} {folder}");
        }
    }

    #[test]
    fn a_full_disk_takes_no_new_file_but_overwrites_an_old_one() {
        let mut disk = Disk::default();
        disk.create(RECORD, Content::Blank, 0).unwrap();
        disk.trouble = Some((Trouble::Full, 10));
        assert_eq!(disk.create(TEMPORARY, Content::Blank, 9), Err(Trouble::Full));
        assert_eq!(disk.overwrite(RECORD, Content::Torn, 9), Ok(()));
        assert_eq!(disk.create(TEMPORARY, Content::Blank, 10), Ok(()));
    }
}
