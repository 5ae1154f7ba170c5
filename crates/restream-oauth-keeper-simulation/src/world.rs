//! Everything that happens in a run, in the order of time.
//!
//! The world is a queue of events. It knows the true time, executes what the programs order, and lets faults happen. It
//! decides nothing about right and wrong: it tells the [`Oracle`], and stops at the first violation.

mod hosts;
mod people;
mod processes;
mod requests;
mod storing;

use std::collections::{BTreeMap, VecDeque};

use restream_oauth_core::Client;
use restream_oauth_keeper::{GrantName, LoginId, Now};

use crate::database::{Database, LEASE, Worker};
use crate::file_store::{FileStore, Holder};
use crate::flaws::Flaw;
use crate::oracle::{Oracle, Violation};
use crate::peers::Peer;
use crate::program::{Id, Program, Report};
use crate::random::Random;
use crate::server::{PairId, Server};
use crate::setting::{Rates, Setting, StoreKind};
use crate::storage::Storage;
use crate::time::{Clock, HOUR, MINUTE, SECOND, Time, shown, steady, time_of};
use crate::trace::Trace;
pub(crate) use requests::{Ask, Connection};
use storing::Operation;

/// A moment at which something happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Start(usize),
    Tick(Holder, Time),
    Step(u64),
    Execute(u64),
    Finish(u64),
    AtServer(u64),
    AtClient(u64),
    Breaks(u64),
    Deadline(u64),
    Want(usize),
    /// A caller of this process wants a grant, within a time.
    WantOf(usize, usize, Time),
    Call {
        holder: Holder,
        grant: usize,
        pair: PairId,
        generation: u64,
    },
    GiveUp(Holder, u64),
    Limit(Holder, u64),
    User(usize),
    Wake(usize),
    Sleep(usize),
    Jump(usize),
    /// A process is asked to end, and then looked at until it is idle or the time is over.
    Stop(usize),
    Stopping(Holder, Time),
    PowerLoss(usize),
    Trouble,
    Stall,
    FailOver,
    Mend(Holder),
    Outage,
    /// The provider falls silent for so long.
    Silence(Time),
    /// No connection to the provider can be made for so long.
    CutOff(Time),
    RefuseAll,
    /// Nobody has asked for a token since everything healed.
    Quiet,
    Heal,
    Judge,
    End,
}

/// A machine with a disk and two clocks.
#[derive(Debug, Default)]
pub(crate) struct Host {
    pub(crate) clock: Clock,
    pub(crate) asleep_until: Option<Time>,
    pub(crate) woke: Time,
    deferred: Vec<Event>,
    /// How often the wall clock jumped.
    pub(crate) jumps: u32,
}

/// A process, which may be down.
pub(crate) struct Process {
    pub(crate) host: usize,
    pub(crate) life: u32,
    program: Option<Box<dyn Program>>,
    tick: Option<Time>,
    /// The operations of each grant, which come one after the other.
    queues: Vec<VecDeque<u64>>,
    waiters: BTreeMap<u64, Waiter>,
    worker: Worker,
}

/// Somebody who waits for a result.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(crate) grant: usize,
    pub(crate) for_what: For,
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    Token,
    LogIn(PairId),
    /// The login that was stored when the user asked for the end.
    LogOut(Option<LoginId>),
}

/// What runs in the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    Keeper(Flaw),
    Peer(Peer),
}

/// A quarter of an hour for the last replay of the schedule, a lease, and the time that a hung request takes to end.
const LONG_REPLAY: Time = 15 * MINUTE + LEASE + 2 * MINUTE;

/// A run.
pub(crate) struct World {
    pub(crate) now: Time,
    order: u64,
    events: BTreeMap<(Time, u64), Event>,
    pub(crate) random: Random,
    pub(crate) setting: Setting,
    runs: Runs,
    seed: u64,
    pub(crate) server: Server,
    pub(crate) hosts: Vec<Host>,
    pub(crate) processes: Vec<Process>,
    pub(crate) storage: Storage,
    pub(crate) connections: BTreeMap<u64, Connection>,
    operations: BTreeMap<u64, Operation>,
    numbers: u64,
    client: Client,
    names: Vec<GrantName>,
    outage_until: Time,
    cut_off_until: Time,
    refuse_all_until: Time,
    pub(crate) healed: Option<Time>,
    ended: bool,
    pub(crate) oracle: Oracle,
    pub(crate) trace: Trace,
    spins: (Time, u32),
    /// How many reports were delivered.
    delivered: u64,
}

impl World {
    pub(crate) fn new(seed: u64, setting: Setting, runs: Runs, trace: bool) -> Self {
        let client = Client::builder("id").secret("s3cret").redirect_uri("https://app.example/callback").build();
        let lease = if runs == Runs::Keeper(Flaw::LeaseShorterThanTheAnswer) { 10 * SECOND } else { LEASE };
        let storage = match setting.store {
            StoreKind::Files => Storage::Files(FileStore::default()),
            StoreKind::Database => Storage::Database(Database::new(setting.grants, lease)),
        };
        let mut world = Self {
            now: 0,
            order: 0,
            events: BTreeMap::new(),
            random: Random::new(seed),
            runs,
            seed,
            server: Server::new(setting.server, setting.life),
            hosts: (0..setting.hosts).map(|_| Host::default()).collect(),
            processes: Vec::new(),
            storage,
            connections: BTreeMap::new(),
            operations: BTreeMap::new(),
            numbers: 0,
            client: client.expect("the configuration is right"),
            names: (0..setting.grants).map(|it| format!("grant-{it}").parse().expect("a name")).collect(),
            outage_until: 0,
            cut_off_until: 0,
            refuse_all_until: 0,
            healed: None,
            ended: false,
            oracle: Oracle::new(setting.grants, setting.processes),
            trace: Trace::new(trace),
            spins: (0, 0),
            delivered: 0,
            setting,
        };
        world.oracle.nobody_asks = world.setting.nobody_asks;
        world.begin();
        world
    }

    /// Runs to the end, or to the first violation.
    pub(crate) fn run(&mut self) -> Option<Violation> {
        while !self.ended && self.oracle.violation.is_none() {
            let Some(((time, _), event)) = self.events.pop_first() else { break };
            self.now = time;
            self.happen(event);
        }
        self.oracle.violation.clone()
    }

    fn begin(&mut self) {
        for process in 0..self.setting.processes {
            self.processes.push(Process {
                host: process % self.setting.hosts,
                life: 0,
                program: None,
                tick: None,
                queues: vec![VecDeque::new(); self.setting.grants],
                waiters: BTreeMap::new(),
                worker: Worker::default(),
            });
            let wait = self.random.below(10);
            self.at(wait, Event::Start(process));
        }
        for grant in 0..self.setting.grants {
            self.at(20 + 10 * grant as Time, Event::User(grant));
            let first = self.random.about(self.setting.wanted_every);
            self.at(MINUTE + first, Event::Want(grant));
        }
        for process in 0..self.setting.processes {
            self.every(self.setting.rates.stop_every, Event::Stop(process));
        }
        for host in 0..self.setting.hosts {
            self.every(self.setting.rates.sleep_every, Event::Sleep(host));
            self.every(self.setting.rates.clock_jump_every, Event::Jump(host));
        }
        let rates = self.setting.rates.clone();
        self.every(rates.disk_trouble_every, Event::Trouble);
        self.every(rates.stall_every, Event::Stall);
        self.every(rates.failover_every, Event::FailOver);
        self.every(rates.outage_every, Event::Outage);
        self.every(rates.refuse_all_every, Event::RefuseAll);
        if let Some((from, length)) = self.setting.silence {
            self.at(from, Event::Silence(length));
        }
        if let Some((from, length)) = self.setting.unreachable {
            self.at(from, Event::CutOff(length));
        }
        if self.setting.api_refuses_all {
            self.refuse_all_until = self.setting.faults_last;
        }
        self.at(self.setting.faults_last, Event::Heal);
    }

    fn happen(&mut self, event: Event) {
        let is_fault = matches!(
            event,
            Event::Sleep(_)
                | Event::Jump(_)
                | Event::Stop(_)
                | Event::PowerLoss(_)
                | Event::Trouble
                | Event::Stall
                | Event::FailOver
                | Event::Outage
                | Event::Silence(_)
                | Event::CutOff(_)
                | Event::RefuseAll
        );
        if is_fault && self.healed.is_some() {
            return;
        }
        if let Some(host) = self.host_of(&event) {
            if self.hosts[host].asleep_until.is_some() {
                self.defer(host, event);
                return;
            }
        }
        match event {
            Event::Start(process) => self.start(process),
            Event::Tick(holder, at) => {
                if self.is_alive(holder) && self.processes[holder.process].tick == Some(at) {
                    self.processes[holder.process].tick = None;
                    self.deliver(holder, Report::Tick);
                }
            }
            Event::Step(operation) => self.step(operation),
            Event::Execute(operation) => self.execute(operation),
            Event::Finish(operation) => self.finish(operation),
            Event::AtServer(connection) => self.at_server(connection),
            Event::AtClient(connection) => self.at_client(connection),
            Event::Breaks(connection) => self.breaks(connection),
            Event::Deadline(connection) => self.deadline(connection),
            Event::Want(grant) => self.want(grant),
            Event::WantOf(process, grant, limit) => self.ask_for_token(process, grant, limit, 0),
            Event::Call { holder, grant, pair, generation } => self.call(holder, grant, pair, generation),
            Event::GiveUp(holder, waiter) => self.give_up(holder, waiter),
            Event::Limit(holder, waiter) => self.limit(holder, waiter),
            Event::User(grant) => self.user(grant),
            Event::Wake(host) => self.wake(host),
            Event::Sleep(host) => self.sleep(host, None),
            Event::Jump(host) => self.jump(host),
            Event::Stop(process) => self.stop(process),
            Event::Stopping(holder, until) => self.stopping(holder, until),
            Event::PowerLoss(host) => self.lose_power(host),
            Event::Trouble => self.trouble(),
            Event::Stall => self.stall(),
            Event::FailOver => self.fail_over(),
            Event::Mend(holder) => self.mend(holder),
            Event::Outage => self.outage(),
            Event::Silence(length) => self.fall_silent(length),
            Event::CutOff(length) => self.cut_off(length),
            Event::RefuseAll => self.refuse_all(),
            Event::Heal => self.heal(),
            Event::Quiet => self.oracle.nobody_asked(self.now, &self.storage, &self.server),
            Event::Judge => self.judge(),
            Event::End => {
                self.ended = true;
                let facts = (&self.server, &self.storage, self.now);
                self.oracle.end(facts.0, facts.1, facts.2);
            }
        }
    }

    /// The host on which an event happens, and which has to be awake for it.
    fn host_of(&self, event: &Event) -> Option<usize> {
        let of = |process: usize| Some(self.processes[process].host);
        match event {
            Event::Tick(holder, _)
            | Event::Call { holder, .. }
            | Event::GiveUp(holder, _)
            | Event::Limit(holder, _)
            | Event::Stopping(holder, _)
            | Event::Mend(holder) => of(holder.process),
            Event::Start(process) | Event::Stop(process) | Event::WantOf(process, ..) => of(*process),
            Event::Step(operation) | Event::Finish(operation) => of(self.operations.get(operation)?.holder.process),
            Event::AtClient(connection) | Event::Breaks(connection) | Event::Deadline(connection) => {
                of(self.connections.get(connection)?.holder.process)
            }
            _ => None,
        }
    }

    // What all parts of the world use.

    pub(crate) fn at(&mut self, time: Time, event: Event) {
        self.order += 1;
        self.events.insert((time.max(self.now), self.order), event);
    }

    pub(crate) fn after(&mut self, wait: Time, event: Event) {
        self.at(self.now + wait, event);
    }

    /// Lets an event happen once in a time on average, the first time after a wait; never if the mean is zero.
    pub(crate) fn every(&mut self, mean: Time, event: Event) {
        if mean > 0 && self.healed.is_none() {
            let wait = self.random.about(mean);
            self.after(wait, event);
        }
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(crate) fn rates(&self) -> Rates {
        self.setting.rates.clone()
    }

    pub(crate) fn flaw(&self) -> Flaw {
        match self.runs {
            Runs::Keeper(flaw) => flaw,
            Runs::Peer(_) => Flaw::None,
        }
    }

    /// Whether a request ends with the caller who wanted it.
    fn callers_own_requests(&self) -> bool {
        matches!(self.runs, Runs::Keeper(Flaw::CallerOwnsTheSend) | Runs::Peer(Peer::CallersFuture))
    }

    pub(crate) fn is_alive(&self, holder: Holder) -> bool {
        let process = &self.processes[holder.process];
        process.life == holder.life && process.program.is_some()
    }

    pub(crate) fn is_awake(&self, process: usize) -> bool {
        self.hosts[self.processes[process].host].asleep_until.is_none()
    }

    /// Which processes are awake.
    pub(crate) fn awake(&self) -> Vec<bool> {
        (0..self.processes.len()).map(|process| self.is_awake(process)).collect()
    }

    pub(crate) fn holder(&self, process: usize) -> Holder {
        Holder { process, life: self.processes[process].life }
    }

    /// What the clocks of a process show.
    pub(crate) fn clocks_of(&self, process: usize) -> Now {
        let clock = &self.hosts[self.processes[process].host].clock;
        let mut now = clock.now(self.now);
        if self.flaw() == Flaw::WallClockOnly {
            let shifted = (self.now as i64 + clock.error).max(0) as Time;
            now.steady = steady(shifted);
        }
        now
    }

    /// When the steady clock of a process shows this.
    pub(crate) fn true_time(&self, process: usize, on_steady_clock: std::time::Duration) -> Time {
        let time = time_of(on_steady_clock);
        if self.flaw() == Flaw::WallClockOnly {
            let error = self.hosts[self.processes[process].host].clock.error;
            return (time as i64 - error).max(0) as Time;
        }
        time
    }

    pub(crate) fn say(&mut self, what: impl FnOnce() -> String) {
        self.trace.say(self.now, what);
    }

    /// All faults end, and everything starts again.
    fn heal(&mut self) {
        self.say(|| "--- everything heals".to_owned());
        self.healed = Some(self.now);
        self.setting.rates = Rates::default();
        self.outage_until = 0;
        self.cut_off_until = 0;
        self.refuse_all_until = 0;
        match &mut self.storage {
            Storage::Files(files) => files.disk.trouble = None,
            Storage::Database(database) => database.stalled_until = 0,
        }
        for host in 0..self.hosts.len() {
            self.hosts[host].clock.error = 0;
            self.wake(host);
        }
        for process in 0..self.processes.len() {
            self.start(process);
            let holder = self.holder(process);
            self.deliver(holder, Report::Tick);
        }
        for grant in 0..self.setting.grants {
            let quiet = if self.setting.nobody_asks { LONG_REPLAY } else { 0 };
            let wait = quiet + self.random.below(3 * MINUTE);
            self.after(wait, Event::Want(grant));
        }
        if self.setting.nobody_asks {
            self.after(LONG_REPLAY, Event::Quiet);
        }
        self.oracle.healed(self.now, &self.storage);
        // A token that came while a wall clock was half an hour ahead seems to live for half an hour more.
        let ahead = if self.hosts.iter().any(|host| host.jumps > 0) { HOUR / 2 } else { 0 };
        // An hour, a lease, and the time that the last hung requests take to end.
        self.after(HOUR.max(self.setting.life) + ahead + LEASE + 2 * MINUTE, Event::Judge);
    }

    /// Asks every process once more for every token, and ends after the answers.
    fn judge(&mut self) {
        for process in 0..self.processes.len() {
            for grant in 0..self.setting.grants {
                self.ask_for_token(process, grant, 90 * SECOND, 0);
            }
        }
        self.oracle.judging = true;
        self.after(2 * MINUTE, Event::End);
    }

    /// A line that names the run.
    pub(crate) fn title(&self) -> String {
        let Setting { hosts, processes, grants, store, server, .. } = &self.setting;
        format!(
            "seed {}: {processes} processes on {hosts} hosts, {grants} grants in {store:?}, server {server:?}, faults until {}",
            self.seed,
            shown(self.setting.faults_last)
        )
    }

    pub(crate) fn queue_of(&mut self, holder: Holder, grant: usize) -> &mut VecDeque<u64> {
        &mut self.processes[holder.process].queues[grant]
    }

    pub(crate) fn next_id(&mut self) -> Id {
        self.number()
    }
}
