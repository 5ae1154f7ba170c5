//! The databases of the tests. `.ci/postgres` starts them; elsewhere the tests say that they did not run.

#![allow(dead_code)] // Each test binary uses some of it.

use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use restream_oauth_core::Tokens;
use restream_oauth_keeper::contract;
use restream_oauth_keeper::store::{ClaimId, Claimed, Leftovers, Store, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Doubt, GrantName, Record, Stored};
use restream_oauth_keeper_postgres::{Config, PostgresStore};
use tokio_postgres::{Client, NoTls};

/// A variable that `.ci/postgres` sets. Says that the test did not run where it is missing.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    if value.is_none() {
        // To standard error directly, because the test runner captures `eprintln!`.
        let message = format!("SKIPPED: no {name}; `.ci/postgres` starts what this test needs\n");
        std::io::stderr().write_all(message.as_bytes()).unwrap();
        assert!(std::env::var_os("CI").is_none(), "{message}");
    }
    value
}

/// A database of the test's own.
pub(crate) struct Database {
    pub(crate) name: String,
}

impl Database {
    /// An empty database.
    pub(crate) async fn empty() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let url = variable("RESTREAM_TEST_POSTGRES")?;
        let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        client_of(&url).await.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
        Some(Self { name })
    }

    /// A database with the schema.
    pub(crate) async fn migrated() -> Option<Self> {
        let database = Self::empty().await?;
        PostgresStore::migrate(&database.config()).await.unwrap();
        Some(database)
    }

    pub(crate) fn url(&self) -> String {
        self.of(&variable("RESTREAM_TEST_POSTGRES").unwrap())
    }

    /// The URL of this database where another URL has the first one.
    pub(crate) fn of(&self, url: &str) -> String {
        let (server, _) = url.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    /// The URL of the server, and its host and port.
    pub(crate) fn config_hosts(&self) -> (String, String) {
        let url = self.url();
        let host = url.split_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
        (url, host)
    }

    pub(crate) fn config(&self) -> Config {
        Config::from_url(&self.url()).unwrap()
    }

    /// A store, as a process of its own has it.
    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::connect(&self.config()).await.unwrap()
    }

    /// A client that looks at the tables.
    pub(crate) async fn client(&self) -> Client {
        client_of(&self.url()).await
    }
}

pub(crate) async fn client_of(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Starts, stops, kills or promotes a server.
pub(crate) fn server(which: &str, what: &str) {
    let done = Command::new(variable("RESTREAM_TEST_SERVER").unwrap()).args([which, what]).status().unwrap();
    assert!(done.success(), "{which} {what}");
}

pub(crate) fn grant() -> GrantName {
    "default".parse().unwrap()
}

/// A pair that was sent a moment ago. Two names make two pairs.
pub(crate) fn tokens(name: &str) -> Tokens {
    tokens_of(name, SystemTime::now())
}

pub(crate) fn tokens_of(name: &str, sent_at: SystemTime) -> Tokens {
    let saved = format!(
        "{{\"version\":2,\"kind\":\"tokens\",\"client_id\":\"id\",\"token_endpoint\":\"https://api.example/token\",\
         \"access_token\":\"access-{name}\",\"refresh_token\":\"refresh-{name}\",\"token_type\":\"Bearer\",\
         \"sent_at\":\"0.000000000\",\"expires_in\":3600,\"refresh_expires_in\":31536000,\"oddities\":\"\"}}"
    );
    // Times of a record have whole milliseconds.
    let since = sent_at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let sent_at = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(since).unwrap());
    Tokens::from_saved(saved).unwrap().with_sent_at(sent_at)
}

pub(crate) fn login(name: &str) -> Box<Record> {
    login_of(tokens(name))
}

pub(crate) fn login_of(tokens: Tokens) -> Box<Record> {
    let usable_until = tokens.expires_at() - Duration::from_secs(60);
    Box::new(Record::of_login(tokens, usable_until))
}

/// The record that a refresh makes of another one.
pub(crate) fn next(record: &Record, name: &str) -> Box<Record> {
    let tokens = tokens(name);
    let usable_until = tokens.expires_at() - Duration::from_secs(60);
    let sent = Some(record.parent().sent);
    let generation = record.generation + 1;
    Box::new(Record { tokens, generation, sent, usable_until, requests: 0, doubt: None, ..record.clone() })
}

/// The record with the mark that is written before a request.
pub(crate) fn marked(record: &Record) -> Box<Record> {
    let since = record.tokens.sent_at();
    let doubt = Doubt { since, sends: 1, in_flight: true, ended: None, witnessed: false, forwarded: None };
    Box::new(Record { doubt: Some(doubt), requests: record.requests + 1, ..record.clone() })
}

pub(crate) async fn claim(store: &PostgresStore, grant: &GrantName) -> Claimed {
    match store.execute(grant, StoreOp::Claim).await {
        StoreOutcome::Claimed(claimed) => claimed,
        outcome => panic!("expected a claim, got {outcome:?}"),
    }
}

pub(crate) async fn done(store: &PostgresStore, grant: &GrantName, op: StoreOp) {
    let outcome = store.execute(grant, op.clone()).await;
    assert!(matches!(outcome, StoreOutcome::Done), "{op:?} returned {outcome:?}");
}

/// Stores a login.
pub(crate) async fn put(store: &PostgresStore, grant: &GrantName, record: &Record) {
    let claim = claim(store, grant).await.claim;
    done(store, grant, StoreOp::Insert { claim, record: Box::new(record.clone()) }).await;
    release(store, grant, claim).await;
}

pub(crate) async fn release(store: &PostgresStore, grant: &GrantName, claim: ClaimId) {
    done(store, grant, StoreOp::Settle { claim, record: None, leftovers: Leftovers::Remove }).await;
}

pub(crate) async fn stored(store: &PostgresStore, grant: &GrantName) -> Stored {
    match store.execute(grant, StoreOp::Read).await {
        StoreOutcome::Read { stored, .. } => stored,
        outcome => panic!("Read returned {outcome:?}"),
    }
}

pub(crate) async fn record(store: &PostgresStore, grant: &GrantName) -> Record {
    match stored(store, grant).await {
        Stored::Grant(record) => *record,
        other => panic!("expected a record, got {other:?}"),
    }
}

pub(crate) fn kind_of(outcome: &StoreOutcome) -> &StoreErrorKind {
    match outcome {
        StoreOutcome::Failed(error) => error.kind(),
        outcome => panic!("expected a failure, got {outcome:?}"),
    }
}

/// Checks the contract of a store for two processes, each with connections of its own.
pub(crate) async fn check_contract(first: &Config, second: &Config) {
    let one = PostgresStore::connect(first).await.unwrap();
    let other = PostgresStore::connect(second).await.unwrap();
    check_stores(&Arc::new(one), &Arc::new(other)).await;
}

pub(crate) async fn check_stores(one: &Arc<PostgresStore>, other: &Arc<PostgresStore>) {
    let (one, other) = (Arc::clone(one), Arc::clone(other));
    let checked = thread::spawn(move || contract::check(|| (Arc::clone(&one), Arc::clone(&other))));
    while !checked.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    checked.join().unwrap().unwrap();
}
