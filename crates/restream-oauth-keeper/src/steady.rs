//! Where the drivers read the time. The machine itself reads no clock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::clock::Now;

/// The clocks that a keeper reads.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    /// The clocks of the operating system.
    pub(crate) fn system() -> Self {
        let steady = Mutex::new(Steady::starting(Instant::now(), SystemTime::now()));
        Self(Arc::new(move || {
            // No panic can leave the clock half set: `read` assigns after it has computed.
            let mut steady = steady.lock().unwrap_or_else(PoisonError::into_inner);
            steady.read(Instant::now(), SystemTime::now())
        }))
    }

    /// Clocks of the program's own.
    pub(crate) fn of(read: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    pub(crate) fn now(&self) -> Now {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A wall clock that ran ahead of the other clock by this much, between two looks, did so while the machine slept. Less
/// is how the system corrects its time.
const SLEPT: Duration = Duration::from_secs(1);

/// A clock that counts the time in which the machine sleeps, which [`Instant`] does not on Linux and macOS.
///
/// Between two looks it goes forward by as much as `Instant` says, or by as much as the wall clock says if that is more by
/// a second. So a wall clock that is set back does not matter, and one that is set forward ends waits early, once.
struct Steady {
    now: Duration,
    instant: Instant,
    wall: SystemTime,
}

impl Steady {
    fn starting(instant: Instant, wall: SystemTime) -> Self {
        // Not from zero: what began before this process did, such as the life of a token, is a time of this clock too.
        let now = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { now, instant, wall }
    }

    fn read(&mut self, instant: Instant, wall: SystemTime) -> Now {
        let awake = instant.saturating_duration_since(self.instant);
        let by_wall = wall.duration_since(self.wall).unwrap_or_default();
        let passed = if by_wall >= awake.saturating_add(SLEPT) { by_wall } else { awake };
        self.now = self.now.saturating_add(passed);
        self.instant = self.instant.max(instant);
        self.wall = wall;
        Now { wall, steady: self.now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Reads the clock after each pair of changes: seconds of `Instant`, and seconds of the wall clock.
    fn after(changes: &[(u64, i64)]) -> u64 {
        let (mut instant, mut wall) = (Instant::now(), SystemTime::UNIX_EPOCH + s(1_000_000));
        let mut clock = Steady::starting(instant, wall);
        let start = clock.read(instant, wall).steady;
        let mut now = start;
        for (awake, by_wall) in changes {
            instant += s(*awake);
            wall = if *by_wall < 0 { wall - s(by_wall.unsigned_abs()) } else { wall + s(by_wall.unsigned_abs()) };
            let next = clock.read(instant, wall).steady;
            assert!(next >= now, "it never goes back");
            now = next;
        }
        now.saturating_sub(start).as_secs()
    }

    #[test]
    fn sleep_of_the_machine_is_counted() {
        assert_eq!(after(&[(10, 10), (2, 602), (1, 1)]), 613);
    }

    #[test]
    fn a_wall_clock_that_is_set_back_does_not_hold_the_clock_up() {
        assert_eq!(after(&[(10, -3600), (10, 10)]), 20);
    }

    #[test]
    fn a_wall_clock_that_is_set_forward_counts_once_and_the_clock_goes_on() {
        assert_eq!(after(&[(10, 3610), (10, -3590), (10, 10)]), 3630);
    }

    #[test]
    fn corrections_of_less_than_a_second_do_not_add_up() {
        let (instant, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + s(1_000_000));
        let mut clock = Steady::starting(instant, wall);
        let start = clock.read(instant, wall).steady;
        let mut now = start;
        for step in 1..=1000_u32 {
            let wobble = Duration::from_millis(if step % 2 == 0 { 900 } else { 0 });
            now = clock.read(instant + s(1) * step, wall + s(1) * step + wobble).steady;
        }
        assert_eq!(now.saturating_sub(start), s(1000));
    }
}
