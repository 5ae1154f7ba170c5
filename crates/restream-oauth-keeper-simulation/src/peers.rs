//! What other programs do about rotating tokens, in the same world.
//!
//! Five policies that are common in the field, as one small program with four switches. None marks what it is about to
//! send, none spools an answer, and none can tell a lost answer from a revoked grant.

use std::collections::VecDeque;
use std::time::Duration;

use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Answer, Client, RefreshToken, Tokens};
use restream_oauth_keeper::{Death, DeathCause, Gone, Now, Record, TokenError};

use crate::disk::Content;
use crate::program::{Id, Order, Plain, Program, Report, Shown, Writing};

/// A policy of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "`about` says what each one is")]
pub enum Peer {
    MutexOnly,
    LockPerAccess,
    ShortLease,
    ResendOnTimeout,
    CallersFuture,
}

impl Peer {
    /// All policies.
    pub const ALL: [Self; 5] =
        [Self::MutexOnly, Self::LockPerAccess, Self::ShortLease, Self::ResendOnTimeout, Self::CallersFuture];

    /// What the policy is.
    pub fn about(self) -> &'static str {
        match self {
            Self::MutexOnly => "a mutex in the process, and nothing between processes",
            Self::LockPerAccess => "a lock around each access to the file, and none around the refresh",
            Self::ShortLease => "a lock around the refresh that expires after 2 s",
            Self::ResendOnTimeout => "a lock around the refresh; after 10 s of silence the token is sent again",
            Self::CallersFuture => "a lock around the refresh; the refresh ends with the caller's future",
        }
    }

    /// Takes a lock before it refreshes, and reads the file again after it was taken.
    fn locks(self) -> bool {
        matches!(self, Self::ShortLease | Self::ResendOnTimeout | Self::CallersFuture)
    }

    /// Reads the file before each refresh.
    fn reads(self) -> bool {
        self != Self::MutexOnly
    }
}

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much life a token needs to be given out.
const MARGIN: Duration = Duration::from_secs(60);

/// A program with one of the policies.
pub(crate) struct PeerProgram {
    peer: Peer,
    client: Client,
    grants: Vec<State>,
    out: VecDeque<Order>,
    /// What each number stands for.
    asked: Vec<(Id, usize, Step)>,
    number: Id,
    now: Option<Now>,
}

#[derive(Default)]
struct State {
    record: Option<Box<Record>>,
    waiters: Vec<u64>,
    is_busy: bool,
    has_lock: bool,
    resends: u32,
    retry_at: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Lock,
    Read,
    Send,
    Revoke(u64),
    Ignore,
}

impl PeerProgram {
    pub(crate) fn new(peer: Peer, client: Client, grants: usize) -> Self {
        let grants = (0..grants).map(|_| State::default()).collect();
        Self { peer, client, grants, out: VecDeque::new(), asked: Vec::new(), number: 0, now: None }
    }

    fn ask(&mut self, grant: usize, step: Step) -> Id {
        self.number += 1;
        self.asked.push((self.number, grant, step));
        self.number
    }

    fn access(&mut self, grant: usize, step: Step, access: Plain) {
        let id = self.ask(grant, step);
        self.out.push_back(Order::Plain { id, grant, access });
    }

    /// Gives the token to those who wait if it is fresh; begins a refresh if it is not.
    fn go_on(&mut self, grant: usize, after_read: bool) {
        let Some(now) = self.now else { return };
        let state = &self.grants[grant];
        if state.waiters.is_empty() {
            return self.stop(grant);
        }
        match &state.record {
            Some(record) if record.death.is_none() && record.tokens.is_fresh(now.wall, MARGIN) => self.give(grant),
            Some(record) if after_read && record.death.is_none() => self.refresh(grant),
            Some(_) if after_read => self.fail(grant, TokenError::Gone(Gone::Dead(DeathCause::Revoked))),
            None if after_read => self.fail(grant, TokenError::Gone(Gone::NeverLoggedIn)),
            _ if state.is_busy => {}
            known => {
                let has_record = known.is_some();
                self.grants[grant].is_busy = true;
                if self.peer.locks() {
                    self.lock(grant);
                } else if self.peer.reads() || !has_record {
                    self.access(grant, Step::Read, Plain::Read);
                } else {
                    self.go_on(grant, true);
                }
            }
        }
    }

    fn lock(&mut self, grant: usize) {
        let lease = (self.peer == Peer::ShortLease).then_some(Duration::from_secs(2));
        self.access(grant, Step::Lock, Plain::Lock { lease });
    }

    fn refresh(&mut self, grant: usize) {
        let Some(now) = self.now else { return };
        let Some(token) = self.grants[grant].record.as_ref().and_then(|it| it.refresh_token().cloned()) else {
            return self.fail(grant, TokenError::Gone(Gone::Dead(DeathCause::NoRefreshToken)));
        };
        let patience = if self.peer == Peer::ResendOnTimeout { Duration::from_secs(10) } else { PATIENCE };
        let (call, _) = self.client.refresh(&token).unread();
        let id = self.ask(grant, Step::Send);
        self.out.push_back(Order::Send { id, call, deadline: now.steady + patience });
    }

    fn answered(&mut self, grant: usize, answer: &Answer<Unread>) {
        let Some(now) = self.now else { return };
        let Some(record) = self.grants[grant].record.clone() else { return self.stop(grant) };
        let Some(token) = record.refresh_token().map(|it| it.expose_secret().to_owned()) else { return };
        let (_, reader) = self.client.refresh(&RefreshToken::new(token)).into_parts(now.wall);
        let whole = answer.is_whole();
        let answer = reader.restore_answer(answer.to_saved().expose_secret());
        match answer.map(Answer::interpret) {
            // A body that is cut is an error in every JSON parser.
            Ok(Ok(tokens)) if whole => self.keep(grant, &record, tokens),
            Ok(Err(error)) if error.advice() == restream_oauth_core::Advice::Reauthorize => {
                self.is_refused(grant, &record);
            }
            _ => self.unanswered(grant),
        }
    }

    fn keep(&mut self, grant: usize, record: &Record, tokens: Tokens) {
        let usable_until = tokens.expires_at();
        let tokens = if tokens.refresh_token().is_some() { tokens } else { record.tokens.clone() };
        let record = Box::new(Record { tokens, usable_until, generation: record.generation + 1, ..record.clone() });
        self.grants[grant].record = Some(record.clone());
        self.write(grant, record);
        self.give(grant);
    }

    fn is_refused(&mut self, grant: usize, record: &Record) {
        let at = self.now.map_or(std::time::SystemTime::UNIX_EPOCH, |now| now.wall);
        let record = Box::new(Record { death: Some(Death { why: DeathCause::Revoked, at }), ..record.clone() });
        self.grants[grant].record = None;
        self.write(grant, record);
        self.fail(grant, TokenError::Gone(Gone::Dead(DeathCause::Revoked)));
    }

    fn unanswered(&mut self, grant: usize) {
        let state = &mut self.grants[grant];
        if self.peer == Peer::ResendOnTimeout && state.resends < 2 {
            state.resends += 1;
            self.refresh(grant);
        } else {
            self.fail(grant, TokenError::TimedOut { last: None });
        }
    }

    fn write(&mut self, grant: usize, record: Box<Record>) {
        let how = if self.peer == Peer::MutexOnly { Writing::InPlace } else { Writing::Renamed };
        self.access(grant, Step::Ignore, Plain::Write { content: Content::Record(record), how });
    }

    fn give(&mut self, grant: usize) {
        let state = &mut self.grants[grant];
        let Some(record) = &state.record else { return };
        let token = Shown {
            access_token: record.tokens.access_token().expose_secret().to_owned(),
            generation: record.generation,
            usable_until: record.usable_until,
        };
        for waiter in std::mem::take(&mut state.waiters) {
            self.out.push_back(Order::Resolve { waiter, result: Ok(Some(token.clone())) });
        }
        self.stop(grant);
    }

    fn fail(&mut self, grant: usize, error: TokenError) {
        for waiter in std::mem::take(&mut self.grants[grant].waiters) {
            self.out.push_back(Order::Resolve { waiter, result: Err(error.clone()) });
        }
        self.stop(grant);
    }

    fn stop(&mut self, grant: usize) {
        let state = &mut self.grants[grant];
        state.is_busy = false;
        state.resends = 0;
        state.retry_at = None;
        if std::mem::take(&mut state.has_lock) {
            self.access(grant, Step::Ignore, Plain::Unlock);
        }
    }

    fn plain(&mut self, grant: usize, step: Step, content: Option<Content>) {
        match (step, content) {
            (Step::Lock, Some(_)) => {
                self.grants[grant].has_lock = true;
                self.access(grant, Step::Read, Plain::Read);
            }
            (Step::Lock, None) => {
                self.grants[grant].retry_at = self.now.map(|now| now.steady + Duration::from_millis(100));
            }
            (Step::Read, Some(Content::Record(record))) => {
                self.grants[grant].record = Some(record);
                self.go_on(grant, true);
            }
            (Step::Read, _) => {
                self.grants[grant].record = None;
                self.go_on(grant, true);
            }
            _ => {}
        }
    }
}

impl Program for PeerProgram {
    fn report(&mut self, report: Report, now: Now) {
        self.now = Some(now);
        let mut take = |id: Id| {
            let at = self.asked.iter().position(|(known, ..)| *known == id)?;
            Some(self.asked.swap_remove(at))
        };
        match report {
            Report::Plain { id, content } => {
                if let Some((_, grant, step)) = take(id) {
                    self.plain(grant, step, content);
                }
            }
            Report::Answered { id, answer } => match take(id) {
                Some((_, grant, Step::Send)) => self.answered(grant, &answer),
                Some((_, _, Step::Revoke(waiter))) => self.out.push_back(Order::Resolve { waiter, result: Ok(None) }),
                _ => {}
            },
            Report::HungUp { id } => match take(id) {
                Some((_, grant, Step::Send)) => self.unanswered(grant),
                Some((_, _, Step::Revoke(waiter))) => self.out.push_back(Order::Resolve { waiter, result: Ok(None) }),
                _ => {}
            },
            Report::Wanted { grant, waiter, .. } => {
                self.grants[grant].waiters.push(waiter);
                self.go_on(grant, false);
            }
            // With `CallersFuture` the driver has dropped the request too.
            Report::GaveUp { waiter } => {
                self.grants.iter_mut().for_each(|state| state.waiters.retain(|known| *known != waiter));
            }
            Report::LogIn { grant, waiter, tokens, .. } => {
                let usable_until = tokens.expires_at();
                let record = Box::new(Record::of_login(*tokens, usable_until));
                self.grants[grant].record = Some(record.clone());
                self.write(grant, record);
                self.out.push_back(Order::Resolve { waiter, result: Ok(None) });
            }
            Report::LogOut { grant, waiter, .. } => {
                let record = self.grants[grant].record.take();
                self.access(grant, Step::Ignore, Plain::Remove);
                if let Some(token) = record.as_ref().and_then(|it| it.refresh_token()) {
                    let (call, _) = self.client.revoke(token).unread();
                    let id = self.ask(grant, Step::Revoke(waiter));
                    self.out.push_back(Order::Send { id, call, deadline: now.steady + PATIENCE });
                } else {
                    self.out.push_back(Order::Resolve { waiter, result: Ok(None) });
                }
            }
            Report::Tick => {
                for grant in 0..self.grants.len() {
                    if self.grants[grant].retry_at.is_some_and(|at| at <= now.steady) {
                        self.grants[grant].retry_at = None;
                        self.lock(grant);
                    }
                }
            }
            Report::Rejected { .. } | Report::Stored { .. } | Report::ShutDown => {}
        }
    }

    fn next(&mut self) -> Option<Order> {
        self.out.pop_front()
    }

    fn wake_at(&mut self) -> Option<Duration> {
        self.grants.iter().filter_map(|state| state.retry_at).min()
    }

    fn export(&self, _grant: usize) -> Option<String> {
        None
    }

    fn is_idle(&self) -> bool {
        self.grants.iter().all(|state| !state.is_busy)
    }
}
