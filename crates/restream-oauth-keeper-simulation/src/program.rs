//! What a process runs: the keeper's machine, a faulty version of it, or a peer's policy.
//!
//! A program takes reports and gives orders. Both name operations and requests by numbers that the program chooses, so
//! that the world can talk to programs that are no [`Machine`].

use std::time::Duration;

use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Answer, Call, Client, Tokens};
use restream_oauth_keeper::machine::{GrantId, Input, Machine, Ticket, Todo, WaiterId};
use restream_oauth_keeper::store::{StoreOp, StoreOutcome};
use restream_oauth_keeper::{Current, Event, GrantName, Now, Policy, TokenError};

use crate::disk::Content;

/// Names an operation or a request of one program.
pub(crate) type Id = u64;

/// An input of a program.
#[derive(Debug)]
pub(crate) enum Report {
    Tick,
    Stored {
        id: Id,
        outcome: StoreOutcome,
    },
    Answered {
        id: Id,
        answer: Answer<Unread>,
    },
    HungUp {
        id: Id,
    },
    Wanted {
        grant: usize,
        waiter: u64,
        limit: Duration,
        valid_for: Duration,
    },
    Rejected {
        grant: usize,
        generation: u64,
    },
    LogIn {
        grant: usize,
        waiter: u64,
        limit: Duration,
        tokens: Box<Tokens>,
    },
    LogOut {
        grant: usize,
        waiter: u64,
        limit: Duration,
    },
    GaveUp {
        waiter: u64,
    },
    ShutDown,
    /// The result of [`Order::Plain`].
    Plain {
        id: Id,
        content: Option<Content>,
    },
}

/// What a program asks for.
#[derive(Debug)]
pub(crate) enum Order {
    Store {
        id: Id,
        grant: usize,
        op: StoreOp,
    },
    Send {
        id: Id,
        call: Call<Unread>,
        deadline: Duration,
    },
    Show {
        grant: usize,
        token: Option<Shown>,
        fresh: bool,
    },
    Resolve {
        waiter: u64,
        result: Result<Option<Shown>, TokenError>,
    },
    Tell(Event),
    /// An access to the store past the rules of the keeper: for peers and faulty protocols.
    Plain {
        id: Id,
        grant: usize,
        access: Plain,
    },
}

/// An access to a plain file of tokens.
#[derive(Debug)]
pub(crate) enum Plain {
    Read,
    Write {
        content: Content,
        how: Writing,
    },
    Remove,
    /// Takes the lock, which expires after a while; `None`: it does not.
    Lock {
        lease: Option<Duration>,
    },
    Unlock,
}

/// How a plain file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Truncated, and then filled.
    InPlace,
    /// Replaced by a rename, without a sync.
    Renamed,
    /// Replaced by a rename, with both syncs.
    Synced,
}

/// A token that was given to somebody.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) access_token: String,
    pub(crate) generation: u64,
    pub(crate) usable_until: std::time::SystemTime,
}

/// What a process runs.
pub(crate) trait Program {
    fn report(&mut self, report: Report, now: Now);
    fn next(&mut self) -> Option<Order>;
    fn wake_at(&mut self) -> Option<Duration>;
    /// The saved form of a pair that the store refuses.
    fn export(&self, grant: usize) -> Option<String>;
    /// Whether nothing is under way.
    fn is_idle(&self) -> bool;
    /// How large its memory is: the length of a text that names all that its collections hold.
    fn size(&self) -> usize {
        0
    }
}

/// The keeper's machine as a program.
pub(crate) struct Keeper {
    machine: Machine,
    names: Vec<GrantName>,
    grants: Vec<GrantId>,
    tickets: Vec<(Id, Ticket)>,
    next: Id,
}

impl Keeper {
    pub(crate) fn new(client: Client, policy: Policy, names: &[GrantName], now: Now) -> Self {
        let mut machine = Machine::new(client, policy);
        let grants = names.iter().map(|name| machine.watch(name.clone(), None, now)).collect();
        Self { machine, names: names.to_vec(), grants, tickets: Vec::new(), next: 0 }
    }

    fn number(&mut self, ticket: Ticket) -> Id {
        self.next += 1;
        self.tickets.push((self.next, ticket));
        self.next
    }

    fn take(&mut self, id: Id) -> Option<Ticket> {
        let at = self.tickets.iter().position(|(known, _)| *known == id)?;
        Some(self.tickets.swap_remove(at).1)
    }
}

impl Program for Keeper {
    fn report(&mut self, report: Report, now: Now) {
        let input = match report {
            Report::Tick => Some(Input::Tick),
            Report::Stored { id, outcome } => self.take(id).map(|ticket| Input::Stored { ticket, outcome }),
            Report::Answered { id, answer } => self.take(id).map(|ticket| Input::Answered { ticket, answer }),
            Report::HungUp { id } => self.take(id).map(|ticket| Input::HungUp { ticket }),
            Report::Wanted { grant, waiter, limit, valid_for } => {
                Some(Input::Wanted { grant: self.grants[grant], waiter: WaiterId(waiter), limit, valid_for })
            }
            Report::Rejected { grant, generation } => Some(Input::Rejected { grant: self.grants[grant], generation }),
            Report::LogIn { grant, waiter, limit, tokens } => {
                Some(Input::LogIn { grant: self.grants[grant], waiter: WaiterId(waiter), limit, tokens })
            }
            Report::LogOut { grant, waiter, limit } => {
                Some(Input::LogOut { grant: self.grants[grant], waiter: WaiterId(waiter), limit })
            }
            Report::GaveUp { waiter } => Some(Input::GaveUp { waiter: WaiterId(waiter) }),
            Report::ShutDown => Some(Input::ShutDown),
            Report::Plain { .. } => None,
        };
        if let Some(input) = input {
            self.machine.handle(input, now);
        }
    }

    fn next(&mut self) -> Option<Order> {
        loop {
            return Some(match self.machine.poll()? {
                Todo::Store { ticket, grant, op } => {
                    let grant = self.names.iter().position(|name| *name == grant)?;
                    Order::Store { id: self.number(ticket), grant, op }
                }
                Todo::Send { ticket, call, deadline } => Order::Send { id: self.number(ticket), call, deadline },
                Todo::Publish { grant, current } => {
                    let Some(grant) = self.grants.iter().position(|known| *known == grant) else { continue };
                    let fresh = matches!(current, Current::Fresh(_));
                    Order::Show { grant, token: current.token().map(|token| shown(token)), fresh }
                }
                Todo::Resolve { waiter, result } => {
                    Order::Resolve { waiter: waiter.0, result: result.map(|token| token.map(|token| shown(&token))) }
                }
                Todo::Tell(event) => Order::Tell(event),
                _ => continue,
            });
        }
    }

    fn wake_at(&mut self) -> Option<Duration> {
        self.machine.wake_at()
    }

    fn export(&self, grant: usize) -> Option<String> {
        self.machine.export(self.grants[grant]).map(|saved| saved.to_string())
    }

    fn is_idle(&self) -> bool {
        self.machine.is_idle()
    }

    fn size(&self) -> usize {
        format!("{:?}", self.machine).len()
    }
}

fn shown(token: &restream_oauth_keeper::Token) -> Shown {
    Shown {
        access_token: token.access_token().expose_secret().to_owned(),
        generation: token.generation(),
        usable_until: token.usable_until(),
    }
}
