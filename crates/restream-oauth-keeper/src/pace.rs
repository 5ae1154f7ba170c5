//! How many requests a process sends: a token bucket that shrinks when the server is busy, a limit while the store is
//! behind, a quota of retries, and a breaker that stops background work when requests end in doubt or stay silent.
//!
//! A rotation is one request, and five operations of the store. If the store cannot take as many as the rate allows, each
//! further rotation makes all others slower, until their requests have no answer in time and nothing is finished any more.
//! So background work begins only while fewer operations wait for the store than rotations begin in a second.
//!
//! Planned refreshes leave half of the bucket, and half of the room in front of the store, to those who cannot wait: callers,
//! replays, and tokens that soon expire. A process that cannot keep up refreshes those first that expire first.
//!
//! The schedule of one grant says when it is tried again; the quota says how often a process with many of them does so.
//! It holds 100 retries. Each success gives one back, and time a tenth of the full rate. So a process never retries more
//! often than it succeeded, plus 100, plus a tenth of its rate. The AWS SDKs have such a quota (500 tokens, and five for a
//! retry), and so has gRPC (retry throttling). Theirs drops a retry for which there is no token. Here no retry is dropped,
//! since that could lose a grant: it waits. That is why time refills the quota, too.

mod bucket;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bucket::{Bucket, Queue, wait_for};

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

/// Whether the last request for the same pair failed, or has no known outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    First,
    Retry,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The server answered, and nothing is left to be tried again: a new pair, or the end of the grant.
    Good,
    /// The server answered that it did not act. The request is tried again later.
    Refused,
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
/// How many retries may be sent at once. At the usual rate 30 grants, whose requests all fail from the same second on, are
/// tried again as if there were no quota.
const RETRIES: f64 = 100.0;
/// How many retries come back by time alone, as a share of the full rate. So the first requests have the rest of the rate.
const RETRY_SHARE: f64 = 0.1;
/// How much is left of the rate after a 429 or 503, and how much of the full rate comes back each second.
const SHRINK: f64 = 0.7;
const GROWTH: f64 = 0.01;
/// The lowest rate, as a share of the full one.
const LOWEST: f64 = 0.05;
/// The share of the bucket, and of the room in front of the store, that planned refreshes leave to those who cannot wait.
const RESERVE: f64 = 0.5;
/// How many operations may wait for the store, in seconds of the full rate, and the least number of them.
const STORING: f64 = 1.0;
const FEWEST_STORING: f64 = 32.0;

/// Decides when this process may send its next token request.
#[derive(Debug)]
pub(crate) struct Pace {
    full_rate: f64,
    rate: f64,
    requests: Bucket,
    /// What planned refreshes leave in the bucket.
    reserve: f64,
    retries: Bucket,
    /// Planned refreshes that wait, all others, and those for which there is no retry.
    planned: Queue,
    pressing: Queue,
    retrying: Queue,
    /// True from the moment when a retry had to wait for the quota, until half of the quota is there again.
    short: bool,
    /// True if nobody was told of that yet.
    short_is_news: bool,
    trickle: f64,
    /// How many grants wait for the store.
    storing: u32,
    counted: Duration,
    /// How the last request of each grant ended, if that was within the last [`WINDOW`]. A grant counts once, however
    /// often it is sent again.
    ended: BTreeMap<u32, (Duration, bool)>,
    /// How many of them ended in doubt: it is asked for each request.
    doubts: usize,
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
        // After a quiet time, what a second brings may be sent at once.
        let most = rate.max(1.0);
        Self {
            full_rate: rate,
            rate,
            requests: Bucket::new(most),
            reserve: (most - 1.0) * RESERVE,
            retries: Bucket::new(RETRIES),
            planned: Queue::default(),
            pressing: Queue::default(),
            retrying: Queue::default(),
            short: false,
            short_is_news: false,
            trickle: 1.0,
            storing: 0,
            counted: Duration::ZERO,
            ended: BTreeMap::new(),
            doubts: 0,
            order: VecDeque::new(),
            flying: BTreeMap::new(),
            open: None,
            silence,
        }
    }

    /// Takes the right to send one request, or says how long to wait before asking again.
    pub(crate) fn take(&mut self, urgency: Urgency, attempt: Attempt, now: Duration) -> Result<(), Duration> {
        self.count(now);
        let (needed, queue) = match urgency {
            Urgency::Background => (1.0 + self.reserve, &mut self.planned),
            _ => (1.0, &mut self.pressing),
        };
        if !self.requests.has(needed) || store_is_behind(self.full_rate, self.storing, urgency) {
            return Err(queue.place(self.requests.wait(needed, self.rate), self.rate, now));
        }
        if attempt == Attempt::Retry && !self.retries.has(1.0) {
            self.short_is_news |= !self.short;
            self.short = true;
            let rate = self.full_rate * RETRY_SHARE;
            return Err(self.retrying.place(self.retries.wait(1.0, rate), rate, now));
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
        self.requests.take();
        if attempt == Attempt::Retry {
            self.retries.take();
        }
        Ok(())
    }

    /// True once after each time when the quota of retries ran out.
    pub(crate) fn ran_out_of_retries(&mut self) -> bool {
        std::mem::take(&mut self.short_is_news)
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

    /// Notes that a grant begins to wait for the store, or no longer does.
    pub(crate) fn waits_for_store(&mut self, waited: bool, waits: bool) {
        self.storing = self.storing.saturating_add(u32::from(waits)).saturating_sub(u32::from(waited));
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
        let in_doubt = ending == Ending::Doubt;
        let before = self.ended.insert(grant, (now, in_doubt));
        self.count_doubts(before, in_doubt);
        self.order.push_back((now, grant));
        if ending == Ending::Good {
            self.retries.fill(1.0);
        }
        ending != Ending::Doubt && self.close()
    }

    /// Slows down, because the server asked for fewer requests (429, 503).
    pub(crate) fn slow_down(&mut self, now: Duration) {
        self.count(now);
        self.rate = (self.rate * SHRINK).max(self.full_rate * LOWEST);
    }

    /// A first request proves to be a retry: another process sent the one before it. It has the right to be sent, but the
    /// quota counts it. Nothing is owed, or such requests could hold up retries for long.
    pub(crate) fn is_a_retry(&mut self) {
        if self.retries.has(1.0) {
            self.retries.take();
        }
    }

    /// Gives back the right to send a request that was not sent.
    pub(crate) fn give_back(&mut self, attempt: Attempt) {
        self.requests.fill(1.0);
        if attempt == Attempt::Retry {
            self.retries.fill(1.0);
        }
    }

    fn close(&mut self) -> bool {
        if self.open.take().is_some() {
            self.ended.clear();
            self.doubts = 0;
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
                let before = self.ended.remove(&grant);
                self.count_doubts(before, false);
            }
        }
        if self.open.is_none() {
            // A grant whose last request ended and whose next one is silent counts once.
            let (mut doubts, mut all) = (self.doubts, self.ended.len());
            for (grant, _) in self.flying.iter().filter(|(_, sent)| sent.saturating_add(self.silence) <= now) {
                let last = self.ended.get(grant);
                doubts = doubts.saturating_add(usize::from(last.is_none_or(|(_, in_doubt)| !in_doubt)));
                all = all.saturating_add(usize::from(last.is_none()));
            }
            if doubts >= FEWEST_DOUBTS && doubts.saturating_mul(SHARE_OF_DOUBTS) >= all {
                self.open = Some(Open { next_test: now.saturating_add(FIRST_PAUSE), pause: FIRST_PAUSE });
                self.trickle = 1.0;
            }
        }
        self.open.is_some()
    }

    /// Notes that an entry of `ended` has become another one, or is gone.
    fn count_doubts(&mut self, before: Option<(Duration, bool)>, in_doubt: bool) {
        let was_in_doubt = before.is_some_and(|(_, doubt)| doubt);
        self.doubts = self.doubts.saturating_add(usize::from(in_doubt)).saturating_sub(usize::from(was_in_doubt));
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
        self.requests.fill(self.rate * passed);
        self.retries.fill(self.full_rate * RETRY_SHARE * passed);
        self.short &= !self.retries.is_half_full();
        self.trickle = (self.trickle + self.rate * TRICKLE * passed).min(1.0);
    }
}

/// True if so many operations wait for the store that this request has to wait.
fn store_is_behind(full_rate: f64, storing: u32, urgency: Urgency) -> bool {
    let share = match urgency {
        Urgency::Background => 1.0 - RESERVE,
        Urgency::Expiring => 1.0,
        Urgency::Wanted | Urgency::Replay => return false,
    };
    f64::from(storing) >= (full_rate * STORING * share).max(FEWEST_STORING)
}

#[cfg(test)]
mod tests;
