//! The database's clock. All times that several machines share are times of this clock, so their own clocks may differ.

use std::time::{Duration, SystemTime};

/// Clocks that agree within a second count as the same, so that times stay as they are.
const TOLERANCE: i64 = SECOND;
const SECOND: i64 = 1_000_000;

/// How far the database's clock is ahead of this process's. Statements are given times of the database, and what they
/// return is moved back.
///
/// Each statement says when it ran. That lies between the times at which it was sent and answered, so a slow statement
/// proves little: the offset stays what it is as long as nothing contradicts it. So a record is read back with exactly
/// the times with which it was written. An offset that is measured anew at each read would change them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockOffset {
    /// Microseconds; whole seconds, so that no time is rounded when it is stored.
    ahead: i64,
}

impl ClockOffset {
    /// Takes in that a statement ran at `database` (microseconds since 1970 on the database's clock). `sent` and
    /// `answered` are times of this process's clock. Returns true if the offset was wrong.
    pub fn observe(&mut self, sent: SystemTime, answered: SystemTime, database: i64) -> bool {
        let (sent, answered) = (microseconds(sent), microseconds(answered).max(microseconds(sent)));
        let least = database.saturating_sub(answered).saturating_sub(TOLERANCE);
        let most = database.saturating_sub(sent).saturating_add(TOLERANCE);
        if (least..=most).contains(&self.ahead) {
            return false;
        }
        let middle = least.saturating_add(most.saturating_sub(least) / 2);
        self.ahead = middle.saturating_add(SECOND / 2).div_euclid(SECOND).saturating_mul(SECOND);
        true
    }

    /// A time of this process's clock, on the database's clock.
    pub fn to_database(self, time: SystemTime) -> SystemTime {
        moved(time, self.ahead)
    }

    /// A time of the database's clock, on this process's clock.
    pub fn to_local(self, time: SystemTime) -> SystemTime {
        moved(time, self.ahead.saturating_neg())
    }
}

/// Microseconds since 1970; negative before.
pub(crate) fn microseconds(time: SystemTime) -> i64 {
    let number = |distance: Duration| i64::try_from(distance.as_micros()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(distance) => number(distance),
        Err(earlier) => number(earlier.duration()).saturating_neg(),
    }
}

/// The time of microseconds since 1970.
pub(crate) fn time_of(microseconds: i64) -> SystemTime {
    moved(SystemTime::UNIX_EPOCH, microseconds)
}

/// A time that the platform cannot express stays as it is.
fn moved(time: SystemTime, by: i64) -> SystemTime {
    let distance = Duration::from_micros(by.unsigned_abs());
    let moved = if by < 0 { time.checked_sub(distance) } else { time.checked_add(distance) };
    moved.unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn at(milliseconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    #[test]
    fn clocks_that_agree_within_a_second_count_as_the_same() {
        let mut offset = ClockOffset::default();
        for database in [1_000_000_000, 999_100_000, 1_000_900_000] {
            assert!(!offset.observe(at(1_000_000), at(1_000_010), database));
        }
        assert_eq!(offset.to_database(at(5)), at(5));
    }

    #[test]
    fn a_clock_that_is_a_day_off_is_found_by_the_first_statement_and_stays_found() {
        let mut offset = ClockOffset::default();
        let day = i64::try_from(DAY).unwrap() * 1_000_000;
        assert!(offset.observe(at(1_000_000), at(1_000_010), 1_000_305_000 + day));
        assert_eq!(offset.to_database(at(0)), at(DAY * 1000));
        let known = offset;
        // Fast or slow, nothing contradicts it.
        assert!(!offset.observe(at(2_000_000), at(2_000_001), 2_000_000_500 + day));
        assert!(!offset.observe(at(2_000_000), at(2_030_000), 2_000_000_500 + day));
        assert_eq!(offset, known);
        // Here the process's clock was set right.
        assert!(offset.observe(at(3_000_000), at(3_000_000), 3_000_000_000));
        assert_eq!(offset.to_local(at(7)), at(7));
    }

    #[test]
    fn a_time_comes_back_as_it_was() {
        let offset = ClockOffset { ahead: -123_000_000 };
        for time in [SystemTime::UNIX_EPOCH, at(1_700_000_000_123)] {
            assert_eq!(offset.to_local(offset.to_database(time)), time);
        }
    }
}
