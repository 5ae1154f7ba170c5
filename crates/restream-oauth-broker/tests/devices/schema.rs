//! The broker's tables: who makes them, who may use them, and which release.

use restream_oauth_broker::devices::{DeviceOp, DeviceOutcome, PostgresDevices, SCHEMA_VERSION, migrations};
use restream_oauth_keeper_postgres::{ConnectError, PostgresStore};

use crate::database::Database;
use crate::{at, postgres};

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_instances_migrate_at_the_same_time() {
    let Some(database) = Database::empty().await else { return };
    let migrated = (0..8).map(|_| {
        let config = database.config();
        tokio::spawn(async move {
            PostgresStore::migrate(&config).await.unwrap();
            PostgresDevices::migrate(&config).await.unwrap()
        })
    });
    let mut found = Vec::new();
    for task in migrated.collect::<Vec<_>>() {
        found.push(task.await.unwrap());
    }
    found.sort_unstable();
    assert_eq!(found, [0, 1, 1, 1, 1, 1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_newer_release_are_refused() {
    let Some(database) = Database::empty().await else { return };
    postgres(&database).await;
    let newer = "INSERT INTO restream_oauth.broker_migrations (version) VALUES (99)";
    database.client().await.batch_execute(newer).await.unwrap();
    let refused = PostgresDevices::migrate(&database.config()).await.unwrap_err();
    assert_eq!(refused, ConnectError::SchemaNewer { found: 99, known: SCHEMA_VERSION });
}

/// An administrator makes the tables, and the broker runs as a role that owns nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_owns_no_table_runs_the_broker_with_the_rights_that_are_listed() {
    let Some(database) = Database::empty().await else { return };
    let owner = database.client().await;
    let all = restream_oauth_keeper_postgres::migrations(0) + &migrations(0);
    owner.batch_execute(&all).await.unwrap();
    let rights = format!("{}{}", restream_oauth_keeper_postgres::GRANTS, restream_oauth_broker::devices::GRANTS);
    owner.batch_execute(&rights.replace("TO keeper", "TO with_password")).await.unwrap();
    let url = database.url().replace("//keeper@", "//with_password@");
    let config = restream_oauth_keeper_postgres::Config::from_url(&url).unwrap();
    let config = config.password("correct horse: battery\\staple");
    assert_eq!(PostgresDevices::migrate(&config).await.unwrap(), SCHEMA_VERSION);
    let devices = PostgresDevices::new(PostgresStore::connect(&config).await.unwrap());
    let listed = devices.run(DeviceOp::Due { now: at(0), most: 1 }).await.unwrap();
    assert!(matches!(listed, DeviceOutcome::Listed { .. }));
    assert_eq!(devices.expire_logins(at(0)).await.unwrap(), 0);
}

/// A document that cannot be read is named, and left for a person.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_device_is_named_and_stays() {
    let Some(database) = Database::empty().await else { return };
    let devices = postgres(&database).await;
    let damaged = format!(
        "INSERT INTO restream_oauth.broker_devices (id, revision, due_at, document) VALUES ('{}', 0, 'epoch', '{{')",
        "0".repeat(32)
    );
    database.client().await.batch_execute(&damaged).await.unwrap();
    for op in [DeviceOp::List { after: None, most: 9 }, DeviceOp::Due { now: at(0), most: 9 }] {
        let outcome = devices.run(op).await.unwrap();
        let DeviceOutcome::Listed { devices, damaged, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!((devices.len(), damaged.len()), (0, 1));
    }
    assert!(devices.run(DeviceOp::Read("0".repeat(32).parse().unwrap())).await.is_err());
}
