//! When each grant has to be looked at next.
//!
//! A heap of a million times is slow, because each step down its levels misses the cache. So a heap holds the times of
//! the next second alone. Later times lie in slots, unsorted, that are the longer the farther away they are; a slot whose
//! time has come is dealt out to shorter ones. Each grant is moved a few times at most (a timing wheel: Varghese and
//! Lauck 1987, scheme 7).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use crate::tight;

/// A time for each of many grants. Setting a new time makes the old one invalid; it stays in the queue until it comes up
/// or the queue is swept. Times are milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// The valid time of each grant.
    times: Vec<u64>,
    /// The first millisecond of the second whose times are in `near`.
    second: u64,
    /// All times before the end of that second, and the grants.
    near: BinaryHeap<Reverse<(u64, u32)>>,
    /// All later times, by the beginning of their slots, which do not overlap.
    far: BTreeMap<u64, Slot>,
    /// How many grants are in `near` and `far`, valid or not.
    queued: usize,
}

/// The grants whose times were in one span when they were set.
#[derive(Debug)]
struct Slot {
    /// The earliest time that was set, and its grant.
    first: (u64, u32),
    /// The last millisecond of the span.
    last: u64,
    grants: Vec<u32>,
}

/// No time is set.
const NEVER: u64 = u64::MAX;
/// A “second” has 1,024 milliseconds.
const SECOND_BITS: u32 = 10;
/// A slot is 64 times as long as the next shorter one.
const SLOT_BITS: u32 = 6;

impl Timers {
    /// Sets the time of a grant, rounded up to a millisecond; `None` for none.
    pub(crate) fn set(&mut self, grant: u32, at: Option<Duration>) {
        let index = usize::try_from(grant).unwrap_or(usize::MAX);
        while self.times.len() <= index {
            tight::push(&mut self.times, NEVER);
        }
        let Some(time) = self.times.get_mut(index) else { return };
        let at = at.map_or(NEVER, |at| u64::try_from(at.as_nanos().div_ceil(1_000_000)).unwrap_or(NEVER));
        if *time == at {
            return;
        }
        *time = at;
        if at != NEVER {
            self.push(at, grant);
        }
        if self.queued > self.times.len().saturating_mul(4).saturating_add(64) {
            self.sweep();
        }
    }

    /// The earliest time that is set.
    pub(crate) fn next(&mut self) -> Option<Duration> {
        loop {
            let at = match self.near.peek() {
                Some(Reverse((at, grant))) if self.time(*grant) == *at => *at,
                Some(_) => {
                    self.pop();
                    continue;
                }
                None => match self.far.first_key_value()?.1.first {
                    (at, grant) if self.time(grant) == at => at,
                    _ => {
                        self.deal_out();
                        continue;
                    }
                },
            };
            return Some(Duration::from_millis(at));
        }
    }

    /// Takes a grant whose time has come.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<u32> {
        let now = u64::try_from(now.as_millis()).unwrap_or(NEVER);
        loop {
            match self.near.peek() {
                Some(Reverse((at, _))) if *at > now => return None,
                Some(_) => {}
                None if self.far.first_key_value()?.1.first.0 > now => return None,
                None => {
                    self.deal_out();
                    continue;
                }
            }
            let (at, grant) = self.pop()?;
            let index = usize::try_from(grant).unwrap_or(usize::MAX);
            if let Some(time) = self.times.get_mut(index).filter(|time| **time == at) {
                *time = NEVER;
                return Some(grant);
            }
        }
    }

    /// The valid time of a grant.
    fn time(&self, grant: u32) -> u64 {
        usize::try_from(grant).ok().and_then(|index| self.times.get(index)).copied().unwrap_or(NEVER)
    }

    fn push(&mut self, at: u64, grant: u32) {
        self.queued = self.queued.saturating_add(1);
        // The highest bit in which the time differs from the present second says how far away it is.
        let distance = (at ^ self.second).checked_ilog2().unwrap_or(0);
        if at < self.second || distance < SECOND_BITS {
            self.near.push(Reverse((at, grant)));
            return;
        }
        let length = distance.saturating_sub(distance.saturating_sub(SECOND_BITS) % SLOT_BITS);
        let within = u64::MAX.checked_shl(length).map_or(u64::MAX, |above| !above);
        let new = || Slot { first: (at, grant), last: at | within, grants: Vec::new() };
        let slot = self.far.entry(at & !within).or_insert_with(new);
        slot.first = slot.first.min((at, grant));
        tight::push(&mut slot.grants, grant);
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        let Reverse(popped) = self.near.pop()?;
        self.queued = self.queued.saturating_sub(1);
        Some(popped)
    }

    /// Deals out the earliest slot. Nothing is set before its first time.
    fn deal_out(&mut self) {
        let Some((_, slot)) = self.far.pop_first() else { return };
        let (first, _) = slot.first;
        self.second = first >> SECOND_BITS << SECOND_BITS;
        self.queued = self.queued.saturating_sub(slot.grants.len());
        // First all times, whose places are all over the memory, so that the processor fetches several at once.
        let times: Vec<u64> = slot.grants.iter().map(|grant| self.time(*grant)).collect();
        for (at, grant) in times.into_iter().zip(slot.grants) {
            if (first..=slot.last).contains(&at) {
                self.push(at, grant);
            }
        }
    }

    /// Drops all invalid times.
    fn sweep(&mut self) {
        self.near.clear();
        self.far.clear();
        self.queued = 0;
        for grant in (0..).take(self.times.len()) {
            match self.time(grant) {
                NEVER => {}
                at => self.push(at, grant),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn grants_come_up_in_the_order_of_their_newest_times() {
        let mut timers = Timers::default();
        for (grant, at) in [(0, 30), (1, 10), (2, 20), (1, 25), (3, 5)] {
            timers.set(grant, Some(s(at)));
        }
        timers.set(3, None);
        assert_eq!(timers.next(), Some(s(20)));
        assert_eq!(timers.pop_due(s(19)), None);
        let all: Vec<_> = std::iter::from_fn(|| timers.pop_due(s(100))).collect();
        assert_eq!(all, [2, 1, 0]);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_time_is_never_early() {
        let mut timers = Timers::default();
        timers.set(0, Some(Duration::from_nanos(1)));
        assert_eq!(timers.pop_due(Duration::from_nanos(999_999)), None);
        assert_eq!(timers.pop_due(Duration::from_millis(1)), Some(0));
    }

    #[test]
    fn memory_is_bounded_however_often_a_time_is_set() {
        let mut timers = Timers::default();
        for round in 0..100_000 {
            timers.set(round % 3, Some(s(u64::from(round))));
        }
        assert!(timers.queued < 100, "{}", timers.queued);
        assert_eq!(timers.pop_due(s(1_000_000)), Some(1));
    }

    /// Times from milliseconds to years, set and changed at random, come up as in a sorted map.
    #[test]
    fn grants_come_up_as_from_a_sorted_map() {
        let mut timers = Timers::default();
        let mut sorted = std::collections::BTreeSet::new();
        let mut known = [None; 64];
        let (mut now, mut state) = (0_u64, 0_u64);
        for _ in 0..50_000 {
            // Knuth's generator for MMIX; its low bits repeat soon.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = state ^ state >> 32;
            let grant = u32::try_from(random % 64).unwrap();
            let index = grant as usize;
            sorted.remove(&(known[index], grant));
            // Also times that are past.
            let at = (now + ((random >> 8) & u64::MAX >> (20 + (random >> 58) % 40))).saturating_sub(random >> 6 & 3);
            known[index] = (random >> 7 & 7 > 0).then_some(at);
            timers.set(grant, known[index].map(Duration::from_millis));
            if known[index].is_some() {
                sorted.insert((known[index], grant));
            }
            assert_eq!(timers.next(), sorted.first().and_then(|(at, _)| at.map(Duration::from_millis)));
            now += (random >> 32) % 50;
            while let Some(grant) = timers.pop_due(Duration::from_millis(now)) {
                let (at, expected) = sorted.pop_first().unwrap();
                assert!(at.unwrap() <= now);
                assert_eq!(grant, expected);
                known[grant as usize] = None;
            }
            assert!(sorted.first().is_none_or(|(at, _)| at.unwrap() > now));
        }
    }
}
