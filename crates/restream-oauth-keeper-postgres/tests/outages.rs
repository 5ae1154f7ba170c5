//! The server stops, is killed, comes back, and is replaced by its standby. In an order, because there is one server.
//!
//! Cargo runs test binaries in the order of their names: those that need the standby come before this one.

mod support;

use std::time::Duration;

use restream_oauth_keeper::store::{Leftovers, Store as _, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Stored};
use restream_oauth_keeper_postgres::{Config, PostgresStore, sql};
use support::{
    Database, claim, client_of, done, kind_of, login, marked, next, put, record, server, stored, tokens, variable,
};
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;

/// Long enough to see that nothing is claimed meanwhile.
const QUIET: Duration = Duration::from_secs(8);
const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_store_outlives_its_server_and_a_failover_that_loses_the_newest_writes() {
    let Some(database) = Database::migrated().await else { return };
    let administrator = client_of(&database.url().replace("//keeper@", "//postgres@")).await;
    let log = format!("ALTER DATABASE {} SET log_statement = 'all'", database.name);
    administrator.batch_execute(&log).await.unwrap();
    a_stopped_server(&database).await;
    a_restoration_that_is_held_up(&database).await;
    a_killed_server(&database).await;
    a_full_disk().await;
    a_lost_tail(&database).await;
    // For whatever is run after this.
    server("primary", "start");
}

/// A restart: nothing is lost, and for a while nobody claims anything.
async fn a_stopped_server(database: &Database) {
    let store = PostgresStore::connect(&database.config().quiet_after_restart(QUIET)).await.unwrap();
    let stopped = "stopped".parse().unwrap();
    for name in ["another", "a-third", "stopped"] {
        put(&store, &name.parse().unwrap(), &login("1")).await;
    }
    let held = claim(&store, &stopped).await.claim;
    server("primary", "stop");
    let outcome = store.execute(&stopped, StoreOp::Read).await;
    assert_eq!(kind_of(&outcome), &StoreErrorKind::Unavailable);
    let marked = marked(&login("1"));
    server("primary", "start");
    // The connection is renewed by the next operation. What needs no new claim goes on at once.
    sleep(Duration::from_millis(600)).await;
    let outcome = store.execute(&stopped, StoreOp::Prepare { claim: held, record: marked.clone() }).await;
    assert!(matches!(&outcome, StoreOutcome::Done), "{outcome:?}");
    done(&store, &stopped, StoreOp::Settle { claim: held, record: None, leftovers: Leftovers::Remove }).await;
    let outcome = store.execute(&stopped, StoreOp::Claim).await;
    assert_eq!(kind_of(&outcome), &StoreErrorKind::Unavailable, "nothing is claimed yet");
    eventually_claimed(&store, &stopped).await;
    assert_eq!(
        restorations(database),
        1,
        "what may be lost is written again at once, and not one grant after the other"
    );
}

/// Somebody keeps a row locked while the store writes again what may be lost.
async fn a_restoration_that_is_held_up(database: &Database) {
    let config = database.config().connections(1).statement_limit(Duration::from_secs(2)).quiet_after_restart(LONG);
    let store = PostgresStore::connect(&config).await.unwrap();
    let [locked, lost]: [GrantName; 2] = ["locked", "lost"].map(|name| name.parse().unwrap());
    for grant in [&locked, &lost] {
        done(&store, grant, StoreOp::Stash { tokens: Box::new(tokens("waits")) }).await;
    }
    server("primary", "stop");
    server("primary", "start");
    let administrator = database.client().await;
    administrator.batch_execute("DELETE FROM restream_oauth.grants WHERE name = 'lost'").await.unwrap();
    let lock = "BEGIN; SELECT FROM restream_oauth.grants WHERE name = 'locked' FOR UPDATE";
    administrator.batch_execute(lock).await.unwrap();
    // The first one finds the connection broken, and the next one the row locked.
    for _ in 0..2 {
        let outcome = store.execute(&lost, StoreOp::Read).await;
        assert_eq!(kind_of(&outcome), &StoreErrorKind::Unavailable);
        sleep(Duration::from_millis(600)).await;
    }
    // A statement that nobody waits for any more would bring it back too.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    assert!(!administrator.query(end, &[]).await.unwrap().is_empty());
    administrator.batch_execute("COMMIT").await.unwrap();
    let outcome = store.execute(&lost, StoreOp::Read).await;
    assert!(matches!(outcome, StoreOutcome::Read { left: true, .. }), "it came back: {outcome:?}");
    // For those that come after.
    administrator.batch_execute("UPDATE restream_oauth.server SET quiet_until = now()").await.unwrap();
}

/// How often [`sql::RESTORE`] was executed, as the server's log has it.
fn restorations(database: &Database) -> usize {
    let log = std::fs::read_to_string(variable("RESTREAM_TEST_LOG").unwrap()).unwrap();
    // The log puts a tab before each further line.
    let executed = format!("{} LOG:  execute <unnamed>: {}", database.name, sql::RESTORE.replace('\n', "\n\t"));
    log.matches(&executed).count()
}

/// `kill -9`, in effect: what was confirmed is there.
async fn a_killed_server(database: &Database) {
    let store = PostgresStore::connect(&database.config().quiet_after_restart(Duration::ZERO)).await.unwrap();
    let killed = "killed".parse().unwrap();
    let first = login("1");
    put(&store, &killed, &first).await;
    done(&store, &killed, StoreOp::Stash { tokens: Box::new(tokens("2")) }).await;
    server("primary", "kill");
    server("primary", "start");
    let found = eventually_claimed(&store, &killed).await;
    assert_eq!(found.stored, Stored::Grant(first));
    assert_eq!(found.logins.len(), 1);
    support::release(&store, &killed, found.claim).await;
}

/// On a server of its own: a table space on a disk of one megabyte, which another table fills.
async fn a_full_disk() {
    let Some(disk) = variable("RESTREAM_TEST_SMALL_DISK") else { return };
    server("small", "start");
    let url = variable("RESTREAM_TEST_SMALL").unwrap();
    let config = Config::from_url(&url).unwrap();
    PostgresStore::migrate(&config).await.unwrap();
    let (store, administrator) = (PostgresStore::connect(&config).await.unwrap(), client_of(&url).await);
    administrator.batch_execute(&format!("CREATE TABLESPACE disk LOCATION '{disk}'")).await.unwrap();
    let on_disk =
        "ALTER TABLE restream_oauth.grants SET TABLESPACE disk; CREATE TABLE filler (byte char) TABLESPACE disk";
    administrator.batch_execute(on_disk).await.unwrap();
    let kept = "kept".parse().unwrap();
    put(&store, &kept, &login("1")).await;
    let fill = "INSERT INTO filler SELECT '' FROM generate_series(1, 1000000)";
    let error = administrator.batch_execute(fill).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::DISK_FULL));

    // The page that is there has room for some grants.
    let refused = async {
        for number in 0.. {
            let grant: GrantName = format!("grant-{number}").parse().unwrap();
            let claimed = match store.execute(&grant, StoreOp::Claim).await {
                StoreOutcome::Claimed(claimed) => claimed,
                outcome => return (grant, StoreOp::Claim, outcome),
            };
            let insert = StoreOp::Insert { claim: claimed.claim, record: login("1") };
            match store.execute(&grant, insert.clone()).await {
                StoreOutcome::Done => {}
                outcome => return (grant, insert, outcome),
            }
        }
        unreachable!("numbers do not end")
    };
    let (grant, op, outcome) = timeout(LONG, refused).await.expect("the disk is full at some time");
    assert_eq!(kind_of(&outcome), &StoreErrorKind::NoRoom);
    assert_eq!(record(&store, &kept).await.generation, 0, "it can still be read");
    administrator.batch_execute("DROP TABLE filler").await.unwrap();
    let outcome = store.execute(&grant, op).await;
    assert!(matches!(outcome, StoreOutcome::Done | StoreOutcome::Claimed(_)), "there is room again: {outcome:?}");
    server("small", "stop");
}

/// The standby lacks the newest writes when it is promoted: each worker writes them again before anybody claims anything.
async fn a_lost_tail(database: &Database) {
    let standby_url = database.of(&variable("RESTREAM_TEST_STANDBY").unwrap());
    let standby_host = standby_url.split_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
    let both = format!("postgres://keeper@{},{standby_host}/{}", database.config_hosts().1, database.name);
    let config = Config::from_url(&both).unwrap().quiet_after_restart(QUIET);
    let (worker, other) =
        (PostgresStore::connect(&config).await.unwrap(), PostgresStore::connect(&config).await.unwrap());
    let names = ["committed", "in-flight", "inserted", "stashed", "parked", "forgotten"];
    let [committed, in_flight, inserted, stashed, parked, forgotten] = names.map(|name| name.parse().unwrap());
    let first = login("1");
    for name in [&committed, &in_flight, &parked, &forgotten] {
        put(&worker, name, &first).await;
    }
    let mut held = Vec::new();
    for name in [&committed, &in_flight, &forgotten] {
        held.push(eventually_claimed(&worker, name).await.claim);
    }
    caught_up(database, &standby_url).await;

    // From here on the standby gets nothing any more.
    let standby = client_of(&standby_url.replace("//keeper@", "//postgres@")).await;
    standby.batch_execute("ALTER SYSTEM SET primary_conninfo = ''").await.unwrap();
    standby.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    no_longer_streams(&standby).await;
    let pair = next(&first, "2");
    done(&worker, &committed, StoreOp::Prepare { claim: held[0], record: marked(&first) }).await;
    let commit = StoreOp::Commit { claim: held[0], parent: first.parent(), record: pair.clone() };
    done(&worker, &committed, commit).await;
    let settle = StoreOp::Settle { claim: held[0], record: None, leftovers: Leftovers::Remove };
    done(&worker, &committed, settle).await;
    let sent = marked(&first);
    done(&worker, &in_flight, StoreOp::Prepare { claim: held[1], record: sent.clone() }).await;
    let new = login("new");
    put(&worker, &inserted, &new).await;
    done(&worker, &stashed, StoreOp::Stash { tokens: Box::new(tokens("stash")) }).await;
    done(&worker, &parked, StoreOp::Park { parent: first.parent(), tokens: Box::new(tokens("late")) }).await;
    done(&worker, &forgotten, StoreOp::Forget { claim: held[2], tombstone: first.tombstone() }).await;

    server("primary", "kill");
    // Before the workers can bring anything back: they may be quicker than this test once the standby is promoted.
    let generation = "SELECT generation FROM restream_oauth.grants WHERE name = 'committed'";
    assert_eq!(standby.query_one(generation, &[]).await.unwrap().get::<_, i64>(0), 0, "the tail is lost");
    server("standby", "promote");
    let promoted = client_of(&standby_url).await;

    // Another worker is the first to find the new server. It may not claim anything yet.
    let outcome = timeout(LONG, async {
        loop {
            match other.execute(&committed, StoreOp::Claim).await {
                StoreOutcome::Failed(error) if error.to_string().contains("just been started") => return,
                StoreOutcome::Failed(_) => sleep(Duration::from_millis(50)).await,
                outcome => panic!("{outcome:?} on a server that nobody has noted"),
            }
        }
    });
    outcome.await.unwrap();
    // The worker that wrote it does nothing. It notices by itself, and in time.
    let came_back = timeout(QUIET, async {
        while record(&other, &committed).await != *pair {
            sleep(Duration::from_millis(50)).await;
        }
    });
    came_back.await.expect("the pair comes back before anybody may claim anything");
    eventually_claimed(&other, &"nothing-was-lost-of-this".parse().unwrap()).await;
    // The release was lost too, so the claim lasts until its lease ends.
    assert!(matches!(other.execute(&committed, StoreOp::Claim).await, StoreOutcome::Busy));
    let ended = "UPDATE restream_oauth.grants SET claimed_until = now() WHERE name = 'committed'";
    promoted.batch_execute(ended).await.unwrap();
    assert_eq!(eventually_claimed(&other, &committed).await.stored, Stored::Grant(pair));
    let outcome = other.execute(&in_flight, StoreOp::Claim).await;
    assert!(matches!(outcome, StoreOutcome::Busy), "its request still flies: {outcome:?}");
    assert_eq!(record(&other, &in_flight).await, *sent, "and the doubt came back");
    assert_eq!(record(&other, &inserted).await, *new);
    assert_eq!(eventually_claimed(&other, &stashed).await.logins.len(), 1);
    assert_eq!(record(&other, &parked).await.strays.len(), 1);
    assert_eq!(stored(&other, &forgotten).await, Stored::Tombstone(first.tombstone()), "the logout came back");
    // The request comes to its end on the new server, with the claim that it had.
    let answered = next(&sent, "3");
    let commit = StoreOp::Commit { claim: held[1], parent: sent.parent(), record: answered.clone() };
    done(&worker, &in_flight, commit).await;
    done(&worker, &in_flight, StoreOp::Settle { claim: held[1], record: None, leftovers: Leftovers::Remove }).await;
    assert_eq!(eventually_claimed(&other, &in_flight).await.stored, Stored::Grant(answered));
}

async fn eventually_claimed(store: &PostgresStore, grant: &GrantName) -> restream_oauth_keeper::store::Claimed {
    let claimed = async {
        loop {
            match store.execute(grant, StoreOp::Claim).await {
                StoreOutcome::Claimed(claimed) => return claimed,
                StoreOutcome::Failed(_) => sleep(Duration::from_millis(50)).await,
                outcome => panic!("{grant}: {outcome:?}"),
            }
        }
    };
    timeout(LONG, claimed).await.expect("the grant is free sooner or later")
}

async fn caught_up(database: &Database, standby: &str) {
    let primary = database.client().await;
    let written: String = primary.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await.unwrap().get(0);
    let standby = client_of(standby).await;
    let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
    while !standby.query_one(&replayed, &[]).await.unwrap().get::<_, bool>(0) {
        sleep(Duration::from_millis(50)).await;
    }
}

async fn no_longer_streams(standby: &tokio_postgres::Client) {
    let streams = "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver)";
    while standby.query_one(streams, &[]).await.unwrap().get::<_, bool>(0) {
        sleep(Duration::from_millis(50)).await;
    }
}
