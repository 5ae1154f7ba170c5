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
        let expired = end.samples.last().map_or(0, |last| last.expired + last.expired_before_refresh);
        let largest = end.samples.iter().filter_map(|sample| Some(sample.database.as_ref()?.bytes)).max().unwrap_or(0);
        let (held, memory, first) = memory_of_a_grant(&end.samples);

        println!("| {} grants, lifetimes of {} s | measured | goal |  |", settings.grants, settings.lifetime.as_secs());
        println!("|---|---:|---:|---|");
        let rotations = ROTATIONS.min(needed);
        row(
            "rotations a second, two workers",
            &format!("{:.0}", self.steady),
            &format!("≥ {rotations:.0}"),
            self.steady >= rotations * 0.99,
        );
        row("access tokens that expired", &expired.to_string(), "0", expired == 0);
        for (what, bytes) in [
            ("bytes a grant: after the logins", self.filled),
            ("the most during the run", largest),
            ("at the end", end.bytes),
            ("after VACUUM", end.bytes_after_vacuum),
        ] {
            row(what, &format!("{:.0}", a_grant(bytes)), &format!("≤ {BYTES:.0}"), a_grant(bytes) <= BYTES);
        }
        let what = format!("bytes of a worker's memory for each of {held} grants, above {:.1} MB", first / 1e6);
        row(&what, &format!("{memory:.0}"), &format!("≤ {MEMORY:.0}"), memory <= MEMORY);
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
        self.judge(expired)
    }

    /// Fails if a promise is broken, whatever the machine is.
    fn judge(self, expired: u64) -> Outcome<()> {
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
            "{expired} access tokens expired; {unavoidable} have to, with these rates and in the order in which they are due."
        );
        // A machine that cannot keep up says nothing about the workers, and a quick run ends before one that can has caught up
        // after the failures. What is refreshed then is not exactly in that order.
        let keeps_up = self.steady >= settings.needed() * KEEPS_UP;
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

/// How many grants the worker keeps that nobody killed, its memory for each, and its memory before it had any.
fn memory_of_a_grant(samples: &[Sample]) -> (u64, f64, f64) {
    let of_second = |sample: &Sample| *sample.workers.last()?;
    let first = samples.iter().find_map(of_second).map_or(0.0, |(_, memory)| count(memory));
    let (held, memory) = samples.iter().rev().find_map(of_second).unwrap_or_default();
    (held, (count(memory) - first).max(0.0) / count(held.max(1)), first)
}
