//! What the handles of a keeper and its driver share: the machine behind a lock, and everybody who waits for it.
//!
//! Both pass inputs into the machine and carry out at once what needs no waiting: they show what is known, end waits,
//! and tell events. Operations of the store and requests are left to the driver.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use restream_oauth_core::Client;
use zeroize::Zeroizing;

use crate::cell::{Cell, Watchers};
use crate::clock::Now;
use crate::machine::{GrantId, Input, Machine, Ticket, Todo, WaiterId};
use crate::name::GrantName;
use crate::operation::{Store, StoreError, StoreErrorKind, StoreOp, StoreOutcome};
use crate::policy::{Mode, Policy};
use crate::slot::Slot;
use crate::steady::Clock;
use crate::tight;
use crate::token::{Token, TokenError};
use crate::told::{Events, Receivers};

/// How long a program may take from its first question to the first poll of `run`, if `run` was not even called.
const UNATTENDED: Duration = Duration::from_secs(10);

/// Callers with at least this limit may wait as one: their limit is rounded down to a second.
const SHARED: Duration = Duration::from_secs(10);

/// How a wait ends.
pub(crate) type Outcome = Result<Option<Arc<Token>>, TokenError>;

/// One operation of the store, under way.
pub(crate) type StoreFuture = Pin<Box<dyn Future<Output = StoreOutcome> + Send>>;

/// What the handles of a keeper and its driver share.
pub(crate) struct Hub {
    pub(crate) clock: Clock,
    execute: Box<dyn Fn(GrantName, StoreOp) -> StoreFuture + Send + Sync>,
    state: Mutex<State>,
    /// Notified when a driver begins, and when somebody asks before that.
    attended: Condvar,
}

struct State {
    machine: Machine,
    /// What is shown of each grant of the machine.
    cells: Vec<Arc<Cell>>,
    watchers: Watchers,
    waiters: HashMap<WaiterId, Crowd>,
    /// The crowds that others can join: of which grant, and the second in which they give up.
    crowds: HashMap<(GrantId, u64), WaiterId>,
    last_waiter: u64,
    /// What the driver has to do.
    jobs: VecDeque<Todo>,
    /// What the driver is doing.
    under_way: BTreeMap<Ticket, Kind>,
    driver: Driver,
    /// How many futures of `run` exist that nobody has polled.
    announced: usize,
    /// The driver waits until this time, on the steady clock, and wants to be woken for anything earlier.
    waits_until: Duration,
    waker: Option<Waker>,
    /// True if the driver has to look again.
    stirred: bool,
    /// Who has asked before any driver began, when, and for how long.
    unattended: Vec<(WaiterId, Duration, Duration)>,
    /// True while a thread looks after them.
    watched: bool,
    receivers: Receivers,
    stop_at: Option<Duration>,
    stopping: Vec<Arc<Slot<()>>>,
    /// Who is to be woken once the lock is released.
    woken: Vec<Waker>,
}

/// Those who want the same of the same grant, and give up in the same second. To the machine they are one waiter, so that
/// ten thousand callers at the end of a token's life cost no more than a few.
struct Crowd {
    members: HashMap<u64, Arc<Slot<Outcome>>>,
    /// Under which others can join.
    key: Option<(GrantId, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Driver {
    /// None has begun yet.
    Never,
    Running,
    Ended,
}

/// What a driver is doing under a ticket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Store,
    Send,
}

/// What a driver has to do until it looks again.
pub(crate) struct Turn {
    pub(crate) now: Now,
    pub(crate) jobs: VecDeque<Todo>,
    /// When the machine has something to do, on the steady clock.
    pub(crate) wake_at: Option<Duration>,
    /// True if the driver ends here: nothing is under way in a keeper that shuts down.
    pub(crate) is_over: bool,
    /// When the driver ends although something is under way.
    pub(crate) stop_at: Option<Duration>,
}

impl Hub {
    pub(crate) fn new(client: Client, policy: Policy, clock: Clock, store: impl Store) -> Self {
        let store = Arc::new(store);
        Self {
            clock,
            execute: Box::new(move |grant, op| {
                let store = Arc::clone(&store);
                Box::pin(async move { store.execute(&grant, op).await })
            }),
            state: Mutex::new(State {
                machine: Machine::new(client, policy),
                cells: Vec::new(),
                watchers: Watchers::default(),
                waiters: HashMap::new(),
                crowds: HashMap::new(),
                last_waiter: 0,
                jobs: VecDeque::new(),
                under_way: BTreeMap::new(),
                driver: Driver::Never,
                announced: 0,
                waits_until: Duration::ZERO,
                waker: None,
                stirred: false,
                unattended: Vec::new(),
                watched: false,
                receivers: Receivers::default(),
                stop_at: None,
                stopping: Vec::new(),
                woken: Vec::new(),
            }),
            attended: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the state, and wakes those who are to be woken when the lock is released.
    fn with<T>(&self, work: impl FnOnce(&mut State, Now) -> T) -> T {
        let mut state = self.lock();
        // Under the lock, so that the machine never sees time go back.
        let now = self.clock.now();
        let result = work(&mut state, now);
        let woken = std::mem::take(&mut state.woken);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        result
    }

    // What the handles ask for.

    /// Keeps a grant from now on.
    pub(crate) fn grant(&self, name: GrantName, mode: Option<Mode>) -> (GrantId, Arc<Cell>) {
        self.with(|state, now| {
            let id = state.machine.watch(name, mode, now);
            let index = usize::try_from(id.0).unwrap_or(usize::MAX);
            let cell = if let Some(known) = state.cells.get(index) {
                Arc::clone(known)
            } else {
                let cell = Arc::new(Cell::new());
                tight::push(&mut state.cells, Arc::clone(&cell));
                cell
            };
            state.carry_out();
            (id, cell)
        })
    }

    /// A grant that is kept already.
    pub(crate) fn kept(&self, name: &GrantName) -> Option<(GrantId, Arc<Cell>)> {
        let state = self.lock();
        let id = state.machine.find(name)?;
        let cell = state.cells.get(usize::try_from(id.0).ok()?)?;
        Some((id, Arc::clone(cell)))
    }

    pub(crate) fn name(&self, grant: GrantId) -> GrantName {
        self.lock().machine.name(grant)
    }

    /// Registers somebody who waits for a change of a grant, or renews the waker. `number` is zero at first.
    pub(crate) fn watch(&self, grant: GrantId, number: &mut u64, waker: &Waker) {
        // Dropped after the lock is released: to drop a waker may run code of a runtime.
        let _earlier = self.lock().watchers.add(grant, number, waker);
    }

    /// Forgets somebody who waits no longer.
    pub(crate) fn unwatch(&self, grant: GrantId, number: u64) {
        let _waker = self.lock().watchers.remove(grant, number);
    }

    /// Passes an input in that nobody waits for.
    pub(crate) fn tell(&self, input: Input) {
        self.with(|state, now| state.take_in(input, now));
    }

    /// Begins to wait for the outcome of an input. It ends by the limit. `of` is the grant, if others may share the outcome.
    pub(crate) fn ask(
        self: &Arc<Self>,
        limit: Duration,
        of: Option<GrantId>,
        input: impl FnOnce(WaiterId, Duration) -> Input,
    ) -> Result<Wait, TokenError> {
        let (wait, begins_watch) = self.with(|state, now| {
            if state.driver == Driver::Ended {
                return Err(state.ended());
            }
            state.last_waiter = state.last_waiter.wrapping_add(1);
            let member = state.last_waiter;
            let slot = Slot::new();
            let limit_at = now.steady.saturating_add(limit);
            let key = of.filter(|_| limit >= SHARED).map(|grant| (grant, limit_at.as_secs()));
            if let Some((id, crowd)) = key.and_then(|key| state.crowd(key)) {
                crowd.members.insert(member, Arc::clone(&slot));
                return Ok((Wait { hub: Arc::clone(self), id: Some(id), member, slot }, false));
            }
            let id = WaiterId(member);
            state.waiters.insert(id, Crowd { members: HashMap::from([(member, Arc::clone(&slot))]), key });
            state.crowds.extend(key.map(|key| (key, id)));
            let limit_at = key.map_or(limit_at, |(_, second)| Duration::from_secs(second));
            state.take_in(input(id, limit_at), now);
            let unattended = state.driver == Driver::Never;
            let begins_watch = unattended && !state.watched;
            if unattended {
                state.unattended.push((id, now.steady, limit));
                state.watched = true;
            }
            Ok((Wait { hub: Arc::clone(self), id: Some(id), member, slot }, begins_watch))
        })?;
        if begins_watch && !self.watch_the_unattended() {
            // This platform has no threads, so nothing would end the wait.
            self.lock().watched = false;
            return Err(TokenError::NotRunning);
        }
        self.attended.notify_all();
        Ok(wait)
    }

    fn give_up(&self, waiter: WaiterId, member: u64) {
        self.with(|state, now| {
            let Some(crowd) = state.waiters.get_mut(&waiter) else { return };
            crowd.members.remove(&member);
            if crowd.members.is_empty() {
                drop(state.disband(waiter));
                state.take_in(Input::GaveUp { waiter }, now);
            }
        });
    }

    /// Before a driver begins, nothing has a timer. A thread ends the waits of those who ask so early.
    fn watch_the_unattended(self: &Arc<Self>) -> bool {
        let hub = Arc::clone(self);
        let watch = move || {
            while let Some(wait) = hub.with(State::end_unattended) {
                let state = hub.lock();
                if state.driver == Driver::Never {
                    drop(hub.attended.wait_timeout(state, wait));
                }
            }
        };
        std::thread::Builder::new().name("restream-oauth-keeper".to_owned()).spawn(watch).is_ok()
    }

    pub(crate) fn events(&self) -> Events {
        self.lock().receivers.add()
    }

    pub(crate) fn export(&self, name: &str) -> Option<Zeroizing<String>> {
        let state = self.lock();
        state.machine.export(state.machine.find(&name.parse().ok()?)?)
    }

    pub(crate) fn policy(&self) -> Policy {
        self.lock().machine.policy()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().cells.len()
    }

    /// Why waiting is in vain, if no driver is there any more.
    pub(crate) fn ended(&self) -> Option<TokenError> {
        let state = self.lock();
        (state.driver == Driver::Ended).then(|| state.ended())
    }

    /// Begins to shut down. The slot is filled when the driver has ended; `None` if there is none.
    pub(crate) fn shut_down(&self, limit: Duration) -> Option<Arc<Slot<()>>> {
        self.with(|state, now| {
            state.take_in(Input::ShutDown, now);
            let stop_at = now.steady.saturating_add(limit);
            state.stop_at = Some(state.stop_at.map_or(stop_at, |earlier| earlier.min(stop_at)));
            state.wake_driver();
            if state.driver == Driver::Running {
                let slot = Slot::new();
                state.stopping.push(Arc::clone(&slot));
                return Some(slot);
            }
            state.end(now);
            None
        })
    }

    /// What a keeper leaves to the next one.
    pub(crate) fn left(&self) -> Left {
        let state = self.lock();
        let mut left = Left::default();
        for id in (0..).take(state.cells.len()).map(GrantId) {
            let name = || state.machine.name(id);
            let stranded = state.machine.export(id).is_some();
            if stranded {
                left.stranded.push(name());
            }
            if state.machine.is_in_doubt(id) {
                left.in_doubt.push(name());
            } else if !stranded && !state.machine.is_idle_at(id) {
                left.unfinished.push(name());
            }
        }
        left
    }

    // What the driver does.

    /// One operation of the store.
    pub(crate) fn execute(&self, grant: GrantName, op: StoreOp) -> StoreFuture {
        (self.execute)(grant, op)
    }

    pub(crate) fn announce(&self) {
        let mut state = self.lock();
        state.announced = state.announced.saturating_add(1);
    }

    /// A driver that was announced begins, or was dropped before it began. False if another one runs.
    pub(crate) fn begin(&self, begins: bool) -> bool {
        let mut state = self.lock();
        state.announced = state.announced.saturating_sub(1);
        if !begins || state.driver == Driver::Running {
            return false;
        }
        state.driver = Driver::Running;
        state.unattended.clear();
        drop(state);
        self.attended.notify_all();
        true
    }

    /// Passes in what is done, and takes out what is to be done.
    pub(crate) fn turn(&self, done: Vec<Input>) -> Turn {
        self.with(|state, now| {
            for input in done {
                if let Input::Stored { ticket, .. } | Input::Answered { ticket, .. } | Input::HungUp { ticket } = &input
                {
                    state.under_way.remove(ticket);
                }
                state.take_in(input, now);
            }
            if state.machine.wake_at().is_some_and(|at| at <= now.steady) {
                state.take_in(Input::Tick, now);
            }
            let jobs = std::mem::take(&mut state.jobs);
            for job in &jobs {
                match job {
                    Todo::Store { ticket, .. } => state.under_way.insert(*ticket, Kind::Store),
                    Todo::Send { ticket, .. } => state.under_way.insert(*ticket, Kind::Send),
                    _ => None,
                };
            }
            state.stirred = false;
            let wake_at = state.machine.wake_at();
            let shutting_down = state.stop_at.is_some();
            let is_over = shutting_down && state.under_way.is_empty() && state.machine.is_idle();
            Turn { now, jobs, wake_at, is_over, stop_at: state.stop_at }
        })
    }

    /// Leaves word where to wake the driver, which is going to wait until a time of the steady clock. True if there is
    /// something to do already.
    pub(crate) fn waits(&self, until: Duration, waker: &Waker) -> bool {
        let mut state = self.lock();
        state.waits_until = until;
        state.waker = Some(waker.clone());
        let earlier = state.machine.wake_at().into_iter().chain(state.stop_at).any(|at| at < until);
        earlier || state.stirred
    }

    /// The driver has ended. What it was doing is cut off.
    pub(crate) fn end(&self) {
        self.with(|state, now| {
            for (ticket, kind) in std::mem::take(&mut state.under_way) {
                state.take_in(cut_off(ticket, kind), now);
            }
            state.end(now);
        });
    }
}

/// What the machine is told of something that the driver began and did not finish.
fn cut_off(ticket: Ticket, kind: Kind) -> Input {
    match kind {
        Kind::Send => Input::HungUp { ticket },
        Kind::Store => {
            let error = StoreError::new(StoreErrorKind::Unavailable, "the keeper was stopped in the middle of it");
            Input::Stored { ticket, outcome: StoreOutcome::Failed(error) }
        }
    }
}

impl State {
    /// Passes an input into the machine, and carries out what needs no waiting.
    fn take_in(&mut self, input: Input, now: Now) {
        self.machine.handle(input, now);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(todo) = self.machine.poll() {
            match todo {
                Todo::Publish { grant, current } => {
                    let index = usize::try_from(grant.0).unwrap_or(usize::MAX);
                    if let Some(cell) = self.cells.get(index) {
                        cell.publish(current);
                        self.woken.extend(self.watchers.take(grant));
                    }
                }
                Todo::Resolve { waiter, result } => self.end_wait(waiter, &result),
                Todo::Tell(event) => self.woken.extend(self.receivers.tell(&event)),
                job @ (Todo::Store { .. } | Todo::Send { .. }) => self.jobs.push_back(job),
            }
        }
        let earlier = self.machine.wake_at().is_some_and(|at| at < self.waits_until);
        if earlier || !self.jobs.is_empty() {
            self.wake_driver();
        }
    }

    /// Ends the waits of those who asked too long ago, while no driver has begun. Returns how long to wait for the next;
    /// `None` if there is none.
    fn end_unattended(&mut self, now: Now) -> Option<Duration> {
        let mut next = None;
        if self.driver == Driver::Never {
            let announced = self.announced > 0;
            for (waiter, since, limit) in std::mem::take(&mut self.unattended) {
                let allowed = if announced { limit } else { UNATTENDED.min(limit) };
                let left = since.saturating_add(allowed).saturating_sub(now.steady);
                if left.is_zero() {
                    self.end_wait(waiter, &Err(TokenError::NotRunning));
                    self.take_in(Input::GaveUp { waiter }, now);
                } else if self.waiters.contains_key(&waiter) {
                    next = Some(next.map_or(left, |known: Duration| known.min(left)));
                    self.unattended.push((waiter, since, limit));
                }
            }
        }
        self.watched = next.is_some();
        next
    }

    /// The crowd that can be joined under a key.
    fn crowd(&mut self, key: (GrantId, u64)) -> Option<(WaiterId, &mut Crowd)> {
        let id = *self.crowds.get(&key)?;
        Some((id, self.waiters.get_mut(&id)?))
    }

    fn disband(&mut self, waiter: WaiterId) -> impl Iterator<Item = Arc<Slot<Outcome>>> + use<> {
        let crowd = self.waiters.remove(&waiter);
        if let Some(key) = crowd.as_ref().and_then(|crowd| crowd.key) {
            self.crowds.remove(&key);
        }
        crowd.into_iter().flat_map(|crowd| crowd.members.into_values())
    }

    fn end_wait(&mut self, waiter: WaiterId, outcome: &Outcome) {
        for slot in self.disband(waiter) {
            self.woken.extend(slot.put(outcome.clone()));
        }
    }

    fn wake_driver(&mut self) {
        self.stirred = true;
        self.woken.extend(self.waker.take());
    }

    /// Why waiting is in vain.
    fn ended(&self) -> TokenError {
        if self.stop_at.is_some() { TokenError::ShuttingDown } else { TokenError::NotRunning }
    }

    /// No driver is there any more: nobody waits in vain.
    fn end(&mut self, now: Now) {
        self.driver = Driver::Ended;
        self.waker = None;
        let waiters: Vec<WaiterId> = self.waiters.keys().copied().collect();
        for waiter in waiters {
            self.end_wait(waiter, &Err(self.ended()));
            self.machine.handle(Input::GaveUp { waiter }, now);
        }
        self.carry_out();
        self.woken.extend(self.watchers.take_all());
        for slot in std::mem::take(&mut self.stopping) {
            self.woken.extend(slot.put(()));
        }
        if self.stop_at.is_some() {
            self.woken.extend(self.receivers.close());
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hub")
    }
}

/// Waits for the outcome of an input. Dropping it ends the wait, and nothing else.
pub(crate) struct Wait {
    hub: Arc<Hub>,
    /// The crowd to which it belongs, until it has its outcome.
    id: Option<WaiterId>,
    member: u64,
    slot: Arc<Slot<Outcome>>,
}

impl Future for Wait {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let outcome = self.slot.poll(context);
        if outcome.is_ready() {
            self.id = None;
        }
        outcome
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.hub.give_up(id, self.member);
        }
    }
}

/// What a keeper leaves behind when it has shut down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// Grants whose newest pair is in memory alone, because the store refuses it. They are lost when the process ends:
    /// [`Keeper::export`](crate::Keeper::export) gives the pair.
    pub stranded: Vec<GrantName>,
    /// Grants in doubt. The store knows it, and the next keeper goes on with them.
    pub in_doubt: Vec<GrantName>,
    /// Grants of which something else was under way when the limit passed, such as a login that was not stored yet, or a
    /// logout that was not revoked.
    pub unfinished: Vec<GrantName>,
}

impl Left {
    /// True if nothing was left.
    pub fn is_nothing(&self) -> bool {
        self.stranded.is_empty() && self.in_doubt.is_empty() && self.unfinished.is_empty()
    }
}
