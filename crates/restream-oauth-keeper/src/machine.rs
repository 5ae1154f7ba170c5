//! The machine of many grants: pure, and driven by one input at a time.
//!
//! A driver passes in what happened ([`Machine::handle`]), does everything that the machine asks for
//! ([`Machine::poll`], until it returns `None`), and waits for the next thing to happen or for
//! [`Machine::wake_at`]. The machine opens no file, sends nothing, spawns nothing, reads no clock and draws no
//! randomness: so a simulation can run a year of it in a second, and repeat it exactly.

mod context;
mod due;
mod grant;
mod interface;
mod known;
mod serving;
mod sessions;
mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use restream_oauth_core::Client;
use zeroize::Zeroizing;

use crate::clock::Now;
use crate::event::{Event, EventKind};
use crate::name::GrantName;
use crate::names::Names;
use crate::pace::Pace;
use crate::policy::{Mode, Policy};
use crate::tight;
use crate::timers::Timers;
use context::{Context, Shared};
use grant::Grant;
pub use interface::{GrantId, Input, Ticket, Todo, WaiterId};

/// The machine of many grants.
#[derive(Debug)]
pub struct Machine {
    shared: Shared,
    grants: Vec<Grant>,
    names: Names,
    waiters: BTreeMap<WaiterId, GrantId>,
    in_doubt: BTreeSet<GrantId>,
    timers: Timers,
    warm: usize,
    /// True once the program was told that its grants are more than its pace allows with a margin.
    told_tight: bool,
}

impl Machine {
    /// A machine without grants.
    pub fn new(client: Client, policy: Policy) -> Self {
        Self {
            shared: Shared {
                client,
                policy,
                pace: Pace::new(policy.requests_per_second, policy.silence),
                todo: VecDeque::new(),
                tickets: 0,
                shutting_down: false,
                breaker_closed: false,
            },
            grants: Vec::new(),
            names: Names::new(policy.seed),
            waiters: BTreeMap::new(),
            in_doubt: BTreeSet::new(),
            timers: Timers::default(),
            warm: 0,
            told_tight: false,
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        self.shared.policy
    }

    /// Keeps a grant from now on, in this mode or in that of the policy. Keeping it again changes nothing.
    #[expect(clippy::needless_pass_by_value, reason = "how names are kept is no matter of the caller")]
    pub fn watch(&mut self, name: GrantName, mode: Option<Mode>, now: Now) -> GrantId {
        if let Some(known) = self.find(&name) {
            return known;
        }
        let id = GrantId(u32::try_from(self.grants.len()).unwrap_or(u32::MAX));
        let mode = mode.unwrap_or(self.shared.policy.mode);
        self.names.add(&name);
        tight::push(&mut self.grants, Grant::new(mode));
        self.warm = self.warm.saturating_add(usize::from(mode == Mode::Warm));
        self.advance(id, now);
        id
    }

    /// Takes in what happened. Call [`poll`](Self::poll) afterwards, until it returns `None`.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Tick => self.tick(now),
            Input::Stored { ticket, outcome } => {
                self.with(ticket.grant, now, |grant, cx| grant.stored(ticket.number, outcome, cx));
            }
            Input::Answered { ticket, answer } => {
                self.with(ticket.grant, now, |grant, cx| grant.answered(ticket.number, Some(answer), cx));
            }
            Input::HungUp { ticket } => {
                self.with(ticket.grant, now, |grant, cx| grant.answered(ticket.number, None, cx));
            }
            Input::Wanted { grant: id, waiter, limit, valid_for } => {
                self.waiters.insert(waiter, id);
                self.with(id, now, |grant, cx| grant.wanted(waiter, limit, valid_for, cx));
            }
            Input::Rejected { grant: id, generation } => {
                self.with(id, now, |grant, cx| grant.rejected(generation, cx));
            }
            Input::LogIn { grant: id, waiter, limit, tokens } => {
                self.waiters.insert(waiter, id);
                self.with(id, now, |grant, cx| grant.log_in(waiter, limit, tokens, cx));
            }
            Input::LogOut { grant: id, waiter, limit } => {
                self.waiters.insert(waiter, id);
                self.with(id, now, |grant, cx| grant.log_out(waiter, limit, cx));
            }
            Input::GaveUp { waiter } => {
                if let Some(id) = self.waiters.remove(&waiter) {
                    self.with(id, now, |grant, _| grant.gave_up(waiter));
                }
            }
            Input::ShutDown => {
                self.shared.shutting_down = true;
                for index in 0..self.grants.len() {
                    self.advance(GrantId(u32::try_from(index).unwrap_or(u32::MAX)), now);
                }
            }
        }
        if std::mem::take(&mut self.shared.breaker_closed) {
            for id in self.in_doubt.clone() {
                self.with(id, now, |grant, cx| grant.breaker_closed(cx.steady()));
            }
        }
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<Todo> {
        let todo = self.shared.todo.pop_front()?;
        if let Todo::Resolve { waiter, .. } = &todo {
            self.waiters.remove(waiter);
        }
        Some(todo)
    }

    /// When to pass in a [`Input::Tick`], on the steady clock, if nothing happens before. Timers of runtimes stand still
    /// while a machine sleeps, so a driver waits 30 seconds at a time at most.
    pub fn wake_at(&mut self) -> Option<Duration> {
        self.timers.next()
    }

    /// When the next request of a grant may be sent, on the steady clock: the next replay of a doubt, or the end of a
    /// wait that a server or a failure asked for. `None` if nothing holds a request up now.
    pub fn next_request_at(&self, grant: GrantId, now: Now) -> Option<Duration> {
        let grant = self.grants.get(usize::try_from(grant.0).ok()?)?;
        grant.next_request_at().filter(|at| *at > now.steady)
    }

    /// True if nothing is under way, so that a process can end and leave nothing for the next one to recover.
    pub fn is_idle(&self) -> bool {
        self.grants.iter().all(Grant::is_idle)
    }

    /// The grant of this name, if it is kept.
    pub(crate) fn find(&self, name: &GrantName) -> Option<GrantId> {
        self.names.find(name).map(GrantId)
    }

    /// The name of a grant.
    pub(crate) fn name(&self, grant: GrantId) -> GrantName {
        self.names.name(grant.0)
    }

    /// True if the last that is known of a grant is a refresh without an outcome.
    pub(crate) fn is_in_doubt(&self, grant: GrantId) -> bool {
        self.in_doubt.contains(&grant)
    }

    /// True if nothing is under way for one grant.
    pub(crate) fn is_idle_at(&self, grant: GrantId) -> bool {
        let index = usize::try_from(grant.0).unwrap_or(usize::MAX);
        self.grants.get(index).is_none_or(Grant::is_idle)
    }

    /// The saved form of a pair that is in memory alone, because the store refuses it.
    pub fn export(&self, grant: GrantId) -> Option<Zeroizing<String>> {
        let index = usize::try_from(grant.0).ok()?;
        self.grants.get(index)?.work.as_ref()?.stranded()
    }

    fn tick(&mut self, now: Now) {
        while let Some(index) = self.timers.pop_due(now.steady) {
            self.advance(GrantId(index), now);
        }
        let tight = self.shared.pace.is_tight(self.warm, Duration::from_secs(3600));
        if tight && !self.told_tight && !self.grants.is_empty() {
            let event = Event { grant: self.names.name(0), kind: EventKind::Throttled };
            self.shared.todo.push_back(Todo::Tell(event));
        }
        self.told_tight = tight;
    }

    fn advance(&mut self, id: GrantId, now: Now) {
        self.with(id, now, |_, _| {});
    }

    /// Does something with a grant, then everything that follows from it.
    fn with(&mut self, id: GrantId, now: Now, work: impl FnOnce(&mut Grant, &mut Context<'_>)) {
        let Some(grant) = usize::try_from(id.0).ok().and_then(|index| self.grants.get_mut(index)) else { return };
        let mut cx = Context { shared: &mut self.shared, names: &self.names, grant: id, now };
        let waited = grant.waits_for_store();
        work(grant, &mut cx);
        let wake = grant.advance(&mut cx);
        let waits = grant.waits_for_store();
        cx.shared.pace.waits_for_store(waited, waits);
        if grant.is_in_doubt() {
            self.in_doubt.insert(id);
        } else {
            self.in_doubt.remove(&id);
        }
        self.timers.set(id.0, wake);
    }
}
