//! Sealed records: what the database, its backups and its log hold shows no token, and opens for its grant and with its key
//! alone.

#[path = "../support/mod.rs"]
mod support;

mod contract;
mod errors;
mod resealing;
mod size;
mod traces;

use restream_oauth_keeper::seal::KeyRing;
use restream_oauth_keeper::store::{Leftovers, StoreOp};
use restream_oauth_keeper::{GrantName, Record, Spooled};
use restream_oauth_keeper_postgres::{Config, PostgresStore};
use zeroize::Zeroizing;

use crate::support::{Database, claim, done, login, marked, put, tokens};

/// Two keys, of which each can be the newest.
const K1: &str = "k1:1111111111111111111111111111111111111111111111111111111111111111";
const K2: &str = "k2:2222222222222222222222222222222222222222222222222222222222222222";

fn ring(keys: &[&str]) -> KeyRing {
    KeyRing::parse(&keys.join("\n")).unwrap()
}

fn config(database: &Database, keys: &[&str]) -> Config {
    database.config().sealed(ring(keys))
}

async fn sealed(database: &Database, keys: &[&str]) -> PostgresStore {
    PostgresStore::connect(&config(database, keys)).await.unwrap()
}

fn answer(record: &Record, number: u32, body: &str) -> Spooled {
    Spooled { parent: record.parent(), number, answer: Zeroizing::new(format!("{{\"body\":\"{body}\"}}")) }
}

/// Writes something into every column that holds documents: tokens whose names begin with `name`.
async fn fill(store: &PostgresStore, grant: &GrantName, name: &str) {
    let record = login(&format!("{name}-record"));
    put(store, grant, &record).await;
    let held = claim(store, grant).await.claim;
    done(store, grant, StoreOp::Spool { claim: held, answer: answer(&record, 1, &format!("access-{name}-aside")) })
        .await;
    done(store, grant, StoreOp::Settle { claim: held, record: None, leftovers: Leftovers::SetAside }).await;
    let held = claim(store, grant).await.claim;
    done(store, grant, StoreOp::Prepare { claim: held, record: marked(&record) }).await;
    done(store, grant, StoreOp::Spool { claim: held, answer: answer(&record, 1, &format!("access-{name}-answer")) })
        .await;
    for late in ["late", "later"] {
        let tokens = Box::new(tokens(&format!("{name}-{late}")));
        done(store, grant, StoreOp::Park { parent: record.parent(), tokens }).await;
    }
    done(store, grant, StoreOp::Stash { tokens: Box::new(tokens(&format!("{name}-login"))) }).await;
    done(store, grant, StoreOp::Settle { claim: held, record: None, leftovers: Leftovers::Leave }).await;
}
