//! A token bucket, and the queues of those who find too little in it.

use std::time::Duration;

/// The longest wait before asking again.
const LONGEST_QUEUE: Duration = Duration::from_secs(30);

/// A token bucket. Who fills it says by how much.
#[derive(Debug)]
pub(super) struct Bucket {
    level: f64,
    most: f64,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(most: f64) -> Self {
        Self { level: most, most }
    }

    pub(super) fn has(&self, amount: f64) -> bool {
        self.level >= amount
    }

    pub(super) fn is_half_full(&self) -> bool {
        self.level >= self.most / 2.0
    }

    pub(super) fn take(&mut self) {
        self.level -= 1.0;
    }

    pub(super) fn fill(&mut self, amount: f64) {
        self.level = (self.level + amount).min(self.most);
    }

    /// How long until it has so much, while so much comes in each second.
    pub(super) fn wait(&self, amount: f64, rate: f64) -> Duration {
        wait_for((amount - self.level).max(0.0), rate)
    }
}

/// Those who ask again later. It is a ring: those who give up do not leave it, so nobody waits longer than
/// [`LONGEST_QUEUE`] before asking again, however many asked before.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// When the last one may ask again: each gets a place of its own.
    last_place: Duration,
}

impl Queue {
    /// The next place, no sooner than after this wait, while so many are served each second. A full bucket has a queue too,
    /// if something else holds everybody up.
    pub(super) fn place(&mut self, wait: Duration, rate: f64, now: Duration) -> Duration {
        let earliest = now.saturating_add(wait.min(LONGEST_QUEUE));
        let next = self.last_place.saturating_add(wait_for(1.0, rate)).max(earliest);
        let place = if next > now.saturating_add(LONGEST_QUEUE) { earliest } else { next };
        self.last_place = place;
        place.saturating_sub(now)
    }
}

/// How long until so much has come in.
pub(super) fn wait_for(missing: f64, rate: f64) -> Duration {
    // A millisecond more than exact, so that rounding cannot make the next look come too early.
    Duration::try_from_secs_f64(missing / rate).unwrap_or(LONGEST_QUEUE).saturating_add(Duration::from_millis(1))
}
