//! What is known of the database's clock, and whether that can be relied on.

use std::time::{Duration, Instant, SystemTime};

use crate::offset::ClockOffset;

/// A wall clock that runs ahead of or behind the steady clock by this much was set, or the machine slept.
const JUMP: Duration = Duration::from_secs(1);

/// What is known of the database's clock.
#[derive(Debug, Default)]
pub(crate) struct KnownClock {
    offset: ClockOffset,
    /// Both clocks of this process when the database's clock was last asked.
    asked: Option<(Instant, SystemTime)>,
}

impl KnownClock {
    pub(crate) fn offset(&self) -> ClockOffset {
        self.offset
    }

    /// False if the wall clock may have been set since the database was asked.
    pub(crate) fn is_known(&self, instant: Instant, wall: SystemTime) -> bool {
        let Some((then, wall_then)) = self.asked else { return false };
        let expected = wall_then.checked_add(instant.saturating_duration_since(then)).unwrap_or(wall);
        let apart = wall.duration_since(expected).unwrap_or_else(|earlier| earlier.duration());
        apart < JUMP
    }

    /// Takes in an answer to a question that was about nothing but the clock.
    pub(crate) fn look(&mut self, sent: SystemTime, answered: SystemTime, database: i64, instant: Instant) {
        self.offset.observe(sent, answered, database);
        self.asked = Some((instant, answered));
    }

    /// Takes in when another statement ran.
    pub(crate) fn observe(&mut self, sent: SystemTime, answered: SystemTime, database: i64) {
        if self.offset.observe(sent, answered, database) {
            // Something was set. The next operation asks, before it writes a time.
            self.asked = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_was_set_makes_the_database_be_asked_again() {
        let (start, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let mut clock = KnownClock::default();
        assert!(!clock.is_known(start, wall), "it was never asked");
        clock.look(wall, wall, 1_000_000_000_000, start);
        let hour = Duration::from_secs(3600);
        assert!(clock.is_known(start + hour, wall + hour));
        for apart in [Duration::from_secs(2), Duration::from_secs(86_400)] {
            assert!(!clock.is_known(start + hour, wall + hour + apart));
            assert!(!clock.is_known(start + hour, wall + hour - apart));
        }
    }
}
