//! Locks that outlive a panic, and the signal that ends every thread.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Locks. A panic elsewhere is that thread's failure; a test server goes on answering.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the sandbox is going down. Everything that waits, waits on this.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopping: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Asks every thread to end.
    pub(crate) fn stop(&self) {
        *lock(&self.stopping) = true;
        self.changed.notify_all();
    }

    /// Whether that has happened.
    pub(crate) fn is_stopping(&self) -> bool {
        *lock(&self.stopping)
    }

    /// Sleeps, or returns early with `true` when the sandbox goes down.
    pub(crate) fn sleep(&self, duration: Duration) -> bool {
        let deadline = Instant::now().checked_add(duration);
        let mut stopping = lock(&self.stopping);
        while !*stopping {
            // A time too far away to be written down is "until the end".
            let left = deadline.map_or(Duration::from_secs(3600), |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            stopping = self.changed.wait_timeout(stopping, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_ends_by_itself_or_by_the_stop() {
        let stop = Stop::default();
        assert!(!stop.sleep(Duration::from_millis(1)));
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| stop.sleep(Duration::MAX));
            stop.stop();
            assert!(sleeper.join().unwrap());
        });
        assert!(stop.is_stopping());
    }
}
