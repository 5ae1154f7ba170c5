//! Where a token could show: a backup, the server's log with every parameter, the plans that it logs.

use std::process::Command;

use restream_oauth_keeper_postgres::PostgresStore;

use super::{K1, config, fill};
use crate::support::{Database, client_of, grant, variable};

/// What a backup and the log of a server show that logs everything it can, after a store has written tokens.
async fn traces(database: &Database, store: &PostgresStore) -> Option<[String; 2]> {
    let (log, dump) = (variable("RESTREAM_TEST_LOG")?, variable("RESTREAM_TEST_PG_DUMP")?);
    fill(store, &grant(), "traced").await;
    let dump = Command::new(dump).args(["--inserts", "--dbname", &database.url()]).output().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let log = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
    // Tests beside this one log to the same file. The further lines of an entry begin with a tab.
    let entries = log.replace("\n\t", "\t");
    let ours = entries.lines().filter(|line| line.contains(&database.name)).collect::<Vec<_>>().join("\n");
    Some([String::from_utf8(dump.stdout).unwrap(), ours])
}

/// Logs every statement with its parameters, and every plan.
async fn log_everything(database: &Database) {
    let url = database.url().replace("//keeper@", "//postgres@");
    let settings = format!(
        "ALTER DATABASE {0} SET log_statement = 'all';
         ALTER DATABASE {0} SET log_parameter_max_length = -1;
         ALTER DATABASE {0} SET log_parameter_max_length_on_error = -1;
         ALTER DATABASE {0} SET log_min_duration_statement = 0;
         ALTER DATABASE {0} SET session_preload_libraries = 'auto_explain';
         ALTER DATABASE {0} SET auto_explain.log_min_duration = 0;
         ALTER DATABASE {0} SET auto_explain.log_verbose = on",
        database.name
    );
    let administrator = client_of(&url).await;
    administrator.batch_execute("LOAD 'auto_explain'").await.unwrap();
    for setting in settings.split(';') {
        administrator.batch_execute(setting).await.unwrap();
    }
}

/// The words that a document with tokens has, as text and as the digits in which the server shows bytes.
fn shows_a_token(text: &str) -> bool {
    let hex = "747261636564"; // "traced"
    text.contains("access-traced") || text.contains("refresh-traced") || text.contains(hex)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_the_log_and_logged_plans_show_no_token_of_a_sealed_store() {
    let (Some(plain), Some(sealed)) = (Database::migrated().await, Database::migrated().await) else { return };
    for database in [&plain, &sealed] {
        log_everything(database).await;
    }
    // So that the test would notice one.
    let Some([backup, log]) = traces(&plain, &plain.store().await).await else { return };
    assert!(shows_a_token(&backup) && shows_a_token(&log), "a plain store shows its tokens");
    assert!(log.contains("Query Text"), "plans are logged");
    let store = PostgresStore::connect(&config(&sealed, &[K1])).await.unwrap();
    let Some([backup, log]) = traces(&sealed, &store).await else { return };
    assert!(backup.contains("INSERT INTO restream_oauth.grants") && log.contains("Query Text"));
    for (what, text) in [("the backup", &backup), ("the log", &log)] {
        assert!(!shows_a_token(text), "{what}");
    }
}
