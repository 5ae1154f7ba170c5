//! The two clocks of the keeper.

use std::time::{Duration, SystemTime};

/// The current time on two clocks. The machine reads no clock itself.
///
/// Times that a store holds are wall-clock times, because other machines read them. Waits and deadlines of this process
/// are times of the other clock, which no one sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock. People and NTP set it, so it can jump.
    pub wall: SystemTime,
    /// A clock that never goes back, and that runs on while the machine sleeps: the time since any fixed moment.
    pub steady: Duration,
}

impl Now {
    /// How long the steady clock has to run until the wall clock shows `time`: zero if that time is past.
    pub(crate) fn until(&self, time: SystemTime) -> Duration {
        time.duration_since(self.wall).unwrap_or_default()
    }

    /// How long ago the wall clock showed `time`: zero if that time is yet to come.
    pub(crate) fn since(&self, time: SystemTime) -> Duration {
        self.wall.duration_since(time).unwrap_or_default()
    }

    /// The wall-clock time after `wait`. A time beyond what the platform can express counts as now.
    pub(crate) fn wall_after(&self, wait: Duration) -> SystemTime {
        self.wall.checked_add(wait).unwrap_or(self.wall)
    }
}
