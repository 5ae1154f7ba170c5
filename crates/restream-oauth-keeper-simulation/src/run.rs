//! One run, from a seed to its outcome.

use crate::flaws::Flaw;
use crate::oracle::Violation;
use crate::peers::Peer;
use crate::setting::Setting;
use crate::time::DAY;
use crate::world::{Runs, World};

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The first thing that should not have happened.
    pub violation: Option<Violation>,
    /// How many devices (processes) ran for how long, in months of thirty days.
    pub device_months: f64,
    /// Refreshes that were sent, and those that gave a new pair.
    pub refreshes: u64,
    /// Rotations by the server.
    pub rotations: u64,
    /// Grants that were lost although their new refresh token had reached a process.
    pub avoidable: u64,
    /// Grants whose new refresh token reached no surviving process.
    pub eaten: u64,
    /// Grants that a server ended because of a late or suspended request.
    pub ended_by_server: u64,
    /// Grants that were fresh within five minutes and a lease after everything had healed.
    pub fresh: u64,
    /// Grants that took longer, because a server had asked to wait or the schedule of the replays was over.
    pub held_up: u64,
    /// Other grants that took longer.
    pub late: u64,
}

/// Runs a seed with many faults, and stops at the first violation.
pub fn run(seed: u64, flaw: Flaw) -> Outcome {
    let setting = Setting::of_seed(seed);
    let mut world = World::new(seed, setting, Runs::Keeper(flaw), false);
    outcome(&mut world)
}

/// Repeats a seed, and returns its last events in a readable form, and a digest of all of them.
pub fn trace(seed: u64, flaw: Flaw, lines: usize) -> (Vec<String>, u64) {
    let setting = Setting::of_seed(seed);
    let mut world = World::new(seed, setting, Runs::Keeper(flaw), true);
    let mut text = vec![world.title()];
    let violation = world.run();
    text.extend(world.trace.last(lines));
    text.extend(violation.map(|violation| violation.to_string()));
    (text, world.trace.digest)
}

/// Runs a month of everyday life, with the keeper (`None`) or a peer's policy. Nothing is judged; losses are counted.
pub fn everyday(seed: u64, peer: Option<Peer>) -> Outcome {
    let setting = Setting::everyday(seed);
    let mut world = World::new(seed, setting, peer.map_or(Runs::Keeper(Flaw::None), Runs::Peer), false);
    world.oracle.counts_only = peer.is_some();
    outcome(&mut world)
}

impl Outcome {
    /// Adds what another run came to.
    pub(crate) fn add(&mut self, other: &Self) {
        self.device_months += other.device_months;
        self.refreshes += other.refreshes;
        self.rotations += other.rotations;
        self.avoidable += other.avoidable;
        self.eaten += other.eaten;
        self.ended_by_server += other.ended_by_server;
        self.fresh += other.fresh;
        self.held_up += other.held_up;
        self.late += other.late;
    }
}

fn outcome(world: &mut World) -> Outcome {
    let violation = world.run();
    let tally = world.oracle.tally;
    Outcome {
        violation,
        device_months: world.setting.processes as f64 * world.now as f64 / (30 * DAY) as f64,
        refreshes: tally.refreshes,
        rotations: tally.rotations,
        avoidable: tally.avoidable,
        eaten: tally.eaten,
        ended_by_server: tally.ended_by_server,
        fresh: tally.fresh,
        held_up: tally.held_up,
        late: tally.late,
    }
}
