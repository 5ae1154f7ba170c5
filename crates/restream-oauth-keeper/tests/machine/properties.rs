//! What holds in every order of events: up to three processes share a store, a server rotates strictly, and anything
//! fails. Then everything works again, and every grant that can be alive must be.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use restream_oauth_keeper::machine::{Input, WaiterId};
use restream_oauth_keeper::store::{Leftovers, Store, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Current, DeathCause, Gone, Mode, Stored, TokenError};

use crate::scenario::{DEAD, Scenario, now_or_never, pair, tokens_of};

/// Part of every token, so that a token is recognised wherever it is printed.
const SECRET: &str = "s3cr3t";
const OPERATIONS: [&str; 10] =
    ["read", "claim", "prepare", "spool", "commit", "park", "stash", "insert", "settle", "forget"];
const ERRORS: [StoreErrorKind; 4] =
    [StoreErrorKind::NoRoom, StoreErrorKind::Unavailable, StoreErrorKind::Denied, StoreErrorKind::ReadOnly];
const LIFE: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug)]
enum Event {
    Want {
        process: usize,
        valid_for: u64,
    },
    Reject {
        process: usize,
    },
    LogIn {
        process: usize,
    },
    LogOut {
        process: usize,
    },
    GiveUp {
        process: usize,
    },
    Answer {
        process: usize,
        how: How,
        cut: usize,
    },
    Pass {
        seconds: u64,
    },
    Fail {
        process: usize,
        operation: usize,
        times: u32,
        kind: usize,
    },
    Hold {
        process: usize,
        operation: usize,
        is_late: bool,
    },
    Resume {
        process: usize,
    },
    Die {
        process: usize,
    },
    /// The claim runs out, and its process goes on.
    LoseClaim {
        process: usize,
    },
    ShutDown {
        process: usize,
    },
    SetClock {
        seconds: i64,
    },
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
enum How {
    /// The server acts, and its answer arrives whole.
    Well,
    /// The server acts, and its answer is lost.
    LostAfter,
    /// The request is lost.
    LostBefore,
    /// The server acts, and its answer breaks off.
    Cut,
    /// The server acts, and a proxy answers 502.
    BadGateway,
    /// The server acts, and only the refresh token can be read.
    RefreshTokenAlone,
    NoConnection,
    TooMany,
    WrongSecret,
    Firewall,
    HungUpAfter,
    HungUpBefore,
}

fn event() -> impl Strategy<Value = Event> {
    let process = 0..3_usize;
    let how = prop_oneof![
        8 => Just(How::Well),
        1 => Just(How::LostAfter),
        2 => Just(How::LostBefore),
        2 => Just(How::Cut),
        1 => Just(How::BadGateway),
        1 => Just(How::RefreshTokenAlone),
        2 => Just(How::NoConnection),
        1 => Just(How::TooMany),
        1 => Just(How::WrongSecret),
        1 => Just(How::Firewall),
        1 => Just(How::HungUpAfter),
        1 => Just(How::HungUpBefore),
    ];
    let seconds = prop_oneof![Just(0_u64), Just(1), 2..60_u64, Just(61), Just(601), Just(3541), Just(3700)];
    let valid_for = prop_oneof![4 => Just(0), 1 => Just(600), 1 => Just(3590), 1 => Just(86_400), 1 => Just(u64::MAX)];
    prop_oneof![
        8 => (process.clone(), valid_for).prop_map(|(process, valid_for)| Event::Want { process, valid_for }),
        3 => process.clone().prop_map(|process| Event::Reject { process }),
        4 => process.clone().prop_map(|process| Event::LogIn { process }),
        1 => process.clone().prop_map(|process| Event::LogOut { process }),
        1 => process.clone().prop_map(|process| Event::GiveUp { process }),
        12 => (process.clone(), how, 0..140_usize).prop_map(|(process, how, cut)| Event::Answer { process, how, cut }),
        8 => seconds.prop_map(|seconds| Event::Pass { seconds }),
        2 => (process.clone(), 0..OPERATIONS.len(), 1..4_u32, 0..ERRORS.len())
            .prop_map(|(process, operation, times, kind)| Event::Fail { process, operation, times, kind }),
        4 => (process.clone(), 0..OPERATIONS.len(), any::<bool>())
            .prop_map(|(process, operation, is_late)| Event::Hold { process, operation, is_late }),
        4 => process.clone().prop_map(|process| Event::Resume { process }),
        1 => process.clone().prop_map(|process| Event::Die { process }),
        1 => process.prop_map(|process| Event::ShutDown { process }),
        1 => prop_oneof![Just(-86_400), Just(-30), Just(30), Just(86_400)].prop_map(|seconds| Event::SetClock { seconds }),
    ]
}

/// What the server knows of a login.
#[derive(Debug, Default)]
struct Chain {
    newest: u32,
    /// When the newest access token was issued, on the steady clock.
    issued: Duration,
    revoked: bool,
    /// True once the server rotated, and no process that lives has the whole refresh token.
    lost: bool,
}

struct World {
    processes: Vec<Scenario>,
    shut_down: Vec<bool>,
    server: BTreeMap<u32, Chain>,
    given_up: Vec<(usize, WaiterId)>,
    /// The waiters of each process that began.
    waiting: Vec<Vec<WaiterId>>,
    generations: Vec<u64>,
    /// When the last login was made, by the wall clock.
    last_login: SystemTime,
    /// Who waits in which process for a login that was later than all before it.
    logins: Vec<(usize, WaiterId, u32)>,
    /// True if somebody has logged out, or the clock was set. Then a login need not be stored.
    may_refuse_logins: bool,
    /// True if claims run out. Then two requests can fly at once, and a grant can be taken for dead until a late pair
    /// revives it.
    claims_run_out: bool,
}

impl World {
    fn new(mode: Mode) -> Self {
        let mut server = BTreeMap::new();
        let mut first = Scenario::with(mode, None);
        server.insert(0, Chain { issued: first.now.steady, ..Chain::default() });
        let tokens = tokens_of(&pair(&access_token(0, 0), &refresh_token(0, 0)), first.now.wall);
        first.log_in(tokens);
        first.resolved.clear();
        let processes = vec![first.sibling(), first.sibling(), first];
        Self {
            shut_down: vec![false; 3],
            given_up: Vec::new(),
            waiting: vec![Vec::new(); 3],
            generations: vec![0; 3],
            last_login: processes[0].now.wall,
            logins: Vec::new(),
            may_refuse_logins: false,
            claims_run_out: false,
            processes,
            server,
        }
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Want { process, valid_for } => {
                let waiter = self.processes[process].want_for(Duration::from_secs(valid_for));
                self.waiting[process].push(waiter);
            }
            Event::Reject { process } => {
                let generation = self.generations[process];
                self.processes[process].reject(generation);
            }
            Event::LogIn { process } => {
                let number = u32::try_from(self.server.len()).unwrap();
                let now = self.processes[process].now;
                self.server.insert(number, Chain { issued: now.steady, ..Chain::default() });
                let tokens = tokens_of(&pair(&access_token(number, 0), &refresh_token(number, 0)), now.wall);
                let waiter = self.processes[process].log_in(tokens);
                self.waiting[process].push(waiter);
                if now.wall > self.last_login {
                    self.last_login = now.wall;
                    self.logins.push((process, waiter, number));
                }
            }
            Event::LogOut { process } => {
                self.may_refuse_logins = true;
                let waiter = self.processes[process].log_out();
                self.waiting[process].push(waiter);
            }
            Event::GiveUp { process } => {
                let Some(waiter) = self.waiting[process].last().copied() else { return };
                let told = self.processes[process].resolved.iter().any(|(id, _)| *id == waiter);
                self.processes[process].give(Input::GaveUp { waiter });
                if !told && !self.given_up.contains(&(process, waiter)) {
                    self.given_up.push((process, waiter));
                }
            }
            Event::Answer { process, how, cut } => self.answer(process, how, cut),
            Event::Pass { seconds } => self.pass(seconds),
            Event::Fail { process, operation, times, kind } => {
                self.processes[process].failing.push((OPERATIONS[operation], times, ERRORS[kind].clone()));
            }
            Event::Hold { process, operation, is_late } => {
                let process = &mut self.processes[process];
                if process.holding.is_none() {
                    process.holding = Some(OPERATIONS[operation]);
                    process.is_late = is_late;
                }
            }
            Event::Resume { process } => self.processes[process].resume(),
            Event::Die { process } => self.replace(process),
            Event::LoseClaim { process } => {
                let process = &mut self.processes[process];
                if std::mem::take(&mut process.has_claim) {
                    process.store.break_claim(&process.name);
                    self.claims_run_out = true;
                }
            }
            Event::ShutDown { process } => {
                self.shut_down[process] = true;
                self.processes[process].give(Input::ShutDown);
            }
            Event::SetClock { seconds } => {
                self.may_refuse_logins = true;
                for process in &mut self.processes {
                    let distance = Duration::from_secs(seconds.unsigned_abs());
                    process.now.wall =
                        if seconds < 0 { process.now.wall - distance } else { process.now.wall + distance };
                }
            }
        }
    }

    /// A process dies, with its connections and its claim, and another one begins.
    fn replace(&mut self, process: usize) {
        let new = self.processes[process].sibling();
        let old = std::mem::replace(&mut self.processes[process], new);
        if old.has_claim {
            old.store.break_claim(&old.name);
        }
        // What the process had in memory is lost with it, unless it was spooled.
        let spooled = is_spooled(&old);
        if let Stored::Grant(record) = old.stored()
            && !old.machine.is_idle()
        {
            let (login, number) = numbers(record.refresh_token().unwrap().expose_secret());
            let chain = self.server.get_mut(&login).unwrap();
            chain.lost |= chain.newest != number && !spooled;
        }
        self.shut_down[process] = false;
        self.waiting[process].clear();
        self.given_up.retain(|(of, _)| *of != process);
        self.logins.retain(|(of, ..)| *of != process);
        self.generations[process] = 0;
    }

    /// Lets time pass for all processes, each of which wakes when it asked to.
    fn pass(&mut self, seconds: u64) {
        let end = self.processes[0].now.steady + Duration::from_secs(seconds);
        for _ in 0..100_000 {
            let wakes = self.processes.iter_mut().enumerate();
            let next = wakes.filter_map(|(index, process)| Some((process.machine.wake_at()?, index))).min();
            let Some((at, index)) = next.filter(|(at, _)| *at <= end) else {
                self.set_clock(end);
                return;
            };
            self.set_clock(at);
            self.processes[index].give(Input::Tick);
            self.check();
        }
        panic!("the machines wake without end");
    }

    fn set_clock(&mut self, steady: Duration) {
        for process in &mut self.processes {
            let passed = steady.saturating_sub(process.now.steady);
            process.now.steady += passed;
            process.now.wall += passed;
        }
    }

    /// Something becomes of the oldest request of a process.
    fn answer(&mut self, process: usize, how: How, cut: usize) {
        let scenario = &mut self.processes[process];
        let Some(request) = scenario.request() else { return };
        let steady = scenario.now.steady;
        if let Some(token) = request.strip_prefix("/v2/user/profile Bearer ") {
            let (login, number) = numbers(token);
            let chain = &self.server[&login];
            let lives = chain.newest == number && !chain.revoked && steady < chain.issued + LIFE;
            match how {
                How::Well | How::Cut => scenario.answer(if lives { 200 } else { 401 }, "{}"),
                How::HungUpAfter | How::HungUpBefore => scenario.hang_up(),
                _ => scenario.lose(),
            }
            return;
        }
        let token = request.split("token=").nth(1).unwrap().split('&').next().unwrap();
        let (login, number) = numbers(token);
        let chain = self.server.get_mut(&login).unwrap();
        match how {
            How::LostBefore => return scenario.lose(),
            How::HungUpBefore => return scenario.hang_up(),
            How::NoConnection => return scenario.cannot_connect(),
            How::TooMany => return scenario.answer_with(429, &[("retry-after", "20")], ""),
            How::WrongSecret => return scenario.answer(401, r#"{"error":"invalid_client"}"#),
            How::Firewall => return scenario.answer(403, "<html>blocked</html>"),
            _ => {}
        }
        // The server acts.
        let body = if request.starts_with("/oauth/revoke") {
            chain.revoked |= number == chain.newest;
            String::new()
        } else if chain.revoked || number != chain.newest {
            assert!(
                chain.revoked || chain.lost || self.claims_run_out,
                "refresh token {number} was sent, although {} had reached a process that lives",
                chain.newest
            );
            return scenario.answer(400, DEAD);
        } else {
            chain.newest += 1;
            chain.issued = steady;
            pair(&access_token(login, chain.newest), &refresh_token(login, chain.newest))
        };
        let has_token = |body: &str| body.contains(&format!("{}\"", refresh_token(login, chain.newest)));
        match how {
            How::Well => scenario.answer(200, &body),
            How::Cut => {
                let body = &body[..cut.min(body.len())];
                chain.lost |= !request.starts_with("/oauth/revoke") && !has_token(body);
                scenario.cut(body);
            }
            How::RefreshTokenAlone if !body.is_empty() => {
                let body = format!(r#"{{"refresh_token":"{}"}}"#, refresh_token(login, chain.newest));
                scenario.answer(200, &body);
            }
            _ => {
                chain.lost |= !body.is_empty();
                match how {
                    How::BadGateway => scenario.answer(502, "<html>bad gateway</html>"),
                    How::HungUpAfter => scenario.hang_up(),
                    _ => scenario.lose(),
                }
            }
        }
    }

    /// Holds after every event.
    fn check(&mut self) {
        let is_refresh = |scenario: &&Scenario| {
            scenario.flying.iter().any(|(_, call, _)| call.request().uri().path() == "/oauth/token")
        };
        let flying = self.processes.iter().filter(is_refresh).count();
        assert!(flying <= 1 || self.claims_run_out, "{flying} refreshes at once");
        if !self.claims_run_out {
            self.nobody_died_in_vain();
        }
        self.logins_are_stored_unless_a_later_one_is();
        for (index, process) in self.processes.iter_mut().enumerate() {
            let mut told: Vec<_> = process.resolved.iter().map(|(id, _)| *id).collect();
            told.sort();
            assert!(told.windows(2).all(|pair| pair[0] != pair[1]), "a waiter was told twice");
            for (_, waiter) in self.given_up.iter().filter(|(of, _)| *of == index) {
                assert!(!told.contains(waiter), "a waiter that had given up was told");
            }
            for token in process.published.drain(..).filter_map(|current| current.token().cloned()) {
                let known = &mut self.generations[index];
                assert!(token.generation() >= *known, "generation {} after {known}", token.generation());
                *known = token.generation();
            }
            for event in process.events.drain(..) {
                let text = format!("{event} {event:?}");
                assert!(!text.contains(SECRET), "{text}");
            }
        }
    }

    fn logins_are_stored_unless_a_later_one_is(&self) {
        let newest = u32::try_from(self.server.len()).unwrap() - 1;
        for (process, waiter, login) in &self.logins {
            match self.processes[*process].got(*waiter) {
                Some(Ok(token)) => assert!(numbers(&token).0 >= *login || self.may_refuse_logins, "{token}: {login}"),
                Some(Err(TokenError::Gone(gone))) => {
                    assert!(newest > *login || self.may_refuse_logins, "{gone:?}: {login}");
                }
                _ => {}
            }
        }
    }

    fn nobody_died_in_vain(&self) {
        if let Stored::Grant(record) = self.processes[0].stored()
            && let Some(death) = record.death
        {
            let (login, _) = numbers(record.tokens.access_token().expose_secret());
            let chain = &self.server[&login];
            assert!(chain.lost || chain.revoked, "{death:?}, but {chain:?}");
            assert!(
                chain.revoked || self.claims_run_out || death.why == DeathCause::LostAnswer,
                "{death:?}: {chain:?}"
            );
        }
    }

    /// Everything works again. Returns once nothing can change any more.
    fn heals(&mut self) {
        for index in 0..self.processes.len() {
            self.processes[index].failing.clear();
            self.processes[index].resume();
            if self.shut_down[index] {
                self.replace(index);
            }
        }
        for _ in 0..90 {
            for index in 0..self.processes.len() {
                let waiter = self.processes[index].want();
                self.waiting[index].push(waiter);
            }
            self.answers_all();
            self.pass(120);
        }
        for _ in 0..12 {
            self.answers_all();
            self.pass(10);
        }
        self.answers_all();
        for (index, process) in self.processes.iter_mut().enumerate() {
            for waiter in self.waiting[index].iter().filter(|waiter| !self.given_up.contains(&(index, **waiter))) {
                assert!(process.got(*waiter).is_some(), "{waiter:?} of process {index} waits for ever");
            }
            let text = format!("{:?} {:?}", process.machine, process.resolved);
            assert!(!text.contains(SECRET), "{text}");
        }
    }

    fn answers_all(&mut self) {
        for index in 0..self.processes.len() {
            while !self.processes[index].flying.is_empty() {
                self.answer(index, How::Well, 0);
                self.check();
            }
        }
    }

    fn is_healthy(&mut self) {
        self.nobody_died_in_vain();
        let steady = self.processes[0].now.steady;
        for index in 0..self.processes.len() {
            let process = &mut self.processes[index];
            let waiter = process.want();
            if process.got(waiter).is_none() {
                self.answer(index, How::Well, 0);
            }
            let process = &self.processes[index];
            match (process.stored(), process.got(waiter)) {
                (Stored::Grant(record), Some(Ok(token))) => {
                    assert_eq!(record.death, None);
                    let (login, number) = numbers(&token);
                    let chain = &self.server[&login];
                    assert_eq!(number, chain.newest, "{chain:?}");
                    assert!(steady < chain.issued + LIFE);
                    assert!(record.doubt.is_none() && record.salvaged.is_none(), "{record:?}");
                }
                (Stored::Grant(record), Some(Err(TokenError::Gone(Gone::Dead(_))))) => assert!(record.death.is_some()),
                (Stored::Tombstone(_), Some(Err(TokenError::Gone(Gone::LoggedOut)))) => {}
                (stored, got) => panic!("{got:?} for {stored:?}"),
            }
        }
    }
}

/// True if the store holds an answer to the last request. The claim is free.
fn is_spooled(scenario: &Scenario) -> bool {
    let execute = |op| now_or_never(scenario.store.execute(&scenario.name, op));
    let StoreOutcome::Claimed(claimed) = execute(StoreOp::Claim) else { return false };
    execute(StoreOp::Settle { claim: claimed.claim, record: None, leftovers: Leftovers::Leave });
    let Some(record) = claimed.stored.record() else { return false };
    claimed.spooled.iter().any(|answer| record.is_parent(&answer.parent) && answer.number == record.requests)
}

fn access_token(login: u32, number: u32) -> String {
    format!("{SECRET}.a.{login}.{number}")
}

fn refresh_token(login: u32, number: u32) -> String {
    format!("{SECRET}.r.{login}.{number}")
}

/// The login and the number of a token.
fn numbers(token: &str) -> (u32, u32) {
    let mut parts = token.split('.').skip(2).map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}

/// How many stories are tried: the variable that proptest reads, or enough for a few seconds.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(64)
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::OnUse), Just(Mode::Warm), Just(Mode::Alive)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_grant_that_can_live_lives_in_the_end(
        mode in mode(),
        events in proptest::collection::vec(event(), 1..80),
    ) {
        let mut world = World::new(mode);
        for event in &events {
            world.happens(event);
            world.check();
        }
        world.heals();
        world.is_healthy();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn claims_that_run_out_cost_no_grant(
        mode in mode(),
        events in proptest::collection::vec(
            prop_oneof![20 => event(), 1 => (0..3_usize).prop_map(|process| Event::LoseClaim { process })],
            1..80,
        ),
    ) {
        let mut world = World::new(mode);
        for event in &events {
            world.happens(event);
            world.check();
        }
        world.heals();
        world.is_healthy();
    }
}

#[test]
fn a_long_life_full_of_trouble_leaves_nothing_behind_in_memory() {
    let want = Event::Want { process: 0, valid_for: 0 };
    let answer = |how| Event::Answer { process: 0, how, cut: 30 };
    let story = [
        Event::Pass { seconds: 3700 },
        want.clone(),
        answer(How::LostBefore),
        Event::GiveUp { process: 0 },
        Event::Pass { seconds: 2 },
        answer(How::NoConnection),
        Event::Pass { seconds: 61 },
        want.clone(),
        answer(How::TooMany),
        Event::Pass { seconds: 61 },
        answer(How::Well),
        answer(How::Well),
        Event::Reject { process: 0 },
        Event::Pass { seconds: 61 },
        answer(How::RefreshTokenAlone),
        Event::Fail { process: 0, operation: 4, times: 2, kind: 0 },
        answer(How::Well),
        want,
        Event::Pass { seconds: 61 },
        Event::LogIn { process: 0 },
        Event::LogIn { process: 1 },
        Event::LogOut { process: 1 },
        answer(How::Well),
        Event::Answer { process: 1, how: How::LostAfter, cut: 0 },
        Event::Pass { seconds: 61 },
        Event::Answer { process: 1, how: How::Well, cut: 0 },
        Event::LogIn { process: 0 },
    ];
    let mut world = World::new(Mode::OnUse);
    let mut sizes = Vec::new();
    for _ in 0..60 {
        for event in &story {
            world.happens(event);
            world.check();
        }
        sizes.push(world.processes.iter().map(|process| format!("{:?}", process.machine).len()).sum::<usize>());
        for process in &mut world.processes {
            process.resolved.clear();
        }
    }
    let early = sizes[..10].iter().max().unwrap();
    let late = sizes[50..].iter().max().unwrap();
    // The digits of numbers grow a little.
    assert!(*late < early + 200, "{sizes:?}");
}

#[test]
fn what_is_published_last_is_what_callers_get() {
    let mut world = World::new(Mode::OnUse);
    for _ in 0..5 {
        world.pass(3541);
        world.happens(&Event::Want { process: 0, valid_for: 0 });
        world.answer(0, How::Well, 0);
        let published = world.processes[0].published.iter().rev().find_map(Current::token).cloned().unwrap();
        let (_, got) = world.processes[0].resolved.last().unwrap();
        assert_eq!(got.as_ref().unwrap().as_ref(), Some(&published));
    }
}
