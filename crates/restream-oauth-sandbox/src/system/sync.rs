//! Locks that survive a panic, and the signal that stops every thread.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Locks a mutex, even if another thread panicked with the lock. The server goes on answering.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The signal that the sandbox stops. Every wait ends when it comes.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopping: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Asks every thread to stop.
    pub(crate) fn stop(&self) {
        *lock(&self.stopping) = true;
        self.changed.notify_all();
    }

    /// Whether [`Stop::stop`] was called.
    pub(crate) fn is_stopping(&self) -> bool {
        *lock(&self.stopping)
    }

    /// Sleeps. Returns `true`, and early, if the sandbox stops.
    pub(crate) fn sleep(&self, duration: Duration) -> bool {
        let deadline = Instant::now().checked_add(duration);
        let mut stopping = lock(&self.stopping);
        while !*stopping {
            // `None` means that the deadline is too far away to be represented: sleeps until the stop.
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
    fn a_sleep_ends_after_its_duration_or_with_the_stop() {
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
