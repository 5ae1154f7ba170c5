//! Workers share what is due, and take over what another one leaves.

use std::time::Duration;

use restream_oauth_keeper::Mode;
use restream_oauth_keeper_postgres::Worker;
use restream_oauth_sandbox::Sandbox;
use tokio::time::{sleep, timeout};

use crate::support::{Database, login_of, put, record};
use crate::world::World;

const GRANTS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn workers_keep_what_is_due_and_take_over_from_one_that_died() {
    let Some(database) = Database::migrated().await else { return };
    let world = World::new(Sandbox::start().unwrap());
    let names: Vec<_> = (0..GRANTS).map(|number| format!("user-{number}").parse().unwrap()).collect();
    let store = database.store().await;
    let hour = Duration::from_secs(3600);
    for name in &names {
        let tokens = world.log_in().await;
        let sent_at = tokens.sent_at() - hour;
        put(&store, name, &login_of(tokens.with_sent_at(sent_at))).await;
    }
    world.sandbox.advance(hour);
    // One picks some of them, and dies before it has claimed any: a claim would last for two minutes.
    let dead = world.keeper(database.store().await, Mode::Warm);
    let picked = Worker::new(database.store().await).late(Duration::ZERO).most(5).pick(&dead).await.unwrap();
    assert_eq!(picked, 5);
    drop(dead);
    let first = Worker::new(database.store().await).late(Duration::ZERO).most(8);
    let second = Worker::new(database.store().await).late(Duration::ZERO).every(Duration::from_millis(100));
    let (one, other) =
        (world.process(database.store().await, Mode::Warm), world.process(database.store().await, Mode::Warm));
    let shared = (first.pick(&one.keeper).await.unwrap(), second.pick(&other.keeper).await.unwrap());
    assert_eq!(shared, (8, 7), "none is picked twice");
    // What the dead one picked is nobody else's for a while, and then it is.
    database.client().await.batch_execute("UPDATE restream_oauth.grants SET picked_until = now()").await.unwrap();
    let looking = tokio::spawn(async move { second.run(&other.keeper, |error| panic!("{error}")).await });
    let fresh = timeout(Duration::from_secs(60), async {
        for name in &names {
            while record(&store, name).await.generation == 0 {
                sleep(Duration::from_millis(50)).await;
            }
        }
    });
    fresh.await.expect("each grant is refreshed");
    looking.abort();
    // A login and a refresh each: nobody refreshed a grant twice.
    assert_eq!(world.token_requests(), GRANTS + GRANTS);
    let left = Worker::new(store.clone()).late(Duration::ZERO).pick(&one.keeper).await.unwrap();
    assert_eq!(left, 0, "nothing is due any more");
    one.die();
}
