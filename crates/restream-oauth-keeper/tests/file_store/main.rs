//! The file store: what lies on the disk, and what is left of it after everything that can happen to a disk.

mod child;
mod crashes;
mod documents;
mod leftovers;
mod locks;
mod order;
mod permissions;
mod places;
mod power;
mod private_files;
#[cfg(feature = "sealed")]
mod sealed;
mod support;

use restream_oauth_keeper::store::{FileStore, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Stored, contract};

use crate::support::{Folder, Shelf, grant, login};

#[test]
fn the_file_store_passes_the_contract() {
    let folder = Folder::new();
    contract::check(|| (FileStore::at(&folder.0).unwrap(), FileStore::at(&folder.0).unwrap())).unwrap();
}

/// A peek makes no sync, as a test in `order` shows.
#[test]
fn a_peek_finds_what_a_read_finds() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    let peek = || match shelf.store.peek(&shelf.grant) {
        StoreOutcome::Read { stored, left } => (stored, left),
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!(peek(), (Stored::Nothing, false));
    shelf.put(&login("1"));
    assert_eq!(peek(), (grant(&login("1")), false));
    shelf.done(StoreOp::Stash { tokens: Box::new(login("2").tokens) });
    assert_eq!(peek(), (grant(&login("1")), true));
}

#[test]
fn the_file_store_on_threads_passes_the_contract() {
    let folder = Folder::new();
    let store = || FileStore::at(&folder.0).unwrap().on_threads();
    contract::check(|| (store(), store())).unwrap();
}
