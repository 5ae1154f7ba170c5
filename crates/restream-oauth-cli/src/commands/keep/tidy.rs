//! The store of `keep`: files, and beside them no answer that holds no token.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use restream_oauth_core::RefreshToken;
use restream_oauth_keeper::store::file::OnThreads;
use restream_oauth_keeper::store::{FileStore, Leftovers, Store, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Record, Stored};

use crate::tokens::kept_answer::remove_or_tell;

/// A store of files that sorts out what it sets aside.
pub(crate) struct TidyStore {
    files: OnThreads,
    /// The answers that a person has been told of.
    told: Mutex<BTreeSet<PathBuf>>,
}

impl TidyStore {
    pub(crate) fn over(files: FileStore) -> Self {
        Self { files: files.on_threads(), told: Mutex::default() }
    }

    fn told(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at each answer that has been set aside, once.
    fn sort_out(&self, grant: &GrantName, sent: Option<&RefreshToken>) {
        let mut told = self.told();
        for path in self.files.store().set_aside(grant) {
            if !told.contains(&path) && !remove_or_tell(&path, sent) {
                told.insert(path);
            }
        }
    }

    fn refresh_token(&self, grant: &GrantName) -> Option<RefreshToken> {
        match self.files.store().peek(grant) {
            StoreOutcome::Read { stored: Stored::Grant(record), .. } => Record::refresh_token(&record).cloned(),
            _ => None,
        }
    }
}

impl Store for TidyStore {
    async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        let StoreOp::Settle { leftovers, .. } = op else { return self.files.execute(grant, op).await };
        let sets_aside = leftovers == Leftovers::SetAside;
        let sent = if sets_aside { self.refresh_token(grant) } else { None };
        let outcome = self.files.execute(grant, op).await;
        // The next answer may get the name of one that is gone.
        self.told().retain(|path| path.exists());
        if sets_aside {
            self.sort_out(grant, sent.as_ref());
        }
        outcome
    }
}
