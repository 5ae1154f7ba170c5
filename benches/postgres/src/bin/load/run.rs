//! The run itself: two workers, what fails, and what is seen meanwhile.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_sandbox::{Ledger, Reuse, Sandbox};
use tokio::time::{sleep, timeout};

use crate::database::Database;
use crate::sample::{DatabaseSample, Sample, count, rate};
use crate::server::server;
use crate::settings::Settings;
use crate::worker::{Given, Process};
use crate::{Outcome, fill};

/// How long the workers take to begin. What they do in this time is no steady rate.
const WARM_UP: Duration = Duration::from_secs(20);
/// A rate is that of this much time.
const WINDOW: Duration = Duration::from_secs(6);
/// This much of the rate of before is as fast as before.
const AS_BEFORE: f64 = 0.9;

pub(crate) struct Run<'a> {
    sandbox: &'a Sandbox,
    database: Database,
    settings: &'a Settings,
    given: Given,
    workers: Vec<Option<Process>>,
    begun: Instant,
    samples: Vec<Sample>,
    marks: Vec<(Duration, &'static str)>,
    /// When a worker was killed, in milliseconds since 1970.
    killed: Option<u64>,
    doubts: BTreeSet<String>,
    missed: u64,
}

/// What is known at the end.
pub(crate) struct End {
    pub(crate) samples: Vec<Sample>,
    pub(crate) marks: Vec<(Duration, &'static str)>,
    /// The grants that were in doubt when a worker was killed, and all those that a worker said were in doubt.
    pub(crate) doubts: BTreeSet<String>,
    /// Events that the run did not see.
    pub(crate) missed: u64,
    pub(crate) ledger: Ledger,
    pub(crate) reuses: Vec<Reuse>,
    pub(crate) grants: u64,
    pub(crate) dead: Vec<String>,
    pub(crate) bytes: i64,
    pub(crate) bytes_after_vacuum: i64,
}

impl<'a> Run<'a> {
    pub(crate) fn begin(sandbox: &'a Sandbox, database: Database, settings: &'a Settings) -> Outcome<Self> {
        let given = Given {
            database: database.url.clone(),
            base_url: sandbox.base_url().to_owned(),
            client_id: sandbox.client_id().to_owned(),
            client_secret: sandbox.client_secret().unwrap_or_default().to_owned(),
            redirect_uri: sandbox.redirect_uris()[0].clone(),
            rate: settings.rate,
            prepares: settings.prepares,
        };
        let workers = vec![Some(Process::start(&given)?), Some(Process::start(&given)?)];
        Ok(Self {
            sandbox,
            database,
            settings,
            given,
            workers,
            begun: Instant::now(),
            samples: Vec::new(),
            marks: Vec::new(),
            killed: None,
            doubts: BTreeSet::new(),
            missed: 0,
        })
    }

    /// Looks at everything, again and again.
    pub(crate) async fn watch(&mut self, time: Duration) -> Outcome<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.look().await;
            sleep(self.settings.every().min(end.saturating_duration_since(Instant::now()))).await;
        }
        Ok(())
    }

    /// The rotations a second since the workers have begun.
    pub(crate) fn end_of_steady_phase(&self) -> f64 {
        let first = self.samples.iter().find(|sample| sample.at >= WARM_UP);
        first.zip(self.samples.last()).map_or(0.0, |(first, last)| rate(first, last))
    }

    pub(crate) async fn kill_a_worker(&mut self) -> Outcome<()> {
        self.mark("worker killed");
        if let Some(Some(mut worker)) = self.workers.first_mut().map(Option::take) {
            worker.kill()?;
            self.hear(&worker);
        }
        let killed = milliseconds();
        self.killed = Some(killed);
        self.doubts.extend(self.database.in_doubt_since(killed).await?);
        Ok(())
    }

    pub(crate) fn restart_the_worker(&mut self) -> Outcome<()> {
        self.mark("worker started");
        self.workers[0] = Some(Process::start(&self.given)?);
        Ok(())
    }

    pub(crate) fn stop_the_database(&mut self) -> Outcome<()> {
        self.mark("database stopped");
        server("primary", "stop")
    }

    pub(crate) fn start_the_database(&mut self) -> Outcome<()> {
        server("primary", "start")?;
        self.mark("database started");
        Ok(())
    }

    /// Watches until rotations are as fast as before. Returns how long that took; `None` if it took too long.
    pub(crate) async fn watch_until_recovered(&mut self, steady: f64, limit: Duration) -> Outcome<Option<Duration>> {
        let since = self.begun.elapsed();
        let fast = self.settings.needed().min(steady) * AS_BEFORE;
        while self.begun.elapsed() <= since + limit {
            self.look().await;
            let before = self
                .samples
                .iter()
                .rev()
                .find(|sample| self.samples.last().is_some_and(|last| sample.at + WINDOW <= last.at));
            let window = before.filter(|before| before.at >= since).zip(self.samples.last());
            if let Some((before, last)) = window
                && rate(before, last) >= fast
            {
                return Ok(Some(before.at.saturating_sub(since)));
            }
            sleep(self.settings.every()).await;
        }
        Ok(None)
    }

    /// Watches until no grant is in doubt that was when the worker was killed. Returns how long after the kill that was;
    /// `None` if it took longer than the limit.
    pub(crate) async fn watch_until_settled(&mut self, limit: Duration) -> Outcome<Option<Duration>> {
        let killed = self.marks.iter().find(|(_, what)| *what == "worker killed").map_or(Duration::ZERO, |it| it.0);
        loop {
            self.look().await;
            let last = self.samples.last().and_then(|sample| sample.database.as_ref());
            if last.is_some_and(|database| database.in_doubt == 0) {
                return Ok(Some(self.begun.elapsed().saturating_sub(killed)));
            }
            if self.begun.elapsed() > killed + limit {
                return Ok(None);
            }
            sleep(self.settings.every()).await;
        }
    }

    /// Ends the workers and looks for the last time.
    pub(crate) async fn end(mut self) -> Outcome<End> {
        self.look().await;
        for mut worker in std::mem::take(&mut self.workers).into_iter().flatten() {
            worker.finish()?;
            self.hear(&worker);
        }
        let bytes = self.database.bytes().await?;
        self.database.vacuum().await?;
        Ok(End {
            bytes,
            bytes_after_vacuum: self.database.bytes().await?,
            grants: u64::try_from(self.database.grants().await?)?,
            dead: self.database.dead().await?,
            ledger: self.sandbox.totals(),
            reuses: self.sandbox.reuses(),
            samples: self.samples,
            marks: self.marks,
            doubts: self.doubts,
            missed: self.missed,
        })
    }

    fn mark(&mut self, what: &'static str) {
        let at = self.begun.elapsed();
        eprintln!("{:>5} s  {what}", at.as_secs());
        self.marks.push((at, what));
    }

    fn hear(&mut self, worker: &Process) {
        self.doubts.extend(worker.doubts());
        self.missed += worker.missed();
    }

    async fn look(&mut self) {
        let since = self.killed.unwrap_or_else(|| milliseconds().saturating_sub(10_000));
        let database = timeout(Duration::from_secs(5), look_at(&mut self.database, since)).await.ok().flatten();
        let ledger = self.sandbox.totals();
        let workers = self.workers.iter().map(|worker| {
            let worker = worker.as_ref()?;
            Some((worker.held(), worker.memory()?))
        });
        let sample = Sample {
            at: self.begun.elapsed(),
            wall: milliseconds(),
            rotations: ledger.refreshes,
            expired: self.sandbox.expired_access_tokens() as u64,
            expired_before_refresh: ledger.refreshes_after_expiry,
            database,
            workers: workers.collect(),
        };
        self.tell(&sample);
        self.samples.push(sample);
    }

    /// A line for people who wait.
    fn tell(&self, sample: &Sample) {
        let rate = self.samples.last().map_or(0.0, |before| rate(before, sample));
        let late = sample.database.as_ref().map(|it| (it.late, it.in_doubt, it.bytes));
        let held: Vec<u64> = sample.workers.iter().map(|worker| worker.map_or(0, |(held, _)| held.grants)).collect();
        let a_grant = count(u64::from(self.settings.grants));
        let expired = sample.expired + sample.expired_before_refresh;
        let at = sample.at.as_secs();
        match late {
            Some((late, doubts, bytes)) => eprintln!(
                "{at:>5} s  {rate:>4.0} rotations/s  {expired} expired  {late} late  {doubts} in doubt  {:.0} bytes a grant  held {held:?}",
                count(u64::try_from(bytes / 1024).unwrap_or(0)) * 1024.0 / a_grant
            ),
            None => eprintln!("{at:>5} s  {rate:>4.0} rotations/s  {expired} expired  the database does not answer"),
        }
    }

    /// The name of a grant of the sandbox.
    pub(crate) fn name(reuse: &Reuse) -> String {
        fill::name(reuse.grant)
    }
}

async fn look_at(database: &mut Database, since: u64) -> Option<DatabaseSample> {
    database.connect_again().await;
    let late = u64::try_from(database.late().await.ok()?).ok()?;
    let (in_doubt, bytes) = (database.in_doubt_since(since).await.ok()?.len(), database.bytes().await.ok()?);
    Some(DatabaseSample { late, in_doubt, bytes })
}

/// The time since 1970.
fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
