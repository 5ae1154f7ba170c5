//! The true time of a run, and the clocks of its machines, which are sometimes wrong.

use std::time::{Duration, SystemTime};

use restream_oauth_keeper::Now;

/// Milliseconds since the run began. Only the world, the server and the database know it.
pub(crate) type Time = u64;

pub(crate) const SECOND: Time = 1000;
pub(crate) const MINUTE: Time = 60 * SECOND;
pub(crate) const HOUR: Time = 60 * MINUTE;
pub(crate) const DAY: Time = 24 * HOUR;

/// What a right wall clock shows when the run begins: in September 2026.
const START: i64 = 1_790_000_000_000;

/// The two clocks of one machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    /// How far the wall clock is wrong, in milliseconds.
    pub(crate) error: i64,
}

impl Clock {
    /// What the clocks show at a time. The steady clock runs on while the machine sleeps.
    pub(crate) fn now(&self, time: Time) -> Now {
        Now { wall: wall(START + time as i64 + self.error), steady: steady(time) }
    }

    /// Sets the wall clock to midnight on the first of January of 1970 or 2100, or by some time forward or back.
    pub(crate) fn jump(&mut self, time: Time, jump: Jump) {
        let shows = |clock: i64| clock - START - time as i64;
        match jump {
            Jump::By(milliseconds) => self.error = milliseconds,
            Jump::To1970 => self.error = shows(1000),
            Jump::To2100 => self.error = shows(4_102_444_800_000),
        }
    }
}

/// How a wall clock jumps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Jump {
    By(i64),
    To1970,
    To2100,
}

fn wall(milliseconds: i64) -> SystemTime {
    let distance = Duration::from_millis(milliseconds.unsigned_abs());
    if milliseconds < 0 { SystemTime::UNIX_EPOCH - distance } else { SystemTime::UNIX_EPOCH + distance }
}

/// The steady clock of every machine: it began a while before the run did.
pub(crate) fn steady(time: Time) -> Duration {
    Duration::from_millis(time + HOUR)
}

/// The first time at which the steady clock shows at least this much.
pub(crate) fn time_of(steady: Duration) -> Time {
    (steady.as_nanos().div_ceil(1_000_000) as Time).saturating_sub(HOUR)
}

/// Shows a time as `2d 03:04:05.678`.
pub(crate) fn shown(time: Time) -> String {
    let (days, hours, minutes) = (time / DAY, time / HOUR % 24, time / MINUTE % 60);
    format!("{days}d {hours:02}:{minutes:02}:{:02}.{:03}", time / SECOND % 60, time % SECOND)
}
