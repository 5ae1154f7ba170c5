//! Our goals, judged by the figures of the run. A missed goal is no failure; the table shows it.

use crate::results::{Figures, Results};

/// One goal.
pub(crate) struct Goal {
    /// The goal in words.
    pub(crate) wanted: String,
    /// The measured figure.
    pub(crate) measured: String,
    /// True if the goal is met.
    pub(crate) met: bool,
}

const READ: f64 = 2.2;

/// A row must be this many times as fast as the peer, with this many allocations at most.
const AS_FAST: [(&str, f64, Option<u64>); 9] = [
    ("build-exchange", 4.5, Some(4)),
    ("authorization-url", 4.0, Some(2)),
    ("callback", 3.0, Some(3)),
    ("read", READ, Some(4)),
    ("read-16k", 1.5, None),
    ("read-64k", 1.5, None),
    ("read-error", 0.7, None),
    ("round", 4.5, Some(8)),
    ("refused-round", 2.2, None),
];

/// Reading byte by byte may take this many times as long as reading at once.
const CUTS: f64 = 3.0;
/// Four times the length may take this many times the instructions: four, and a tenth more. The goal is not about time,
/// because at 64 KiB the system's allocator begins to return memory and fetch it again each time. On all sides that
/// takes longer than the reading.
const LENGTH: f64 = 4.4;

/// All goals.
pub(crate) fn judge(results: &Results) -> Vec<Goal> {
    let as_fast = AS_FAST.iter().filter_map(|&(id, factor, allocations)| as_fast(results, id, factor, allocations));
    let door = through_the_door(results);
    let cuts = slower(results, ["read-1", "read"], CUTS, "takes", |figures| Some(figures.median_ns));
    let length = slower(results, ["read-64k", "read-16k"], LENGTH, "takes, in instructions,", |figures| {
        figures.instructions.and_then(|instructions| u32::try_from(instructions).ok()).map(f64::from)
    });
    as_fast.chain(door).chain(cuts).chain(length).collect()
}

/// The same goal for reading in the way that the peer's users must take: the whole round minus the building.
fn through_the_door(results: &Results) -> Option<Goal> {
    let [round, build, read] = ["round", "build-exchange", "read"].map(|id| results.row(id));
    let factor = (round?.peer.median_ns - build?.peer.median_ns) / read?.ours.median_ns;
    Some(Goal {
        wanted: format!(
            "read the documented success, the peer through its own door (round less build): {READ:.1} × as fast"
        ),
        measured: format!("{factor:.1} ×"),
        met: factor >= READ,
    })
}

fn as_fast(results: &Results, id: &str, factor: f64, most: Option<u64>) -> Option<Goal> {
    let row = results.row(id)?;
    let (wanted, measured) = (format!("{}: {factor:.1} × as fast", row.title), format!("{:.1} ×", row.speed_up()));
    let fast = row.speed_up() >= factor;
    Some(match most {
        Some(most) => Goal {
            wanted: format!("{wanted}, {most} allocations at most"),
            measured: format!("{measured}, {}", row.ours.allocations),
            met: fast && row.ours.allocations <= most,
        },
        None => Goal { wanted, measured, met: fast },
    })
}

fn slower(
    results: &Results,
    [slow, fast]: [&str; 2],
    most: f64,
    takes: &str,
    cost: impl Fn(&Figures) -> Option<f64>,
) -> Option<Goal> {
    let (slow, fast) = (results.row(slow)?, results.row(fast)?);
    let factor = cost(&slow.ours)? / cost(&fast.ours)?;
    Some(Goal {
        wanted: format!("“{}” {takes} at most {most:.1} × “{}”", slow.title, fast.title),
        measured: format!("{factor:.1} ×"),
        met: factor <= most,
    })
}
