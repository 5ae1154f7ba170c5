//! The schema comes into a database once, whoever brings it, and a newer one is refused.

use restream_oauth_core::Tokens;
use restream_oauth_keeper::store::{Leftovers, Store as _, StoreErrorKind, StoreOp};
use restream_oauth_keeper::{GrantName, Record, Stored, Stray};
use restream_oauth_keeper_postgres::{Config, ConnectError, GRANTS, PostgresStore, SCHEMA_VERSION, migrations};
use tokio::task::JoinSet;

use crate::support::{
    Database, claim, client_of, done, grant, kind_of, login, login_of, marked, put, record, tokens, variable,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_the_schema_is_refused_until_it_is_migrated() {
    let Some(database) = Database::empty().await else { return };
    let missing = ConnectError::SchemaMissing { found: 0, needed: SCHEMA_VERSION };
    assert_eq!(PostgresStore::connect(&database.config()).await.unwrap_err(), missing);
    assert_eq!(PostgresStore::migrate(&database.config()).await, Ok(0));
    let store = database.store().await;
    put(&store, &grant(), &login("1")).await;
    assert_eq!(PostgresStore::migrate(&database.config()).await, Ok(SCHEMA_VERSION), "nothing to do");
    record(&store, &grant()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_processes_migrate_at_once_and_one_does_it() {
    let Some(database) = Database::empty().await else { return };
    let mut migrations = JoinSet::new();
    for _ in 0..8 {
        let config = database.config();
        migrations.spawn(async move { PostgresStore::migrate(&config).await.unwrap() });
    }
    let mut found = migrations.join_all().await;
    found.sort_unstable();
    assert_eq!(found, [0, 3, 3, 3, 3, 3, 3, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_a_newer_release_is_refused() {
    let Some(database) = Database::migrated().await else { return };
    let newer = "INSERT INTO restream_oauth.migrations (version) VALUES (99)";
    database.client().await.batch_execute(newer).await.unwrap();
    let expected = ConnectError::SchemaNewer { found: 99, known: SCHEMA_VERSION };
    assert_eq!(PostgresStore::connect(&database.config()).await.unwrap_err(), expected);
    assert_eq!(PostgresStore::migrate(&database.config()).await.unwrap_err(), expected);
}

/// What the first release of the schema holds: documents as lines of JSON, the generation of a late pair before it.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_version_stored_is_read_after_the_migration() {
    let Some(database) = Database::empty().await else { return };
    let client = database.client().await;
    let first = migrations(0).strip_suffix(&migrations(1)).unwrap().to_owned();
    client.batch_execute(&first).await.unwrap();
    let with_stray = Record { strays: vec![Stray { generation: 3, tokens: tokens("stray") }], ..*login("1") };
    let insert = "INSERT INTO restream_oauth.grants (name, record, login, generation, requests, parked, logins)
                  VALUES ($1, $2, $3, 0, 0, $4, $5)";
    let saved = |tokens: &Tokens| tokens.to_saved().expose_secret().as_bytes().to_vec();
    let late = |name| [b"4 ", saved(&tokens(name)).as_slice()].concat();
    let replaced = [b"replaced ", with_stray.to_saved().as_bytes()].concat();
    let (plain, other) = (login("2"), "other".parse::<GrantName>().unwrap());
    for (name, record, parked) in
        [(grant(), &with_stray, None), (other.clone(), &*plain, Some(vec![late("late"), replaced, late("later")]))]
    {
        let (document, login) = (record.to_saved().as_bytes().to_vec(), record.login.as_bytes()[..16].to_vec());
        let logins = vec![saved(&tokens("waiting"))];
        client.execute(insert, &[&name.as_str(), &document, &login, &parked, &logins]).await.unwrap();
    }
    assert_eq!(PostgresStore::migrate(&database.config()).await, Ok(1));
    let store = database.store().await;
    let claimed = claim(&store, &other).await;
    let Stored::Grant(found) = claimed.stored else { panic!("{:?}", claimed.stored) };
    let strays: Vec<_> =
        found.strays.iter().map(|it| (it.generation, it.tokens.access_token().expose_secret())).collect();
    assert_eq!(strays, [(4, "access-late"), (3, "access-stray"), (4, "access-later")]);
    assert_eq!(claimed.logins.len(), 1);
    // A writer without the claim, who does not know the stray of the record: it stays.
    let held = claim(&store, &grant()).await.claim;
    client.batch_execute("UPDATE restream_oauth.grants SET claim = 1").await.unwrap();
    let settle = StoreOp::Settle {
        claim: held,
        record: Some(marked(&login_of(with_stray.tokens.clone()))),
        leftovers: Leftovers::Leave,
    };
    done(&store, &grant(), settle).await;
    assert_eq!(record(&store, &grant()).await.strays, with_stray.strays);
}

/// For people who run their migrations themselves, and give the keeper a role without the right to change tables.
#[tokio::test(flavor = "multi_thread")]
async fn the_printed_migrations_and_rights_are_enough() {
    let Some(database) = Database::empty().await else { return };
    let administrator = database.client().await;
    administrator.batch_execute(&format!("BEGIN; {} COMMIT;", migrations(0))).await.unwrap();
    let url = database.url().replace("//keeper@", "//only_tls@") + "?sslmode=require";
    let certificate = std::fs::read(variable("RESTREAM_TEST_CERTIFICATE").unwrap()).unwrap();
    let config = Config::from_url(&url).unwrap().root_certificates(&certificate);
    let refused = PostgresStore::connect(&config).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Database(StoreErrorKind::Denied, _)), "{refused:?}");
    administrator.batch_execute(&GRANTS.replace("TO keeper", "TO only_tls")).await.unwrap();
    let store = PostgresStore::connect(&config).await.unwrap();
    put(&store, &grant(), &login("1")).await;
    let claimed = claim(&store, &grant()).await;
    assert_eq!(claimed.stored.record().unwrap().generation, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_vanishes_is_an_error_that_says_so() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.store().await;
    client_of(&database.url()).await.batch_execute("DROP SCHEMA restream_oauth CASCADE").await.unwrap();
    let outcome = store.execute(&grant(), StoreOp::Read).await;
    assert_eq!(kind_of(&outcome), &StoreErrorKind::Missing);
}

/// The record is written several times a rotation. Only the commit may touch an index.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_changes_an_index_once() {
    use crate::support::next;
    use restream_oauth_keeper::Spooled;
    use zeroize::Zeroizing;
    let Some(database) = Database::migrated().await else { return };
    let (store, grant, client) = (database.store().await, grant(), database.client().await);
    let login = login("1");
    put(&store, &grant, &login).await;
    let updates = async || {
        client.batch_execute("SELECT pg_stat_force_next_flush()").await.unwrap();
        let row = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'grants'";
        let row = client.query_one(row, &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    };
    // Statistics come a second late.
    let settled = async |least: i64| {
        for _ in 0..100 {
            let found = updates().await;
            if found.0 >= least {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the statistics do not come");
    };
    let before = settled(2).await;
    let held = claim(&store, &grant).await.claim;
    // A refresh that is due was prepared after the token's promise ended.
    let mut due = marked(&login);
    due.doubt.as_mut().unwrap().since = login.usable_until;
    done(&store, &grant, StoreOp::Prepare { claim: held, record: due.clone() }).await;
    let answer = Spooled { parent: login.parent(), number: 1, answer: Zeroizing::new("{}".to_owned()) };
    done(&store, &grant, StoreOp::Spool { claim: held, answer }).await;
    let pair = next(&due, "2");
    let mut pair = pair;
    pair.usable_until += std::time::Duration::from_secs(3600);
    done(&store, &grant, StoreOp::Commit { claim: held, parent: login.parent(), record: pair }).await;
    done(&store, &grant, StoreOp::Settle { claim: held, record: None, leftovers: Leftovers::Remove }).await;
    let after = settled(before.0 + 5).await;
    assert_eq!((after.0 - before.0, after.1 - before.1), (5, 4), "updates, and those that touched no index");
}
