//! The table, and whether a promise is broken.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::demand::Demand;
use crate::run::{End, Run};
use crate::sample::{Sample, count};
use crate::settings::Settings;
use crate::{LEASE, Outcome};

/// The goals of the table.
const BYTES: f64 = 600.0;
const MEMORY: f64 = 300.0;
const ROTATIONS: f64 = 397.0;

/// A machine that does this share of what is needed keeps up, but for what the start of the run cost.
const KEEPS_UP: f64 = 0.95;

/// Everything that was seen.
pub(crate) struct Report<'a> {
    pub(crate) settings: &'a Settings,
    /// The bytes of the table before anything was refreshed.
    pub(crate) filled: i64,
    /// Rotations a second before anything failed.
    pub(crate) steady: f64,
    /// How long rotations took to be as fast as before.
    pub(crate) after_kill: Option<Duration>,
    pub(crate) after_outage: Option<Duration>,
    /// When what the killed worker left was settled.
    pub(crate) settled: Option<Duration>,
    pub(crate) end: End,
    pub(crate) demand: Demand,
}

impl Report<'_> {
    /// Prints the table. Fails if a promise is broken.
    pub(crate) fn print(self) -> Outcome<()> {
        let Self { settings, end, .. } = &self;
        let grants = f64::from(settings.grants);
        let a_grant = |bytes: i64| count(u64::try_from(bytes / 1024).unwrap_or(0)) * 1024.0 / grants;
        let needed = settings.needed();
        let expired_by = |sample: Option<&Sample>| sample.map_or(0, |it| it.expired + it.expired_before_refresh);
        let failed = end.marks.first().map_or(Duration::MAX, |(at, _)| *at);
        let steady: Vec<&Sample> = end.samples.iter().take_while(|sample| sample.at <= failed).collect();
        let in_time = expired_by(steady.last().copied());
        let expired = expired_by(end.samples.last());
        let largest = end.samples.iter().filter_map(|sample| Some(sample.database.as_ref()?.bytes)).max().unwrap_or(0);
        let memory = Memory::of(&steady);

        println!("| {} grants, lifetimes of {} s | measured | goal |  |", settings.grants, settings.lifetime.as_secs());
        println!("|---|---:|---:|---|");
        let rotations = ROTATIONS.min(needed);
        row(
            "rotations a second, two workers",
            &format!("{:.0}", self.steady),
            &format!("≥ {rotations:.0}"),
            self.steady >= rotations * 0.99,
        );
        row("access tokens that expired before anything failed", &in_time.to_string(), "0", in_time == 0);
        for (what, bytes) in [
            ("bytes a grant: after the logins", self.filled),
            ("the most during the run", largest),
            ("at the end", end.bytes),
            ("after VACUUM", end.bytes_after_vacuum),
        ] {
            row(what, &format!("{:.0}", a_grant(bytes)), &format!("≤ {BYTES:.0}"), a_grant(bytes) <= BYTES);
        }
        let what = format!("bytes of a worker for each of its {} grants", memory.grants);
        row(&what, &format!("{:.0}", memory.a_grant), &format!("≤ {MEMORY:.0}"), memory.a_grant <= MEMORY);
        for (what, time, most) in [
            ("a worker killed: as fast as before after", self.after_kill, LEASE),
            // A worker looks each five seconds.
            ("what it left settled after", self.settled, LEASE + Duration::from_secs(10)),
            ("the database away: as fast as before after", self.after_outage, LEASE),
        ] {
            let measured = time.map_or_else(|| "never".to_owned(), |time| format!("{} s", time.as_secs()));
            row(what, &measured, &format!("≤ {} s", most.as_secs()), time.is_some_and(|time| time <= most));
        }
        println!();
        println!(
            "That worker takes {:.0} MB in all, of which it has allocated {:.0}.",
            memory.resident, memory.allocated
        );
        self.judge(in_time, expired)
    }

    /// Fails if a promise is broken, whatever the machine is.
    fn judge(self, in_time: u64, expired: u64) -> Outcome<()> {
        let Self { settings, end, demand, .. } = self;
        let mut broken = Vec::new();

        let reused: BTreeSet<String> = end.reuses.iter().map(Run::name).collect();
        let outside: Vec<&String> = reused.difference(&end.doubts).collect();
        println!(
            "{} grants were in doubt. {} refresh tokens were used again, {} of them outside doubt.",
            end.doubts.len(),
            end.ledger.dead_refresh_tokens_used,
            outside.len()
        );
        if !outside.is_empty() || end.reuses.len() as u64 != end.ledger.dead_refresh_tokens_used {
            broken.push(format!("refresh tokens were used twice outside doubt: {outside:?}"));
        }
        if end.missed > 0 {
            broken.push(format!("{} events were not seen", end.missed));
        }

        let dead: BTreeSet<String> = end.dead.into_iter().collect();
        println!("{} grants are dead: the killed worker took their new pairs along.", dead.len());
        if end.grants != u64::from(settings.grants) || !dead.is_subset(&reused) {
            broken.push(format!("{} of {} grants are there, dead: {dead:?}", end.grants, settings.grants));
        }

        let unavoidable = demand.unavoidable(end.samples.iter().map(|sample| (sample.wall, sample.rotations)));
        println!(
            "{expired} access tokens expired by the end; {unavoidable} have to, with these rates and in the order in which they are due."
        );
        // A machine that cannot keep up says nothing about the workers, and a quick run ends before one that can has caught up
        // after the failures. What is refreshed then is not exactly in that order.
        let keeps_up = self.steady >= settings.needed() * KEEPS_UP;
        if keeps_up && in_time > 0 {
            broken.push(format!("{in_time} access tokens expired before anything failed"));
        }
        if keeps_up
            && !settings.quick
            && expired > unavoidable * 2 + dead.len() as u64 + u64::from(settings.grants) / 1000
        {
            broken.push(format!("{expired} access tokens expired, although the rate allowed for more"));
        }

        for (what, time) in
            [("the kill", self.after_kill), ("the outage", self.after_outage), ("the kill", self.settled)]
        {
            if time.is_none() {
                broken.push(format!("not recovered from {what} within a lease"));
            }
        }
        if broken.is_empty() { Ok(()) } else { Err(broken.join("; ").into()) }
    }
}

fn row(what: &str, measured: &str, goal: &str, met: bool) {
    println!("| {what} | {measured} | {goal} | {} |", if met { "met" } else { "not met" });
}

/// What the second worker takes before anything failed.
struct Memory {
    grants: u64,
    /// All that it has allocated, by its grants, in bytes.
    a_grant: f64,
    /// In megabytes.
    allocated: f64,
    resident: f64,
}

impl Memory {
    fn of(samples: &[&Sample]) -> Self {
        let of_second = |sample: &&Sample| *sample.workers.last()?;
        let (held, resident) = samples.iter().rev().find_map(of_second).unwrap_or_default();
        Self {
            grants: held.grants,
            a_grant: count(held.bytes) / count(held.grants.max(1)),
            allocated: count(held.bytes) / 1e6,
            resident: count(resident) / 1e6,
        }
    }
}
