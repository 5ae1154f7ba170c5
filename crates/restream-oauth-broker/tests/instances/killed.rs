//! The program, several of it, on one database. One is killed.

use std::time::Duration;

use restream_oauth_sandbox::{Endpoint, Fault, Point, What};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::database::Database;
use crate::program::Program;
use crate::support::{World, generous};

/// Longer than any pause between two tries.
const LONG: Duration = Duration::from_secs(300);

/// A sandbox whose access tokens live for two seconds, and two programs in front of it. The world speaks to the first.
fn two_programs(database: &Database) -> (World, Program, Program) {
    let brief = |sandbox: restream_oauth_sandbox::Builder| sandbox.access_token_lifetime(Duration::from_secs(2));
    let (world, listener) = World::prepare(brief, generous());
    drop(listener);
    let one = Program::start(&world, database.url(), "one", &world.address.to_string());
    let other = Program::start(&world, database.url(), "other", "127.0.0.1:0");
    (world, one, other)
}

#[test]
fn an_instance_that_is_killed_in_the_middle_of_a_refresh_loses_nothing_and_another_serves_the_handle() {
    let runtime = Runtime::new().unwrap();
    let Some(database) = runtime.block_on(Database::empty()) else { return };
    let (mut world, one, other) = two_programs(&database);
    let first = world.log_in();
    let handle = first.refresh_token;
    // Restream gets the refresh, and never answers.
    world.sandbox.inject(Fault::new(What::Hang(Point::BeforeHead)).on(Endpoint::Token).before_acting().times(1));
    std::thread::scope(|threads| {
        let asked = threads.spawn(|| {
            // The first token lives for two seconds. The request that ends with the program has no answer.
            while world.try_refresh(&handle).is_some() {}
        });
        world.wait_until(|ledger| ledger.requests_to("/oauth/token").count() == 2);
        one.kill();
        asked.join().unwrap();
    });
    // The claim of a process that died lasts for two minutes. They pass in the database alone.
    runtime.block_on(async {
        let passed = "UPDATE restream_oauth.grants SET claimed_until = now()";
        database.client().await.batch_execute(passed).await.unwrap();
    });
    world.base = other.base.clone();
    world.wait_longer(LONG, "the other one serves the handle", |world| {
        let answer = world.refresh(&handle);
        answer.status == 200 && answer.tokens().access_token != first.access_token
    });
    assert_eq!(world.sandbox.ledger().dead_refresh_tokens_used, 0);
}

#[test]
fn a_grant_whose_code_nobody_redeems_is_revoked_after_a_minute_by_another_instance() {
    let runtime = Runtime::new().unwrap();
    let Some(database) = runtime.block_on(Database::empty()) else { return };
    let (world, one, _other) = two_programs(&database);
    world.code();
    one.kill();
    // A minute passes in the database alone, and so does the lease of a claim that the killed one may have had.
    runtime.block_on(async {
        let client = database.client().await;
        let rows = client.query_typed("SELECT document FROM restream_oauth.broker_devices", &[]).await.unwrap();
        let mut document: Value = serde_json::from_str(rows[0].get("document")).unwrap();
        document["created_at"] = (document["created_at"].as_u64().unwrap() - 66).into();
        let passed = format!(
            "UPDATE restream_oauth.grants SET claimed_until = now();
             UPDATE restream_oauth.broker_devices SET due_at = due_at - interval '66 s', document = '{document}'"
        );
        client.batch_execute(&passed).await.unwrap();
    });
    // What failed is tried again after half a minute.
    assert!(world.sandbox.wait_until(LONG, |ledger| ledger.revocations == 1), "{:?}", world.sandbox.ledger());
}

#[test]
fn devices_are_listed_and_ended_beside_running_instances() {
    let runtime = Runtime::new().unwrap();
    let Some(database) = runtime.block_on(Database::empty()) else { return };
    let (mut world, one, other) = two_programs(&database);
    let (first, second) = (world.log_in(), world.log_in());
    let listed = || {
        let output = Program::command(&one.config, &["list"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let ids = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone());
        ids.map(|id| id.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut ids = [&first, &second].map(|tokens| tokens.refresh_token[..32].to_owned());
    ids.sort_unstable();
    assert_eq!(listed(), ids);
    let ended = Program::command(&one.config, &["end", &first.refresh_token[..32]]).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(world.sandbox.ledger().revocations, 1);
    assert_eq!(listed(), [&second.refresh_token[..32]]);
    for base in [one.base.clone(), other.base.clone()] {
        world.base = base;
        assert_eq!(world.refresh(&first.refresh_token).refusal(), (400, "invalid_grant".into()));
        world.refresh(&second.refresh_token).tokens();
    }
}
