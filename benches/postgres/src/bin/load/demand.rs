//! What the grants ask for: how many access tokens have to expire if only so many rotations are done.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The grants that wait for their next refresh, by the second in which it is due; and the second in which the access token
/// expires.
#[derive(Default)]
pub(crate) struct Demand {
    waiting: BinaryHeap<Reverse<(u64, u64)>>,
    /// In milliseconds.
    lifetime: u64,
}

impl Demand {
    pub(crate) fn new(lifetime: u64) -> Self {
        Self { waiting: BinaryHeap::new(), lifetime }
    }

    /// Adds a grant. Times are milliseconds.
    pub(crate) fn add(&mut self, due: u64, expires: u64) {
        self.waiting.push(Reverse((due, expires)));
    }

    /// How many access tokens expire although the rotations take those first that have waited longest. `rotations` says
    /// how many there had been in all by each time, in milliseconds.
    pub(crate) fn unavoidable(mut self, rotations: impl Iterator<Item = (u64, u64)>) -> u64 {
        let (mut expired, mut done, mut last) = (0, 0, 0);
        for (at, all) in rotations {
            for _ in done..all {
                let Some(Reverse((_, end))) = self.waiting.pop() else { break };
                expired += u64::from(end <= at);
                self.add(at + self.lifetime * 7 / 10, at + self.lifetime);
            }
            (done, last) = (all, at);
        }
        expired + self.waiting.iter().filter(|Reverse((_, end))| *end <= last).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten grants: one is due each second, and its token expires three seconds later.
    fn demand() -> Demand {
        let mut demand = Demand::new(100_000);
        (0..10).for_each(|number| demand.add(number * 1000, number * 1000 + 3000));
        demand
    }

    #[test]
    fn nothing_expires_if_each_grant_is_refreshed_when_it_is_due() {
        assert_eq!(demand().unavoidable((0..10).map(|second| (second * 1000, second + 1))), 0);
    }

    #[test]
    fn what_waits_for_too_long_expires_before_or_without_its_refresh() {
        // One refresh in two seconds: that of the third grant comes after six, when its token has been dead for one.
        let rotations = (0..10).map(|second| (second * 1000, second / 2 + 1));
        let late = [(2, 4), (3, 6), (4, 8)].iter().filter(|(grant, at)| grant + 3 <= *at).count();
        let never = (5..10).filter(|grant| grant + 3 <= 9).count();
        assert_eq!(demand().unavoidable(rotations), (late + never) as u64);
    }
}
