//! Who may connect, and how.

use std::time::Duration;

use restream_oauth_keeper::store::{Store as _, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper_postgres::{Config, ConfigError, ConnectError, Parameter, PostgresStore, Survives};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::{Database, claim, grant, kind_of, login, put, record, release, variable};

fn certificate() -> Vec<u8> {
    std::fs::read(variable("RESTREAM_TEST_CERTIFICATE").unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_checks_the_certificate_and_its_name() {
    let Some(database) = Database::migrated().await else { return };
    let url = database.url().replace("//keeper@", "//only_tls@");
    database.client().await.batch_execute("GRANT ALL ON SCHEMA restream_oauth TO only_tls").await.unwrap();
    let rights = restream_oauth_keeper_postgres::GRANTS.replace("TO keeper", "TO only_tls");
    database.client().await.batch_execute(&rights).await.unwrap();
    // This role is refused without TLS.
    let plain = PostgresStore::connect(&Config::from_url(&url).unwrap()).await.unwrap_err();
    assert!(matches!(plain, ConnectError::Database(StoreErrorKind::Denied, _)), "{plain:?}");
    let encrypted = Config::from_url(&format!("{url}?sslmode=require")).unwrap();
    let trusting = encrypted.clone().root_certificates(&certificate());
    let store = PostgresStore::connect(&trusting).await.unwrap();
    put(&store, &grant(), &login("1")).await;
    // The certificate is not of a well-known authority.
    let refused = PostgresStore::connect(&encrypted).await.unwrap_err();
    assert_eq!(refused.to_string(), "the TLS handshake with the database failed");
    assert_eq!(
        PostgresStore::connect(&encrypted.root_certificates(b"nothing")).await.unwrap_err(),
        ConnectError::Config(ConfigError::Certificates)
    );
}

/// What finds no connection of its own takes one that is open.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_allows_fewer_connections_refuses_no_statement() {
    let Some(database) = Database::migrated().await else { return };
    let administrator = database.client().await;
    // One of them is the administrator's, and those of a moment ago may still be closing.
    let limit = format!("ALTER DATABASE {} CONNECTION LIMIT 5", database.name);
    administrator.batch_execute(&limit).await.unwrap();
    let store = PostgresStore::connect(&database.config().connections(12)).await.unwrap();
    let mut queries = JoinSet::new();
    for _ in 0..40 {
        let store = store.clone();
        queries.spawn(async move { store.query_once("SELECT pg_sleep(0.05)", &[]).await });
    }
    for result in queries.join_all().await {
        result.unwrap();
    }
}

/// A server that accepts a statement and stays silent. Nothing is under way, so the store has to notice by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_on_which_nothing_comes_back_is_replaced() {
    let Some(database) = Database::migrated().await else { return };
    let config = database.config().connections(1).statement_limit(Duration::from_millis(300));
    let store = PostgresStore::connect(&config.quiet_after_restart(Duration::from_millis(400))).await.unwrap();
    let (administrator, other) = (database.client().await, database.client().await);
    // A store looks at the server by itself for as long as it has something to lose.
    put(&store, &grant(), &login("1")).await;
    administrator.batch_execute("BEGIN; LOCK TABLE restream_oauth.server").await.unwrap();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let replaced = timeout(Duration::from_secs(20), async {
        // Not in the transaction, which would see the first count for ever.
        while other.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) < 2 {
            sleep(Duration::from_millis(20)).await;
        }
    });
    replaced.await.expect("the next look takes another connection");
    administrator.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_and_a_wrong_one_is_refused() {
    let Some(database) = Database::migrated().await else { return };
    let rights = restream_oauth_keeper_postgres::GRANTS.replace("TO keeper", "TO with_password");
    database.client().await.batch_execute(&rights).await.unwrap();
    let config = Config::from_url(&database.url().replace("//keeper@", "//with_password@")).unwrap();
    let right = config.clone().password("correct horse: battery\\staple");
    put(&PostgresStore::connect(&right).await.unwrap(), &grant(), &login("1")).await;
    let refused = PostgresStore::connect(&config.password("wrong-s3cret")).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Database(StoreErrorKind::Denied, _)), "{refused:?}");
    assert!(!format!("{refused} {refused:?}").contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_wanted_and_not_there_is_named_as_the_cause() {
    let Some(database) = Database::migrated().await else { return };
    let config = Config::from_url(&database.url().replace("//keeper@", "//with_password@")).unwrap();
    let refused = PostgresStore::connect(&config).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Database(StoreErrorKind::Denied, _)), "{refused:?}");
    assert_eq!(refused.to_string(), "the database wants a password, and there is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_is_a_secret_brings_its_password() {
    let Some(database) = Database::migrated().await else { return };
    let rights = restream_oauth_keeper_postgres::GRANTS.replace("TO keeper", "TO with_password");
    database.client().await.batch_execute(&rights).await.unwrap();
    let role = "//with_password:correct%20horse%3A%20battery%5Cstaple@";
    let config = Config::from_secret_url(&database.url().replace("//keeper@", role)).unwrap();
    put(&PostgresStore::connect(&config).await.unwrap(), &grant(), &login("1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_never_claimed_on() {
    let (Some(database), Some(url)) = (Database::migrated().await, variable("RESTREAM_TEST_STANDBY")) else { return };
    let url = database.of(&url);
    let config = Config::from_url(&url).unwrap();
    // The new database has to reach the standby first.
    let refused = timeout(Duration::from_secs(20), async {
        loop {
            match PostgresStore::connect(&config).await.unwrap_err() {
                ConnectError::Database(StoreErrorKind::Missing, _) => sleep(Duration::from_millis(100)).await,
                error => return error,
            }
        }
    });
    assert_eq!(refused.await.unwrap(), ConnectError::Standby);
    // Of several servers, the one that allows writes is taken.
    let (_, standby) = url.split_once('@').unwrap();
    let (_, primary) = database.config_hosts();
    let both = format!("postgres://keeper@{},{}/{}", standby.split_once('/').unwrap().0, primary, database.name);
    let store = PostgresStore::connect(&Config::from_url(&both).unwrap()).await.unwrap();
    put(&store, &grant(), &login("1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_synchronous_standby_says_what_it_can_lose() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.store().await;
    assert_eq!(store.durability().survives, Survives::MachineCrash);
    assert!(!store.durability().read_only && store.durability().version > 120_000);
    let off = format!("ALTER DATABASE {} SET synchronous_commit = off", database.name);
    database.client().await.batch_execute(&off).await.unwrap();
    assert_eq!(database.store().await.durability().survives, Survives::Nothing);
}

/// A server that takes connections and never says anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_silent_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://keeper@{}/x?connect_timeout=1", silent.local_addr().unwrap());
    let config = Config::from_url(&url).unwrap().statement_limit(Duration::from_secs(1));
    let refused = timeout(Duration::from_secs(20), PostgresStore::connect(&config)).await.unwrap().unwrap_err();
    assert!(matches!(refused, ConnectError::Database(StoreErrorKind::Unavailable, _)), "{refused:?}");
}

/// The claim may have been taken. The same process takes it again at once, and does not wait for the lease.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_answer_never_came_is_taken_again_by_the_same_process() {
    let Some(database) = Database::migrated().await else { return };
    let config = database.config().statement_limit(Duration::from_millis(500));
    let (store, other) = (PostgresStore::connect(&config).await.unwrap(), database.store().await);
    put(&store, &grant(), &login("1")).await;
    // The row is claimed, then the transaction waits: an advisory lock in a trigger stands in for a slow network.
    let administrator = database.client().await;
    administrator
        .batch_execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
               'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END';
             CREATE TRIGGER slow AFTER UPDATE OF claim ON restream_oauth.grants FOR EACH ROW EXECUTE FUNCTION slow();
             SELECT pg_advisory_lock(1)",
        )
        .await
        .unwrap();
    let outcome = store.execute(&grant(), StoreOp::Claim).await;
    assert_eq!(kind_of(&outcome), &StoreErrorKind::Unavailable);
    administrator.batch_execute("SELECT pg_advisory_unlock(1)").await.unwrap();
    // The server goes on with the statement although nobody listens.
    let taken = async {
        loop {
            let row =
                administrator.query_one("SELECT claim IS NOT NULL FROM restream_oauth.grants", &[]).await.unwrap();
            if row.get(0) {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), taken).await.expect("the statement had its effect");
    assert!(matches!(other.execute(&grant(), StoreOp::Claim).await, StoreOutcome::Busy));
    let claimed = claim(&store, &grant()).await;
    release(&store, &grant(), claimed.claim).await;
    assert_eq!(record(&store, &grant()).await.generation, 0);
}

/// A program keeps tables of its own beside the grants.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_executes_statements_of_its_own_over_the_connections_of_the_store() {
    let Some(database) = Database::migrated().await else { return };
    let own = PostgresStore::connection(&database.config()).await.unwrap();
    own.batch_execute("CREATE TABLE own (word text PRIMARY KEY, number bigint)").await.unwrap();
    let store = database.store().await;
    let parameters = [Parameter::Text("one".into()), Parameter::Number(Some(1))];
    let written = "INSERT INTO own VALUES ($1, $2) RETURNING number";
    let rows = store.query_once(written, &parameters).await.unwrap();
    assert_eq!(rows[0].get::<_, i64>("number"), 1);
    // What the server refuses is not tried again, and its words, which quote the row, stay away.
    let refused = store.query(written, &parameters).await.unwrap_err();
    assert!(refused.to_string().ends_with("(SQLSTATE 23505)"), "{refused}");
    // A connection that the server ended is renewed.
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..3 {
        own.query_typed(kill, &[]).await.unwrap();
        assert_eq!(store.query("SELECT word FROM own", &[]).await.unwrap().len(), 1);
    }
}
