//! Two machines whose clocks are a day apart keep one grant without one needless rotation.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_keeper::Mode;
use restream_oauth_keeper_postgres::PostgresStore;
use restream_oauth_sandbox::Sandbox;

use crate::support::Database;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn machines_whose_clocks_are_a_day_apart_keep_one_grant_without_a_needless_rotation() {
    const LIFE: Duration = Duration::from_secs(10);
    const DAY: Duration = Duration::from_secs(86_400);
    let Some(database) = Database::migrated().await else { return };
    let world = World::new(Sandbox::builder().access_token_lifetime(LIFE).start().unwrap());
    let clocks: [Arc<dyn Fn() -> SystemTime + Send + Sync>; 3] =
        [Arc::new(SystemTime::now), Arc::new(|| SystemTime::now() + DAY), Arc::new(|| SystemTime::now() - DAY)];
    let mut processes = Vec::new();
    for clock in clocks {
        let read = Arc::clone(&clock);
        let config = database.config().connections(2).clock(move || read());
        let store = PostgresStore::connect(&config).await.unwrap();
        processes.push((world.process_at(store, Mode::Warm, Arc::clone(&clock)), clock));
    }
    let (first, clock) = &processes[1];
    let tokens = world.log_in().await;
    let moved = tokens.clone().with_sent_at(clock() - Duration::from_millis(50));
    first.keeper.grant("default").unwrap().log_in(&moved).await.unwrap();

    let began = Instant::now();
    let mut served = 0;
    while began.elapsed() < Duration::from_secs(26) {
        for (process, clock) in &processes {
            let token = process.keeper.grant("default").unwrap().token().await.unwrap();
            // Each believes in its own clock, and what it gives out is alive.
            assert!(token.usable_until() <= clock() + LIFE, "no token is promised for longer than it lives");
            let profile = world.client.profile(token.access_token()).unwrap();
            world.transport.send(profile).await.expect("a token that is given out is accepted");
            served += 1;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // A busy machine comes round less often, and refreshes later.
    assert!(served > 30);
    // `Warm` refreshes after 60 to 80 % of the life: 26 seconds have room for four refreshes and not for five.
    let refreshes = world.token_requests() - 1;
    assert!((2..=4).contains(&refreshes), "{refreshes} refreshes");
}
