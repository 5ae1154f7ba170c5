//! The keeper of many grants, as programs hold it.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::poll_fn;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Answer, Call, Client};
use zeroize::Zeroizing;

use crate::clock::Now;
use crate::drive::{self, AlreadyRunning};
use crate::grant::Grant;
use crate::hub::{Hub, Left};
use crate::name::{GrantName, InvalidGrantName};
use crate::operation::Store;
use crate::policy::{Mode, Policy};
use crate::steady::Clock;
use crate::told::Events;

/// The longest time that a request may take. Claims of shared stores live longer than this, and not much.
const LONGEST_REQUEST: Duration = Duration::from_secs(75);
/// How long a keeper that shuts down waits for what is under way: longer than any request, and shorter than service
/// managers wait before they kill a process.
const SHUT_DOWN_LIMIT: Duration = Duration::from_secs(85);

/// Keeps grants alive: refreshes each of them in time, by one request at a time, and never loses a new pair. A keeper is
/// cheap to clone; its clones are the same keeper.
///
/// A keeper does nothing by itself. Something has to drive it: [`run`](Self::run) in a task, or
/// [`run_blocking`](Self::run_blocking) in a thread.
///
/// ```no_run
/// # async fn example(
/// #     client: restream_oauth_core::Client,
/// #     store: restream_oauth_keeper::store::MemoryStore,
/// #     transport: restream_oauth_hyper::Transport,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// use restream_oauth_keeper::Keeper;
///
/// let keeper = Keeper::open(client, store);
/// tokio::spawn(keeper.run(async move |call| transport.receive(call).await, tokio::time::sleep));
///
/// let grant = keeper.grant("default")?;
/// let token = grant.token().await?;
/// let header = token.access_token().bearer_header()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Keeper {
    hub: Arc<Hub>,
}

impl Keeper {
    /// A keeper with the default settings.
    pub fn open(client: Client, store: impl Store) -> Self {
        Self { hub: Arc::new(Hub::new(client, random_policy(), Clock::system(), store)) }
    }

    /// Begins a keeper with other settings.
    pub fn builder<S: Store>(client: Client, store: S) -> KeeperBuilder<S> {
        KeeperBuilder { client, store, policy: random_policy(), request_limit: None, clock: None }
    }

    /// Keeps a grant, in the mode of the policy, from now on. Its name is what the store calls it.
    ///
    /// # Errors
    /// [`InvalidGrantName`] if a store cannot use the name.
    pub fn grant(&self, name: &str) -> Result<Grant, InvalidGrantName> {
        Ok(self.keep(name.parse()?, None))
    }

    /// Keeps a grant in a mode of its own. A grant that is kept already stays in its mode.
    ///
    /// # Errors
    /// [`InvalidGrantName`] if a store cannot use the name.
    pub fn grant_in_mode(&self, name: &str, mode: Mode) -> Result<Grant, InvalidGrantName> {
        Ok(self.keep(name.parse()?, Some(mode)))
    }

    /// The grant, if this keeper keeps it already. Asks the store for nothing, and keeps no further grant: for a program
    /// whose callers choose the name.
    ///
    /// ```
    /// use restream_oauth_core::Client;
    /// use restream_oauth_keeper::Keeper;
    /// use restream_oauth_keeper::store::MemoryStore;
    ///
    /// let client = Client::builder("id").redirect_uri("https://app.example/callback").build()?;
    /// let keeper = Keeper::open(client, MemoryStore::new());
    /// assert!(keeper.kept("channel-7").is_none());
    /// let grant = keeper.grant("channel-7")?;
    /// assert_eq!(keeper.kept("channel-7").map(|kept| kept.name()), Some(grant.name()));
    /// assert!(keeper.kept("channel-8").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn kept(&self, name: &str) -> Option<Grant> {
        let (id, cell) = self.hub.kept(&name.parse().ok()?)?;
        Some(Grant::new(Arc::clone(&self.hub), id, cell))
    }

    fn keep(&self, name: GrantName, mode: Option<Mode>) -> Grant {
        let (id, cell) = self.hub.grant(name, mode);
        Grant::new(Arc::clone(&self.hub), id, cell)
    }

    /// Drives the keeper: a future for any runtime, which ends when the keeper has shut down. Spawn it once.
    ///
    /// `send` sends one call, of whatever kind, and gives its answer: the `receive` of an adapter. `sleep` is the sleep of
    /// the runtime.
    ///
    /// The future is `Send` if those of `send` and `sleep` are, so it can be spawned on a runtime with many threads, and
    /// on one with a single thread if they are not. (`send` is an `AsyncFn`, so that the closure can lend what it owns to
    /// the futures that it makes. Stable Rust cannot demand `Send` of such a future by a bound, and need not: the compiler
    /// looks whether the whole is `Send` where it is spawned. Spawn this future itself: inside of another `async` block, the
    /// compiler may fail to see it, and says "implementation of `Send` is not general enough" or "higher-ranked lifetime
    /// error".)
    ///
    /// - A request is dropped 75 seconds after its claim began, when what has arrived by then was read once more. If the
    ///   machine slept in the meantime, the request gets 15 seconds more.
    /// - A panic in `send` or in the store does not end the keeper. What the server did is unknown then.
    /// - Dropping the future cuts off what is in flight. The refreshes are in doubt then, and a later `run` of the same
    ///   keeper goes on with them. [`shut_down`](Self::shut_down) is better.
    ///
    /// # Errors
    /// [`AlreadyRunning`] at once, if another driver of this keeper runs.
    pub fn run<F, S, D>(&self, send: F, sleep: S) -> impl Future<Output = Result<(), AlreadyRunning>> + use<F, S, D>
    where
        F: AsyncFn(Call<Unread>) -> Answer<Unread>,
        S: Fn(Duration) -> D,
        D: Future,
    {
        drive::run(&self.hub, async move |call, _limit| Some(send(call).await), sleep, true)
    }

    /// Drives the keeper on this thread, and returns when the keeper has shut down. Each request in flight has a thread of
    /// its own.
    ///
    /// `send` sends one call and gives its answer. It is told how long it may take. A call that takes longer is not
    /// interrupted: everything else of its grant waits for it.
    ///
    /// ```no_run
    /// # fn example(keeper: restream_oauth_keeper::Keeper, transport: restream_oauth_ureq::Transport) {
    /// let driven = keeper.clone();
    /// std::thread::spawn(move || driven.run_blocking(|call, _limit| transport.receive(call)));
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AlreadyRunning`] at once, if another driver of this keeper runs.
    pub fn run_blocking<F>(&self, send: F) -> Result<(), AlreadyRunning>
    where
        F: Fn(Call<Unread>, Duration) -> Answer<Unread> + Sync,
    {
        drive::run_blocking(&self.hub, &send)
    }

    /// Receives what happens to the grants from now on.
    pub fn events(&self) -> Events {
        self.hub.events()
    }

    /// The settings of this keeper.
    ///
    /// ```
    /// # fn example(keeper: restream_oauth_keeper::Keeper) {
    /// println!("{} requests a second", keeper.policy().requests_per_second);
    /// # }
    /// ```
    pub fn policy(&self) -> Policy {
        self.hub.policy()
    }

    /// How many grants this keeper keeps: each whose name it was ever given.
    ///
    /// ```
    /// # fn example(keeper: restream_oauth_keeper::Keeper) -> Result<(), restream_oauth_keeper::InvalidGrantName> {
    /// keeper.grant("default")?;
    /// println!("{} grants", keeper.count());
    /// # Ok(())
    /// # }
    /// ```
    pub fn count(&self) -> usize {
        self.hub.count()
    }

    /// The saved form of a pair that is in memory alone, because the store refuses it
    /// ([`Stranded`](crate::EventKind::Stranded)); `None` if there is none. Write it to a safe place: it holds secrets.
    pub fn export(&self, name: &str) -> Option<Zeroizing<String>> {
        self.hub.export(name)
    }

    /// What the keeper would leave if it ended now.
    pub fn left(&self) -> Left {
        self.hub.left()
    }

    /// Shuts the keeper down: begins nothing new, finishes what is under way within 85 seconds, and ends the driver.
    /// Returns what was left.
    ///
    /// Promised tokens are given out to the end, and nothing is revoked. Dropping the future does not stop it.
    pub async fn shut_down(&self) -> Left {
        self.shut_down_within(SHUT_DOWN_LIMIT).await
    }

    /// The same with a limit of its own. A limit shorter than 75 seconds can leave a refresh in doubt.
    pub async fn shut_down_within(&self, limit: Duration) -> Left {
        if let Some(ended) = self.hub.shut_down(limit) {
            poll_fn(|context| ended.poll(context)).await;
        }
        self.left()
    }

    /// The same as [`shut_down`](Self::shut_down), for threads.
    pub fn shut_down_blocking(&self) -> Left {
        drive::block_on(self.shut_down(), None).unwrap_or_default()
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("grants", &self.hub.count()).finish_non_exhaustive()
    }
}

/// Builds a [`Keeper`].
#[must_use = "a builder does nothing until build() is called"]
pub struct KeeperBuilder<S> {
    client: Client,
    store: S,
    policy: Policy,
    request_limit: Option<Duration>,
    clock: Option<Clock>,
}

impl<S: Store> KeeperBuilder<S> {
    /// Sets when grants are refreshed.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the mode alone.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.policy.mode = mode;
        self
    }

    /// Says how long the adapter lets a request take: `limits.total`. [`build`](Self::build) refuses more than 75 seconds.
    ///
    /// The driver of tasks drops a request at its deadline anyway. That of threads cannot.
    pub fn request_limit(mut self, limit: Duration) -> Self {
        self.request_limit = Some(limit);
        self
    }

    /// Reads these clocks in place of the system's: for tests, and for platforms on which the clocks of the standard
    /// library panic. The function must not call the keeper.
    pub fn clock(mut self, read: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        self.clock = Some(Clock::of(read));
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`BuildError`] if a request may take too long.
    pub fn build(self) -> Result<Keeper, BuildError> {
        if let Some(limit) = self.request_limit.filter(|limit| *limit > LONGEST_REQUEST) {
            return Err(BuildError::RequestLimit { limit });
        }
        let clock = self.clock.unwrap_or_else(Clock::system);
        Ok(Keeper { hub: Arc::new(Hub::new(self.client, self.policy, clock, self.store)) })
    }
}

impl<S> fmt::Debug for KeeperBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, request_limit, .. } = self;
        let mut shown = f.debug_struct("KeeperBuilder");
        shown.field("policy", policy).field("request_limit", request_limit).finish_non_exhaustive()
    }
}

/// Why a keeper cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The adapter lets a request take more than 75 seconds. An answer could come after another process has taken over the
    /// grant.
    RequestLimit {
        /// The limit of the adapter.
        limit: Duration,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestLimit { limit } => {
                write!(f, "expected an adapter with a limit of 75 s a request at most, got {} s", limit.as_secs())
            }
        }
    }
}

impl std::error::Error for BuildError {}

/// The default policy, with times that differ from process to process.
fn random_policy() -> Policy {
    Policy { seed: RandomState::new().hash_one("seed"), ..Policy::default() }
}
