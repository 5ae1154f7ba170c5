//! When a refresh in doubt is sent again.

use std::time::Duration;

use crate::clock::Now;
use crate::record::{Doubt, Record};

/// How long after the end of the first connection the refresh token is sent again: soon enough for the shortest grace
/// periods that servers document (5 seconds), and a few times more for the longer ones.
pub(crate) const REPLAYS: [Duration; 7] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
    Duration::from_secs(28),
    Duration::from_secs(58),
    Duration::from_secs(240),
    Duration::from_secs(900),
];
/// A replay whose time passed while the one before it hung comes this long after that one ended.
pub(crate) const AFTER_A_LATE_ONE: Duration = Duration::from_secs(1);

/// The requests of the first token life of a doubt: the first one, the schedule, and one that was brought forward.
const MOST_IN_FIRST_LIFE: u64 = 9;
/// The requests of each token life after it: a planned one, and one that was brought forward.
const MOST_IN_LATER_LIFE: u64 = 2;

/// True if the next replay of a doubt may be brought forward: a doubt of this age may have had one request more. The store
/// counts the requests of all processes.
pub(crate) fn has_room(sends: u32, age: Duration, life: Duration) -> bool {
    let lives = u64::try_from(age.as_millis().checked_div(life.as_millis()).unwrap_or(0)).unwrap_or(u64::MAX);
    u64::from(sends) < MOST_IN_FIRST_LIFE.saturating_add(lives.saturating_mul(MOST_IN_LATER_LIFE))
}

/// How long to wait before the next replay; zero if it is due. `retry_in` is the wait that a server or a failure asked
/// for.
///
/// A clock that was set back cannot make the wait longer than it was meant to be.
pub(crate) fn next_replay(record: &Record, doubt: &Doubt, now: &Now) -> Duration {
    let Some(ended) = doubt.ended else { return Duration::ZERO };
    // One request makes the doubt, so the first replay is the second request.
    let index = usize::try_from(doubt.sends.saturating_sub(1)).unwrap_or(usize::MAX);
    let wait = if let Some(wait) = REPLAYS.get(index) {
        wait.saturating_sub(now.since(ended))
    } else {
        // From then on once in each token life, counted from the last one of the schedule.
        let more = u32::try_from(index.saturating_sub(REPLAYS.len()).saturating_add(1)).unwrap_or(u32::MAX);
        let life = life(record);
        let last = REPLAYS.last().copied().unwrap_or_default();
        last.saturating_add(life.saturating_mul(more)).saturating_sub(now.since(ended)).min(life)
    };
    wait.max(asked_wait(record, now))
}

/// How long a server, or an earlier failure, asked to wait.
///
/// Nobody is granted more than [`LONGEST_WAIT`]. A time further away means that the clock was set back since: nothing is
/// known of the wait, and it may be over. Else each process would wait anew.
pub(crate) fn asked_wait(record: &Record, now: &Now) -> Duration {
    let wait = record.not_before.map_or(Duration::ZERO, |time| now.until(time));
    if wait > LONGEST_WAIT { Duration::ZERO } else { wait }
}

/// The least time between the last request of a doubt and the next, by the clock of the process that sent the last one:
/// what the store says about an earlier time may come from a clock that was wrong.
pub(crate) fn gap_after(sends: u32, life: Duration) -> Duration {
    let index = usize::try_from(sends.saturating_sub(1)).unwrap_or(usize::MAX);
    match (index.checked_sub(1).and_then(|before| REPLAYS.get(before)), REPLAYS.get(index)) {
        (None, _) if index == 0 => Duration::ZERO,
        (Some(before), Some(next)) => next.saturating_sub(*before),
        _ => life,
    }
}

/// The doubt as it was before the last request: that request was not sent, or the server did not act on it.
pub(crate) fn without_last_request(doubt: Doubt) -> Option<Doubt> {
    (doubt.sends > 1).then(|| Doubt { sends: doubt.sends.saturating_sub(1), in_flight: false, ..doubt })
}

/// The pause after a number of failures in a row that left nothing in doubt. The pauses add up to the same times as the
/// replays of a doubt.
pub(crate) fn pause_after(failures: u32) -> Duration {
    let index = usize::try_from(failures).unwrap_or(usize::MAX);
    let at = |index: usize| REPLAYS.get(index).copied();
    match (index.checked_sub(1).and_then(at), at(index)) {
        (None, Some(first)) if index == 0 => first,
        (Some(before), Some(next)) => next.saturating_sub(before),
        _ => LONGEST_WAIT,
    }
}

/// The longest wait that a server is granted.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How long tokens of this grant live: at least a minute, so that a strange lifetime makes no storm.
pub(crate) fn life(record: &Record) -> Duration {
    record.tokens.lifetime().clamp(Duration::from_secs(60), LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::testing::tokens;

    fn now(seconds: u64) -> Now {
        Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), steady: Duration::from_secs(seconds) }
    }

    fn record() -> Record {
        Record::of_login(tokens("a", "r"), SystemTime::UNIX_EPOCH)
    }

    fn doubt(sends: u32, ended: u64) -> Doubt {
        Doubt {
            since: now(0).wall,
            sends,
            in_flight: false,
            ended: Some(now(ended).wall),
            witnessed: false,
            forwarded: None,
        }
    }

    #[test]
    fn replays_come_by_the_schedule_and_then_once_in_a_token_life() {
        let expected = [1, 4, 15, 28, 58, 240, 900, 4500, 8100, 11700];
        let mut at = 1000;
        for (index, expected) in expected.into_iter().enumerate() {
            let doubt = doubt(u32::try_from(index + 1).unwrap(), 1000);
            let wait = next_replay(&record(), &doubt, &now(at)).as_secs();
            assert_eq!(at + wait - 1000, expected, "replay {index}");
            at += wait;
        }
    }

    #[test]
    fn a_doubt_has_room_for_nine_requests_in_its_first_life_and_for_two_in_each_after() {
        let life = Duration::from_secs(3600);
        let most = |age| (0..300).find(|sends| !has_room(*sends, Duration::from_secs(age), life)).unwrap();
        assert_eq!([0, 3599, 3600, 7199, 7200, 360_000].map(most), [9, 9, 11, 11, 13, 209]);
        // The schedule alone never needs more.
        let at = |sends: u32| {
            let planned = REPLAYS.get(sends as usize - 1).map(Duration::as_secs);
            planned.unwrap_or_else(|| 900 + 3600 * (u64::from(sends) - 7))
        };
        assert!((1..100).all(|sends| has_room(sends, Duration::from_secs(at(sends)), life)));
    }

    #[test]
    fn failures_that_leave_no_doubt_are_repeated_at_the_same_times() {
        let pauses: Vec<_> = (0..9).map(|failures| pause_after(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 3, 11, 13, 30, 182, 660, 3600, 3600]);
        assert_eq!(pause_after(u32::MAX), LONGEST_WAIT);
    }

    #[test]
    fn the_gaps_between_requests_are_those_of_the_schedule() {
        let life = Duration::from_secs(3600);
        let gaps: Vec<_> = (1..10).map(|sends| gap_after(sends, life).as_secs()).collect();
        assert_eq!(gaps, [0, 3, 11, 13, 30, 182, 660, 3600, 3600]);
    }

    #[test]
    fn a_request_that_was_not_sent_leaves_an_older_doubt_alone() {
        assert_eq!(without_last_request(doubt(1, 5)), None);
        assert_eq!(without_last_request(doubt(3, 5)), Some(doubt(2, 5)));
    }

    #[test]
    fn a_replay_is_due_once_its_time_is_past() {
        assert_eq!(next_replay(&record(), &doubt(1, 0), &now(9999)), Duration::ZERO);
    }

    #[test]
    fn a_server_that_asks_to_wait_postpones_the_replay() {
        let later = |seconds| Record { not_before: Some(now(seconds).wall), ..record() };
        assert_eq!(next_replay(&later(30), &doubt(1, 0), &now(0)).as_secs(), 30);
        assert_eq!(next_replay(&later(3600), &doubt(1, 0), &now(0)).as_secs(), 3600);
        // No server is granted more: the clock was set back.
        assert_eq!(next_replay(&later(90_000), &doubt(1, 0), &now(0)).as_secs(), 1);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_wait_longer() {
        assert_eq!(next_replay(&record(), &doubt(1, 100_000), &now(0)).as_secs(), 1);
        assert!(next_replay(&record(), &doubt(40, 100_000), &now(0)).as_secs() <= 3600);
    }
}
