//! How many requests a process sends: a token bucket that shrinks when the server is busy, and a breaker that stops
//! background work when requests end in doubt or stay silent.
//!
//! Retries need no quota of their own. The replays of one grant come by a schedule: seven in the first quarter of an hour,
//! then one a token life. While many grants are in doubt, the breaker lets one replay at a time test the server.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Why a request is sent. Background work waits while the breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Somebody waits for the token.
    Wanted,
    /// A planned refresh.
    Background,
    /// A planned refresh whose access token has expired, or soon will have.
    Expiring,
    /// A refresh in doubt is sent again.
    Replay,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The server answered.
    Good,
    /// No trustworthy answer came.
    Doubt,
    /// Nothing was sent.
    NotSent,
}

/// The ends of this long are looked at.
const WINDOW: Duration = Duration::from_secs(30);
/// The breaker opens when at least this many requests of the window, and at least a fifth of them, ended in doubt.
const FEWEST_DOUBTS: usize = 3;
const SHARE_OF_DOUBTS: usize = 5;
/// The pause between tests while the breaker is open grows from the first to the last of these.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The share of the rate that expiring tokens have while the breaker is open.
const TRICKLE: f64 = 0.1;
/// The longest wait before asking again.
const LONGEST_QUEUE: Duration = Duration::from_secs(30);
/// How much is left of the rate after a 429 or 503, and how much of the full rate comes back each second.
const SHRINK: f64 = 0.7;
const GROWTH: f64 = 0.01;
/// The lowest rate, as a share of the full one.
const LOWEST: f64 = 0.05;

/// Decides when this process may send its next token request.
#[derive(Debug)]
pub(crate) struct Pace {
    full_rate: f64,
    rate: f64,
    tokens: f64,
    trickle: f64,
    counted: Duration,
    /// When the last of those who wait may ask again: each gets a place of its own in the queue.
    last_place: Duration,
    /// How the last request of each grant ended, if that was within the last [`WINDOW`]. A grant counts once, however
    /// often it is sent again.
    ended: BTreeMap<u32, (Duration, bool)>,
    /// The grants in the order in which their requests ended. An entry is valid if `ended` has the same time.
    order: VecDeque<(Duration, u32)>,
    /// When the request of each grant was sent that has no answer yet.
    flying: BTreeMap<u32, Duration>,
    open: Option<Open>,
    /// A request without an answer counts as in doubt after this long.
    silence: Duration,
}

/// The breaker is open.
#[derive(Debug)]
struct Open {
    next_test: Duration,
    pause: Duration,
}

impl Pace {
    pub(crate) fn new(requests_per_second: f64, silence: Duration) -> Self {
        let rate = if requests_per_second.is_finite() { requests_per_second.clamp(0.01, 10_000.0) } else { 20.0 };
        Self {
            full_rate: rate,
            rate,
            tokens: burst(rate),
            trickle: 1.0,
            counted: Duration::ZERO,
            last_place: Duration::ZERO,
            ended: BTreeMap::new(),
            order: VecDeque::new(),
            flying: BTreeMap::new(),
            open: None,
            silence,
        }
    }

    /// Takes the right to send one request, or says how long to wait before asking again.
    pub(crate) fn take(&mut self, urgency: Urgency, now: Duration) -> Result<(), Duration> {
        self.count(now);
        if self.tokens < 1.0 {
            return Err(self.place(now));
        }
        if self.is_open(now) {
            match urgency {
                Urgency::Wanted => {}
                Urgency::Replay => self.take_test(now)?,
                // Nobody loses anything by waiting.
                Urgency::Background => return Err(FIRST_PAUSE),
                Urgency::Expiring if self.trickle >= 1.0 => self.trickle -= 1.0,
                Urgency::Expiring => return Err(wait_for(1.0 - self.trickle, self.rate * TRICKLE)),
            }
        }
        self.tokens -= 1.0;
        Ok(())
    }

    /// The next place in the queue. The queue is a ring: those who give up do not leave it, so nobody waits longer than
    /// [`LONGEST_QUEUE`] before asking again, however many asked before.
    fn place(&mut self, now: Duration) -> Duration {
        let earliest = now.saturating_add(wait_for(1.0 - self.tokens, self.rate));
        let next = self.last_place.saturating_add(wait_for(1.0, self.rate)).max(earliest);
        let place = if next > earliest.saturating_add(LONGEST_QUEUE) { earliest } else { next };
        self.last_place = place;
        place.saturating_sub(now)
    }

    /// While the breaker is open, one replay at a time tests the server.
    fn take_test(&mut self, now: Duration) -> Result<(), Duration> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if now < open.next_test {
            return Err(open.next_test.saturating_sub(now));
        }
        open.next_test = now.saturating_add(open.pause);
        open.pause = open.pause.saturating_add(FIRST_PAUSE).min(LONGEST_PAUSE);
        Ok(())
    }

    /// Notes that a request of a grant was sent.
    pub(crate) fn sent(&mut self, grant: u32, now: Duration) {
        self.flying.insert(grant, now);
    }

    /// Notes how a request ended. Returns true if this closed the breaker.
    pub(crate) fn ended(&mut self, grant: u32, ending: Ending, now: Duration) -> bool {
        self.flying.remove(&grant);
        self.count(now);
        if ending == Ending::NotSent {
            return false;
        }
        self.ended.insert(grant, (now, ending == Ending::Doubt));
        self.order.push_back((now, grant));
        ending == Ending::Good && self.close()
    }

    /// Slows down, because the server asked for fewer requests (429, 503).
    pub(crate) fn slow_down(&mut self, now: Duration) {
        self.count(now);
        self.rate = (self.rate * SHRINK).max(self.full_rate * LOWEST);
    }

    /// Gives back the right to send a request that was not sent.
    pub(crate) fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(burst(self.full_rate));
    }

    fn close(&mut self) -> bool {
        if self.open.take().is_some() {
            self.ended.clear();
            self.order.clear();
            // A silent request would open it again at once.
            self.flying.clear();
            return true;
        }
        false
    }

    /// True while the breaker is open. Opens it if too many requests ended in doubt or are silent.
    pub(crate) fn is_open(&mut self, now: Duration) -> bool {
        while let Some((at, grant)) = self.order.front().copied().filter(|(at, _)| at.saturating_add(WINDOW) < now) {
            self.order.pop_front();
            if self.ended.get(&grant).is_some_and(|(last, _)| *last == at) {
                self.ended.remove(&grant);
            }
        }
        if self.open.is_none() {
            let silent = self.flying.values().filter(|sent| sent.saturating_add(self.silence) <= now).count();
            let doubts = self.ended.values().filter(|(_, doubt)| *doubt).count().saturating_add(silent);
            let all = self.ended.len().saturating_add(silent);
            if doubts >= FEWEST_DOUBTS && doubts.saturating_mul(SHARE_OF_DOUBTS) >= all {
                self.open = Some(Open { next_test: now.saturating_add(FIRST_PAUSE), pause: FIRST_PAUSE });
                self.trickle = 1.0;
            }
        }
        self.open.is_some()
    }

    /// True if keeping this many grants, each refreshed once in `life`, takes more than half of the rate.
    pub(crate) fn is_tight(&self, grants: usize, life: Duration) -> bool {
        let grants = f64::from(u32::try_from(grants).unwrap_or(u32::MAX));
        grants / (0.7 * life.as_secs_f64().max(1.0)) > self.full_rate / 2.0
    }

    fn count(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.counted).as_secs_f64();
        self.counted = self.counted.max(now);
        self.rate = (self.rate + self.full_rate * GROWTH * passed).min(self.full_rate);
        self.tokens = (self.tokens + self.rate * passed).min(burst(self.full_rate));
        self.trickle = (self.trickle + self.rate * TRICKLE * passed).min(1.0);
    }
}

/// How many requests may be sent at once after a quiet time.
fn burst(rate: f64) -> f64 {
    rate.max(1.0)
}

fn wait_for(missing: f64, rate: f64) -> Duration {
    // A millisecond more than exact, so that rounding cannot make the next look come too early.
    Duration::try_from_secs_f64(missing / rate).unwrap_or(LONGEST_PAUSE).saturating_add(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_rate_holds_on_average() {
        let mut pace = Pace::new(20.0, s(10));
        let mut sent = 0;
        let mut now = s(0);
        while now < s(60) {
            match pace.take(Urgency::Background, now) {
                Ok(()) => sent += 1,
                Err(wait) => now += wait,
            }
        }
        assert!((1200..=1221).contains(&sent), "{sent}");
    }

    /// Lets this many grants ask for one request each, from the same moment on. Returns when each was sent.
    fn served(pace: &mut Pace, grants: u64, until: Duration) -> Vec<Duration> {
        let mut waiting: std::collections::BinaryHeap<_> =
            (0..grants).map(|grant| std::cmp::Reverse((s(0), grant))).collect();
        let mut served = Vec::new();
        while let Some(std::cmp::Reverse((now, grant))) = waiting.pop().filter(|next| next.0.0 < until) {
            match pace.take(Urgency::Wanted, now) {
                Ok(()) => served.push(now),
                Err(wait) => waiting.push(std::cmp::Reverse((now + wait, grant))),
            }
        }
        served
    }

    #[test]
    fn everybody_in_a_long_queue_is_served_as_fast_as_the_rate_allows() {
        let served = served(&mut Pace::new(20.0, s(10)), 3000, s(1000));
        assert_eq!(served.len(), 3000);
        assert!(*served.last().unwrap() < s(165), "{:?}", served.last());
    }

    #[test]
    fn a_long_queue_that_gave_up_holds_up_nobody() {
        let mut pace = Pace::new(20.0, s(10));
        served(&mut pace, 20_000, s(100));
        // Nobody of them waits any more. The next ones find a full bucket, and a little later an empty one.
        let mut longest = s(0);
        for _ in 0..30 {
            longest = longest.max(pace.take(Urgency::Wanted, s(103)).err().unwrap_or_default());
        }
        assert!(longest <= s(31), "{longest:?}");
    }

    #[test]
    fn an_empty_bucket_uses_up_no_test_of_the_breaker() {
        let mut pace = Pace::new(1.0, s(10));
        for number in 0..3 {
            pace.ended(number, Ending::Doubt, s(1));
        }
        assert!(pace.is_open(s(1)));
        assert_eq!(pace.take(Urgency::Wanted, s(6)), Ok(()));
        let wait = pace.take(Urgency::Replay, s(6)).unwrap_err();
        assert!(wait < s(2), "{wait:?}: the test is still to come");
        assert_eq!(pace.take(Urgency::Replay, s(6) + wait), Ok(()));
    }

    #[test]
    fn a_busy_server_is_asked_less_often_and_the_rate_grows_back() {
        let mut pace = Pace::new(20.0, s(10));
        for _ in 0..20 {
            pace.slow_down(s(0));
        }
        assert!((pace.rate - 1.0).abs() < 1e-9, "{}", pace.rate);
        pace.count(s(200));
        assert!((pace.rate - 20.0).abs() < 1e-9);
    }

    #[test]
    fn three_doubts_open_the_breaker_for_background_work_alone() {
        let mut pace = Pace::new(20.0, s(10));
        for number in 0..3 {
            pace.ended(number, Ending::Doubt, s(1));
        }
        assert!(pace.is_open(s(1)));
        assert_eq!(pace.take(Urgency::Wanted, s(1)), Ok(()));
        assert!(pace.take(Urgency::Replay, s(1)).is_err());
        assert!(pace.take(Urgency::Background, s(1)).is_err());
        assert_eq!(pace.take(Urgency::Expiring, s(1)), Ok(()), "the trickle");
        assert!(pace.take(Urgency::Expiring, s(1)).is_err());
    }

    #[test]
    fn two_doubts_or_three_among_many_do_not_open_it() {
        let mut pace = Pace::new(20.0, s(10));
        for number in 0..2 {
            pace.ended(number, Ending::Doubt, s(1));
        }
        assert!(!pace.is_open(s(1)));
        for number in 10..26 {
            pace.ended(number, Ending::Good, s(1));
        }
        pace.ended(99, Ending::Doubt, s(1));
        assert!(!pace.is_open(s(1)), "3 of 19");
        for number in 100..102 {
            pace.ended(number, Ending::Doubt, s(1));
        }
        assert!(pace.is_open(s(1)), "5 of 21");
    }

    #[test]
    fn one_grant_in_doubt_does_not_open_it_however_often_it_is_sent() {
        let mut pace = Pace::new(20.0, s(10));
        for second in 0..20 {
            pace.ended(7, Ending::Doubt, s(second));
        }
        assert!(!pace.is_open(s(20)));
        assert_eq!(pace.order.len(), 20);
        assert!(!pace.is_open(s(60)) && pace.order.is_empty() && pace.ended.is_empty());
    }

    #[test]
    fn silence_counts_before_it_ends() {
        let mut pace = Pace::new(20.0, s(10));
        for number in 0..3 {
            pace.sent(number, s(0));
        }
        assert!(!pace.is_open(s(9)));
        assert!(pace.is_open(s(10)));
    }

    #[test]
    fn tests_come_after_growing_pauses_and_one_success_closes_it() {
        let mut pace = Pace::new(20.0, s(10));
        for number in 0..3 {
            pace.ended(number, Ending::Doubt, s(0));
        }
        assert!(pace.is_open(s(0)));
        let mut tests = Vec::new();
        for second in 0..200 {
            if pace.take(Urgency::Replay, s(second)).is_ok() {
                tests.push(second);
            }
        }
        assert_eq!(tests, [5, 10, 20, 35, 55, 80, 110, 145, 185]);
        assert!(pace.ended(9, Ending::Good, s(200)));
        assert!(!pace.is_open(s(200)));
        assert!(!pace.ended(9, Ending::Good, s(200)), "it was closed already");
    }

    #[test]
    fn a_rate_that_makes_no_sense_is_bounded() {
        for rate in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
            let mut pace = Pace::new(rate, s(10));
            assert_eq!(pace.take(Urgency::Wanted, s(0)), Ok(()));
        }
    }

    #[test]
    fn fifty_thousand_warm_grants_are_the_half_of_twenty_a_second() {
        let pace = Pace::new(20.0, s(10));
        assert!(!pace.is_tight(25_000, s(3600)));
        assert!(pace.is_tight(26_000, s(3600)));
    }
}
