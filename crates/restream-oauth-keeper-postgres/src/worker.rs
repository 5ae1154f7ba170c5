//! Workers: processes that keep what is due, however many there are.

use std::time::Duration;

use restream_oauth_keeper::store::StoreError;
use restream_oauth_keeper::{Keeper, Mode};
use tokio::time::sleep;

use crate::store::PostgresStore;

/// How late a grant is before another worker takes it: longer than a rotation takes, and shorter than the rest of a token's
/// life.
const LATE: Duration = Duration::from_secs(15);
/// How long other workers leave a picked grant alone, at most.
const LONGEST_PICK: Duration = Duration::from_secs(120);
/// How often a worker looks.
const EVERY: Duration = Duration::from_secs(5);
/// How many grants it takes at a time.
const MOST: u32 = 500;
/// How long it waits before it takes more, at least and at most.
const SHORTEST_TURN: Duration = Duration::from_millis(100);
const LONGEST_TURN: Duration = Duration::from_secs(60);

/// Gives a keeper the grants that are due and that nobody keeps. Any number of workers share them.
///
/// A worker keeps what it has picked from then on: it refreshes each grant in time, so no other worker finds it late. The
/// grants of a worker that dies, or that cannot keep up, become late, and the others pick them. It picks no more than its
/// keeper can refresh in the meantime, so what is late is shared among the workers that are there. Two workers that keep the
/// same grant do no harm: the claim lets one of them refresh, and the other one adopts the new pair.
///
/// ```no_run
/// # async fn example(
/// #     client: restream_oauth_core::Client,
/// #     store: restream_oauth_keeper_postgres::PostgresStore,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// use restream_oauth_keeper::{Keeper, Mode};
/// use restream_oauth_keeper_postgres::Worker;
///
/// let keeper = Keeper::builder(client, store.clone()).mode(Mode::Warm).build()?;
/// // … and something drives the keeper, as always
/// Worker::new(store).run(&keeper, |error| eprintln!("{error}")).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Worker {
    store: PostgresStore,
    late: Duration,
    every: Duration,
    most: u32,
}

impl Worker {
    /// A worker on the store of its keeper.
    pub fn new(store: PostgresStore) -> Self {
        Self { store, late: LATE, every: EVERY, most: MOST }
    }

    /// How late a grant is before this worker takes it from another: 15 seconds unless set. A rotation has to fit in.
    #[must_use]
    pub fn late(mut self, late: Duration) -> Self {
        self.late = late;
        self
    }

    /// How often to look: each 5 seconds unless set.
    #[must_use]
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// How many grants to take at a time: 500 unless set.
    #[must_use]
    pub fn most(mut self, most: u32) -> Self {
        self.most = most.max(1);
        self
    }

    /// Gives the keeper what is due, again and again, until the future is dropped. `failed` is told of each failure of the
    /// store.
    pub async fn run(&self, keeper: &Keeper, failed: impl Fn(&StoreError)) {
        self.run_and_tell(keeper, |picked| picked.err().into_iter().for_each(&failed)).await;
    }

    /// Like [`run`](Self::run), and tells of each look at the database: how many grants it gave, or why it failed. For a
    /// program that says when the database is away, and when it is back.
    ///
    /// ```no_run
    /// # async fn example(worker: restream_oauth_keeper_postgres::Worker, keeper: restream_oauth_keeper::Keeper) {
    /// worker.run_and_tell(&keeper, |picked| println!("{picked:?}")).await;
    /// # }
    /// ```
    pub async fn run_and_tell(&self, keeper: &Keeper, mut told: impl FnMut(Result<u32, &StoreError>)) {
        loop {
            let picked = self.pick(keeper).await;
            told(picked.as_ref().copied());
            let pause = match picked {
                Ok(picked) if picked >= self.most => turn(picked, keeper.policy().requests_per_second),
                _ => self.every,
            };
            sleep(pause).await;
        }
    }

    /// Gives the keeper what is due now, in the mode `Warm`. Returns how many grants that were.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be asked.
    pub async fn pick(&self, keeper: &Keeper) -> Result<u32, StoreError> {
        let milliseconds = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let picked = picked_for(self.most, keeper.policy().requests_per_second, self.late);
        let (late, picked) = (milliseconds(self.late), milliseconds(picked));
        let names = self.store.pick(late, self.most.into(), picked).await?;
        let mut count = 0_u32;
        for name in names {
            // The names of a store are valid.
            if keeper.grant_in_mode(name.as_str(), Mode::Warm).is_ok() {
                count = count.saturating_add(1);
            }
        }
        Ok(count)
    }
}

/// How long a keeper with this pace takes to refresh so many grants.
fn turn(picked: u32, requests_per_second: f64) -> Duration {
    let turn = Duration::try_from_secs_f64(f64::from(picked) / requests_per_second).unwrap_or(LONGEST_TURN);
    turn.clamp(SHORTEST_TURN, LONGEST_TURN)
}

/// How long nobody else takes a grant that was picked: longer than its refresh has to wait for its turn. If the process
/// dies, what it has picked waits for as long.
fn picked_for(most: u32, requests_per_second: f64, late: Duration) -> Duration {
    turn(most, requests_per_second).saturating_mul(4).saturating_add(late).min(LONGEST_PICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_takes_no_more_than_its_keeper_can_refresh() {
        for (rate, seconds) in [(250.0, 2.0), (20.0, 25.0), (1e6, 0.1), (0.0, 60.0), (-1.0, 60.0), (f64::NAN, 60.0)] {
            assert_eq!(turn(500, rate), Duration::from_secs_f64(seconds), "{rate}");
        }
    }

    #[test]
    fn a_pick_lasts_for_longer_than_the_turn_and_no_longer_than_two_minutes() {
        let late = Duration::from_secs(15);
        for (most, rate, seconds) in [(500, 250.0, 23), (500, 20.0, 115), (500, 1.0, 120), (1, 250.0, 15)] {
            let picked = picked_for(most, rate, late).as_secs();
            assert_eq!(picked, seconds, "{most} grants, {rate} a second");
        }
    }
}
