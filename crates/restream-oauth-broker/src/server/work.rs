//! What is under way, so that a stop can wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts what is under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Work(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: AtomicUsize,
    changed: Notify,
}

/// One thing that is under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Begun(Arc<Inner>);

impl Work {
    pub(super) fn begin(&self) -> Begun {
        self.0.count.fetch_add(1, Ordering::SeqCst);
        Begun(Arc::clone(&self.0))
    }

    /// How much is under way.
    pub(super) fn count(&self) -> usize {
        self.0.count.load(Ordering::SeqCst)
    }

    /// Waits until nothing is under way.
    pub(super) async fn done(&self) {
        loop {
            let changed = self.0.changed.notified();
            if self.count() == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_waits_for_everything_that_is_under_way() {
        let work = Work::default();
        work.done().await;
        let (one, two) = (work.begin(), work.begin());
        let waiting = tokio::spawn({
            let work = work.clone();
            async move { work.done().await }
        });
        drop(one);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(two);
        waiting.await.unwrap();
        assert_eq!(work.count(), 0);
    }
}
