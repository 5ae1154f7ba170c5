//! The drivers over the store of files.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use restream_oauth_keeper::store::{FileStore, Store, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Keeper, Record, Stored};

use crate::programs::{ByHand, Program, Tasks, Threads};
use crate::world::{HOUR, World, name};

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        Self(std::env::temp_dir().join(format!("restream-oauth-drivers-{}-{number}", std::process::id())))
    }

    fn store(&self) -> FileStore {
        FileStore::at(&self.0).unwrap()
    }

    /// Stores the pair of a login, as a program that has just logged in does.
    fn put(&self, record: Record) {
        let (store, name) = (self.store(), name());
        let StoreOutcome::Claimed(claimed) = store.run(&name, StoreOp::Claim) else { panic!("the claim is free") };
        let claim = claimed.claim;
        let inserted = store.run(&name, StoreOp::Insert { claim, record: Box::new(record) });
        assert!(matches!(inserted, StoreOutcome::Done), "{inserted:?}");
        let leftovers = restream_oauth_keeper::store::Leftovers::Remove;
        let settled = store.run(&name, StoreOp::Settle { claim, record: None, leftovers });
        assert!(matches!(settled, StoreOutcome::Done), "{settled:?}");
    }

    fn stored_generation(&self) -> u64 {
        match self.store().run(&name(), StoreOp::Read) {
            StoreOutcome::Read { stored: Stored::Grant(record), .. } => record.generation,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn expired(world: &World) -> Record {
    let tokens = world.log_in(HOUR);
    let usable_until = tokens.expires_at() - Duration::from_secs(60);
    Record::of_login(tokens, usable_until)
}

/// Three programs at once, each with a store of its own over the same folder: as three processes would.
#[test]
fn programs_that_share_a_folder_refresh_once() {
    let (world, folder) = (World::new(), Folder::new());
    folder.put(expired(&world));
    let programs: [Box<dyn Program>; 3] = [Box::new(Tasks::new()), Box::new(Threads::new()), Box::new(ByHand::new())];
    let keepers = [
        Keeper::open(world.client.clone(), folder.store().on_threads()),
        Keeper::open(world.client.clone(), folder.store()),
        Keeper::open(world.client.clone(), folder.store()),
    ];
    world.order_delay();
    std::thread::scope(|threads| {
        for (program, keeper) in programs.iter().zip(&keepers) {
            program.drive(keeper);
            threads.spawn(|| assert_eq!(keeper.grant("default").unwrap().wait().unwrap().generation(), 1));
        }
    });
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.dead_refresh_tokens_used), (1, 0));
    for keeper in keepers {
        assert!(keeper.shut_down_blocking().is_nothing());
    }
    assert_eq!(folder.stored_generation(), 1);
}

#[test]
fn what_one_process_leaves_in_doubt_the_next_one_ends() {
    /// Fails to spool and to commit, as a process that dies after its request was sent.
    struct Dies(FileStore);
    impl Store for Dies {
        async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
            match op {
                StoreOp::Spool { .. } => std::future::pending().await,
                op => self.0.run(grant, op),
            }
        }
    }

    let (world, folder) = (World::new(), Folder::new());
    folder.put(expired(&world));
    let store = Arc::new(Dies(folder.store()));
    let dying = Keeper::open(world.client.clone(), Arc::clone(&store));
    let tasks = Tasks::new();
    tasks.drive(&dying);
    let grant = dying.grant("default").unwrap().with_limit(Duration::ZERO);
    // An answer that means nothing was rotated arrives, and dies with its process.
    world.order(restream_oauth_sandbox::What::html(502));
    tasks.spawn(Box::pin(async move { drop(grant.with_limit(HOUR).token().await) }));
    world.wait_for_token_requests(2);
    drop((tasks, dying, store));

    let threads = Threads::new();
    let keeper = Keeper::open(world.client.clone(), folder.store());
    threads.drive(&keeper);
    assert_eq!(keeper.grant("default").unwrap().wait().unwrap().generation(), 1);
    assert_eq!(world.sandbox.ledger().refreshes, 1);
    assert!(keeper.shut_down_blocking().is_nothing());
    assert_eq!(folder.stored_generation(), 1);
}

/// The store is plain at first, as that of a program which then gets keys.
#[cfg(feature = "sealed")]
#[test]
fn a_keeper_with_keys_seals_what_it_finds_and_one_without_them_sends_nothing() {
    use restream_oauth_keeper::TokenError;
    use restream_oauth_keeper::seal::{KeyRing, SealError};
    use restream_oauth_keeper::store::StoreErrorKind;

    let (world, folder) = (World::new(), Folder::new());
    folder.put(expired(&world));
    let ring = KeyRing::parse(&format!("k1:{}", "1f".repeat(32))).unwrap();
    let content = || std::fs::read_to_string(folder.0.join("default.json")).unwrap();
    let old = content();
    let threads = Threads::new();
    for _ in 0..2 {
        let keeper = Keeper::open(world.client.clone(), folder.store().sealed(ring.clone()));
        threads.drive(&keeper);
        let token = keeper.grant("default").unwrap().wait().unwrap();
        assert_eq!(token.generation(), 1);
        assert!(!content().contains(token.access_token().expose_secret()));
        assert!(keeper.shut_down_blocking().is_nothing());
    }
    assert!(old.contains("access_token") && !content().contains("access_token"));

    let keeper = Keeper::open(world.client.clone(), folder.store());
    threads.drive(&keeper);
    let error = keeper.grant("default").unwrap().wait().unwrap_err();
    let TokenError::Store(error) = &error else { panic!("{error:?}") };
    let expected = SealError::NoRing { key: "k1".parse().unwrap() };
    assert_eq!(*error.kind(), StoreErrorKind::Sealed(expected));
    assert!(keeper.shut_down_blocking().is_nothing());
    assert_eq!(world.sandbox.ledger().refreshes, 1);
}
