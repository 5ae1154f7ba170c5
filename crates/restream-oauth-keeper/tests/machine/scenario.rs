//! One machine over a store in memory, with a scripted server: a test says what is sent back, and reads what happened.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use restream_oauth_core::transport::{Failure, FailureKind, Stage, Unread};
use restream_oauth_core::{AuthorizationCode, Call, Client, Tokens};
use restream_oauth_keeper::machine::{GrantId, Input, Machine, Ticket, Todo, WaiterId};
use restream_oauth_keeper::store::{MemoryStore, Store, StoreError, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Current, EventKind, GrantName, Mode, Now, Policy, Record, Stored, Token, TokenError};

type Resolved = Result<Option<Arc<Token>>, TokenError>;

/// When every scenario begins.
pub const START: u64 = 1_800_000_000;

pub struct Scenario {
    pub machine: Machine,
    pub store: Arc<MemoryStore>,
    pub now: Now,
    pub grant: GrantId,
    pub name: GrantName,
    /// Requests that are under way.
    pub flying: VecDeque<(Ticket, Call<Unread>, Duration)>,
    /// Operations, by name, in the order in which the machine asked for them.
    pub operations: Vec<&'static str>,
    pub events: Vec<EventKind>,
    pub published: Vec<Current>,
    pub resolved: Vec<(WaiterId, Resolved)>,
    /// Operations that fail, by name, and how often.
    pub failing: Vec<(&'static str, u32, StoreErrorKind)>,
    /// The number of operations until one fails.
    pub fail_at: Option<usize>,
    /// True if the operation that fails is carried out all the same. A claim is not: no store may keep one that it did
    /// not return.
    pub failure_takes_effect: bool,
    /// The operation that is held back until [`Scenario::resume`], with those that come after it. Only a login is stashed
    /// meanwhile.
    pub holding: Option<&'static str>,
    /// True if what is held back is carried out all the same, and only its outcome is late. Nothing waits for a read
    /// that is late.
    pub is_late: bool,
    /// True while this process has the claim.
    pub has_claim: bool,
    /// How long before its answer a request was sent, by the wall clock.
    pub latency: Duration,
    held: Vec<(Ticket, Held)>,
    waiters: u64,
}

enum Held {
    Op(StoreOp),
    Outcome(StoreOutcome),
}

impl Scenario {
    /// A grant whose pair `a0`, `r0` was issued at [`START`].
    pub fn new() -> Self {
        Self::with(Mode::OnUse, Some(record("a0", "r0", START)))
    }

    pub fn with(mode: Mode, record: Option<Record>) -> Self {
        let mut scenario = Self::unread(mode, record);
        scenario.resume();
        scenario
    }

    /// A machine whose first read has not returned yet.
    pub fn unread(mode: Mode, record: Option<Record>) -> Self {
        let store = Arc::new(MemoryStore::new());
        let name: GrantName = "default".parse().unwrap();
        if let Some(record) = record {
            store.put(&name, record);
        }
        Self::over(store, mode, at(START))
    }

    /// Another process over the same store.
    pub fn sibling(&self) -> Self {
        let mut sibling = Self::over(Arc::clone(&self.store), Mode::OnUse, self.now);
        sibling.resume();
        sibling
    }

    fn over(store: Arc<MemoryStore>, mode: Mode, now: Now) -> Self {
        let name: GrantName = "default".parse().unwrap();
        let mut machine = Machine::new(client(), Policy { mode, ..Policy::default() });
        let grant = machine.watch(name.clone(), None, now);
        let mut scenario = Self {
            machine,
            store,
            now,
            grant,
            name,
            flying: VecDeque::new(),
            operations: Vec::new(),
            events: Vec::new(),
            published: Vec::new(),
            resolved: Vec::new(),
            failing: Vec::new(),
            fail_at: None,
            failure_takes_effect: false,
            holding: Some("read"),
            is_late: false,
            has_claim: false,
            latency: Duration::ZERO,
            held: Vec::new(),
            waiters: 0,
        };
        scenario.drain();
        scenario
    }

    // Time.

    /// Lets time pass, with every wake-up on the way.
    pub fn pass(&mut self, seconds: u64) {
        let end = self.now.steady + Duration::from_secs(seconds);
        while let Some(wake) = self.machine.wake_at().filter(|wake| *wake <= end) {
            self.set_clock(wake.max(self.now.steady));
            self.give(Input::Tick);
        }
        self.set_clock(end);
        self.give(Input::Tick);
    }

    fn set_clock(&mut self, steady: Duration) {
        self.now.wall += steady - self.now.steady;
        self.now.steady = steady;
    }

    // What callers do.

    pub fn want(&mut self) -> WaiterId {
        self.want_for(Duration::ZERO)
    }

    pub fn want_for(&mut self, valid_for: Duration) -> WaiterId {
        let waiter = self.waiter();
        let limit = self.now.steady + Duration::from_secs(100);
        self.give(Input::Wanted { grant: self.grant, waiter, limit, valid_for });
        waiter
    }

    pub fn reject(&mut self, generation: u64) {
        self.give(Input::Rejected { grant: self.grant, generation });
    }

    pub fn log_in(&mut self, tokens: Tokens) -> WaiterId {
        let waiter = self.waiter();
        let limit = self.now.steady + Duration::from_secs(100);
        self.give(Input::LogIn { grant: self.grant, waiter, limit, tokens: Box::new(tokens) });
        waiter
    }

    pub fn log_out(&mut self) -> WaiterId {
        let waiter = self.waiter();
        let limit = self.now.steady + Duration::from_secs(100);
        self.give(Input::LogOut { grant: self.grant, waiter, limit });
        waiter
    }

    pub fn waiter(&mut self) -> WaiterId {
        self.waiters += 1;
        WaiterId(self.waiters)
    }

    /// What a waiter got; `None` if it still waits.
    pub fn got(&self, waiter: WaiterId) -> Option<Result<String, TokenError>> {
        let (_, result) = self.resolved.iter().find(|(id, _)| *id == waiter)?;
        Some(result.clone().map(|token| token.map_or(String::new(), |token| text(&token))))
    }

    /// Asks for a token, and returns what comes at once.
    pub fn token_now(&mut self) -> Option<String> {
        let waiter = self.want();
        self.got(waiter).map(|result| result.unwrap())
    }

    // What the server does.

    /// The form of the request that is under way, or the token of an API call.
    pub fn request(&self) -> Option<String> {
        self.flying.front().map(|(_, call, _)| request_text(call))
    }

    pub fn answer(&mut self, status: u16, body: &str) {
        self.answer_with(status, &[], body);
    }

    pub fn answer_with(&mut self, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let (ticket, call, _) = self.flying.pop_front().expect("a request is under way");
        let (_, mut reader) = call.into_parts(self.now.wall - self.latency);
        let mut map = HeaderMap::new();
        map.insert("content-type", "application/json".parse().unwrap());
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let _ = reader.head(StatusCode::from_u16(status).unwrap(), &map);
        let _ = reader.chunk(body.as_bytes());
        let answer = reader.finish();
        self.give(Input::Answered { ticket, answer });
    }

    /// The new pair arrives.
    pub fn rotate(&mut self, access_token: &str, refresh_token: &str) {
        self.answer(200, &pair(access_token, refresh_token));
    }

    /// The connection breaks after some bytes of a 200.
    pub fn cut(&mut self, body: &str) {
        let (ticket, call, _) = self.flying.pop_front().expect("a request is under way");
        let (_, mut reader) = call.into_parts(self.now.wall);
        let _ = reader.head(StatusCode::OK, &HeaderMap::new());
        let _ = reader.chunk(body.as_bytes());
        let answer = reader.fail(Stage::ReadingBody, Failure::new(FailureKind::Interrupted));
        self.give(Input::Answered { ticket, answer });
    }

    pub fn lose(&mut self) {
        self.fail(Stage::AwaitingHead, FailureKind::Interrupted);
    }

    pub fn cannot_connect(&mut self) {
        self.fail(Stage::BeforeBody, FailureKind::Connect);
    }

    pub fn fail(&mut self, stage: Stage, kind: FailureKind) {
        let (ticket, call, _) = self.flying.pop_front().expect("a request is under way");
        let (_, reader) = call.into_parts(self.now.wall);
        let answer = reader.fail(stage, Failure::new(kind));
        self.give(Input::Answered { ticket, answer });
    }

    pub fn hang_up(&mut self) {
        let (ticket, ..) = self.flying.pop_front().expect("a request is under way");
        self.give(Input::HungUp { ticket });
    }

    // What happens inside.

    pub fn give(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.drain();
    }

    /// Does what the machine asks for. No time passes meanwhile, so a machine that goes on and on is in a loop.
    pub fn drain(&mut self) {
        let mut done = 0;
        while let Some(todo) = self.machine.poll() {
            done += 1;
            assert!(
                done < 1000,
                "the machine goes on without end: {:?}",
                &self.operations[self.operations.len() - 9..]
            );
            match todo {
                Todo::Store { ticket, op, .. } => {
                    let name = name_of(&op);
                    self.operations.push(name);
                    // Operations of one grant come one after the other, but for a stash.
                    let is_free = name == "stash" || self.is_late && self.holding == Some("read");
                    if self.holding == Some(name) || !self.held.is_empty() && !is_free {
                        let goes_first = self.is_late && self.held.is_empty();
                        let held = if goes_first { Held::Outcome(self.execute(op)) } else { Held::Op(op) };
                        self.held.push((ticket, held));
                        continue;
                    }
                    let outcome = self.execute(op);
                    self.machine.handle(Input::Stored { ticket, outcome }, self.now);
                }
                Todo::Send { ticket, call, deadline } => self.flying.push_back((ticket, call, deadline)),
                Todo::Publish { current, .. } => self.published.push(current),
                Todo::Resolve { waiter, result } => self.resolved.push((waiter, result)),
                Todo::Tell(event) => self.events.push(event.kind),
                other => panic!("unknown {other:?}"),
            }
        }
    }

    /// Executes what was held back.
    pub fn resume(&mut self) {
        self.resume_until(None);
    }

    /// Executes what was held back, and holds another operation from then on.
    pub fn resume_until(&mut self, operation: Option<&'static str>) {
        self.holding = operation;
        for (ticket, held) in std::mem::take(&mut self.held) {
            let outcome = match held {
                Held::Op(op) => self.execute(op),
                Held::Outcome(outcome) => outcome,
            };
            self.machine.handle(Input::Stored { ticket, outcome }, self.now);
        }
        self.drain();
    }

    fn execute(&mut self, op: StoreOp) -> StoreOutcome {
        let name = name_of(&op);
        if let Some((_, times, kind)) =
            self.failing.iter_mut().find(|(failing, times, _)| *failing == name && *times > 0)
        {
            *times -= 1;
            return StoreOutcome::Failed(StoreError::new(kind.clone(), "ordered by the test"));
        }
        match &mut self.fail_at {
            Some(0) => {
                self.fail_at = None;
                if self.failure_takes_effect && name != "claim" {
                    now_or_never(self.store.execute(&self.name, op));
                }
                return StoreOutcome::Failed(StoreError::new(StoreErrorKind::Unavailable, "ordered by the test"));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        let outcome = now_or_never(self.store.execute(&self.name, op));
        match (name, &outcome) {
            ("claim", StoreOutcome::Claimed(_)) => self.has_claim = true,
            ("settle" | "forget", _) => self.has_claim = false,
            _ => {}
        }
        outcome
    }

    pub fn stored(&self) -> Stored {
        self.store.get(&self.name)
    }

    pub fn record(&self) -> Record {
        self.stored().record().expect("a record").clone()
    }

    pub fn current(&self) -> String {
        match self.published.last() {
            None | Some(Current::Unknown) => "unknown".into(),
            Some(Current::Fresh(token)) => format!("fresh {}", text(token)),
            Some(Current::Stale(token)) => format!("stale {}", text(token)),
            Some(Current::Expired(token)) => format!("expired {}", text(token)),
            Some(Current::Gone(gone)) => format!("gone: {gone}"),
            Some(other) => panic!("unknown {other:?}"),
        }
    }

    /// The events since the last look, as texts.
    pub fn told(&mut self) -> Vec<String> {
        self.events.drain(..).map(|event| event.to_string()).collect()
    }
}

pub fn at(seconds: u64) -> Now {
    Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), steady: Duration::from_secs(1000) }
}

pub fn client() -> Client {
    Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build().unwrap()
}

/// The record of a login at that time.
pub fn record(access_token: &str, refresh_token: &str, seconds: u64) -> Record {
    record_of(tokens(access_token, refresh_token, seconds))
}

/// The record of a login that gave these tokens.
pub fn record_of(tokens: Tokens) -> Record {
    let margin = (tokens.lifetime() / 5).min(Duration::from_secs(60));
    let usable_until = tokens.expires_at() - margin;
    Record::of_login(tokens, usable_until)
}

pub fn tokens(access_token: &str, refresh_token: &str, seconds: u64) -> Tokens {
    tokens_of(&pair(access_token, refresh_token), at(seconds).wall)
}

/// The tokens of a login whose code was exchanged at that time, from the body of the answer.
pub fn tokens_of(body: &str, sent_at: SystemTime) -> Tokens {
    let code = AuthorizationCode::without_state_check("c", "https://app.example/callback", None);
    let (_, reader) = client().exchange(&code).into_parts(sent_at);
    reader.read(http::Response::new(body)).unwrap()
}

pub fn pair(access_token: &str, refresh_token: &str) -> String {
    format!(
        r#"{{"access_token":"{access_token}","token_type":"Bearer","expires_in":3600,"refreshTokenExpiresIn":31536000,"refresh_token":"{refresh_token}"}}"#
    )
}

pub const DEAD: &str = r#"{"error":{"name":"invalid_grant","message":"Invalid grant: refresh token is invalid"}}"#;

fn text(token: &Token) -> String {
    token.access_token().expose_secret().to_owned()
}

fn request_text(call: &Call<Unread>) -> String {
    let request = call.request();
    if request.body().is_empty() {
        let header = request.headers()["authorization"].to_str().unwrap();
        return format!("{} {header}", request.uri().path());
    }
    let form = String::from_utf8(request.body().as_ref().to_vec()).unwrap();
    format!("{} {form}", request.uri().path())
}

fn name_of(op: &StoreOp) -> &'static str {
    match op {
        StoreOp::Read => "read",
        StoreOp::Claim => "claim",
        StoreOp::Prepare { .. } => "prepare",
        StoreOp::Spool { .. } => "spool",
        StoreOp::Commit { .. } => "commit",
        StoreOp::Park { .. } => "park",
        StoreOp::Stash { .. } => "stash",
        StoreOp::Insert { .. } => "insert",
        StoreOp::Settle { .. } => "settle",
        StoreOp::Forget { .. } => "forget",
        other => panic!("unknown {other:?}"),
    }
}

/// A store in memory never waits.
pub fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store waits"),
    }
}
