//! Open logins in PostgreSQL, as several instances have them.

use std::time::Duration;

use restream_oauth_broker::devices::{CodeBinding, Hash, Login, Owner};
use zeroize::Zeroizing;

use crate::database::Database;
use crate::{at, postgres};

const COOKIE: &str = "c4n4ry-of-the-cookie";

fn login(state: &str, seconds: u64) -> Login {
    let binding =
        CodeBinding { redirect_uri: "https://overlay.example/callback".into(), code_challenge: "c".repeat(43) };
    Login {
        state: Hash::of(state),
        browser: Hash::of(COOKIE),
        owner: Owner::Client("overlay".into()),
        binding: Some(binding),
        device_state: Some("c4n4ry-of-the-device".into()),
        saved: Zeroizing::new("c4n4ry-of-the-verifier".into()),
        began_at: at(seconds),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_taken_once_at_whichever_instance_and_in_its_own_browser_alone() {
    let Some(database) = Database::empty().await else { return };
    let (one, other) = (postgres(&database).await, postgres(&database).await);
    let login = login("s", 0);
    one.insert_login(&login, COOKIE).await.unwrap();
    assert!(other.take_login(login.state, "another", at(1)).await.unwrap().is_none());
    assert!(other.take_login(Hash::of("another"), COOKIE, at(1)).await.unwrap().is_none());
    let tasks = (0..8).map(|number| {
        let devices = if number % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move { devices.take_login(Hash::of("s"), COOKIE, at(1)).await.unwrap() })
    });
    let mut taken = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        taken.extend(task.await.unwrap());
    }
    let [same] = &taken[..] else { panic!("{taken:?}") };
    assert_eq!((same.state, same.browser, &same.owner), (login.state, login.browser, &login.owner));
    assert_eq!((&same.binding, &same.device_state), (&login.binding, &login.device_state));
    assert_eq!((&same.saved, same.began_at), (&login.saved, login.began_at));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_waits_for_ten_minutes() {
    let Some(database) = Database::empty().await else { return };
    let devices = postgres(&database).await;
    for state in ["1", "2"] {
        devices.insert_login(&login(state, 0), COOKIE).await.unwrap();
    }
    assert!(devices.take_login(Hash::of("1"), COOKIE, at(599)).await.unwrap().is_some());
    assert_eq!(devices.logins_of_browser(COOKIE, at(599)).await.unwrap().len(), 1);
    assert!(devices.take_login(Hash::of("2"), COOKIE, at(600)).await.unwrap().is_none());
    assert!(devices.logins_of_browser(COOKIE, at(600)).await.unwrap().is_empty());
    assert_eq!(devices.expire_logins(at(599)).await.unwrap(), 1);
    assert_eq!(devices.expire_logins(at(600)).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_logins_of_one_browser_wait_side_by_side() {
    let Some(database) = Database::empty().await else { return };
    let devices = postgres(&database).await;
    for (state, seconds) in [("2", 2), ("1", 1), ("3", 3)] {
        devices.insert_login(&login(state, seconds), COOKIE).await.unwrap();
    }
    let elsewhere = Login { browser: Hash::of("another"), ..login("4", 0) };
    devices.insert_login(&elsewhere, "another").await.unwrap();
    let begun = devices.logins_of_browser(COOKIE, at(4)).await.unwrap();
    let states: Vec<_> = begun.iter().map(|login| login.state).collect();
    assert_eq!(states, ["1", "2", "3"].map(Hash::of));
    assert!(devices.take_login(Hash::of("2"), COOKIE, at(4)).await.unwrap().is_some());
    assert!(devices.take_login(Hash::of("1"), COOKIE, at(4)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_logins_takes_bounded_room_and_lets_new_ones_in() {
    let Some(database) = Database::empty().await else { return };
    let devices = postgres(&database).await;
    let flood = "INSERT INTO restream_oauth.broker_logins (state, browser, began_at, sealed)
        SELECT sha256(number::text::bytea), 'b', to_timestamp(1700000000 + number / 1000.0), 's'
        FROM generate_series(1, 20010) AS number";
    database.client().await.batch_execute(flood).await.unwrap();
    devices.insert_login(&login("new", 30), COOKIE).await.unwrap();
    assert_eq!(devices.expire_logins(at(31)).await.unwrap(), 20_000);
    assert!(devices.take_login(Hash::of("new"), COOKIE, at(31)).await.unwrap().is_some());
    assert_eq!(devices.expire_logins(at(31)).await.unwrap(), 19_999);
}

/// A copy of the database, or its log, gives nobody a login that is under way.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_shows_nothing_of_an_open_login() {
    let Some(database) = Database::empty().await else { return };
    let devices = postgres(&database).await;
    devices.insert_login(&login("c4n4ry-of-the-state", 0), COOKIE).await.unwrap();
    let client = database.client().await;
    let rows = client.query_typed("SELECT sealed FROM restream_oauth.broker_logins", &[]).await.unwrap();
    let sealed: &[u8] = rows[0].get("sealed");
    assert!(!sealed.windows(6).any(|window| window == b"c4n4ry"));
    // A row that was moved to another browser opens for neither.
    let moved = "UPDATE restream_oauth.broker_logins SET browser = sha256('another')";
    client.batch_execute(moved).await.unwrap();
    assert!(devices.logins_of_browser("another", at(1)).await.unwrap().is_empty());
    assert!(devices.take_login(Hash::of("c4n4ry-of-the-state"), "another", at(1)).await.unwrap().is_none());
}

/// The clocks of instances differ by parts of a second.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_began_in_the_future_is_taken() {
    let Some(database) = Database::empty().await else { return };
    let devices = postgres(&database).await;
    devices.insert_login(&login("s", 2), COOKIE).await.unwrap();
    let before = at(2) - Duration::from_millis(700);
    assert!(devices.take_login(Hash::of("s"), COOKIE, before).await.unwrap().is_some());
}
