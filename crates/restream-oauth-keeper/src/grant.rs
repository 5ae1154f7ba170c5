//! One grant, as programs hold it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use restream_oauth_core::Tokens;

use crate::cell::{Cell, TokenReader};
use crate::drive::block_on;
use crate::hub::{Hub, Outcome, Wait};
use crate::machine::{GrantId, Input, WaiterId};
use crate::name::GrantName;
use crate::token::{Current, Gone, Token, TokenError};

/// How long a caller waits, unless it says otherwise: longer than a request may take.
const LIMIT: Duration = Duration::from_secs(90);
/// A thread ends its wait by itself if the driver is this late.
const LATE: Duration = Duration::from_secs(2);

/// One grant of a [`Keeper`](crate::Keeper). Cheap to clone.
///
/// Methods that wait end after 90 seconds, or after another [limit](Self::with_limit). To drop their futures ends the
/// wait, and nothing else: a refresh that runs goes on and serves those who ask later.
///
/// If nothing drives the keeper, they fail with [`NotRunning`](TokenError::NotRunning). Before the driver has begun, they
/// wait for it: as long as their limit allows if [`run`](crate::Keeper::run) was called and its future was not polled yet,
/// and 10 seconds at most if it was not even called. After a driver has ended, they fail at once. A token that is promised
/// is given out at any time.
#[derive(Clone)]
pub struct Grant {
    hub: Arc<Hub>,
    id: GrantId,
    cell: Arc<Cell>,
    limit: Duration,
}

impl Grant {
    pub(crate) fn new(hub: Arc<Hub>, id: GrantId, cell: Arc<Cell>) -> Self {
        Self { hub, id, cell, limit: LIMIT }
    }

    /// The name of the grant in its store.
    pub fn name(&self) -> GrantName {
        self.hub.name(self.id)
    }

    /// The same grant with another limit for everything that waits. A limit of ten seconds or more may end up to a second
    /// early, since callers who wait for the same token wait as one.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    // Tokens.

    /// The access token: the present one while it is promised, or the next one, when the one refresh that runs for
    /// everybody has ended.
    ///
    /// While the present token lives, trouble with the refresh is no error: the present token is given out.
    ///
    /// # Errors
    /// [`TokenError`] says why there is none.
    pub async fn token(&self) -> Result<Arc<Token>, TokenError> {
        self.token_for(Duration::ZERO).await
    }

    /// Like [`token`](Self::token), for a token that lives on for this long. If no token can, a new one is the best.
    ///
    /// More than a promised token has left makes a refresh, and the present token invalid for everybody who has it.
    ///
    /// # Errors
    /// As for [`token`](Self::token).
    pub async fn token_for(&self, valid_for: Duration) -> Result<Arc<Token>, TokenError> {
        match self.promised(valid_for) {
            Some(token) => Ok(token),
            None => some_token(self.want(valid_for)?.await),
        }
    }

    /// Like [`token`](Self::token), with a limit for this call.
    ///
    /// # Errors
    /// As for [`token`](Self::token).
    pub async fn token_within(&self, limit: Duration) -> Result<Arc<Token>, TokenError> {
        self.clone().with_limit(limit).token().await
    }

    /// [`token`](Self::token) for threads. It would block a runtime: tasks use `token`.
    ///
    /// # Errors
    /// As for [`token`](Self::token).
    pub fn wait(&self) -> Result<Arc<Token>, TokenError> {
        self.wait_for(Duration::ZERO)
    }

    /// [`token_for`](Self::token_for) for threads.
    ///
    /// # Errors
    /// As for [`token`](Self::token).
    pub fn wait_for(&self, valid_for: Duration) -> Result<Arc<Token>, TokenError> {
        match self.promised(valid_for) {
            Some(token) => Ok(token),
            None => some_token(self.block_on(self.want(valid_for)?)),
        }
    }

    /// What is known of the token. Never waits and reads no clock: it is what the driver set last.
    pub fn current(&self) -> Current {
        self.cell.current()
    }

    /// A reader for hot loops.
    pub fn reader(&self) -> TokenReader {
        TokenReader::new(Arc::clone(&self.cell))
    }

    /// Waits for a token of a later generation than this one, for as long as it takes: for a connection that carries a
    /// token in its URL, and has to be made anew with the next one. It asks for no refresh. In
    /// [`Warm`](crate::Mode::Warm) mode there is one ahead of the end, otherwise when somebody asks for a token.
    ///
    /// # Errors
    /// [`TokenError::Gone`] if there will be none, and `NotRunning` or `ShuttingDown` when the driver has ended.
    pub async fn changed(&self, generation: u64) -> Result<Arc<Token>, TokenError> {
        Changed { grant: self, generation, watcher: 0 }.await
    }

    /// Tells the keeper that the API answered 401 to a token. If it is the newest one, it is refreshed once, however many
    /// callers say so; an older one says nothing.
    ///
    /// A token that is less than ten minutes old is refreshed a minute later at the earliest, since an API that refuses
    /// every token must not cause an endless chain of refreshes.
    pub fn rejected(&self, token: &Token) {
        self.hub.tell(Input::Rejected { grant: self.id, generation: token.generation() });
    }

    // Logins and logouts.

    /// Stores the tokens of a login in place of what is stored. Returns when they are durable.
    ///
    /// If the limit passes, the login goes on without the caller.
    ///
    /// # Errors
    /// [`TokenError`]. The caller still has the tokens.
    pub async fn log_in(&self, tokens: &Tokens) -> Result<Arc<Token>, TokenError> {
        some_token(self.ask_to_log_in(tokens)?.await)
    }

    /// [`log_in`](Self::log_in) for threads.
    ///
    /// # Errors
    /// As for `log_in`.
    pub fn log_in_blocking(&self, tokens: &Tokens) -> Result<Arc<Token>, TokenError> {
        some_token(self.block_on(self.ask_to_log_in(tokens)?))
    }

    /// Ends the present login: waits for a refresh that runs, revokes the newest pair, and forgets it.
    ///
    /// # Errors
    /// [`TokenError`]. If the limit passed, the keeper goes on trying, and so does the next one.
    pub async fn log_out(&self) -> Result<(), TokenError> {
        self.ask_to_log_out()?.await.map(drop)
    }

    /// [`log_out`](Self::log_out) for threads.
    ///
    /// # Errors
    /// As for `log_out`.
    pub fn log_out_blocking(&self) -> Result<(), TokenError> {
        self.block_on(self.ask_to_log_out()?).map(drop)
    }

    fn promised(&self, valid_for: Duration) -> Option<Arc<Token>> {
        self.cell.promised(valid_for, &self.hub.clock.now())
    }

    fn want(&self, valid_for: Duration) -> Result<Wait, TokenError> {
        let of = valid_for.is_zero().then_some(self.id);
        self.hub.ask(self.limit, of, |waiter, limit| Input::Wanted { grant: self.id, waiter, limit, valid_for })
    }

    fn ask_to_log_in(&self, tokens: &Tokens) -> Result<Wait, TokenError> {
        let tokens = Box::new(tokens.clone());
        self.ask(|grant, waiter, limit| Input::LogIn { grant, waiter, limit, tokens })
    }

    fn ask_to_log_out(&self) -> Result<Wait, TokenError> {
        self.ask(|grant, waiter, limit| Input::LogOut { grant, waiter, limit })
    }

    fn ask(&self, input: impl FnOnce(GrantId, WaiterId, Duration) -> Input) -> Result<Wait, TokenError> {
        self.hub.ask(self.limit, None, |waiter, limit| input(self.id, waiter, limit))
    }

    fn block_on(&self, wait: Wait) -> Outcome {
        let limit = self.limit.saturating_add(LATE);
        block_on(wait, Some(limit)).unwrap_or(Err(TokenError::TimedOut { last: None }))
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("name", &self.name().as_str()).finish_non_exhaustive()
    }
}

/// The machine answers those who want a token with a token.
fn some_token(outcome: Outcome) -> Result<Arc<Token>, TokenError> {
    outcome?.ok_or(TokenError::Gone(Gone::LoggedOut))
}

/// Waits for a later generation.
struct Changed<'a> {
    grant: &'a Grant,
    generation: u64,
    /// The number under which the hub knows the waker.
    watcher: u64,
}

impl Future for Changed<'_> {
    type Output = Result<Arc<Token>, TokenError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { grant, generation, .. } = *self;
        // First the waker, then the look: a change between the two wakes.
        grant.hub.watch(grant.id, &mut self.watcher, context.waker());
        match grant.current() {
            Current::Gone(gone) => return Poll::Ready(Err(TokenError::Gone(gone))),
            Current::Fresh(token) | Current::Stale(token) if token.generation() > generation => {
                return Poll::Ready(Ok(token));
            }
            _ => {}
        }
        match grant.hub.ended() {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Pending,
        }
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        self.grant.hub.unwatch(self.grant.id, self.watcher);
    }
}
