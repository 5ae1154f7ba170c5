//! Many runs at once: the search for violations, and the comparison with what other programs do.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::flaws::Flaw;
use crate::oracle::Violation;
use crate::peers::Peer;
use crate::run::{Outcome, everyday, run};

/// What a search for violations found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The seeds that violated something, in order.
    pub violations: Vec<(u64, Violation)>,
    seeds: u64,
    sum: Outcome,
}

impl Found {
    /// I7, over all seeds: whether 99 % of the grants that did not have to wait longer were fresh within five minutes and a
    /// lease after everything had healed.
    pub fn is_fresh_soon(&self) -> bool {
        self.sum.late * 100 <= self.sum.fresh + self.sum.late
    }
}

/// Runs so many seeds with many faults, on all cores.
pub fn search(first: u64, seeds: u64, flaw: Flaw) -> Found {
    let mut found = Found { seeds, ..Found::default() };
    for (seed, outcome) in parallel(first, seeds, |seed| run(seed, flaw)) {
        found.violations.extend(outcome.violation.clone().map(|violation| (seed, violation)));
        found.sum.add(&outcome);
    }
    found
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome {
            device_months,
            refreshes,
            rotations,
            avoidable,
            eaten,
            ended_by_server,
            fresh,
            held_up,
            late,
            ..
        } = &self.sum;
        writeln!(f, "| {} seeds with many faults | |\n|---|---|", self.seeds)?;
        writeln!(f, "| device-months | {device_months:.0} |")?;
        writeln!(f, "| refreshes sent | {refreshes} |")?;
        writeln!(f, "| pairs issued | {rotations} |")?;
        writeln!(f, "| grants lost, avoidable | {avoidable} |")?;
        writeln!(f, "| grants lost, the new refresh token reached no surviving process | {eaten} |")?;
        writeln!(f, "| grants ended by a server that punishes a repeated token | {ended_by_server} |")?;
        writeln!(
            f,
            "| grants fresh within 7 minutes after everything had healed | {fresh} of {} |",
            fresh + held_up + late
        )?;
        writeln!(f, "| of the others, had to wait (a server had said so, or seven requests had failed) | {held_up} |")?;
        write!(f, "| violations | {} |", self.violations.len())?;
        for (seed, violation) in &self.violations {
            write!(f, "\n| seed {seed} | {violation} |")?;
        }
        Ok(())
    }
}

/// Searches with each faulty protocol until it violates something that the right protocol keeps on the same seed. Returns
/// a table in Markdown.
pub fn hunt(first: u64, seeds: u64) -> String {
    let mut table = "| faulty protocol | violates | seeds until it is found |\n|---|---|---|".to_owned();
    for flaw in Flaw::ALL {
        let found = (first..first + seeds).find_map(|seed| {
            let violation = run(seed, flaw).violation?;
            run(seed, Flaw::None).violation.is_none().then_some((seed - first + 1, violation))
        });
        let row = match found {
            Some((tried, violation)) => format!("\n| {} | {:?} | {tried} |", flaw.about(), violation.check),
            None => format!("\n| {} | **not found** | {seeds} |", flaw.about()),
        };
        table.push_str(&row);
    }
    table
}

/// Everyday life with the keeper and with each of the peers' policies.
#[derive(Clone, Debug, Default)]
pub struct Study {
    /// What the keeper violated; nothing, if all is well.
    pub violations: Vec<(u64, Violation)>,
    pub(crate) rows: Vec<(&'static str, Outcome)>,
}

impl Study {
    /// Runs seeds until all devices together have run for so long with the keeper, and a fifth of that with each of the
    /// peers' policies.
    pub fn of(first: u64, device_months: f64) -> Self {
        let mut study = Self::default();
        let policies = std::iter::once(None).chain(Peer::ALL.map(Some));
        for policy in policies {
            let mut sum = Outcome::default();
            let mut next = first;
            // The peers lose so many that a fifth of the time shows it.
            let device_months = if policy.is_some() { device_months / 5.0 } else { device_months };
            while sum.device_months < device_months {
                // A device runs for a month in each seed, and two devices on average.
                let seeds = (((device_months - sum.device_months) / 2.0).ceil() as u64).clamp(8, 4096);
                for (seed, outcome) in parallel(next, seeds, |seed| everyday(seed, policy)) {
                    study.violations.extend(outcome.violation.clone().map(|violation| (seed, violation)));
                    sum.add(&outcome);
                }
                next += seeds;
            }
            study.rows.push((policy.map_or("the keeper", Peer::about), sum));
        }
        study
    }
}

impl fmt::Display for Study {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Grants lost per million device-months of everyday life, on files, with a strict server:\n")?;
        writeln!(f, "| policy | avoidable | eaten by network, sleep and crashes | device-months |\n|---|---|---|---|")?;
        for (index, (policy, sum)) in self.rows.iter().enumerate() {
            let a_million = |count: u64| count as f64 * 1e6 / sum.device_months;
            let (avoidable, eaten) = (a_million(sum.avoidable), a_million(sum.eaten));
            write!(f, "| {policy} | {avoidable:.0} | {eaten:.0} | {:.0} |", sum.device_months)?;
            if index + 1 < self.rows.len() {
                writeln!(f)?;
            }
        }
        for (seed, violation) in &self.violations {
            write!(f, "\n\nseed {seed} of everyday life: {violation}")?;
        }
        Ok(())
    }
}

/// Runs seeds on all cores. The results are in the order of the seeds.
fn parallel(first: u64, seeds: u64, one: impl Fn(u64) -> Outcome + Sync) -> Vec<(u64, Outcome)> {
    let next = AtomicU64::new(first);
    let results = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let outcome = one(seed);
                    results.lock().expect("no thread panics").push((seed, outcome));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no thread panics");
    results.sort_by_key(|(seed, _)| *seed);
    results
}
