//! A tombstone that is written again after a failover ends what it ended before, and nothing that came later.

use restream_oauth_keeper::Stored;
use restream_oauth_keeper::store::StoreOp;
use restream_oauth_keeper_postgres::sql;
use tokio_postgres::types::Type;

use crate::support::{Database, claim, done, grant, login, next, put, stored, tokens};

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
    let parameters = [Type::TEXT, Type::BYTEA, Type::BYTEA, Type::INT8];
    let restore = async || {
        let name = grant().as_str().to_owned();
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] = [&name, &tombstone, &ended, &generation];
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
