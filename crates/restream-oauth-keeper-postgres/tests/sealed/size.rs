//! How much room a grant takes on the disk.

use std::time::{Duration, SystemTime};

use restream_oauth_core::http::StatusCode;
use restream_oauth_core::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use restream_oauth_core::{Answer, Client, RefreshToken, Tokens};
use restream_oauth_keeper::store::{Leftovers, Store as _, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Record, Spooled};
use restream_oauth_keeper_postgres::PostgresStore;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::{K1, sealed};
use crate::support::Database;

/// Enough for some twenty pages.
const GRANTS: u32 = 400;
const AT_A_TIME: usize = 8;

/// An answer as Restream documents it.
fn answer(grant: u32, generation: u32, sent_at: SystemTime) -> Answer<Tokens> {
    let client = Client::builder("0f8fad5b-d9cb-469f-a165-70867728950e").secret("s");
    let client = client.redirect_uri("https://app.example/callback").build().unwrap();
    let token = |kind: u32| -> String {
        // Digits without a pattern that anything could use.
        let mix = |part: u32| (grant ^ (generation << 20) ^ (kind << 28) ^ (part << 24)).wrapping_mul(0x9E37_79B1);
        [0, 1, 2, 3, 4].map(|part| format!("{:08x}", mix(part))).concat()
    };
    let body = format!(
        "{{\"access_token\":\"{0}\",\"expires\":1520280067,\"expires_in\":3600,\"refresh_token\":\"{1}\",\
         \"scope\":\"profile.read channels.read chat.read stream.read\",\"token_type\":\"Bearer\",\"accessToken\":\"{0}\",\
         \"accessTokenExpiresIn\":3600,\"accessTokenExpiresAt\":\"2018-03-05T20:01:07.215Z\",\
         \"accessTokenExpiresEpoch\":1520280067,\"refreshToken\":\"{1}\",\"refreshTokenExpiresIn\":31536000,\
         \"refreshTokenExpiresAt\":\"2019-03-05T19:01:07.215Z\",\"refreshTokenExpiresEpoch\":1551812467,\
         \"scopeJson\":[\"profile.read\",\"channels.read\",\"chat.read\",\"stream.read\"],\"tokenType\":\"Bearer\"}}",
        token(0),
        token(1),
    );
    let (_, mut reader) = client.refresh(&RefreshToken::new("r")).into_parts(sent_at);
    let _ = reader
        .head(StatusCode::OK, &HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]));
    let _ = reader.chunk(body.as_bytes());
    reader.finish()
}

fn name(grant: u32) -> GrantName {
    format!("user-{grant:07}").parse().unwrap()
}

/// Does something for each grant, some at a time.
async fn for_each<F: Future<Output = ()> + Send + 'static>(one: impl Fn(u32) -> F) {
    let mut tasks = JoinSet::new();
    for number in 0..GRANTS {
        if tasks.len() >= AT_A_TIME {
            tasks.join_next().await.unwrap().unwrap();
        }
        tasks.spawn(one(number));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

async fn done(store: &PostgresStore, grant: &GrantName, op: StoreOp) {
    let outcome = store.execute(grant, op).await;
    assert!(matches!(outcome, StoreOutcome::Done), "{outcome:?}");
}

async fn log_in(store: PostgresStore, grant: u32, sent_at: SystemTime) {
    let name = name(grant);
    let StoreOutcome::Claimed(claimed) = store.execute(&name, StoreOp::Claim).await else { panic!() };
    let tokens = answer(grant, 0, sent_at).interpret().unwrap();
    let usable_until = sent_at + Duration::from_secs(2520) + Duration::from_millis((grant % 720_000).into());
    let record = Box::new(Record::of_login(tokens, usable_until));
    done(&store, &name, StoreOp::Insert { claim: claimed.claim, record }).await;
    done(&store, &name, StoreOp::Settle { claim: claimed.claim, record: None, leftovers: Leftovers::Remove }).await;
}

/// A refresh, as a keeper stores it.
async fn refresh(store: PostgresStore, grant: u32, generation: u32, sent_at: SystemTime) {
    let name = name(grant);
    let StoreOutcome::Claimed(claimed) = store.execute(&name, StoreOp::Claim).await else { panic!() };
    let (claim, record) = (claimed.claim, claimed.stored.record().unwrap().clone());
    let parent = record.parent();
    let mut marked = crate::support::marked(&record);
    marked.doubt.as_mut().unwrap().since = record.usable_until;
    done(&store, &name, StoreOp::Prepare { claim, record: marked }).await;
    let answer = answer(grant, generation, sent_at);
    let saved = Zeroizing::new(answer.to_saved().expose_secret().to_owned());
    done(&store, &name, StoreOp::Spool { claim, answer: Spooled { parent, number: 1, answer: saved } }).await;
    let (tokens, usable_until) = (answer.interpret().unwrap(), record.usable_until + Duration::from_secs(2880));
    let generation = record.generation + 1;
    let next = Record { tokens, generation, sent: Some(parent.sent), usable_until, requests: 0, doubt: None, ..record };
    done(&store, &name, StoreOp::Commit { claim, parent, record: Box::new(next) }).await;
    done(&store, &name, StoreOp::Settle { claim, record: None, leftovers: Leftovers::Remove }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_grant_takes_no_more_than_500_bytes_of_a_tidy_table() {
    let Some(database) = Database::migrated().await else { return };
    let client = database.client().await;
    // This test is about room.
    client.batch_execute(&format!("ALTER DATABASE {} SET synchronous_commit = off", database.name)).await.unwrap();
    let store = sealed(&database, &[K1]).await;
    let now = SystemTime::now();
    for_each(|grant| log_in(store.clone(), grant, now)).await;
    // The second pair names the first.
    for_each(|grant| refresh(store.clone(), grant, 1, now + Duration::from_secs(2880))).await;
    client.batch_execute("VACUUM FULL restream_oauth.grants").await.unwrap();
    // The indexes of so few grants are mostly empty pages: in a large table they have 63 bytes a grant.
    let sizes = "SELECT pg_relation_size('restream_oauth.grants'), max(pg_column_size(record))::bigint
                 FROM restream_oauth.grants";
    let row = client.query_one(sizes, &[]).await.unwrap();
    let (table, record): (i64, i64) = (row.get(0), row.get(1));
    assert!(record <= 285, "{record}");
    let each = table / i64::from(GRANTS);
    assert!(each <= 500, "{each}");
}
