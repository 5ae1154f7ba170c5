//! What goes into the machine, and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Answer, Call, Tokens};

use crate::event::Event;
use crate::name::GrantName;
use crate::operation::{StoreOp, StoreOutcome};
use crate::token::{Current, Token, TokenError};

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// The time came that [`Machine::wake_at`](crate::Machine::wake_at) named, or any other.
    Tick,
    /// The store executed an operation.
    Stored {
        /// The ticket of [`Todo::Store`].
        ticket: Ticket,
        /// The result.
        outcome: StoreOutcome,
    },
    /// A request has its answer, whole or not.
    Answered {
        /// The ticket of [`Todo::Send`].
        ticket: Ticket,
        /// The answer.
        answer: Answer<Unread>,
    },
    /// The driver hung up, and nothing is known of an answer. The connection is dead.
    HungUp {
        /// The ticket of [`Todo::Send`].
        ticket: Ticket,
    },
    /// Somebody wants a token.
    Wanted {
        /// The grant.
        grant: GrantId,
        /// Who waits.
        waiter: WaiterId,
        /// When the waiter gives up, on the steady clock.
        limit: Duration,
        /// How long the token must live on. More than a planned token can have left makes a refresh.
        valid_for: Duration,
    },
    /// The API answered 401 to the token of this generation.
    Rejected {
        /// The grant.
        grant: GrantId,
        /// [`Token::generation`].
        generation: u64,
    },
    /// A user logged in.
    LogIn {
        /// The grant.
        grant: GrantId,
        /// Who waits.
        waiter: WaiterId,
        /// When the waiter gives up, on the steady clock.
        limit: Duration,
        /// What the exchange gave.
        tokens: Box<Tokens>,
    },
    /// A user wants to log out: revoke the newest pair of the present login, and forget it.
    LogOut {
        /// The grant.
        grant: GrantId,
        /// Who waits.
        waiter: WaiterId,
        /// When the waiter gives up, on the steady clock.
        limit: Duration,
    },
    /// A waiter is gone: its future was dropped. What it started goes on.
    GaveUp {
        /// The waiter.
        waiter: WaiterId,
    },
    /// The process wants to end. Nothing new is begun; what is under way is finished.
    ShutDown,
}

/// What the driver has to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Todo {
    /// Executes an operation on the store, and passes the outcome in as [`Input::Stored`].
    Store {
        /// Names the operation.
        ticket: Ticket,
        /// The name of the grant.
        grant: GrantName,
        /// The operation.
        op: StoreOp,
    },
    /// Sends a request, and passes the answer in as [`Input::Answered`].
    Send {
        /// Names the request.
        ticket: Ticket,
        /// The request.
        call: Call<Unread>,
        /// When the driver hangs up, on the steady clock. Before it hangs up it reads what has arrived; a request that
        /// was written before the machine slept gets 15 more seconds after it woke.
        deadline: Duration,
    },
    /// Shows everybody what is known of a grant.
    Publish {
        /// The grant.
        grant: GrantId,
        /// What is known.
        current: Current,
    },
    /// Ends the wait of one waiter.
    Resolve {
        /// The waiter.
        waiter: WaiterId,
        /// What it waited for. `Ok(None)` ends a successful logout.
        result: Result<Option<Arc<Token>>, TokenError>,
    },
    /// Tells the program.
    Tell(Event),
}

/// Names a grant of a machine: its index, in the order in which [`Machine::watch`](crate::Machine::watch) saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId(pub u32);

/// Names one waiter. The driver chooses the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub u64);

/// Names one operation or request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    pub(crate) grant: GrantId,
    pub(crate) number: u64,
}
