//! The life of processes: they start, receive inputs, give orders, and end politely or die.

use std::collections::VecDeque;
use std::time::Duration;

use restream_oauth_keeper::{Mode, Policy};

use super::{Event, Runs, World};
use crate::database::Worker;
use crate::file_store::Holder;
use crate::flaws::Flaw;
use crate::interceptor::Interceptor;
use crate::oracle::Check;
use crate::peers::PeerProgram;
use crate::program::{Keeper, Order, Program, Report};
use crate::storage::Storage;
use crate::time::{MINUTE, SECOND, Time, shown};

/// The memory of a process is looked at once in so many reports.
const LOOK_AT_MEMORY: u64 = 200;

impl World {
    pub(super) fn start(&mut self, process: usize) {
        if self.processes[process].program.is_some() {
            return;
        }
        let now = self.clocks_of(process);
        let policy = Policy {
            mode: match self.setting.mode {
                0 => Mode::OnUse,
                1 => Mode::Warm,
                _ => Mode::Alive,
            },
            spread: self.setting.spread,
            seed: self.seed.wrapping_mul(31).wrapping_add(process as u64),
            ..Policy::default()
        };
        let policy = match self.runs {
            Runs::Keeper(Flaw::SilenceIsNotCounted) => Policy { silence: Duration::MAX, ..policy },
            // A tenth of this rate is more than all grants of a run retry together, and nothing else comes near a pace.
            Runs::Keeper(Flaw::NoRetryQuota) => Policy { requests_per_second: 1000.0, ..policy },
            _ => policy,
        };
        let program: Box<dyn Program> = match self.runs {
            Runs::Keeper(flaw) => {
                let keeper = Keeper::new(self.client.clone(), policy, &self.names, now);
                if flaw == Flaw::None {
                    Box::new(keeper)
                } else {
                    Box::new(Interceptor::new(keeper, flaw, self.client.clone(), self.seed ^ process as u64))
                }
            }
            Runs::Peer(peer) => Box::new(PeerProgram::new(peer, self.client.clone(), self.setting.grants)),
        };
        self.processes[process].life += 1;
        self.processes[process].program = Some(program);
        let holder = self.holder(process);
        self.say(|| format!("process {process} starts (life {})", holder.life));
        self.drain(holder);
    }

    /// A process dies: its connections and its locks die with it. It starts again after a while.
    pub(super) fn crash(&mut self, process: usize) {
        let holder = self.holder(process);
        if !self.is_alive(holder) {
            return;
        }
        self.say(|| format!("process {process} dies"));
        let state = &mut self.processes[process];
        state.program = None;
        state.tick = None;
        state.waiters.clear();
        state.worker = Worker::default();
        state.queues.iter_mut().for_each(VecDeque::clear);
        for connection in self.connections.values_mut().filter(|it| it.holder == holder) {
            connection.is_open = false;
        }
        // What was asked of a database goes on its way.
        self.operations
            .retain(|_, operation| operation.holder != holder || operation.plan.is_none() && !operation.is_local);
        if let Storage::Files(files) = &mut self.storage {
            files.release_all_of(holder);
        }
        self.oracle.died(holder, self.now);
        let wait = self.random.pick(&[SECOND, 20 * SECOND, 5 * MINUTE, 30 * MINUTE]);
        let wait = self.random.about(wait);
        self.after(wait, Event::Start(process));
    }

    /// A process is asked to end.
    pub(super) fn stop(&mut self, process: usize) {
        self.every(self.setting.rates.stop_every, Event::Stop(process));
        let holder = self.holder(process);
        if self.is_alive(holder) {
            self.say(|| format!("process {process} is asked to end"));
            self.deliver(holder, Report::ShutDown);
            self.after(SECOND, Event::Stopping(holder, self.now + 3 * MINUTE));
        }
    }

    /// Ends a process that is idle. One that is not idle in time is killed.
    pub(super) fn stopping(&mut self, holder: Holder, until: Time) {
        if !self.is_alive(holder) {
            return;
        }
        let Some(program) = &self.processes[holder.process].program else { return };
        if program.is_idle() {
            self.oracle.idle(self.now, holder, &self.server);
        } else if self.now < until && self.healed.is_none() {
            self.after(5 * SECOND, Event::Stopping(holder, until));
            return;
        } else {
            let exports = (0..self.setting.grants).map(|grant| program.export(grant).is_some()).collect::<Vec<_>>();
            self.oracle.busy(self.now, holder, &exports, &self.server);
        }
        self.crash(holder.process);
        if self.healed.is_some() {
            self.start(holder.process);
        }
    }

    /// Tells a process something, and executes what it orders.
    pub(super) fn deliver(&mut self, holder: Holder, report: Report) {
        if !self.is_alive(holder) {
            return;
        }
        let now = self.clocks_of(holder.process);
        if let Some(program) = &mut self.processes[holder.process].program {
            program.report(report, now);
        }
        self.drain(holder);
        self.delivered += 1;
        if self.delivered % LOOK_AT_MEMORY == 0 {
            self.look_at_memory(holder);
        }
    }

    /// I14: what a process holds in memory.
    fn look_at_memory(&mut self, holder: Holder) {
        let state = &self.processes[holder.process];
        let size = state.program.as_ref().map_or(0, |program| program.size());
        let waiters = state.waiters.len();
        self.oracle.remembers(self.now, holder, size, self.setting.grants, waiters);
    }

    pub(super) fn drain(&mut self, holder: Holder) {
        for _ in 0..10_000 {
            if !self.is_alive(holder) {
                return;
            }
            let Some(order) = self.processes[holder.process].program.as_mut().and_then(|program| program.next()) else {
                self.set_tick(holder);
                return;
            };
            self.obey(holder, order);
        }
        self.oracle.violate(self.now, Check::I14, format!("process {} never stops ordering", holder.process));
    }

    pub(super) fn set_tick(&mut self, holder: Holder) {
        let wake_at = self.processes[holder.process].program.as_mut().and_then(|program| program.wake_at());
        let at = wake_at.map(|at| self.true_time(holder.process, at).max(self.now));
        if self.processes[holder.process].tick == at {
            return;
        }
        self.processes[holder.process].tick = at;
        let Some(at) = at else {
            self.say(|| format!("process {} will not wake by itself", holder.process));
            return;
        };
        self.say(|| format!("process {} will wake at {}", holder.process, shown(at)));
        if at == self.now {
            self.spins = if self.spins.0 == at { (at, self.spins.1 + 1) } else { (at, 1) };
            if self.spins.1 > 1000 {
                let message = format!("process {} wants to be woken at once, again and again", holder.process);
                self.oracle.violate(self.now, Check::I14, message);
                return;
            }
        }
        self.at(at, Event::Tick(holder, at));
    }

    pub(super) fn obey(&mut self, holder: Holder, order: Order) {
        match order {
            Order::Store { id, grant, op } => self.store(holder, id, grant, op),
            Order::Plain { id, grant, access } => self.access(holder, id, grant, access),
            Order::Send { id, call, deadline } => self.send(holder, id, call, deadline),
            Order::Show { grant, token, fresh } => {
                self.say(|| match &token {
                    Some(token) => format!(
                        "process {} shows grant {grant}: {} of generation {}{}",
                        holder.process,
                        token.access_token,
                        token.generation,
                        if fresh { "" } else { ", stale" }
                    ),
                    None => format!("process {} shows grant {grant}: no token", holder.process),
                });
                if let Some(token) = &token {
                    self.shown(holder, grant, token, fresh);
                }
            }
            Order::Resolve { waiter, result } => self.resolve(holder, waiter, result),
            Order::Tell(event) => {
                self.say(|| format!("process {} tells: {event}", holder.process));
                let texts = [format!("{event:?}"), event.to_string()];
                self.oracle.text(self.now, &texts);
            }
        }
    }

    /// The oracle sees a token that a process showed or gave to somebody.
    pub(super) fn shown(&mut self, holder: Holder, grant: usize, token: &crate::program::Shown, fresh: bool) {
        let clean = self.hosts[self.processes[holder.process].host].jumps;
        let durable = self.storage.durable(grant);
        self.oracle.shown(self.now, holder, grant, token, fresh, &durable, &self.server, clean);
    }
}
