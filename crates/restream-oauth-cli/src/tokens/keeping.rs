//! Drives the keeper's machine over one token file. The caller sends the requests, and judges what the machine tells.
//!
//! The machine decides everything: when the file is claimed, what is written before a request is sent and after its
//! response came, and what the response means for the tokens.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Answer, Call, Client, Tokens};
use restream_oauth_keeper::machine::{GrantId, Input, Machine, Ticket, Todo, WaiterId};
use restream_oauth_keeper::store::{StoreError, StoreOp, StoreOutcome};
use restream_oauth_keeper::{EventKind, Now, Policy, Stored, Token, TokenError};
use zeroize::Zeroizing;

use crate::tokens::file::TokenFile;

/// The longest sleep: timers stand still while a computer sleeps.
const LONGEST_NAP: Duration = Duration::from_secs(30);
/// There is one waiter at a time.
const WAITER: WaiterId = WaiterId(0);

/// One grant under the machine.
pub(crate) struct Keeping<'a> {
    file: &'a mut TokenFile,
    machine: Machine,
    grant: GrantId,
    begun: Instant,
    told: VecDeque<Told>,
}

/// What happened.
pub(crate) enum Told {
    Event(EventKind),
    /// The wait ended.
    Resolved(Result<Option<Arc<Token>>, TokenError>),
    /// The tokens of a login are kept under a name of their own, or could not be.
    Stashed(Result<(), StoreError>),
    /// Another process has the file.
    Busy,
    /// The claim is there; this is what the file holds.
    Claimed(Stored),
    /// The file could not be claimed, or a login not be put in place.
    NotStored(StoreError),
}

/// A request that the machine asks for.
pub(crate) struct Request {
    pub(crate) ticket: Ticket,
    pub(crate) call: Call<Unread>,
    /// How long it may take.
    pub(crate) limit: Duration,
}

impl<'a> Keeping<'a> {
    pub(crate) fn of(file: &'a mut TokenFile, client: &Client) -> Self {
        let mut machine = Machine::new(client.clone(), Policy::default());
        let begun = Instant::now();
        let grant = machine.watch(file.grant().clone(), None, now(begun));
        Self { file, machine, grant, begun, told: VecDeque::new() }
    }

    pub(crate) fn file(&self) -> &TokenFile {
        self.file
    }

    /// Says that another process has the file, once.
    pub(crate) fn say_busy(&mut self) {
        self.file.say_busy();
    }

    /// The time that has passed since the beginning. The claim is a lock that is held however long the computer sleeps,
    /// so the clock need not count that.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Asks for a token that lives on for `valid_for`, and waits for at most `patience`. More life than any token has makes
    /// one refresh.
    pub(crate) fn want(&mut self, valid_for: Duration, patience: Duration) {
        let limit = self.elapsed().saturating_add(patience);
        self.handle(Input::Wanted { grant: self.grant, waiter: WAITER, limit, valid_for });
    }

    /// Says that the token of this generation is of no use. In doubt, the next attempt then comes at once if somebody
    /// waits, unless one was brought forward not long ago.
    pub(crate) fn reject(&mut self, generation: u64) {
        self.handle(Input::Rejected { grant: self.grant, generation });
    }

    /// Asks to store the tokens of a login, and to begin nothing else.
    pub(crate) fn log_in(&mut self, tokens: Tokens, limit: Duration) {
        self.handle(Input::LogIn { grant: self.grant, waiter: WAITER, limit, tokens: Box::new(tokens) });
        self.handle(Input::ShutDown);
    }

    pub(crate) fn tick(&mut self) {
        self.handle(Input::Tick);
    }

    pub(crate) fn answered(&mut self, ticket: Ticket, answer: Answer<Unread>) {
        self.handle(Input::Answered { ticket, answer });
    }

    /// Nothing is known of a response, and the connection is dead.
    pub(crate) fn hung_up(&mut self, ticket: Ticket) {
        self.handle(Input::HungUp { ticket });
    }

    /// Lets the machine read the file, so that from now on a wish for a token means one that is newer than what the file holds
    /// now.
    pub(crate) fn look(&mut self) {
        while let Some(todo) = self.machine.poll() {
            let reads = matches!(&todo, Todo::Store { op: StoreOp::Read, .. });
            // Nothing is sent before the file was read.
            if self.perform(todo).is_some() || reads {
                return;
            }
        }
    }

    /// Does everything that the machine asks for, up to the next request.
    pub(crate) fn advance(&mut self) -> Option<Request> {
        while let Some(todo) = self.machine.poll() {
            let request = self.perform(todo);
            if request.is_some() {
                return request;
            }
        }
        None
    }

    fn perform(&mut self, todo: Todo) -> Option<Request> {
        match todo {
            Todo::Send { ticket, call, deadline } => {
                let limit = deadline.saturating_sub(self.elapsed());
                return Some(Request { ticket, call, limit });
            }
            Todo::Store { ticket, op, .. } => self.execute(ticket, op),
            Todo::Tell(event) => self.told.push_back(Told::Event(event.kind)),
            Todo::Resolve { result, .. } => self.told.push_back(Told::Resolved(result)),
            _ => {}
        }
        None
    }

    /// The next thing that happened.
    pub(crate) fn told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// When the next request may be sent, if something holds it up.
    pub(crate) fn next_request_at(&self) -> Option<Duration> {
        self.machine.next_request_at(self.grant, now(self.begun))
    }

    /// How long to sleep before the machine has something to do.
    pub(crate) fn nap(&mut self) -> Duration {
        let wake = self.machine.wake_at().unwrap_or(Duration::MAX);
        wake.saturating_sub(self.elapsed()).min(LONGEST_NAP)
    }

    /// The saved form of tokens that are in memory alone, because the file cannot be written.
    pub(crate) fn export(&self) -> Option<Zeroizing<String>> {
        self.machine.export(self.grant)
    }

    fn execute(&mut self, ticket: Ticket, op: StoreOp) {
        let (stashes, claims) = (matches!(op, StoreOp::Stash { .. }), matches!(op, StoreOp::Claim));
        let claims_or_inserts = claims || matches!(op, StoreOp::Insert { .. });
        let outcome = self.file.execute(op);
        match &outcome {
            StoreOutcome::Failed(error) if stashes => self.told.push_back(Told::Stashed(Err(error.clone()))),
            _ if stashes => self.told.push_back(Told::Stashed(Ok(()))),
            StoreOutcome::Failed(error) if claims_or_inserts => self.told.push_back(Told::NotStored(error.clone())),
            StoreOutcome::Busy => self.told.push_back(Told::Busy),
            StoreOutcome::Claimed(claimed) => self.told.push_back(Told::Claimed(claimed.stored.clone())),
            _ => {}
        }
        self.handle(Input::Stored { ticket, outcome });
    }

    fn handle(&mut self, input: Input) {
        self.machine.handle(input, now(self.begun));
    }
}

fn now(begun: Instant) -> Now {
    Now { wall: SystemTime::now(), steady: begun.elapsed() }
}
