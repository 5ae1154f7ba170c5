//! The times of a token, on both clocks.

use std::time::{Duration, SystemTime};

use crate::clock::Now;

/// A token that the API refuses this soon after its birth is not replaced at once: an API that refuses every token would
/// cause an endless chain of refreshes.
const YOUNG: Duration = Duration::from_secs(600);

/// The times of a token in whole milliseconds, since a process keeps one for each of its grants.
///
/// Those of the wall clock are for programs. Those of the steady clock count: it began to count when the pair came, and
/// the wall clock may have been set since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenTimes {
    /// When the token expires: the time since 1970 on the wall clock.
    expires_at: u64,
    /// When the token expires, on the steady clock.
    expires: u64,
    /// Until when the token is young, on the steady clock. It may have been issued before that clock began, so that time
    /// is not kept.
    young_until: u64,
    /// How long before `expires_at` the promise ends. 49 days at most, as below.
    margin_at: u32,
    /// How long before `expires` the promise ends. The two differ in doubt, when nothing is promised to programs.
    margin: u32,
}

impl TokenTimes {
    /// The times of a token that was issued at `sent_at`, and is promised until `usable_until`.
    pub(crate) fn new(sent_at: SystemTime, usable_until: SystemTime, expires_at: SystemTime, now: &Now) -> Self {
        // A clock that was set back makes no token live longer than it did when it was new.
        let left = now.until(expires_at).min(expires_at.duration_since(sent_at).unwrap_or_default());
        let margin = u32::try_from(since(usable_until, expires_at).as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX);
        Self {
            expires_at: milliseconds(since(SystemTime::UNIX_EPOCH, expires_at)),
            expires: milliseconds(now.steady.saturating_add(left)),
            young_until: milliseconds(now.steady.saturating_add(YOUNG).saturating_sub(now.since(sent_at))),
            margin_at: margin,
            margin,
        }
    }

    /// The same times without a promise to programs.
    #[must_use]
    pub(crate) fn without_promise(self, now: &Now) -> Self {
        let margin_at = u32::try_from(milliseconds(now.until(self.expires_at()))).unwrap_or(u32::MAX);
        Self { margin_at: self.margin_at.max(margin_at), ..self }
    }

    /// These times on the wall clock, and others on the steady clock.
    #[must_use]
    pub(crate) fn with_steady(self, other: &Self) -> Self {
        let Self { expires_at, margin_at, .. } = self;
        Self { expires_at, margin_at, ..*other }
    }

    pub(crate) fn expires_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(self.expires_at)).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    pub(crate) fn usable_until(&self) -> SystemTime {
        self.expires_at().checked_sub(span(self.margin_at)).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    // On the steady clock.

    /// When the token expires.
    pub(crate) fn expires(&self) -> Duration {
        Duration::from_millis(self.expires)
    }

    /// Until when the token is promised.
    pub(crate) fn usable(&self) -> Duration {
        self.expires().saturating_sub(span(self.margin))
    }

    /// True while the token is young.
    pub(crate) fn is_young(&self, now: Duration) -> bool {
        now < self.young_until()
    }

    /// True if the token was issued at this time or later.
    pub(crate) fn is_born_since(&self, time: Duration) -> bool {
        self.young_until() >= time.saturating_add(YOUNG)
    }

    /// How long the token lives from its birth on, if it is young.
    pub(crate) fn life(&self) -> Duration {
        self.expires().saturating_add(YOUNG).saturating_sub(self.young_until())
    }

    /// When the token has this age; too early if it was issued before the clock began.
    pub(crate) fn has_age_at(&self, age: Duration) -> Duration {
        self.young_until().saturating_add(age).saturating_sub(YOUNG)
    }

    fn young_until(&self) -> Duration {
        Duration::from_millis(self.young_until)
    }
}

fn since(earlier: SystemTime, later: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}

fn span(milliseconds: u32) -> Duration {
    Duration::from_millis(u64::from(milliseconds))
}

/// Whole milliseconds.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + s(seconds)
    }

    /// Issued at 1000, promised for 50 seconds, expires after 60.
    fn times(wall: u64, steady: u64) -> TokenTimes {
        TokenTimes::new(at(1000), at(1050), at(1060), &Now { wall: at(wall), steady: s(steady) })
    }

    #[test]
    fn both_clocks_say_the_same() {
        let times = times(1010, 500);
        assert_eq!((times.usable_until(), times.expires_at()), (at(1050), at(1060)));
        assert_eq!((times.usable(), times.expires(), times.life()), (s(540), s(550), s(60)));
        assert!(times.is_young(s(1089)) && !times.is_young(s(1090)));
        assert!(times.is_born_since(s(490)) && !times.is_born_since(s(491)));
        assert_eq!(times.has_age_at(s(20)), s(510));
    }

    #[test]
    fn a_clock_that_was_set_back_prolongs_nothing() {
        let times = times(400, 500);
        assert_eq!((times.usable(), times.expires(), times.life()), (s(550), s(560), s(60)));
    }

    #[test]
    fn what_is_past_is_past() {
        let times = times(1100, 500);
        assert!(times.usable() <= s(500) && times.expires() <= s(500), "{times:?}");
        assert!(times.is_young(s(999)) && !times.is_young(s(1000)));
    }

    #[test]
    fn in_doubt_nothing_is_promised_to_programs() {
        let now = Now { wall: at(1020), steady: s(500) };
        let in_doubt = times(1010, 490).without_promise(&now);
        assert_eq!((in_doubt.usable_until(), in_doubt.usable()), (at(1020), s(530)));
        let later = Now { wall: at(1055), ..now };
        assert_eq!(times(1010, 490).without_promise(&later).usable_until(), at(1050));
        let set_since = times(1010, 900).with_steady(&in_doubt);
        assert_eq!((set_since.usable_until(), set_since.usable()), (at(1050), s(530)));
    }

    #[test]
    fn parts_of_a_millisecond_shorten_a_promise() {
        let nanosecond = Duration::from_nanos(1);
        let now = Now { wall: at(0), steady: s(0) };
        let times = TokenTimes::new(at(0), at(50) + nanosecond, at(60) - nanosecond, &now);
        assert_eq!(times.expires_at(), at(60) - Duration::from_millis(1));
        assert!(times.usable_until() <= at(50) && times.usable() <= s(50), "{times:?}");
    }
}
