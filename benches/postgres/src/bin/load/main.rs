//! The load run: as many warm grants as asked for, two workers that keep them, and a Restream and a PostgreSQL beside them.
//! Then one worker is killed, and the database stops for a while.
//!
//!     .ci/postgres cargo run --release --locked --manifest-path benches/postgres/Cargo.toml --bin load
//!     .ci/postgres cargo run --release --locked --manifest-path benches/postgres/Cargo.toml --bin load -- --quick
//!
//! The first command takes a million grants with lifetimes of an hour, for an hour. `--quick` takes 100,000 with lifetimes of
//! six minutes, for two minutes. `--grants N`, `--lifetime SECONDS`, `--minutes N`, `--outage SECONDS`, `--rate N` (requests
//! a second and worker) change one of them. `--unprepared` sends statements as a pooler in transaction mode needs them.
//! `--picture FILE` writes an SVG.
//!
//! Prints the table of the benches' README. Fails if a promise is broken that does not depend on how fast the machine is:
//!
//! - No refresh token is used twice, unless its grant was in doubt.
//! - No grant is lost, unless the killed worker took its new pair along.
//! - No access token expires, if the machine does as many rotations as are due; and after the failures no more of them than
//!   the rotations that were missed explain.
//! - Within one lease after each failure, rotations are as fast as before, and what the killed worker left is settled.
//!
//! Needs Linux.

mod database;
mod demand;
mod fill;
#[path = "../../../../keeper/src/live.rs"]
#[allow(unreachable_pub, reason = "it is public where it comes from")]
mod live;
mod picture;
mod report;
mod run;
mod sample;
#[path = "../../server.rs"]
mod server;
mod settings;
mod worker;

use std::env;
use std::error::Error;
use std::time::Duration;

use database::Database;
use restream_oauth_sandbox::Sandbox;
use run::Run;
use settings::Settings;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long a claim lasts whose process died.
pub(crate) const LEASE: Duration = Duration::from_mins(2);
/// How long a service manager takes to start a process again.
const RESTART: Duration = Duration::from_secs(5);
/// How much longer the run waits for what the killed worker left: workers look each five seconds, and refresh then.
const GRACE: Duration = Duration::from_secs(30);

#[global_allocator]
static ALLOCATOR: live::Counting = live::Counting;

fn main() -> Outcome<()> {
    let mut arguments = env::args().skip(1);
    let runtime = tokio::runtime::Runtime::new()?;
    if arguments.next().as_deref() == Some(worker::NAME) {
        return runtime.block_on(worker::work());
    }
    runtime.block_on(measure(Settings::read(env::args().skip(1))?))
}

async fn measure(settings: Settings) -> Outcome<()> {
    let sandbox = Sandbox::builder()
        .client_id("0f8fad5b-d9cb-469f-a165-70867728950e")
        .access_token_lifetime(settings.lifetime)
        .most_connections(4096)
        .start()?;
    let database = Database::create().await?;
    let demand = fill::fill(&database, &sandbox, &settings).await?;
    let filled = database.bytes().await?;

    let mut run = Run::begin(&sandbox, database, &settings)?;
    run.watch(settings.steady).await?;
    let steady = run.end_of_steady_phase();

    run.kill_a_worker().await?;
    run.watch(RESTART).await?;
    run.restart_the_worker()?;
    let after_kill = run.watch_until_recovered(steady, LEASE).await?;
    // Nothing is settled while the database is away.
    let settled = run.watch_until_settled(LEASE + GRACE).await?;

    run.stop_the_database()?;
    run.watch(settings.outage).await?;
    run.start_the_database()?;
    let after_outage = run.watch_until_recovered(steady, LEASE).await?;

    let end = run.end().await?;
    let verdicts =
        report::Report { settings: &settings, filled, steady, after_kill, after_outage, settled, end, demand };
    if let Some(file) = &settings.picture {
        std::fs::write(file, picture::svg(&verdicts))?;
    }
    verdicts.print()
}
