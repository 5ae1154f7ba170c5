//! One rotation on the store of files, beside one replacement of the same file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use restream_oauth_keeper::store::{FileStore, Leftovers, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Doubt, GrantName, Record, Spooled};

use crate::fixtures::{record, tokens};

/// A folder with one grant. It is removed at the end.
pub(crate) struct Files {
    folder: PathBuf,
    store: FileStore,
    grant: GrantName,
    record: Record,
}

impl Files {
    /// Beside this program, since temporary folders may be in memory.
    pub(crate) fn new() -> Self {
        let program = std::env::current_exe().expect("the path of this program");
        let folder = program.with_file_name(format!("rotation-{}", std::process::id()));
        let store = FileStore::at(&folder).expect("a folder");
        let grant: GrantName = "default".parse().expect("a good name");
        let record = record(0, SystemTime::now());
        let claim = claim(&store, &grant);
        done(&store.run(&grant, StoreOp::Insert { claim, record: Box::new(record.clone()) }));
        done(&store.run(&grant, StoreOp::Settle { claim, record: None, leftovers: Leftovers::Remove }));
        Self { folder, store, grant, record }
    }

    /// Nanoseconds of one rotation: Claim, Prepare, Spool, Commit, Settle.
    pub(crate) fn rotate(&mut self) -> f64 {
        let Self { store, grant, record, .. } = self;
        let now = SystemTime::now();
        let doubt =
            Some(Doubt { since: now, sends: 1, in_flight: true, ended: None, witnessed: false, forwarded: None });
        let marked = Box::new(Record { doubt, ..record.clone() });
        let parent = record.parent();
        let answer = format!(r#"{{"version":1,"body":"{}"}}"#, "x".repeat(800)).into();
        let answer = Spooled { parent, number: 1, answer };
        let next = Record { tokens: tokens(1, now), generation: record.generation + 1, ..record.clone() };
        let successor = Box::new(next.clone());
        let start = Instant::now();
        let claim = claim(store, grant);
        done(&store.run(grant, StoreOp::Prepare { claim, record: marked }));
        done(&store.run(grant, StoreOp::Spool { claim, answer }));
        done(&store.run(grant, StoreOp::Commit { claim, parent, record: successor }));
        done(&store.run(grant, StoreOp::Settle { claim, record: None, leftovers: Leftovers::Remove }));
        let elapsed = start.elapsed().as_secs_f64() * 1e9;
        self.record = next;
        elapsed
    }

    /// Nanoseconds of one replacement of a file with the same document, as a careful program makes it: a new file with
    /// mode 0600, write, sync, rename, sync of the folder.
    pub(crate) fn replace(&self) -> f64 {
        let document = self.record.to_saved();
        // A rotation leaves the removal of its spool unsynced. This side must not pay for it.
        sync(&self.folder).expect("the folder can be synced");
        let start = Instant::now();
        replace(&self.folder.join("bare"), document.as_bytes()).expect("the folder is writable");
        start.elapsed().as_secs_f64() * 1e9
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn claim(store: &FileStore, grant: &GrantName) -> restream_oauth_keeper::store::ClaimId {
    match store.run(grant, StoreOp::Claim) {
        StoreOutcome::Claimed(claimed) => claimed.claim,
        other => panic!("{other:?}"),
    }
}

fn done(outcome: &StoreOutcome) {
    assert!(matches!(outcome, StoreOutcome::Done), "{outcome:?}");
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync(path.parent().unwrap_or(path))
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
