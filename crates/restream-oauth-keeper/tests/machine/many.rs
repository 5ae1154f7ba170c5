//! Many grants in one process: its pace, its breaker, and that nobody starves.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use restream_oauth_core::Call;
use restream_oauth_core::transport::{Failure, FailureKind, Stage, Unread};
use restream_oauth_keeper::machine::{Input, Machine, Ticket, Todo};
use restream_oauth_keeper::store::{MemoryStore, Store, StoreOp};
use restream_oauth_keeper::{EventKind, GrantName, Mode, Now, Policy};

use crate::scenario::{START, client, now_or_never, pair, record_of, tokens_of};

#[derive(Clone, Copy)]
enum Server {
    Answers(u16),
    Silent,
    /// No connection is made.
    Unreachable,
}

struct Many {
    machine: Machine,
    store: MemoryStore,
    now: Now,
    names: Vec<GrantName>,
    flying: Vec<(Ticket, Call<Unread>, Duration)>,
    /// When each request was sent, in seconds since the start.
    sent: Vec<u64>,
    throttled: u32,
    pairs: u32,
    /// How many operations the store takes in 100 ms; `None` for all of them at once.
    store_takes: Option<usize>,
    storing: VecDeque<(Ticket, GrantName, StoreOp)>,
    most_storing: usize,
}

impl Many {
    /// This many `Warm` grants, whose promises end at times that are spread over this many seconds from now.
    fn new(grants: u32, spread: u32) -> Self {
        Self::with(grants, spread, Policy { mode: Mode::Warm, ..Policy::default() })
    }

    fn with(grants: u32, spread: u32, policy: Policy) -> Self {
        let now =
            Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(START), steady: Duration::from_secs(10_000) };
        let machine = Machine::new(client(), policy);
        let mut many = Self {
            machine,
            store: MemoryStore::new(),
            now,
            names: Vec::new(),
            flying: Vec::new(),
            sent: Vec::new(),
            throttled: 0,
            pairs: 0,
            store_takes: None,
            storing: VecDeque::new(),
            most_storing: 0,
        };
        for index in 0..grants {
            let name: GrantName = format!("g{index}").parse().unwrap();
            let tokens = tokens_of(&pair(&format!("a{index}"), &format!("r{index}")), now.wall);
            let mut record = record_of(tokens);
            let offset = Duration::from_secs(u64::from(index * spread / grants));
            record.usable_until = now.wall + offset + Duration::from_secs(60);
            many.store.put(&name, record);
            many.names.push(name.clone());
            many.machine.watch(name, None, now);
            many.drain();
        }
        many
    }

    fn drain(&mut self) {
        while let Some(todo) = self.machine.poll() {
            match todo {
                Todo::Store { ticket, grant, op } if self.store_takes.is_some() => {
                    self.storing.push_back((ticket, grant, op));
                    self.most_storing = self.most_storing.max(self.storing.len());
                }
                Todo::Store { ticket, grant, op } => {
                    let outcome = now_or_never(self.store.execute(&grant, op));
                    self.machine.handle(Input::Stored { ticket, outcome }, self.now);
                }
                Todo::Send { ticket, call, deadline } => {
                    if call.request().uri().path() == "/oauth/token" {
                        self.sent.push(self.now.steady.as_secs() - 10_000);
                    }
                    self.flying.push((ticket, call, deadline));
                }
                Todo::Tell(event) => self.throttled += u32::from(matches!(event.kind, EventKind::Throttled)),
                _ => {}
            }
        }
    }

    /// Lets time pass, in steps of 100 ms. The server answers every request with this status, or not at all.
    fn pass(&mut self, seconds: u64, status: Option<u16>) {
        self.pass_with(seconds, status.map_or(Server::Silent, Server::Answers));
    }

    fn pass_with(&mut self, seconds: u64, server: Server) {
        for _ in 0..seconds * 10 {
            self.now.steady += Duration::from_millis(100);
            self.now.wall += Duration::from_millis(100);
            if self.machine.wake_at().is_some_and(|wake| wake <= self.now.steady) {
                self.machine.handle(Input::Tick, self.now);
                self.drain();
                let wake = self.machine.wake_at();
                assert!(wake.is_none_or(|wake| wake > self.now.steady), "a time that is past");
            }
            for _ in 0..self.store_takes.unwrap_or(0) {
                let Some((ticket, grant, op)) = self.storing.pop_front() else { break };
                let outcome = now_or_never(self.store.execute(&grant, op));
                self.machine.handle(Input::Stored { ticket, outcome }, self.now);
                self.drain();
            }
            for (ticket, call, deadline) in std::mem::take(&mut self.flying) {
                let input = match server {
                    Server::Answers(status) => {
                        self.pairs += 1;
                        let body = pair(&format!("n{}", self.pairs), &format!("m{}", self.pairs));
                        let (_, mut reader) = call.into_parts(self.now.wall);
                        let _ = reader.head(StatusCode::from_u16(status).unwrap(), &HeaderMap::new());
                        let _ = reader.chunk(if status == 200 { body.as_bytes() } else { b"" });
                        Input::Answered { ticket, answer: reader.finish() }
                    }
                    Server::Unreachable => {
                        let (_, reader) = call.into_parts(self.now.wall);
                        let answer = reader.fail(Stage::BeforeBody, Failure::new(FailureKind::Connect));
                        Input::Answered { ticket, answer }
                    }
                    Server::Silent if deadline <= self.now.steady => Input::HungUp { ticket },
                    Server::Silent => {
                        self.flying.push((ticket, call, deadline));
                        continue;
                    }
                };
                self.machine.handle(input, self.now);
                self.drain();
            }
        }
    }

    fn count(&self, are: impl Fn(&restream_oauth_keeper::Record) -> bool) -> usize {
        self.names.iter().filter(|name| self.store.get(name).record().is_some_and(&are)).count()
    }

    /// The most requests that were sent in one second.
    fn most_in_a_second(&self) -> usize {
        let mut seconds = BTreeMap::new();
        for second in &self.sent {
            *seconds.entry(*second).or_insert(0) += 1;
        }
        seconds.into_values().max().unwrap_or(0)
    }
}

#[test]
fn a_thousand_grants_that_are_due_at_once_are_refreshed_at_the_pace_and_none_starves() {
    let mut many = Many::new(1000, 1);
    many.pass(60 + 60, Some(200));
    assert!(many.most_in_a_second() <= 41, "{}", many.most_in_a_second());
    assert_eq!(many.count(|record| record.generation == 1), 1000);
    assert_eq!(many.sent.len(), 1000, "one request each");
}

#[test]
fn an_outage_leaves_few_grants_in_doubt_and_all_are_fresh_soon_after_it() {
    let mut many = Many::new(3000, 600);
    many.pass(120, Some(200));
    many.pass(300, None);
    let in_doubt = many.count(|record| record.doubt.is_some());
    // Five become due in a second, and the silence is noticed after ten. Then nothing is sent but tests: no token is
    // about to expire.
    assert!((3..=75).contains(&in_doubt), "{in_doubt}");
    let sent = many.sent.len();
    many.pass(300, Some(200));
    assert_eq!(many.count(|record| record.doubt.is_some()), 0);
    assert_eq!(many.count(|record| record.generation == 0), 0);
    assert!(many.sent.len() > sent);
    assert!(many.most_in_a_second() <= 41, "{}", many.most_in_a_second());
}

#[test]
fn a_breaker_that_counts_only_what_has_ended_leaves_many_more_grants_in_doubt() {
    let in_doubt = [Duration::from_secs(10), Duration::MAX].map(|silence| {
        let mut many = Many::with(3000, 600, Policy { mode: Mode::Warm, silence, ..Policy::default() });
        many.pass(120, Some(200));
        many.pass(300, None);
        many.count(|record| record.doubt.is_some())
    });
    assert!(in_doubt[1] > 3 * in_doubt[0], "{in_doubt:?}");
}

#[test]
fn a_server_that_is_busy_is_asked_less_often() {
    let mut many = Many::new(1000, 1);
    many.pass(60 + 60, Some(429));
    assert!(many.throttled > 0);
    assert!(many.sent.len() < 500, "{} in a minute", many.sent.len());
    assert_eq!(many.count(|record| record.doubt.is_some()), 0);
    many.pass(600, Some(200));
    assert_eq!(many.count(|record| record.generation == 0), 0, "all are refreshed in the end");
}

#[test]
fn retries_of_many_grants_share_a_quota_and_all_are_fresh_soon_after_the_outage() {
    let mut many = Many::new(1000, 600);
    many.pass_with(900, Server::Unreachable);
    // Without a quota each grant would be tried again once in a minute, and five times in the first one.
    let retries = many.sent.len() - 1000;
    assert!(retries <= 100 + 900 / 10 * 20, "{retries}");
    assert!(retries > 1000, "they go on: {retries}");
    assert_eq!(many.throttled, 1, "somebody is told, once");
    assert_eq!(many.count(|record| record.doubt.is_some()), 0);
    many.pass(60 + 1000 / 20, Some(200));
    assert_eq!(many.count(|record| record.generation == 0), 0);
}

#[test]
fn few_grants_are_tried_again_as_if_there_were_no_quota() {
    let alone = |grants| {
        let mut many = Many::new(grants, 1);
        many.pass_with(900, Server::Unreachable);
        assert_eq!(many.throttled, 0);
        many.sent
    };
    let one = alone(1);
    assert!(one.len() > 15);
    let expected: Vec<_> = one.iter().flat_map(|at| [*at; 8]).collect();
    assert_eq!(alone(8), expected);
}

#[test]
fn a_server_that_fails_two_times_in_five_costs_nobody_a_living_token() {
    let mut many = Many::new(1000, 800);
    for second in 0..1200_u64 {
        many.pass(1, Some(if (second * 7919) % 10 < 4 { 503 } else { 200 }));
        let now = many.now.wall;
        assert_eq!(many.count(|record| record.tokens.expires_at() < now), 0, "after {second} s");
    }
    let in_doubt = many.count(|record| record.doubt.is_some());
    assert!(in_doubt < 50, "{in_doubt}");
}

#[test]
fn a_store_that_cannot_follow_is_not_buried_under_operations() {
    let policy = Policy { mode: Mode::Warm, requests_per_second: 100.0, ..Policy::default() };
    let mut many = Many::with(10_000, 60, policy);
    // A rotation is four operations here: 30 of them a second. The rate allows 100, and 160 are due.
    many.store_takes = Some(12);
    many.pass(60, Some(200));
    assert!(many.sent.is_empty());
    many.pass(200, Some(200));
    assert!(many.most_storing <= 110, "{} operations waited", many.most_storing);
    let sent = many.sent.len();
    assert!((4500..=6100).contains(&sent), "{sent}: as many as the store takes");
}
