//! What the tests share: folders, records, and programs that may be missing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use restream_oauth_core::Tokens;
use restream_oauth_keeper::store::{Claimed, FileStore, Leftovers, StoreError, StoreOp, StoreOutcome, Warning};
use restream_oauth_keeper::{Doubt, GrantName, Parent, Record, Spooled, Stored};

/// A folder that is removed on drop.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// A folder in memory, if this system has one: for tests that make thousands.
    pub(crate) fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Self::below(memory) } else { Self::new() }
    }

    fn below(parent: &Path) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("keeper-file-store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = parent.join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The names in the folder.
    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.0)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Writes a file with mode 0600.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(self.0.join(name)).unwrap();
        file.write_all(text.as_ref()).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Reports that a test proved nothing. Writes to standard error directly, because the test runner captures `eprintln!`.
/// Fails in CI, which must have everything that the tests need.
pub(crate) fn skipped(why: &str) {
    let message = format!("SKIPPED: {why}\n");
    std::io::stderr().write_all(message.as_bytes()).unwrap();
    assert!(std::env::var_os("CI").is_none(), "{message}");
}

pub(crate) fn strace_is_there() -> bool {
    let there = Command::new("strace").arg("-V").output().is_ok();
    if !there {
        skipped("strace is not installed (Debian: apt-get install strace)");
    }
    there
}

pub(crate) fn default() -> GrantName {
    "default".parse().unwrap()
}

/// The saved tokens of the core alone, as the command wrote them before there was a keeper.
pub(crate) fn saved_tokens(name: &str) -> String {
    format!(
        "{{\"version\":2,\"kind\":\"tokens\",\"client_id\":\"id\",\"token_endpoint\":\"https://api.example/token\",\
         \"access_token\":\"a-{name}\",\"refresh_token\":\"r-{name}\",\"token_type\":\"Bearer\",\
         \"sent_at\":\"1700000000.000000000\",\"expires_in\":3600,\"refresh_expires_in\":31536000,\"oddities\":\"\"}}"
    )
}

pub(crate) fn tokens(name: &str) -> Tokens {
    Tokens::from_saved(saved_tokens(name)).unwrap()
}

/// The record of a login.
pub(crate) fn login(name: &str) -> Record {
    Record::of_login(tokens(name), SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_003_540))
}

/// The record that a refresh makes of another one.
pub(crate) fn next(record: &Record, name: &str) -> Record {
    let sent = Some(record.parent().sent);
    Record { tokens: tokens(name), generation: record.generation + 1, sent, requests: 0, doubt: None, ..record.clone() }
}

pub(crate) fn doubted(record: &Record) -> Record {
    let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_003_541);
    let doubt = Some(Doubt { since, sends: 1, in_flight: true, ended: None, witnessed: false, forwarded: None });
    Record { doubt, requests: 1, ..record.clone() }
}

pub(crate) fn answer(parent: Parent) -> Spooled {
    Spooled { parent, number: 1, answer: String::from(r#"{"version":1,"body":"bmV3IHBhaXI="}"#).into() }
}

/// A store and its one grant.
pub(crate) struct Shelf {
    pub(crate) store: FileStore,
    pub(crate) grant: GrantName,
}

impl Shelf {
    /// The grant `default` in a folder.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { store: FileStore::at(folder).unwrap(), grant: default() }
    }

    pub(crate) fn run(&self, op: StoreOp) -> StoreOutcome {
        self.store.run(&self.grant, op)
    }

    #[track_caller]
    pub(crate) fn done(&self, op: StoreOp) {
        let outcome = self.run(op);
        assert!(matches!(outcome, StoreOutcome::Done), "{outcome:?}");
    }

    #[track_caller]
    pub(crate) fn fails(&self, op: StoreOp) -> StoreError {
        match self.run(op) {
            StoreOutcome::Failed(error) => error,
            outcome => panic!("{outcome:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn claim(&self) -> Claimed {
        match self.run(StoreOp::Claim) {
            StoreOutcome::Claimed(claimed) => claimed,
            outcome => panic!("{outcome:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn read(&self) -> Stored {
        match self.run(StoreOp::Read) {
            StoreOutcome::Read { stored, .. } => stored,
            outcome => panic!("{outcome:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn settle(&self, claimed: &Claimed, leftovers: Leftovers) {
        self.done(StoreOp::Settle { claim: claimed.claim, record: None, leftovers });
    }

    /// Stores a record as a login does.
    #[track_caller]
    pub(crate) fn put(&self, record: &Record) {
        let claimed = self.claim();
        self.done(StoreOp::Insert { claim: claimed.claim, record: Box::new(record.clone()) });
        self.settle(&claimed, Leftovers::Remove);
    }

    /// Claims, releases, and returns what was found.
    #[track_caller]
    pub(crate) fn look(&self) -> Claimed {
        let claimed = self.claim();
        self.settle(&claimed, Leftovers::Leave);
        claimed
    }
}

pub(crate) fn grant(record: &Record) -> Stored {
    Stored::Grant(Box::new(record.clone()))
}

/// The warnings but for those about the tokens themselves.
pub(crate) fn warnings(claimed: &Claimed) -> Vec<Warning> {
    claimed.warnings.iter().copied().filter(|warning| *warning != Warning::Unbound).collect()
}
