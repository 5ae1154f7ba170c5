//! How long a run sends a refresh in doubt again.
//!
//! A run ends with the time for its replays, also if the server has taken a replay and says nothing. The connection is
//! closed then, after what has arrived was read. The grant stays in doubt as it was: the file counts the replay, and the
//! next run sends the same refresh token again. What can be lost is an answer that the server gives later: if it acts on
//! that replay and forgives nothing, the next replay is refused. Waiting longer would keep a caller, and everyone who waits
//! for the lock, for a minute behind a server that has lost an answer before. To wait while another process sends a replay
//! counts as well; or else of many that wait for one lock, each would send a replay of its own, one after the other.

use std::time::{Duration, Instant};

use restream_oauth_keeper::Record;

/// Replays, and waits that a server asked for, end within this time, counted from the first of them.
const REPLAYS: Duration = Duration::from_secs(20);
/// A replay that would have less time than this is left to the next run: a healthy server might not answer it in time.
const LEAST: Duration = Duration::from_secs(3);

/// The time of all replays of one command.
#[derive(Debug, Default)]
pub(crate) struct ReplayTime {
    /// The end, once it counts.
    until: Option<Instant>,
}

impl ReplayTime {
    /// Lets the time count.
    pub(crate) fn begin(&mut self) {
        self.left();
    }

    /// How much is left. The time counts from the first call on.
    pub(crate) fn left(&mut self) -> Duration {
        self.left_at(Instant::now())
    }

    /// True if a replay may begin after this wait. The time counts from the first call on.
    pub(crate) fn has_room_after(&mut self, wait: Duration) -> bool {
        wait.saturating_add(LEAST) <= self.left()
    }

    /// How long a replay may take that begins now. The time counts from the first call on.
    pub(crate) fn limit(&mut self) -> Duration {
        self.left().max(LEAST)
    }

    /// How much is left, if the time counts already.
    pub(crate) fn left_if_begun(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    fn left_at(&mut self, now: Instant) -> Duration {
        let until = *self.until.get_or_insert_with(|| now.checked_add(REPLAYS).unwrap_or(now));
        until.saturating_duration_since(now)
    }
}

/// True if a refresh is in doubt. The mark of a first request may be that of one whose answer is still to come.
pub(super) fn has_lost_an_answer(record: &Record) -> bool {
    record.doubt.is_some_and(|doubt| !doubt.in_flight || doubt.sends > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_counts_from_the_first_look_and_does_not_begin_again() {
        let mut time = ReplayTime::default();
        assert_eq!(time.left_if_begun(), None);
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(time.left_at(begun), REPLAYS);
        assert_eq!(time.left_at(after(5)), Duration::from_secs(15));
        assert_eq!(time.left_at(after(21)), Duration::ZERO);
    }

    #[test]
    fn a_replay_begins_only_if_a_healthy_server_can_answer_it_in_time() {
        let mut time = ReplayTime { until: Some(Instant::now() + Duration::from_secs(3600)) };
        assert!(time.has_room_after(Duration::from_secs(3590)));
        assert!(!time.has_room_after(Duration::from_secs(3598)));
        // A wait that took longer than planned, on a busy machine.
        let mut time = ReplayTime { until: Some(Instant::now()) };
        assert_eq!(time.limit(), LEAST);
    }
}
