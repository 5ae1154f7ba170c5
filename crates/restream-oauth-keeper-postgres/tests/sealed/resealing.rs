//! Changing the key: everything that an older key has sealed is sealed again while keepers go on.

use restream_oauth_keeper::store::{Store as _, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, seal::SealError};

use super::{K1, K2, fill, sealed};
use crate::support::{Database, claim, done, grant, login, next, put, record};

/// Everything of a grant, as far as a claim shows it.
async fn everything(store: &restream_oauth_keeper_postgres::PostgresStore, grant: &GrantName) -> String {
    let claimed = claim(store, grant).await;
    crate::support::done(
        store,
        grant,
        StoreOp::Settle {
            claim: claimed.claim,
            record: None,
            leftovers: restream_oauth_keeper::store::Leftovers::Leave,
        },
    )
    .await;
    let record = claimed.stored.record().unwrap();
    let strays: Vec<_> = record.strays.iter().map(|stray| (stray.generation, stray.tokens.clone())).collect();
    assert_eq!((strays.len(), claimed.spooled.len(), claimed.logins.len()), (2, 1, 1));
    format!(
        "{}{:?}{:?}{:?}",
        *record.to_saved(),
        strays,
        claimed.spooled[0].answer,
        claimed.logins[0].to_saved().expose_secret()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_sweep_nothing_needs_the_older_key() {
    let Some(database) = Database::migrated().await else { return };
    let old = sealed(&database, &[K1]).await;
    let names: Vec<GrantName> = (0..3).map(|number| format!("user-{number}").parse().unwrap()).collect();
    for name in &names {
        fill(&old, name, name.as_str()).await;
    }
    // One is plain.
    put(&database.store().await, &grant(), &login("plain")).await;
    let before = everything(&old, &names[1]).await;
    let both = sealed(&database, &[K2, K1]).await;
    let first = both.reseal().await.unwrap();
    // A record, two late pairs, two answers, of which one is set aside, and a login; and the plain record.
    assert_eq!((first.rewritten, first.changed, first.failed), (3 * 6 + 1, 0, 0), "{first:?}");
    assert!(!first.is_complete());
    assert!(both.reseal().await.unwrap().is_complete());
    let new = sealed(&database, &[K2]).await;
    assert_eq!(everything(&new, &names[1]).await, before);
    record(&new, &grant()).await;
    assert!(new.reseal().await.unwrap().is_complete());
    let outcome = old.execute(&names[0], StoreOp::Read).await;
    assert!(matches!(outcome, StoreOutcome::Failed(error) if matches!(error.kind(), StoreErrorKind::Sealed(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_being_refreshed_is_sealed_again_and_refreshed() {
    let Some(database) = Database::migrated().await else { return };
    let (old, both) = (sealed(&database, &[K1]).await, sealed(&database, &[K2, K1]).await);
    let login = login("1");
    put(&old, &grant(), &login).await;
    let held = claim(&old, &grant()).await.claim;
    assert_eq!(both.reseal().await.unwrap().rewritten, 1);
    let pair = next(&login, "2");
    done(&old, &grant(), StoreOp::Commit { claim: held, parent: login.parent(), record: pair.clone() }).await;
    assert_eq!(record(&both, &grant()).await, *pair);
    assert_eq!(both.reseal().await.unwrap().rewritten, 1, "the older key has sealed it again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_key_is_missing_is_named_and_stays_and_the_others_are_sealed_again() {
    let Some(database) = Database::migrated().await else { return };
    let lost: GrantName = "lost".parse().unwrap();
    put(
        &sealed(&database, &["k0:3333333333333333333333333333333333333333333333333333333333333333"]).await,
        &lost,
        &login("0"),
    )
    .await;
    put(&sealed(&database, &[K1]).await, &grant(), &login("1")).await;
    let found = sealed(&database, &[K2, K1]).await.reseal().await.unwrap();
    assert_eq!((found.rewritten, found.failed, found.failures.len()), (1, 1, 1));
    let (name, error) = &found.failures[0];
    let missing = StoreErrorKind::Sealed(SealError::KeyMissing { key: "k0".parse().unwrap() });
    assert_eq!((name, error.kind()), (&lost, &missing));
    assert!(!found.is_complete());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_keys_seals_nothing() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.store().await;
    put(&store, &grant(), &login("1")).await;
    assert!(store.reseal().await.unwrap().is_complete());
}
