//! The sandbox's clock: the system's time, plus the time by which tests moved it forward.
//!
//! Everywhere else a time is an argument, a [`Duration`] since the Unix epoch, so that the authorization server never
//! looks at a clock.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::system::sync::lock;

/// A clock that tests move forward instead of sleeping.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Mutex<Duration>,
}

impl Clock {
    /// The time since the Unix epoch.
    pub(crate) fn now(&self) -> Duration {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        system.saturating_add(*lock(&self.ahead))
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        let mut ahead = lock(&self.ahead);
        *ahead = ahead.saturating_add(by);
    }

    /// Returns to the system's time.
    pub(crate) fn reset(&self) {
        *lock(&self.ahead) = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_moves_forward_and_can_be_reset() {
        let clock = Clock::default();
        let before = clock.now();
        clock.advance(Duration::from_secs(3600));
        assert!(clock.now() >= before + Duration::from_secs(3600));
        clock.reset();
        assert!(clock.now() < before + Duration::from_secs(3600));
    }
}
