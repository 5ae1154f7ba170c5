//! Time and allocations of one row, all sides interleaved.

use std::time::{Duration, Instant};

use crate::allocations::{self, Allocations};
use crate::results::{Figures, RowResult};
use crate::rows::{Row, Side};
use crate::task::Task;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Samples for each side of a row.
    pub samples: usize,
    /// How long a sample should last: much longer than reading the clock takes, much shorter than a time slice of the
    /// scheduler.
    pub sample: Duration,
}

impl Effort {
    /// For figures.
    pub const FULL: Self = Self { samples: 501, sample: Duration::from_micros(100) };
    /// To see that everything runs. The figures mean little.
    pub const QUICK: Self = Self { samples: 5, sample: Duration::from_micros(20) };
}

/// More inputs than this would not fit into the processor's caches.
const LARGEST_BATCH: usize = 128;

/// Measures one row.
///
/// The sides take turns, sample by sample, so that other work of the machine slows all of them equally.
pub fn row(row: &Row, effort: Effort) -> RowResult {
    let batches = Side::ALL.map(|side| batch(row.task(side), effort.sample));
    let mut samples = Side::ALL.map(|_| Vec::with_capacity(effort.samples));
    for _ in 0..effort.samples {
        for side in Side::ALL {
            let times = batches[side as usize];
            samples[side as usize].push(time(row.task(side), times).as_secs_f64() * 1e9 / count(times));
        }
    }
    let figures = |side: Side| figures(&samples[side as usize], allocated(row.task(side)));
    RowResult {
        id: row.id.to_owned(),
        title: row.title.to_owned(),
        ours: figures(Side::Ours),
        peer: figures(Side::Peer),
        floor: figures(Side::Floor),
    }
}

/// How many runs make up a sample.
fn batch(task: &Task, sample: Duration) -> usize {
    let mut times = 1;
    while times < LARGEST_BATCH && time(task, times) < sample / 2 {
        times *= 2;
    }
    times
}

fn time(task: &Task, times: usize) -> Duration {
    let mut elapsed = Duration::ZERO;
    task.run(times, |work| {
        let start = Instant::now();
        work();
        elapsed = start.elapsed();
    });
    elapsed
}

/// Allocations of one run. Earlier runs have made everything that is made once and kept.
fn allocated(task: &Task) -> Allocations {
    let mut allocated = Allocations::default();
    task.run(1, |work| allocated = allocations::during(work));
    allocated
}

fn figures(samples: &[f64], allocated: Allocations) -> Figures {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |tenths: usize| sorted[(sorted.len() - 1) * tenths / 10];
    Figures {
        median_ns: at(5),
        low_ns: at(1),
        high_ns: at(9),
        allocations: allocated.count,
        bytes: allocated.bytes,
        instructions: None,
    }
}

fn count(times: usize) -> f64 {
    u32::try_from(times).map_or(f64::INFINITY, f64::from)
}
