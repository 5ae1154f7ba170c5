//! What an administrator does: list, end and export grants.

use std::time::Duration;

use restream_oauth_keeper::store::{Leftovers, Store as _, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Death, DeathCause, GrantName, Record, Stored};
use restream_oauth_keeper_postgres::{Ended, State, sql};

use crate::support::{Database, claim, done, grant, login, marked, put, release, stored, tokens};

fn name(text: &str) -> GrantName {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_are_listed_by_name_page_by_page_with_the_times_of_this_clock() {
    let Some(database) = Database::migrated().await else { return };
    let ahead = || std::time::SystemTime::now() + Duration::from_secs(86_400);
    let store = database.config().clock(ahead);
    let store = restream_oauth_keeper_postgres::PostgresStore::connect(&store).await.unwrap();
    let (alive, dead) = (login("1"), login("2"));
    put(&store, &name("b"), &alive).await;
    let death = Some(Death { why: DeathCause::Revoked, at: dead.tokens.sent_at() });
    put(&store, &name("a"), &Record { death, generation: 7, ..*dead.clone() }).await;
    let held = claim(&store, &name("b")).await.claim;
    done(&store, &name("b"), StoreOp::Prepare { claim: held, record: marked(&alive) }).await;
    put(&store, &name("c"), &login("3")).await;
    let forgotten = claim(&store, &name("c")).await.claim;
    done(&store, &name("c"), StoreOp::Forget { claim: forgotten, tombstone: login("3").tombstone() }).await;
    done(&store, &name("d"), StoreOp::Stash { tokens: Box::new(tokens("4")) }).await;

    let first = store.grants(None, 3).await.unwrap();
    let rest = store.grants(Some(&name("c")), 3).await.unwrap();
    let names: Vec<_> = first.iter().chain(&rest).map(|it| (it.grant.as_str(), it.state, it.claimed)).collect();
    let expected = [
        ("a", State::LoggedIn, false),
        ("b", State::LoggedIn, true),
        ("c", State::LoggedOut, false),
        ("d", State::Empty, false),
    ];
    assert_eq!(names, expected);
    assert_eq!((first[0].generation, first[0].died_at, first[0].due_at), (Some(7), death.map(|it| it.at), None));
    assert_eq!(first[1].usable_until, Some(alive.usable_until));
    assert_eq!(first[1].doubt_since, Some(alive.tokens.sent_at()));
    assert!(rest[0].due_at.is_some(), "a login that waits is due at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_ended_is_due_at_once_and_gives_no_token() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.store().await;
    let dead = Some(Death { why: DeathCause::Revoked, at: login("1").tokens.sent_at() });
    for record in [login("1"), Box::new(Record { death: dead, ..*login("1") })] {
        put(&store, &grant(), &record).await;
        assert_eq!(store.end(&grant()).await.unwrap(), Ended::Marked);
        let Stored::Grant(found) = stored(&store, &grant()).await else { panic!("it is there until it is revoked") };
        assert!(found.leaving);
        let due = database.client().await.query(sql::DUE, &[&0_i64, &10_i64, &0_i64]).await.unwrap();
        assert_eq!(due.len(), 1, "a worker picks it");
    }
    let held = claim(&store, &grant()).await.claim;
    assert_eq!(store.end(&grant()).await.unwrap(), Ended::Busy);
    done(&store, &grant(), StoreOp::Forget { claim: held, tombstone: login("1").tombstone() }).await;
    assert_eq!(store.end(&grant()).await.unwrap(), Ended::Nothing);
    assert_eq!(store.end(&name("nobody")).await.unwrap(), Ended::Nothing);
    assert_eq!(store.grants(None, 10).await.unwrap().len(), 1, "asking made no row");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_the_document_of_the_file_store_and_says_if_something_waits() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.store().await;
    assert!(store.export(&grant()).await.unwrap().is_none());
    let login = login("1");
    put(&store, &grant(), &login).await;
    let exported = store.export(&grant()).await.unwrap().unwrap();
    assert_eq!(Record::from_saved(exported.document.as_bytes()), Ok(*login));
    assert!(!exported.left);
    assert!(!format!("{exported:?}").contains("access-1"));
    done(&store, &grant(), StoreOp::Stash { tokens: Box::new(tokens("2")) }).await;
    assert!(store.export(&grant()).await.unwrap().unwrap().left);
}

/// A grant whose refresh left an answer: the answer stays for the worker that ends the grant.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_waits_is_left_to_the_worker_that_ends_the_grant() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.store().await;
    let login = login("1");
    put(&store, &grant(), &login).await;
    let held = claim(&store, &grant()).await.claim;
    let answer = restream_oauth_keeper::Spooled {
        parent: login.parent(),
        number: 1,
        answer: zeroize::Zeroizing::new("{}".to_owned()),
    };
    done(&store, &grant(), StoreOp::Spool { claim: held, answer }).await;
    done(&store, &grant(), StoreOp::Settle { claim: held, record: None, leftovers: Leftovers::Leave }).await;
    assert_eq!(store.end(&grant()).await.unwrap(), Ended::Marked);
    let StoreOutcome::Claimed(claimed) = store.execute(&grant(), StoreOp::Claim).await else { panic!("it is free") };
    assert_eq!(claimed.spooled.len(), 1);
    release(&store, &grant(), claimed.claim).await;
}
