//! A missing key, a damaged document and one that cannot be opened are three errors, and none of them harms the document.

use restream_oauth_keeper::seal::{SealError, Sealer};
use restream_oauth_keeper::store::{Store as _, StoreErrorKind, StoreOp};
use restream_oauth_keeper_postgres::PostgresStore;

use super::{K1, K2, answer, config, fill, ring, sealed};
use crate::support::{Database, claim, done, grant, kind_of, login, put, record, stored};

fn key(name: &str) -> restream_oauth_keeper::seal::KeyId {
    name.parse().unwrap()
}

/// What reading and claiming fail with. They must agree, and leave no claim.
async fn refused(store: &PostgresStore, database: &Database) -> SealError {
    let mut errors = Vec::new();
    for op in [StoreOp::Read, StoreOp::Claim] {
        let outcome = store.execute(&grant(), op).await;
        let StoreErrorKind::Sealed(error) = kind_of(&outcome).clone() else { panic!("{outcome:?}") };
        let words = format!("{outcome:?}");
        assert!(!words.contains("access-") && !words.contains("1111"), "{words}");
        errors.push(error);
    }
    let claimed = "SELECT count(*) FROM restream_oauth.grants WHERE claim IS NOT NULL";
    assert_eq!(database.client().await.query_one(claimed, &[]).await.unwrap().get::<_, i64>(0), 0);
    assert_eq!(errors[0], errors[1]);
    errors.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_a_damaged_record_and_one_that_cannot_be_opened_are_told_apart() {
    let Some(database) = Database::migrated().await else { return };
    let store = sealed(&database, &[K1]).await;
    put(&store, &grant(), &login("1")).await;
    let other = sealed(&database, &[K2]).await;
    assert_eq!(refused(&other, &database).await, SealError::KeyMissing { key: key("k1") });
    assert_eq!(refused(&database.store().await, &database).await, SealError::NoRing { key: key("k1") });
    let other = sealed(&database, &[&K1.replace("11", "12")]).await;
    assert_eq!(refused(&other, &database).await, SealError::CannotBeOpened { key: key("k1") });
    let client = database.client().await;
    let whole: Vec<u8> = client.query_one("SELECT record FROM restream_oauth.grants", &[]).await.unwrap().get(0);
    let put = async |document: &[u8]| {
        client.execute("UPDATE restream_oauth.grants SET record = $1", &[&document]).await.unwrap();
    };
    let mut changed = whole.clone();
    let place = whole.len() - 10;
    changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
    for (document, error) in
        [(&changed[..], SealError::CannotBeOpened { key: key("k1") }), (&whole[..5], SealError::Damaged)]
    {
        put(document).await;
        assert_eq!(refused(&store, &database).await, error);
    }
    put(&whole).await;
    assert_eq!(record(&store, &grant()).await.generation, 0, "nobody changed it");
}

/// An answer that does not open may hold the only copy of a pair, so nobody gets the claim and drops it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_or_a_login_that_does_not_open_is_not_dropped() {
    let Some(database) = Database::migrated().await else { return };
    let both = sealed(&database, &[K1, K2]).await;
    let login = login("1");
    put(&sealed(&database, &[K2]).await, &grant(), &login).await;
    let held = claim(&both, &grant()).await.claim;
    done(&both, &grant(), StoreOp::Spool { claim: held, answer: answer(&login, 1, "x") }).await;
    let end = "UPDATE restream_oauth.grants SET claimed_until = now()";
    database.client().await.batch_execute(end).await.unwrap();
    let without = sealed(&database, &[K2]).await;
    stored(&without, &grant()).await;
    let outcome = without.execute(&grant(), StoreOp::Claim).await;
    assert_eq!(kind_of(&outcome), &StoreErrorKind::Sealed(SealError::KeyMissing { key: key("k1") }));
    assert_eq!(claim(&both, &grant()).await.spooled.len(), 1, "it is still there, and nobody has the claim");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_was_moved_to_another_grant_or_column_does_not_open() {
    let Some(database) = Database::migrated().await else { return };
    let store = sealed(&database, &[K1]).await;
    let other = "other".parse().unwrap();
    put(&store, &other, &login("2")).await;
    fill(&store, &grant(), "one").await;
    let client = database.client().await;
    let cannot = StoreErrorKind::Sealed(SealError::CannotBeOpened { key: key("k1") });
    for moved in [
        "logins = parked",
        "logins = spooled",
        "logins = ARRAY[record]",
        "spooled = logins",
        "record = (SELECT record FROM restream_oauth.grants WHERE name = 'other')",
    ] {
        client.batch_execute("CREATE TEMPORARY TABLE before AS SELECT * FROM restream_oauth.grants").await.unwrap();
        let moved_one = format!("UPDATE restream_oauth.grants SET {moved} WHERE name = 'default'");
        client.batch_execute(&moved_one).await.unwrap();
        assert_eq!(kind_of(&store.execute(&grant(), StoreOp::Claim).await), &cannot, "{moved}");
        let back = "DELETE FROM restream_oauth.grants; INSERT INTO restream_oauth.grants SELECT * FROM before; DROP TABLE before";
        client.batch_execute(back).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_record_is_read_until_it_is_to_be_refused_and_the_next_write_seals_it() {
    let Some(database) = Database::migrated().await else { return };
    put(&database.store().await, &grant(), &login("1")).await;
    let strict = database.config().sealed(Sealer::new(ring(&[K1])).refuse_plain());
    let strict = PostgresStore::connect(&strict).await.unwrap();
    assert_eq!(refused(&strict, &database).await, SealError::Plain);
    let store = PostgresStore::connect(&config(&database, &[K1])).await.unwrap();
    let record = record(&store, &grant()).await;
    put(&store, &grant(), &record).await;
    assert_eq!(stored(&strict, &grant()).await.record(), Some(&record));
}
