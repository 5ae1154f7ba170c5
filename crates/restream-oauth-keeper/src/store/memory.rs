//! A store in memory: for tests, and for programs that keep the record themselves.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use super::row::Row;
use crate::name::GrantName;
use crate::operation::{Store, StoreError, StoreOp, StoreOutcome};
use crate::record::{Record, Stored};
use crate::spooled::Spooled;

/// Keeps grants in memory. They are lost when the process ends, unless a [hook](Self::with_hook) keeps them.
#[derive(Default)]
pub struct MemoryStore {
    rows: Mutex<BTreeMap<GrantName, Row>>,
    hook: Option<Box<Hook>>,
}

type Hook = dyn Fn(GrantName, Stored) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>> + Send + Sync;

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that hands each new record to a function, and waits for it before anybody sees the record. With it
    /// a program keeps the records itself; it puts them back by [`put`](Self::put) at its next start.
    ///
    /// If the function fails, the operation fails with its error, and the store keeps what it had. The function may
    /// have saved the record all the same.
    ///
    /// ```
    /// use restream_oauth_keeper::store::MemoryStore;
    ///
    /// let store = MemoryStore::with_hook(|grant, stored| async move {
    ///     // await your_database.save(grant.as_str(), stored.record().map(|record| record.to_saved()))
    ///     Ok(())
    /// });
    /// ```
    pub fn with_hook<F>(hook: impl Fn(GrantName, Stored) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        Self { hook: Some(Box::new(move |grant, stored| Box::pin(hook(grant, stored)))), ..Self::default() }
    }

    /// Puts a record into the store, as a program that keeps records itself does at its start.
    pub fn put(&self, grant: &GrantName, record: Record) {
        self.with(grant, |row| row.stored = Stored::Grant(Box::new(record)));
    }

    /// What is stored.
    pub fn get(&self, grant: &GrantName) -> Stored {
        self.with(grant, |row| row.stored.clone())
    }

    /// Ends a claim, as an operating system does with the locks of a process that died.
    pub fn break_claim(&self, grant: &GrantName) {
        self.with(grant, |row| row.claim = None);
    }

    /// Leaves a spooled answer behind, as a process does that dies before it removes it.
    #[doc(hidden)]
    pub fn leave_spooled(&self, grant: &GrantName, spooled: Spooled) {
        self.with(grant, |row| row.spooled.push(spooled));
    }

    fn with<T>(&self, grant: &GrantName, work: impl FnOnce(&mut Row) -> T) -> T {
        // A panic while the lock was held cannot leave a row half written: each operation assigns whole values.
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        work(rows.entry(grant.clone()).or_default())
    }
}

impl Store for MemoryStore {
    async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        if let Some(hook) = &self.hook {
            if let Some(stored) = self.with(grant, |row| row.preview(&op)) {
                if let Err(error) = hook(grant.clone(), stored).await {
                    return StoreOutcome::Failed(error);
                }
            }
        }
        self.with(grant, |row| row.execute(op))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("rows", &self.rows).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::SystemTime;

    use super::*;
    use crate::contract::block_on;
    use crate::operation::{Claimed, Leftovers, StoreErrorKind};
    use crate::testing::tokens;

    fn record() -> Box<Record> {
        Box::new(Record::of_login(tokens("a1", "r1"), SystemTime::UNIX_EPOCH))
    }

    /// Stores a login, and returns the outcome.
    fn insert(store: &MemoryStore, grant: &GrantName) -> StoreOutcome {
        let StoreOutcome::Claimed(Claimed { claim, .. }) = block_on(store.execute(grant, StoreOp::Claim)) else {
            panic!("the claim is free");
        };
        let outcome = block_on(store.execute(grant, StoreOp::Insert { claim, record: record() }));
        block_on(store.execute(grant, StoreOp::Settle { claim, record: None, leftovers: Leftovers::Leave }));
        outcome
    }

    #[test]
    fn the_hook_is_awaited_before_the_record_is_seen() {
        let grant: GrantName = "default".parse().unwrap();
        let store = Arc::new_cyclic(|store: &std::sync::Weak<MemoryStore>| {
            let store = store.clone();
            MemoryStore::with_hook(move |grant, stored| {
                let store = store.clone();
                async move {
                    assert_eq!(stored, Stored::Grant(record()));
                    assert_eq!(store.upgrade().unwrap().get(&grant), Stored::Nothing, "nobody sees it yet");
                    Ok(())
                }
            })
        });
        assert!(matches!(insert(&store, &grant), StoreOutcome::Done));
        assert_eq!(store.get(&grant), Stored::Grant(record()));
    }

    #[test]
    fn a_hook_that_fails_leaves_the_record_as_it_was_and_is_called_again() {
        let grant: GrantName = "default".parse().unwrap();
        let (fails, calls) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let store = MemoryStore::with_hook({
            let (fails, calls) = (Arc::clone(&fails), Arc::clone(&calls));
            move |_, _| {
                calls.fetch_add(1, Ordering::SeqCst);
                let fails = fails.load(Ordering::SeqCst);
                async move {
                    if fails {
                        Err(StoreError::new(StoreErrorKind::Unavailable, "the database is away"))
                    } else {
                        Ok(())
                    }
                }
            }
        });
        let StoreOutcome::Failed(error) = insert(&store, &grant) else { panic!("it fails") };
        assert_eq!(error.to_string(), "the database is away");
        assert_eq!(store.get(&grant), Stored::Nothing);
        fails.store(false, Ordering::SeqCst);
        assert!(matches!(insert(&store, &grant), StoreOutcome::Done));
        assert_eq!(calls.load(Ordering::SeqCst), 2, "claims and releases change no record");
    }
}
