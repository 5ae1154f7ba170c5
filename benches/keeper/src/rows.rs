//! The rows of the table, with their goals.

use crate::results::{Figures, RowResult};
use crate::rotation::Files;
use crate::{crates, memory, serving, timers};

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Samples for each side of a row.
    samples: u16,
    /// How many grants have timers.
    timers: u32,
}

impl Effort {
    /// For figures.
    pub const FULL: Self = Self { samples: 101, timers: 1_000_000 };
    /// To see that everything runs. The figures mean little.
    pub const QUICK: Self = Self { samples: 3, timers: 10_000 };
}

/// What the figures of a row count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds, with parts: a row of this unit is about very short times.
    Nanoseconds,
    /// Microseconds. The figures are nanoseconds.
    Microseconds,
    /// Bytes.
    Bytes,
    /// Crates.
    Crates,
}

/// One row.
pub struct Row {
    /// The short name.
    pub id: &'static str,
    /// The title in the table.
    pub title: &'static str,
    /// The peer in the table.
    pub peer: &'static str,
    /// What the figures count.
    pub unit: Unit,
    /// Goal: this part of the peer's figure at most.
    pub share: Option<f64>,
    /// Goal: this figure at most.
    pub most: Option<f64>,
    /// True if the figures are the same in each run.
    pub is_exact: bool,
    measure: fn(Effort) -> Samples,
}

struct Samples {
    ours: Vec<f64>,
    peer: Vec<f64>,
}

impl Row {
    /// Measures both sides.
    pub fn measure(&self, effort: Effort) -> RowResult {
        let Samples { ours, peer } = (self.measure)(effort);
        let peer = (!peer.is_empty()).then(|| Figures::of(&peer));
        RowResult { id: self.id.to_owned(), ours: Figures::of(&ours), peer }
    }
}

/// All rows.
pub fn all() -> [Row; 7] {
    let expiring_cache = "AWS `ExpiringCache`";
    [
        Row {
            id: "reader",
            title: "take the token, `TokenReader`",
            peer: expiring_cache,
            unit: Unit::Nanoseconds,
            share: Some(1.0 / 20.0),
            most: None,
            is_exact: false,
            measure: |effort| {
                let (ours, peer) = (serving::Ours::new(), serving::Peer::new());
                in_turns(effort.samples, || ours.read(), || peer.read())
            },
        },
        Row {
            id: "reader-in-company",
            title: "the same, with a second thread and a writer",
            peer: expiring_cache,
            unit: Unit::Nanoseconds,
            share: Some(1.0 / 50.0),
            most: None,
            is_exact: false,
            measure: |effort| {
                let (ours, peer) = (serving::Ours::new(), serving::Peer::new());
                in_turns(effort.samples, || ours.read_in_company(), || peer.read_in_company())
            },
        },
        Row {
            id: "current",
            title: "take the token, `Grant::current`",
            peer: expiring_cache,
            unit: Unit::Nanoseconds,
            share: Some(1.0 / 3.0),
            most: None,
            is_exact: false,
            measure: |effort| {
                let (ours, peer) = (serving::Ours::new(), serving::Peer::new());
                in_turns(effort.samples, || ours.current(), || peer.read())
            },
        },
        Row {
            id: "memory",
            title: "memory of a grant, two 40-byte tokens",
            peer: "task and channel, as google-cloud-auth",
            unit: Unit::Bytes,
            share: Some(0.4),
            most: Some(300.0),
            is_exact: true,
            // The same number of grants in each run, so that the figures can be claimed.
            measure: |_| in_turns(1, || memory::ours(GRANTS), || memory::peer(GRANTS)),
        },
        Row {
            id: "timers",
            title: "fire and re-arm, a million grants",
            peer: "tokio-util `DelayQueue`",
            unit: Unit::Nanoseconds,
            share: Some(0.5),
            most: None,
            is_exact: false,
            measure: |effort| {
                let (mut ours, mut peer) = (timers::Ours::new(effort.timers), timers::Peer::new(effort.timers));
                // Each grant fires three times in all samples.
                let count = 3 * effort.timers / u32::from(effort.samples);
                in_turns(effort.samples, || ours.fire(count), || peer.fire(count))
            },
        },
        Row {
            id: "rotation",
            title: "one rotation on the store of files",
            peer: "one atomic replacement",
            unit: Unit::Microseconds,
            share: Some(3.5),
            most: None,
            is_exact: false,
            measure: |effort| {
                let files = std::cell::RefCell::new(Files::new());
                in_turns(effort.samples, || files.borrow_mut().rotate(), || files.borrow().replace())
            },
        },
        Row {
            id: "crates",
            title: "crates over the core, keeper and store of files",
            peer: "–",
            unit: Unit::Crates,
            share: None,
            most: Some(6.0),
            is_exact: true,
            measure: |_| Samples { ours: vec![crates::over_the_core()], peer: Vec::new() },
        },
    ]
}

/// How many grants the row about memory has.
const GRANTS: usize = 100_000;

/// The sides take turns, sample by sample, so that other work of the machine slows both equally.
fn in_turns(samples: u16, mut ours: impl FnMut() -> f64, mut peer: impl FnMut() -> f64) -> Samples {
    let mut taken = Samples { ours: Vec::new(), peer: Vec::new() };
    for _ in 0..samples {
        taken.ours.push(ours());
        taken.peer.push(peer());
    }
    taken
}
