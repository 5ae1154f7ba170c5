//! Times in six bytes.

use std::fmt;
use std::time::Duration;

/// Whole milliseconds in 48 bits, which is up to 8,900 years. A process keeps several times for each of its grants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Milliseconds([u8; 6]);

/// A longer time counts as this one.
const MOST: u64 = (1 << 48) - 1;

impl Milliseconds {
    /// A time, rounded down.
    pub(crate) fn of(time: Duration) -> Self {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(MOST).min(MOST);
        let [lowest @ .., _, _] = milliseconds.to_le_bytes();
        Self(lowest)
    }

    pub(crate) fn time(self) -> Duration {
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(self.0).for_each(|(byte, lowest)| *byte = lowest);
        Duration::from_millis(u64::from_le_bytes(bytes))
    }
}

impl fmt::Debug for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.time().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rounded_down_and_no_longer_than_there_is_room_for() {
        let nanosecond = Duration::from_nanos(1);
        for milliseconds in [0, 1, 255, 256, 1_700_000_000_123, MOST] {
            let time = Duration::from_millis(milliseconds);
            assert_eq!(Milliseconds::of(time).time(), time);
            assert_eq!(Milliseconds::of(time + nanosecond).time(), time);
        }
        for longer in [Duration::from_millis(MOST + 1), Duration::MAX] {
            assert_eq!(Milliseconds::of(longer).time(), Duration::from_millis(MOST));
        }
    }
}
