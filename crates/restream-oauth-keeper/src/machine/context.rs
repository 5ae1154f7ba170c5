//! What all grants of a machine share, and the way in which they ask for things.

use std::collections::VecDeque;

use restream_oauth_core::transport::{Failure, FailureKind, Stage, Unread};
use restream_oauth_core::{Call, Client, Error, RefreshToken};

use super::interface::{GrantId, Ticket, Todo, WaiterId};
use crate::clock::Now;
use crate::event::{Event, EventKind, Odd};
use crate::name::GrantName;
use crate::names::Names;
use crate::operation::StoreOp;
use crate::pace::Pace;
use crate::policy::Policy;
use crate::token::{Current, Token, TokenError};
use std::sync::Arc;
use std::time::Duration;

/// What all grants of a machine share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) policy: Policy,
    pub(super) pace: Pace,
    pub(super) todo: VecDeque<Todo>,
    pub(super) tickets: u64,
    pub(super) shutting_down: bool,
    /// True if an answer has closed the breaker: the replays of all grants in doubt come forward.
    pub(super) breaker_closed: bool,
}

/// One look at one grant: what is shared, which grant it is, and what time it is.
pub(super) struct Context<'a> {
    pub(super) shared: &'a mut Shared,
    pub(super) grant: GrantId,
    pub(super) names: &'a Names,
    pub(super) now: Now,
}

impl Context<'_> {
    /// Asks for an operation on the store. Returns the number of its ticket.
    pub(super) fn store(&mut self, op: StoreOp) -> u64 {
        let ticket = self.ticket();
        self.shared.todo.push_back(Todo::Store { ticket, grant: self.name(), op });
        ticket.number
    }

    /// Asks for a request. Returns the number of its ticket.
    pub(super) fn send(&mut self, call: Call<Unread>, deadline: Duration) -> u64 {
        let ticket = self.ticket();
        self.shared.todo.push_back(Todo::Send { ticket, call, deadline });
        ticket.number
    }

    pub(super) fn tell(&mut self, kind: EventKind) {
        self.shared.todo.push_back(Todo::Tell(Event { grant: self.name(), kind }));
    }

    pub(super) fn odd(&mut self, odd: Odd) {
        self.tell(EventKind::Odd(odd));
    }

    pub(super) fn publish(&mut self, current: Current) {
        self.shared.todo.push_back(Todo::Publish { grant: self.grant, current });
    }

    pub(super) fn resolve(&mut self, waiter: WaiterId, result: Result<Option<Arc<Token>>, TokenError>) {
        self.shared.todo.push_back(Todo::Resolve { waiter, result });
    }

    fn name(&self) -> GrantName {
        self.names.name(self.grant.0)
    }

    /// The steady clock.
    pub(super) fn steady(&self) -> Duration {
        self.now.steady
    }

    /// The error of a refresh whose connection ended without an answer.
    pub(super) fn silence(&self, sent: &RefreshToken) -> Option<Error> {
        let (_, reader) = self.shared.client.refresh(sent).into_parts(self.now.wall);
        reader.fail(Stage::AwaitingHead, Failure::new(FailureKind::Timeout)).interpret().err()
    }

    fn ticket(&mut self) -> Ticket {
        self.shared.tickets = self.shared.tickets.wrapping_add(1);
        Ticket { grant: self.grant, number: self.shared.tickets }
    }
}
