//! What is written again after a failover replaces what came earlier, and nothing that came later.

use restream_oauth_keeper::store::{Store as _, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Record, Stored};
use restream_oauth_keeper_postgres::sql;
use tokio_postgres::types::{ToSql, Type};

use crate::support::{Database, claim, done, grant, login, next, put, stored, tokens};

/// What [`sql::RESTORE`] is given, of all grants that are there.
const KEPT: &str = "SELECT array_agg(name) AS names, array_agg(claim) AS claims, array_agg(record) AS records,
  array_agg(login) AS logins, array_agg(generation) AS generations, array_agg(requests) AS requests,
  array_agg((extract(epoch FROM usable_until) * 1000000)::bigint) AS usable_until, array_agg(NULL::bigint) AS nothing
FROM restream_oauth.grants";

#[tokio::test]
async fn records_that_come_back_together_replace_what_is_older_and_nothing_that_is_newer() {
    let Some(database) = Database::migrated().await else { return };
    let (store, client) = (database.store().await, database.client().await);
    let names = ["older", "newer", "another", "gone", "claimed"];
    let [older, newer, another, gone, claimed]: [GrantName; 5] = names.map(|name| name.parse().unwrap());
    let first = login("1");
    let second = next(&first, "2");
    let third = next(&second, "3");
    for name in [&older, &newer, &another, &gone, &claimed] {
        put(&store, name, &second).await;
    }
    for name in [&gone, &claimed] {
        claim(&store, name).await;
    }
    let kept = client.query_one(KEPT, &[]).await.unwrap();

    client.batch_execute("DELETE FROM restream_oauth.grants").await.unwrap();
    // Generations count on from the login before.
    let other_login = Box::new(Record { generation: third.generation, ..*login("another") });
    for (name, record) in [(&older, &first), (&newer, &third), (&another, &other_login), (&claimed, &first)] {
        put(&store, name, record).await;
    }
    let held = claim(&store, &claimed).await.claim;

    let column = |name: &str| kept.get::<_, Vec<Option<i64>>>(name);
    let documents = |name: &str| kept.get::<_, Vec<Option<Vec<u8>>>>(name);
    let (names, records, logins) = (kept.get::<_, Vec<String>>("names"), documents("records"), documents("logins"));
    let claims = column("claims");
    let numbers =
        ["generations", "requests", "usable_until", "usable_until", "nothing", "nothing", "nothing"].map(column);
    let mut typed: Vec<(&(dyn ToSql + Sync), Type)> = vec![
        (&names, Type::TEXT_ARRAY),
        (&claims, Type::INT8_ARRAY),
        (&records, Type::BYTEA_ARRAY),
        (&logins, Type::BYTEA_ARRAY),
    ];
    typed.extend(numbers.iter().map(|numbers| (numbers as &(dyn ToSql + Sync), Type::INT8_ARRAY)));
    let leases = [120_000_i64].repeat(names.len());
    typed.push((&leases, Type::INT8_ARRAY));
    client.query_typed(sql::RESTORE, &typed).await.unwrap();

    let mut has = Vec::new();
    for name in [&older, &newer, &another, &gone, &claimed] {
        has.push(stored(&store, name).await);
    }
    let expected = [&second, &third, &other_login, &second, &second].map(|record| Stored::Grant(record.clone()));
    assert_eq!(has, expected);
    let busy = async |name| matches!(store.execute(name, StoreOp::Claim).await, StoreOutcome::Busy);
    assert!(busy(&gone).await, "the claim came back with the record");
    done(&store, &claimed, StoreOp::Prepare { claim: held, record: second }).await;
    assert!(!busy(&older).await, "there was no claim");
}

#[tokio::test]
async fn a_tombstone_that_comes_back_ends_the_login_that_it_ended_and_no_later_one() {
    let Some(database) = Database::migrated().await else { return };
    let (store, client) = (database.store().await, database.client().await);
    let first = login("1");
    let second = next(&first, "2");
    put(&store, &grant(), &second).await;
    let held = claim(&store, &grant()).await.claim;
    done(&store, &grant(), StoreOp::Forget { claim: held, tombstone: second.tombstone() }).await;
    let row = client.query_one("SELECT tombstone, login, generation FROM restream_oauth.grants", &[]).await.unwrap();
    let (tombstone, ended, generation): (Vec<u8>, Vec<u8>, i64) = (row.get(0), row.get(1), row.get(2));
    let parameters = [Type::TEXT_ARRAY, Type::BYTEA_ARRAY, Type::BYTEA_ARRAY, Type::INT8_ARRAY];
    let restore = async || {
        let name = grant().as_str().to_owned();
        let values: [&(dyn ToSql + Sync); 4] = [&vec![name], &vec![&tombstone], &vec![&ended], &vec![generation]];
        let typed: Vec<_> = values.into_iter().zip(parameters.clone()).collect();
        client.query_typed(sql::RESTORE_TOMBSTONE, &typed).await.unwrap();
        stored(&store, &grant()).await
    };
    let has = async |record| {
        client.batch_execute("DELETE FROM restream_oauth.grants").await.unwrap();
        put(&store, &grant(), record).await;
    };
    let ended = Stored::Tombstone(second.tombstone());

    for lost in [&first, &second] {
        has(lost).await;
        assert_eq!(restore().await, ended, "the server has the pair, or an earlier one");
    }
    let later = next(&second, "3");
    has(&later).await;
    assert_eq!(restore().await, Stored::Grant(later.clone()), "a pair that came later");
    let another = login("another");
    has(&another).await;
    assert_eq!(restore().await, Stored::Grant(another.clone()), "another login");

    has(&first).await;
    done(&store, &grant(), StoreOp::Stash { tokens: Box::new(tokens("waits")) }).await;
    assert_eq!(restore().await, ended);
    let due = "SELECT run_at <= now() FROM restream_oauth.grants";
    assert!(client.query_one(due, &[]).await.unwrap().get::<_, bool>(0), "a worker finds the login that waits");
    assert_eq!(claim(&store, &grant()).await.logins.len(), 1);

    client.batch_execute("DELETE FROM restream_oauth.grants").await.unwrap();
    assert_eq!(restore().await, ended, "the row is gone, and a later login counts on from the tombstone");
}
