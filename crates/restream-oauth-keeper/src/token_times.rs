//! The times of a token, on both clocks.

use std::time::{Duration, SystemTime};

use crate::clock::Now;
use crate::milliseconds::Milliseconds;

/// A token that the API refuses this soon after its birth is not replaced at once: an API that refuses every token would
/// cause an endless chain of refreshes.
const YOUNG: Duration = Duration::from_secs(600);
/// What a time is longer by before it is rounded down to a millisecond, if it has to be rounded up.
const ROUND_UP: Duration = Duration::from_nanos(999_999);

/// The times of a token.
///
/// Those of the wall clock are for programs. Those of the steady clock count: it began to count when the pair came, and
/// the wall clock may have been set since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenTimes {
    /// When the token expires: the time since 1970 on the wall clock.
    expires_at: Milliseconds,
    /// When the token expires, on the steady clock.
    expires: Milliseconds,
    /// How long the token lives in all. There is no time of its birth: that may have been before the steady clock began.
    life: Milliseconds,
    /// How long before its end the token is no longer promised.
    margin: Milliseconds,
}

impl TokenTimes {
    /// The times of a token that was issued at `sent_at`, and is promised until `usable_until`.
    pub(crate) fn new(sent_at: SystemTime, usable_until: SystemTime, expires_at: SystemTime, now: &Now) -> Self {
        // A clock that was set back makes no token live longer than it did when it was new.
        let left = now.until(expires_at).min(since(sent_at, expires_at));
        let margin = since(usable_until, expires_at).saturating_add(ROUND_UP);
        Self {
            expires_at: Milliseconds::of(since(SystemTime::UNIX_EPOCH, expires_at)),
            expires: Milliseconds::of(now.steady.saturating_add(left)),
            life: Milliseconds::of(left.saturating_add(now.since(sent_at))),
            margin: Milliseconds::of(margin),
        }
    }

    /// The same times without a promise from now on.
    #[must_use]
    pub(crate) fn without_promise(self, now: &Now) -> Self {
        let margin = now.until(self.expires_at()).saturating_add(ROUND_UP);
        Self { margin: Milliseconds::of(margin.max(self.margin.time())), ..self }
    }

    /// These times on the wall clock, and others on the steady clock.
    #[must_use]
    pub(crate) fn with_steady(self, other: &Self) -> Self {
        let Self { expires_at, margin, .. } = self;
        Self { expires_at, margin, ..*other }
    }

    pub(crate) fn expires_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH.checked_add(self.expires_at.time()).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    pub(crate) fn usable_until(&self) -> SystemTime {
        self.expires_at().checked_sub(self.margin.time()).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    // On the steady clock.

    /// When the token expires.
    pub(crate) fn expires(&self) -> Duration {
        self.expires.time()
    }

    /// Until when the token is promised.
    pub(crate) fn usable(&self) -> Duration {
        self.expires().saturating_sub(self.margin.time())
    }

    /// True while the token is young.
    pub(crate) fn is_young(&self, now: Duration) -> bool {
        now < self.has_age_at(YOUNG)
    }

    /// True if the token was issued at this time or later.
    pub(crate) fn is_born_since(&self, time: Duration) -> bool {
        self.expires() >= time.saturating_add(self.life())
    }

    /// How long the token lives from its birth on.
    pub(crate) fn life(&self) -> Duration {
        self.life.time()
    }

    /// When the token has this age; too early if that was before the clock began.
    pub(crate) fn has_age_at(&self, age: Duration) -> Duration {
        self.expires().saturating_add(age).saturating_sub(self.life())
    }
}

fn since(earlier: SystemTime, later: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
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
    fn in_doubt_nothing_is_promised() {
        let now = Now { wall: at(1020), steady: s(500) };
        let in_doubt = times(1010, 490).without_promise(&now);
        assert_eq!((in_doubt.usable_until(), in_doubt.usable(), in_doubt.expires()), (at(1020), s(500), s(540)));
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
        let in_doubt = times.without_promise(&Now { wall: at(45) + nanosecond, ..now });
        assert!(in_doubt.usable_until() <= at(45), "{in_doubt:?}");
    }
}
