//! The database's clock rules: machines whose clocks are a day apart keep one grant without one needless rotation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use restream_oauth_keeper::store::{Store as _, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Parent, Spooled};
use restream_oauth_keeper_postgres::PostgresStore;
use zeroize::Zeroizing;

use crate::support::{Database, claim, done, grant, login_of, marked, put, record, release, tokens_of};

const DAY: Duration = Duration::from_secs(86_400);
/// What a process knows of the database's clock is no better.
const SECOND: Duration = Duration::from_secs(1);

fn close(one: SystemTime, other: SystemTime) -> bool {
    one.duration_since(other).unwrap_or_else(|earlier| earlier.duration()) <= SECOND
}

#[tokio::test(flavor = "multi_thread")]
async fn each_time_of_a_record_is_read_on_the_readers_own_clock() {
    let Some(database) = Database::migrated().await else { return };
    let clocks: [fn() -> SystemTime; 3] =
        [SystemTime::now, || SystemTime::now() - DAY, || SystemTime::now() + Duration::from_secs(7 * 3600)];
    let grant = grant();
    for write in clocks {
        let writer = PostgresStore::connect(&database.config().clock(write)).await.unwrap();
        let sent_at = write();
        let written = marked(&login_of(tokens_of("1", sent_at)));
        put(&writer, &grant, &written).await;
        assert_eq!(record(&writer, &grant).await, *written, "the writer itself reads what it wrote");
        for read in clocks {
            let reader = PostgresStore::connect(&database.config().clock(read)).await.unwrap();
            let found = record(&reader, &grant).await;
            let age = write().duration_since(sent_at).unwrap();
            assert!(close(found.tokens.sent_at(), read() - age));
            assert!(close(found.logged_in_at, read() - age));
            assert!(close(found.usable_until, read() - age + Duration::from_secs(3540)));
            assert!(close(found.doubt.unwrap().since, read() - age));
            let mut moved = found.clone();
            let by = found.tokens.sent_at();
            let back = |time: SystemTime| match time.duration_since(by) {
                Ok(later) => written.tokens.sent_at() + later,
                Err(earlier) => written.tokens.sent_at() - earlier.duration(),
            };
            moved.map_times(back);
            assert_eq!(moved, *written, "and nothing but the times differs");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_claim_has_the_times_of_its_reader_too() {
    let Some(database) = Database::migrated().await else { return };
    let ahead = || SystemTime::now() + DAY;
    let (writer, grant) = (PostgresStore::connect(&database.config().clock(ahead)).await.unwrap(), grant());
    let login = login_of(tokens_of("1", ahead()));
    put(&writer, &grant, &login).await;
    let claimed = claim(&writer, &grant).await;
    let sent =
        restream_oauth_core::Client::builder("id").secret("s").redirect_uri("https://a.example/").build().unwrap();
    let call = sent.refresh(login.tokens.refresh_token().unwrap());
    let answer = call.into_parts(ahead()).1.finish().to_saved();
    let answer = Zeroizing::new(answer.expose_secret().to_owned());
    let spooled = Spooled { parent: login.parent(), number: 1, answer };
    done(&writer, &grant, StoreOp::Spool { claim: claimed.claim, answer: spooled }).await;
    done(&writer, &grant, StoreOp::Stash { tokens: Box::new(tokens_of("2", ahead())) }).await;
    let parent = Parent { generation: 0, ..login.parent() };
    done(&writer, &grant, StoreOp::Park { parent, tokens: Box::new(tokens_of("3", ahead())) }).await;
    let settle = restream_oauth_keeper::store::Leftovers::Leave;
    done(&writer, &grant, StoreOp::Settle { claim: claimed.claim, record: None, leftovers: settle }).await;

    let reader = database.store().await;
    let found = claim(&reader, &grant).await;
    let now = SystemTime::now();
    assert!(close(found.logins[0].sent_at(), now), "the login");
    assert!(close(found.stored.record().unwrap().strays[0].tokens.sent_at(), now), "the stray");
    let call = sent.refresh(login.tokens.refresh_token().unwrap());
    let restored = call.into_parts(now).1.restore_answer(&*found.spooled[0].answer).unwrap();
    assert!(close(restored.sent_at(), now), "the answer");
}

/// A clock that somebody sets while the process runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_while_the_store_is_open_moves_no_time() {
    let Some(database) = Database::migrated().await else { return };
    let ahead = Arc::new(AtomicU64::new(0));
    let clock = {
        let ahead = Arc::clone(&ahead);
        move || SystemTime::now() + Duration::from_secs(ahead.load(Ordering::Relaxed))
    };
    let store = PostgresStore::connect(&database.config().clock(clock.clone())).await.unwrap();
    let (other, grant) = (database.store().await, grant());
    for seconds in [0, 86_400, 3600] {
        let held = claim(&store, &grant).await.claim;
        // The first operation after the clock was set is a write.
        ahead.store(seconds, Ordering::Relaxed);
        done(&store, &grant, StoreOp::Insert { claim: held, record: login_of(tokens_of("1", clock())) }).await;
        release(&store, &grant, held).await;
        assert!(close(record(&other, &grant).await.tokens.sent_at(), SystemTime::now()), "{seconds}");
        assert!(close(record(&store, &grant).await.tokens.sent_at(), clock()), "{seconds}");
    }
}

/// The columns that workers and people read are times of the database.
#[tokio::test(flavor = "multi_thread")]
async fn the_columns_are_times_of_the_database() {
    let Some(database) = Database::migrated().await else { return };
    let behind = || SystemTime::now() - DAY;
    let (store, grant) = (PostgresStore::connect(&database.config().clock(behind)).await.unwrap(), grant());
    put(&store, &grant, &login_of(tokens_of("1", behind()))).await;
    let StoreOutcome::Claimed(_) = store.execute(&grant, StoreOp::Claim).await else { panic!("the grant is free") };
    let row = database.client().await;
    let row = row
        .query_one(
            "SELECT extract(epoch FROM usable_until - now())::float8, extract(epoch FROM run_at - now())::float8,
                    extract(epoch FROM claimed_until - now())::float8 FROM restream_oauth.grants",
            &[],
        )
        .await
        .unwrap();
    for (column, expected) in [(0, 3540.0), (1, 3540.0), (2, 120.0)] {
        let seconds: f64 = row.get(column);
        assert!((seconds - expected).abs() < 2.0, "column {column}: {seconds}");
    }
}
