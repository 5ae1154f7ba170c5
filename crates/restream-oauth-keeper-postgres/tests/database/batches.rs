//! Operations of many grants in one statement: none of them notices the others.

use std::sync::Arc;
use std::time::Duration;

use restream_oauth_keeper::GrantName;
use restream_oauth_keeper::store::{Leftovers, Store as _, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper_postgres::PostgresStore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::{Database, check_stores, claim, done, kind_of, login, marked, next, put, record, tokens};

/// Its only connection is all that a store has to send statements with.
async fn narrow_store(database: &Database) -> PostgresStore {
    PostgresStore::connect(&database.config().connections(1)).await.unwrap()
}

/// Executes the operations while the connection is busy, so that they wait for each other. Returns the outcomes in order.
async fn at_once(store: &PostgresStore, ops: Vec<(GrantName, StoreOp)>) -> Vec<StoreOutcome> {
    let mut tasks = JoinSet::new();
    let busy = store.clone();
    let busy = tokio::spawn(async move { busy.query("SELECT pg_sleep(0.3)", &[]).await.unwrap() });
    sleep(Duration::from_millis(50)).await;
    // It goes alone, behind the query, and the others wait for it.
    let first = ("first".parse().unwrap(), StoreOp::Read);
    for (place, (grant, op)) in [first].into_iter().chain(ops).enumerate() {
        let store = store.clone();
        tasks.spawn(async move { (place, store.execute(&grant, op).await) });
        sleep(Duration::from_millis(1)).await;
    }
    let mut outcomes = tasks.join_all().await;
    busy.await.unwrap();
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().skip(1).map(|(_, outcome)| outcome).collect()
}

/// How many statements have written the rows as they are.
async fn writers(database: &Database, grants: &[GrantName]) -> i64 {
    let names: Vec<&str> = grants.iter().map(GrantName::as_str).collect();
    let counted = "SELECT count(DISTINCT xmin::text) FROM restream_oauth.grants WHERE name = ANY ($1)";
    database.client().await.query_one(counted, &[&names]).await.unwrap().get(0)
}

fn names<const N: usize>(names: [&str; N]) -> [GrantName; N] {
    names.map(|name| name.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_grant_of_a_statement_is_judged_by_itself() {
    let Some(database) = Database::migrated().await else { return };
    let (store, other) = (narrow_store(&database).await, database.store().await);
    let all = names(["held", "newer", "another", "gone", "also-held"]);
    let [held, newer, another, gone, also_held] = all.clone();
    let first = login("1");
    let (second, third) = (next(&first, "2"), next(&first, "3"));
    let mut claims = Vec::new();
    for grant in [&held, &newer, &another, &also_held] {
        put(&other, grant, &first).await;
        claims.push(claim(&store, grant).await.claim);
    }
    let of_held = claims[0];
    done(&other, &newer, StoreOp::Commit { claim: claims[1], parent: first.parent(), record: third.clone() }).await;
    let of_another = login("another");
    done(&other, &another, StoreOp::Insert { claim: claims[2], record: of_another.clone() }).await;

    let commit = |claim| StoreOp::Commit { claim, parent: first.parent(), record: second.clone() };
    let ops = all.iter().cloned().zip([0, 1, 2, 2, 3].map(|of| commit(claims[of]))).collect();
    let outcomes = at_once(&store, ops).await;
    let words = |outcome: &StoreOutcome| match outcome {
        StoreOutcome::Done => "done".to_owned(),
        StoreOutcome::Superseded(stored) => {
            format!("superseded by {:?}", stored.record().map(|record| record.tokens.access_token().expose_secret()))
        }
        outcome => format!("{outcome:?}"),
    };
    let outcomes: Vec<String> = outcomes.iter().map(words).collect();
    let expected = [
        "done",
        r#"superseded by Some("access-3")"#,
        r#"superseded by Some("access-another")"#,
        "superseded by None",
        "done",
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(writers(&database, &[held.clone(), also_held.clone()]).await, 1, "they came in one statement");
    for (grant, pair) in [(&held, &second), (&also_held, &second), (&newer, &third), (&another, &of_another)] {
        assert_eq!(record(&other, grant).await, **pair, "{grant}");
    }

    // Not even a claim that has ended, a row that is locked, or one that is not there.
    let settle = |claim| StoreOp::Settle { claim, record: None, leftovers: Leftovers::Remove };
    done(&store, &held, settle(of_held)).await;
    let administrator = database.client().await;
    let locked = "BEGIN; SELECT FROM restream_oauth.grants WHERE name = 'also-held' FOR UPDATE";
    administrator.batch_execute(locked).await.unwrap();
    let claims = at_once(&store, all.iter().map(|grant| (grant.clone(), StoreOp::Claim)).collect()).await;
    administrator.batch_execute("COMMIT").await.unwrap();
    let words = claims.iter().map(|outcome| match outcome {
        StoreOutcome::Claimed(claimed) if claimed.stored.record().is_some() => "claimed",
        StoreOutcome::Claimed(_) => "made",
        StoreOutcome::Busy => "busy",
        _ => "failed",
    });
    assert_eq!(words.collect::<Vec<_>>(), ["claimed", "busy", "busy", "made", "busy"]);
    assert_eq!(writers(&database, &[held.clone(), gone.clone()]).await, 1);

    // A claim that another process has taken over stops its former holder alone.
    let StoreOutcome::Claimed(claimed) = &claims[0] else { panic!("it was free") };
    let StoreOutcome::Claimed(made) = &claims[3] else { panic!("it was not there") };
    let taken = "UPDATE restream_oauth.grants SET claim = 1 WHERE name = 'gone'";
    administrator.batch_execute(taken).await.unwrap();
    let prepare = StoreOp::Prepare { claim: claimed.claim, record: marked(&second) };
    let insert = |claim| StoreOp::Insert { claim, record: login("x") };
    let outcomes = at_once(&store, vec![(gone.clone(), insert(made.claim)), (held.clone(), prepare)]).await;
    assert_eq!(kind_of(&outcomes[0]), &StoreErrorKind::ClaimLost);
    assert!(matches!(outcomes[1], StoreOutcome::Done), "{:?}", outcomes[1]);
}

/// A value that the database does not take, as a full disk or a column that is too short.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refuses_of_one_grant_is_not_in_the_way_of_others() {
    let Some(database) = Database::migrated().await else { return };
    let store = narrow_store(&database).await;
    let refuses = "ALTER TABLE restream_oauth.grants ADD CONSTRAINT own CHECK (name <> 'refused' OR login IS NULL)";
    database.client().await.batch_execute(refuses).await.unwrap();
    let mut ops = Vec::new();
    for name in ["a", "b", "refused", "z"] {
        let grant = name.parse().unwrap();
        let claim = claim(&store, &grant).await.claim;
        ops.push((grant, StoreOp::Insert { claim, record: login(name) }));
    }
    let outcomes = at_once(&store, ops).await;
    let done: Vec<bool> = outcomes.iter().map(|outcome| matches!(outcome, StoreOutcome::Done)).collect();
    assert_eq!(done, [true, true, false, true], "{outcomes:?}");
    assert_eq!(kind_of(&outcomes[2]), &StoreErrorKind::Unavailable);
}

/// A row that somebody keeps locked, on a server that lets nothing wait for it for long.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_stays_locked_fails_alone() {
    let Some(database) = Database::migrated().await else { return };
    let administrator = database.client().await;
    let names = names(["a", "locked", "z"]);
    let store = database.store().await;
    for grant in &names {
        put(&store, grant, &login("1")).await;
    }
    let limit = format!("ALTER DATABASE {} SET lock_timeout = '200ms'", database.name);
    administrator.batch_execute(&limit).await.unwrap();
    let store = narrow_store(&database).await;
    let lock = "BEGIN; SELECT FROM restream_oauth.grants WHERE name = 'locked' FOR UPDATE";
    administrator.batch_execute(lock).await.unwrap();
    let park = || StoreOp::Park { parent: login("1").parent(), tokens: Box::new(tokens("late")) };
    let outcomes = at_once(&store, names.map(|grant| (grant, park())).into()).await;
    let done: Vec<bool> = outcomes.iter().map(|outcome| matches!(outcome, StoreOutcome::Done)).collect();
    assert_eq!(done, [true, false, true], "{outcomes:?}");
}

/// The other one has made a row, and locks the next one: if the claims had locked that, both would wait for ever.
#[tokio::test(flavor = "multi_thread")]
async fn claims_that_wait_for_a_row_that_is_made_have_locked_no_other() {
    let Some(database) = Database::migrated().await else { return };
    let store = narrow_store(&database).await;
    let [made, there] = names(["made", "there"]);
    put(&store, &there, &login("1")).await;
    let (administrator, other) = (database.client().await, database.client().await);
    administrator.batch_execute("BEGIN; INSERT INTO restream_oauth.grants (name) VALUES ('made')").await.unwrap();
    let claims =
        tokio::spawn(async move { at_once(&store, vec![(there, StoreOp::Claim), (made, StoreOp::Claim)]).await });
    let waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    // Not in the transaction, which would see the first answer for ever.
    while other.query(waits, &[]).await.unwrap().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    let lock = "SELECT FROM restream_oauth.grants WHERE name = 'there' FOR UPDATE NOWAIT";
    administrator.batch_execute(lock).await.expect("nobody has locked it");
    administrator.batch_execute("COMMIT").await.unwrap();
    let outcomes = timeout(Duration::from_secs(10), claims).await.unwrap().unwrap();
    assert!(matches!(outcomes[..], [StoreOutcome::Claimed(_), StoreOutcome::Busy]), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_hangs_holds_up_no_other_grant() {
    let Some(database) = Database::migrated().await else { return };
    let store = PostgresStore::connect(&database.config().connections(2)).await.unwrap();
    let [locked, free] = names(["locked", "free"]);
    for grant in [&locked, &free] {
        put(&store, grant, &login("1")).await;
    }
    let administrator = database.client().await;
    let lock = "BEGIN; SELECT FROM restream_oauth.grants WHERE name = 'locked' FOR UPDATE";
    administrator.batch_execute(lock).await.unwrap();
    let park = |grant: &GrantName| {
        let (store, grant, parent) = (store.clone(), grant.clone(), login("1").parent());
        async move { store.execute(&grant, StoreOp::Park { parent, tokens: Box::new(tokens("late")) }).await }
    };
    let hangs = tokio::spawn(park(&locked));
    for _ in 0..20 {
        timeout(Duration::from_secs(10), park(&free)).await.expect("it does not wait for the lock");
    }
    assert!(!hangs.is_finished());
    administrator.batch_execute("COMMIT").await.unwrap();
    let outcome = hangs.await.unwrap();
    assert!(matches!(outcome, StoreOutcome::Done | StoreOutcome::Superseded(_)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_passes_the_contract_while_its_statements_have_company() {
    let Some(database) = Database::migrated().await else { return };
    let store = Arc::new(narrow_store(&database).await);
    let mut company = JoinSet::new();
    for number in 0..24 {
        let store = Arc::clone(&store);
        company.spawn(async move {
            let grant: GrantName = format!("company-{number}").parse().unwrap();
            let mut record = login("1");
            put(&store, &grant, &record).await;
            for generation in 2_u64.. {
                let claim = claim(&store, &grant).await.claim;
                done(&store, &grant, StoreOp::Prepare { claim, record: marked(&record) }).await;
                let parent = record.parent();
                record = next(&record, &generation.to_string());
                done(&store, &grant, StoreOp::Commit { claim, parent, record: record.clone() }).await;
                let settle = StoreOp::Settle { claim, record: None, leftovers: Leftovers::Remove };
                done(&store, &grant, settle).await;
            }
        });
    }
    check_stores(&store, &store).await;
    if let Some(ended) = company.try_join_next() {
        ended.unwrap();
    }
}
