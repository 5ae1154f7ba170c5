//! What one rotation costs on the disk of a folder, beside one bare replacement of a file (write, sync, rename, sync of
//! the folder).
//!
//! ```sh
//! cargo run --release -p restream-oauth-keeper --features file --example rotation_cost -- /var/lib/bot
//! ```

use std::error::Error;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_core::Tokens;
use restream_oauth_keeper::store::{FileStore, Leftovers, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Doubt, GrantName, Record, Spooled};

const ROUNDS: usize = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from).join("rotation-cost");
    let store = FileStore::at(&folder)?;
    let grant: GrantName = "default".parse()?;
    let mut record = Record::of_login(tokens(0)?, SystemTime::UNIX_EPOCH);
    let StoreOutcome::Claimed(claimed) = store.run(&grant, StoreOp::Claim) else { return Err("no claim".into()) };
    let insert = StoreOp::Insert { claim: claimed.claim, record: Box::new(record.clone()) };
    done(store.run(&grant, insert))?;
    done(store.run(&grant, StoreOp::Settle { claim: claimed.claim, record: None, leftovers: Leftovers::Remove }))?;

    let (mut replacements, mut rotations) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let line = record.to_saved();
        // A rotation leaves the removal of its spool unsynced. The replacement must not pay for it.
        sync(&folder)?;
        let begun = Instant::now();
        replace(&folder.join("bare"), line.as_bytes())?;
        replacements.push(begun.elapsed());
        let next = Record { tokens: tokens(round + 1)?, generation: record.generation + 1, ..record.clone() };
        let begun = Instant::now();
        rotate(&store, &grant, &record, &next)?;
        rotations.push(begun.elapsed());
        record = next;
    }
    fs::remove_dir_all(&folder)?;
    let (replacement, rotation) = (median(&mut replacements), median(&mut rotations));
    let ratio = rotation.as_secs_f64() / replacement.as_secs_f64();
    println!("one replacement: {replacement:?}, one rotation: {rotation:?}, ratio: {ratio:.2}");
    Ok(())
}

/// Claim, Prepare, Spool, Commit, Settle.
fn rotate(store: &FileStore, grant: &GrantName, record: &Record, next: &Record) -> Result<(), Box<dyn Error>> {
    let StoreOutcome::Claimed(claimed) = store.run(grant, StoreOp::Claim) else { return Err("no claim".into()) };
    let (claim, parent) = (claimed.claim, record.parent());
    let doubt = Some(Doubt {
        since: SystemTime::UNIX_EPOCH,
        sends: 1,
        in_flight: true,
        ended: None,
        witnessed: false,
        forwarded: None,
    });
    let marked = Box::new(Record { doubt, ..record.clone() });
    done(store.run(grant, StoreOp::Prepare { claim, record: marked }))?;
    let answer = format!("{{\"version\":1,\"body\":\"{}\"}}", "x".repeat(800)).into();
    done(store.run(grant, StoreOp::Spool { claim, answer: Spooled { parent, number: 1, answer } }))?;
    done(store.run(grant, StoreOp::Commit { claim, parent, record: Box::new(next.clone()) }))?;
    done(store.run(grant, StoreOp::Settle { claim, record: None, leftovers: Leftovers::Remove }))
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create_new(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync(path.parent().unwrap_or(path))
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

fn done(outcome: StoreOutcome) -> Result<(), Box<dyn Error>> {
    match outcome {
        StoreOutcome::Done => Ok(()),
        StoreOutcome::Failed(error) => Err(error.into()),
        outcome => Err(format!("{outcome:?}").into()),
    }
}

fn tokens(number: usize) -> Result<Tokens, Box<dyn Error>> {
    let saved = format!(
        "{{\"version\":2,\"kind\":\"tokens\",\"client_id\":\"id\",\"token_endpoint\":\"https://api.example/token\",\
         \"access_token\":\"a-{number:040}\",\"refresh_token\":\"r-{number:040}\",\"token_type\":\"Bearer\",\
         \"sent_at\":\"1700000000.000000000\",\"expires_in\":3600,\"refresh_expires_in\":31536000,\"oddities\":\"\"}}"
    );
    Ok(Tokens::from_saved(saved)?)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
