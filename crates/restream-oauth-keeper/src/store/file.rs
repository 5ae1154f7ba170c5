//! A store of plain files: one file per grant, readable and writable by its user alone.
//!
//! # What lies where
//!
//! [`FileStore::at`] keeps the grant `default` in `FOLDER/default.json`; [`FileStore::of_file`] keeps one grant in the
//! file that it is given. Beside a file `FILE` there may be:
//!
//! | name | what it is | until when |
//! |---|---|---|
//! | `FILE` | the record: one line of JSON, the saved tokens at its top level | replaced whole by each operation |
//! | `FILE.lock` | the claim is a lock on this empty file | it stays: whoever removes it lets two processes refresh at once |
//! | `FILE.new` | the next content of `FILE` | it is renamed to `FILE`; a crash may leave it |
//! | `FILE.probe` | an empty file, which shows whose files this process creates | at once |
//! | `FILE.spool`, `FILE.spool-2` … | room for an answer, then the raw answer | `Settle` |
//! | `FILE.answer-g7`, `FILE.answer-g7-2` … | an answer to the refresh of generation 7 that could not be read whole | generation 8 is stored |
//! | `FILE.answer-torn` … | something torn, perhaps with part of a pair in it | a person removes it |
//! | `FILE.leftover` … | a `FILE.new` that does not follow on `FILE` | a person removes it |
//! | `FILE.logins/` | a login per file that waits for the claim | the login is stored |
//! | `FILE.resealed` | one of these while it is sealed again | it is renamed; a crash may leave it |
//! | `FILE.gone` | the tombstone, after a logout | the next login |
//!
//! With the feature `sealed`, and keys (`FileStore::sealed`), everything with a token in it is a
//! [sealed document](crate::seal). Without keys a sealed document is refused:
//! [`Sealed`](super::StoreErrorKind::Sealed).
//!
//! The saved tokens of a program without a keeper are read too (generation 0). So is a `FILE.new` that such a program
//! has left.
//!
//! # The order of operations
//!
//! ```text
//! Claim    lock · adopt or set aside FILE.new · read · if another process wrote it: sync FILE, sync folder
//! Prepare  FILE.spool: write 64 KiB · FILE.new: create and remove, which proves that the folder lets go of files ·
//!          FILE.new: write, sync · rename to FILE · FILE.spool: sync · sync folder
//! Spool    FILE.spool: write, sync
//! Commit   FILE.new: write, sync · rename to FILE · sync folder
//! Settle   remove FILE.spool · unlock
//! ```
//!
//! That is six syncs a rotation, where a bare replacement of a file has two. `Prepare` syncs the room after the rename: in
//! a file system whose journal holds everything, such as ext4, that sync makes the names durable too, and the sync of the
//! folder finds nothing to write.
//!
//! What a failed sync has lost is never synced again through the same file: the next attempt writes a new one.
//!
//! # What is promised
//!
//! - A process that is killed at any moment leaves `FILE` whole: the old record, the one in doubt, or the new one.
//! - An operation that returned `Done` survives a crash of the machine, as far as the disk keeps what it reports as
//!   synced.
//! - `FILE` never appears without tokens in it. No file is readable by others at any moment.
//! - A full disk, a quota, a read-only file system, a file that is a mount point and a folder that is append-only are
//!   found by `Prepare`, before a token is spent.
//! - Nothing is deleted that may hold the only copy of a pair. A document of a newer version stays untouched.
//!
//! A file that others can read is a [`Warning`](super::Warning). A file that others can write, or that belongs to another
//! user, is an error: [`NotOurs`](super::StoreErrorKind::NotOurs). `Read` alone knows the user of this process only
//! after the first claim.
//!
//! # What no file store can do
//!
//! - **Never put a record into a synced folder** (a cloud drive, a folder that two machines share without locks). Two
//!   machines would refresh at once, and the sync would put an old record back.
//! - **After restoring a backup, log in again.** The backup holds tokens that are spent. A server may end the whole grant
//!   when it sees such a token.
//! - On a file system that copies on write (btrfs, ZFS), room that was made for an answer does not guarantee that there
//!   is room for it.
//! - A file system without locks is refused: [`NoLocks`](super::StoreErrorKind::NoLocks).
//! - Where names differ in their case alone (macOS, Windows), the grants `a` and `A` are one file: use one case.
//!
//! Operations block the thread that polls them, as long as the disk takes for a sync or two. A program with many grants
//! on an async runtime takes [`FileStore::on_threads`].

mod disk;
mod document;
mod files;
mod form;
mod found;
mod leftover;
mod listing;
mod lock;
mod place;
pub mod private_file;
mod replace;
#[cfg(feature = "sealed")]
mod reseal;
mod room;
mod shelf;
mod threads;
mod trust;

pub use self::files::FileStore;
#[cfg(feature = "sealed")]
pub use self::reseal::Resealed;
pub use self::threads::OnThreads;
