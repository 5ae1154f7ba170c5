//! A file store whose operations block no thread of an async runtime.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;

use super::files::{FileStore, lock};
use crate::name::GrantName;
use crate::operation::{Store, StoreOp, StoreOutcome};

impl FileStore {
    /// Executes each operation on a thread of its own, so that no operation blocks the thread that polls it.
    pub fn on_threads(self) -> OnThreads {
        OnThreads::new(self)
    }
}

/// A [`FileStore`] that executes each operation on a thread of its own.
#[derive(Clone, Debug)]
pub struct OnThreads(Arc<FileStore>);

impl OnThreads {
    pub(super) fn new(store: FileStore) -> Self {
        Self(Arc::new(store))
    }

    /// The store itself.
    pub fn store(&self) -> &FileStore {
        &self.0
    }
}

impl Store for OnThreads {
    async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        let slot = Arc::new(Mutex::new(Slot { outcome: None, waker: None }));
        let work = {
            let (store, grant, op, slot) = (Arc::clone(&self.0), grant.clone(), op.clone(), Arc::clone(&slot));
            move || {
                let outcome = store.run(&grant, op);
                let mut slot = lock(&slot);
                slot.outcome = Some(outcome);
                if let Some(waker) = slot.waker.take() {
                    waker.wake();
                }
            }
        };
        if thread::Builder::new().name("grant-file".to_owned()).spawn(work).is_err() {
            // No thread is to be had, and the operation may be the one that saves a pair.
            return self.0.run(grant, op);
        }
        poll_fn(|context| {
            let mut slot = lock(&slot);
            if let Some(outcome) = slot.outcome.take() {
                return Poll::Ready(outcome);
            }
            slot.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// Where the thread leaves the outcome.
struct Slot {
    outcome: Option<StoreOutcome>,
    waker: Option<Waker>,
}
