//! Claims are columns with a lease: exclusive among any number of processes, and never the end of a pair.

use std::sync::Arc;
use std::time::Duration;

use restream_oauth_keeper::store::{ClaimId, Leftovers, Store as _, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Spooled, Stored};
use restream_oauth_keeper_postgres::PostgresStore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::support::{Database, claim, done, grant, kind_of, login, marked, next, put, record, release, tokens};

/// Ends the lease of the claim, as two minutes do.
async fn run_out(database: &Database) {
    let ended = "UPDATE restream_oauth.grants SET claimed_until = now() - interval '1 second'";
    database.client().await.batch_execute(ended).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_processes_that_claim_at_once_one_has_the_grant() {
    let Some(database) = Database::migrated().await else { return };
    let config = database.config().connections(1);
    let mut stores = Vec::new();
    for _ in 0..12 {
        stores.push(Arc::new(PostgresStore::connect(&config).await.unwrap()));
    }
    for round in 0..20 {
        let grant = grant();
        let mut claims = JoinSet::new();
        for store in &stores {
            let (store, grant) = (Arc::clone(store), grant.clone());
            claims.spawn(async move { (store.execute(&grant, StoreOp::Claim).await, store) });
        }
        let mut holders = Vec::new();
        while let Some(outcome) = claims.join_next().await {
            match outcome.unwrap() {
                (StoreOutcome::Claimed(claimed), store) => holders.push((claimed.claim, store)),
                (StoreOutcome::Busy, _) => {}
                (outcome, _) => panic!("{outcome:?}"),
            }
        }
        assert_eq!(holders.len(), 1, "round {round}");
        let (claim, store) = holders.remove(0);
        release(&store, &grant, claim).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_lease_ran_out_is_taken_by_another_process() {
    let Some(database) = Database::migrated().await else { return };
    let (one, other, grant) = (database.store().await, database.store().await, grant());
    put(&one, &grant, &login("1")).await;
    let first = claim(&one, &grant).await.claim;
    assert!(matches!(other.execute(&grant, StoreOp::Claim).await, StoreOutcome::Busy));
    run_out(&database).await;
    let second = claim(&other, &grant).await.claim;
    assert_ne!(first, second);
    assert!(matches!(one.execute(&grant, StoreOp::Claim).await, StoreOutcome::Busy));
    let prepare = StoreOp::Prepare { claim: first, record: marked(&login("1")) };
    assert_eq!(kind_of(&one.execute(&grant, prepare).await), &StoreErrorKind::ClaimLost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_pair_is_committed_although_its_claim_is_somebody_elses() {
    let Some(database) = Database::migrated().await else { return };
    let (one, other, grant) = (database.store().await, database.store().await, grant());
    let login = login("1");
    put(&one, &grant, &login).await;
    let first = claim(&one, &grant).await.claim;
    let marked = marked(&login);
    done(&one, &grant, StoreOp::Prepare { claim: first, record: marked.clone() }).await;
    run_out(&database).await;
    let second = claim(&other, &grant).await.claim;
    let pair = next(&login, "2");
    done(&one, &grant, StoreOp::Commit { claim: first, parent: marked.parent(), record: pair.clone() }).await;
    assert_eq!(record(&other, &grant).await, *pair);
    // What the other one sent meanwhile comes too late. It is kept beside the record.
    let late = next(&login, "3");
    let commit = StoreOp::Commit { claim: second, parent: login.parent(), record: late.clone() };
    let outcome = other.execute(&grant, commit).await;
    assert!(matches!(&outcome, StoreOutcome::Superseded(Stored::Grant(it)) if **it == *pair), "{outcome:?}");
    let park = StoreOp::Park { parent: login.parent(), tokens: Box::new(late.tokens.clone()) };
    done(&other, &grant, park).await;
    assert_eq!(record(&one, &grant).await.strays.len(), 1);
}

/// The holder does not know of it, so each record that it writes has to keep it; so has a late one of an earlier holder.
#[tokio::test(flavor = "multi_thread")]
async fn a_stray_that_was_parked_since_the_claim_stays_whoever_writes() {
    let Some(database) = Database::migrated().await else { return };
    let (store, grant) = (database.store().await, grant());
    let login = login("1");
    put(&store, &grant, &login).await;
    let park = |name: &str| StoreOp::Park { parent: login.parent(), tokens: Box::new(tokens(name)) };
    let early = claim(&store, &grant).await.claim;
    done(&store, &grant, park("early")).await;
    run_out(&database).await;
    let present = claim(&store, &grant).await;
    assert_eq!(present.stored.record().unwrap().strays.len(), 1, "the claim returns what was parked before");
    done(&store, &grant, park("late")).await;
    // The holder drops the stray that it knows, and writes a record without it.
    done(&store, &grant, StoreOp::Prepare { claim: present.claim, record: marked(&login) }).await;
    let names = |record: restream_oauth_keeper::Record| {
        record.strays.iter().map(|it| it.tokens.access_token().expose_secret().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(record(&store, &grant).await), ["access-late"]);
    // One that does not hold the claim knows of none.
    let pair = next(&login, "2");
    done(&store, &grant, StoreOp::Commit { claim: early, parent: login.parent(), record: pair }).await;
    assert_eq!(names(record(&store, &grant).await), ["access-late"]);
}

/// A process sleeps through its lease. Meanwhile others park a pair, and one writes a record with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_settle_keeps_the_strays_that_were_parked_before_the_present_claim() {
    let Some(database) = Database::migrated().await else { return };
    let (store, grant) = (database.store().await, grant());
    let login = login("1");
    put(&store, &grant, &login).await;
    let late = claim(&store, &grant).await.claim;
    run_out(&database).await;
    done(&store, &grant, StoreOp::Park { parent: login.parent(), tokens: Box::new(tokens("late")) }).await;
    let second = claim(&store, &grant).await;
    let known = marked(second.stored.record().unwrap());
    assert_eq!(known.strays.len(), 1);
    done(&store, &grant, StoreOp::Prepare { claim: second.claim, record: known.clone() }).await;
    // The one that slept knows as many requests, and nothing of the stray.
    let settle = StoreOp::Settle { claim: late, record: Some(marked(&login)), leftovers: Leftovers::SetAside };
    done(&store, &grant, settle).await;
    let stored = record(&store, &grant).await;
    assert!(stored.doubt.is_some());
    assert_eq!(stored.strays, known.strays, "the late pair is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_login_drops_the_strays_of_the_one_before() {
    let Some(database) = Database::migrated().await else { return };
    let (store, grant) = (database.store().await, grant());
    let first = login("1");
    put(&store, &grant, &first).await;
    done(&store, &grant, StoreOp::Park { parent: first.parent(), tokens: Box::new(tokens("late")) }).await;
    put(&store, &grant, &login("2")).await;
    assert_eq!(record(&store, &grant).await.strays, []);
}

/// A statement that is sent again because its connection broke must not spool an answer twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_a_login_and_a_stray_that_come_twice_are_there_once() {
    let Some(database) = Database::migrated().await else { return };
    let (store, grant) = (database.store().await, grant());
    let login = login("1");
    put(&store, &grant, &login).await;
    let held = claim(&store, &grant).await.claim;
    let stashed = Box::new(tokens("2"));
    let late = Box::new(tokens("late"));
    for _ in 0..2 {
        let answer = Zeroizing::new("{\"a\":1}".to_owned());
        let answer = Spooled { parent: login.parent(), number: 1, answer };
        done(&store, &grant, StoreOp::Spool { claim: held, answer }).await;
        done(&store, &grant, StoreOp::Stash { tokens: stashed.clone() }).await;
        done(&store, &grant, StoreOp::Park { parent: login.parent(), tokens: late.clone() }).await;
    }
    done(&store, &grant, StoreOp::Settle { claim: held, record: None, leftovers: Leftovers::Leave }).await;
    let found = claim(&store, &grant).await;
    assert_eq!((found.spooled.len(), found.logins.len()), (1, 1));
    assert_eq!(found.stored.record().unwrap().strays.len(), 1);
}

/// With the answer in it the row has no room in its page, and its next version would be in another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_drops_the_answers_of_its_own_claim_and_of_no_other() {
    let Some(database) = Database::migrated().await else { return };
    let (one, other, grant, client) =
        (database.store().await, database.store().await, grant(), database.client().await);
    let answers = async || -> Option<i32> {
        client.query_one("SELECT cardinality(spooled) FROM restream_oauth.grants", &[]).await.unwrap().get(0)
    };
    let first = login("1");
    put(&one, &grant, &first).await;
    let spool = |claim, number| {
        let answer = Spooled { parent: first.parent(), number, answer: Zeroizing::new("{\"a\":1}".to_owned()) };
        StoreOp::Spool { claim, answer }
    };
    let former = claim(&one, &grant).await.claim;
    done(&one, &grant, spool(former, 1)).await;
    run_out(&database).await;
    let holder = claim(&other, &grant).await.claim;
    done(&other, &grant, spool(holder, 2)).await;
    let second = next(&first, "2");
    done(&one, &grant, StoreOp::Commit { claim: former, parent: first.parent(), record: second.clone() }).await;
    assert_eq!(answers().await, Some(2), "the holder of the claim may not have read its answer yet");
    let third = next(&second, "3");
    done(&other, &grant, StoreOp::Commit { claim: holder, parent: second.parent(), record: third }).await;
    assert_eq!(answers().await, None);
    release(&other, &grant, holder).await;
}

/// `SKIP LOCKED`: an administrator's transaction, or another claim, does not make a worker wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_somebody_else_has_locked_counts_as_busy_at_once() {
    let Some(database) = Database::migrated().await else { return };
    let (store, grant) = (database.store().await, grant());
    put(&store, &grant, &login("1")).await;
    let administrator = database.client().await;
    administrator.batch_execute("BEGIN; SELECT FROM restream_oauth.grants FOR UPDATE").await.unwrap();
    let outcome = timeout(Duration::from_secs(5), store.execute(&grant, StoreOp::Claim)).await.unwrap();
    assert!(matches!(outcome, StoreOutcome::Busy), "{outcome:?}");
    administrator.batch_execute("COMMIT").await.unwrap();
    claim(&store, &grant).await;
}

/// What waits for a lock decides by what is there when it gets the lock, not by what was there when it began.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_commits_at_once_one_replaces_the_parent_and_the_other_is_told_by_what() {
    let Some(database) = Database::migrated().await else { return };
    let grant = grant();
    for round in 0..20 {
        let (one, other) = (database.store().await, database.store().await);
        let first = login(&format!("{round}"));
        put(&one, &grant, &first).await;
        let commit = |name: &str| StoreOp::Commit {
            claim: ClaimId(7),
            parent: first.parent(),
            record: next(&first, &format!("{round}-{name}")),
        };
        let (left, right) = tokio::join!(one.execute(&grant, commit("a")), other.execute(&grant, commit("b")));
        let newest = record(&one, &grant).await;
        match (&left, &right) {
            (StoreOutcome::Done, StoreOutcome::Superseded(Stored::Grant(by)))
            | (StoreOutcome::Superseded(Stored::Grant(by)), StoreOutcome::Done) => assert_eq!(**by, newest),
            outcomes => panic!("{outcomes:?}"),
        }
    }
}

/// A record of a newer release, or a damaged one: the claim fails, and nobody waits two minutes for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_leaves_no_claim() {
    let Some(database) = Database::migrated().await else { return };
    let (store, grant) = (database.store().await, grant());
    put(&store, &grant, &login("1")).await;
    let client = database.client().await;
    client.batch_execute("UPDATE restream_oauth.grants SET record = '{\"version\":99'").await.unwrap();
    let outcome = store.execute(&grant, StoreOp::Claim).await;
    assert!(matches!(kind_of(&outcome), StoreErrorKind::Document(_)), "{outcome:?}");
    let free = client.query_one("SELECT claim IS NULL FROM restream_oauth.grants", &[]).await.unwrap();
    assert!(free.get::<_, bool>(0));
}
