//! The sandbox's clock: the system's, moved forward by whatever a test asked for.
//!
//! Everywhere else a time is a [`Duration`] since the Unix epoch that is passed in, so that the
//! authorization server itself never looks at a clock.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::system::sync::lock;

/// A clock that tests move forward, so that an hour passes without sleeping.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Mutex<Duration>,
}

impl Clock {
    /// Now, as the time since the Unix epoch.
    pub(crate) fn now(&self) -> Duration {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        system.saturating_add(*lock(&self.ahead))
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        let mut ahead = lock(&self.ahead);
        *ahead = ahead.saturating_add(by);
    }

    /// Back to the system's time.
    pub(crate) fn reset(&self) {
        *lock(&self.ahead) = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_moves_forward_and_back_home() {
        let clock = Clock::default();
        let before = clock.now();
        clock.advance(Duration::from_secs(3600));
        assert!(clock.now() >= before + Duration::from_secs(3600));
        clock.reset();
        assert!(clock.now() < before + Duration::from_secs(3600));
    }
}
