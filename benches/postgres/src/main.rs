//! Rotations a second in one database: ours, a row lock that is held over the call, and pgbench with our statements.
//!
//!     .ci/postgres cargo run --release --locked --manifest-path benches/postgres/Cargo.toml              # three runs, by turns
//!     .ci/postgres cargo run --release --locked --manifest-path benches/postgres/Cargo.toml -- --quick   # one, of few grants
//!
//! Prints the table of the benches' README. Client and server share the machine, and there is no standby.

mod database;
mod ours;
mod pgbench;
mod provider;
mod row_lock;
mod server;

use std::env;
use std::error::Error;
use std::time::Duration;

use database::Database;
use restream_oauth_core::Client;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long the provider takes.
const TAKES: Duration = Duration::from_millis(200);

fn main() -> Outcome<()> {
    let quick = env::args().any(|argument| argument == "--quick");
    tokio::runtime::Runtime::new()?.block_on(measure(if quick { (1, 512) } else { (3, 8192) }))
}

async fn measure((runs, grants): (usize, u32)) -> Outcome<()> {
    let oauth = Client::builder("0f8fad5b-d9cb-469f-a165-70867728950e")
        .secret("secret")
        .redirect_uri("https://app.example/callback")
        .build()?;
    // Nobody runs a standby on the machine of its primary.
    server::server("standby", "stop")?;
    let database = Database::create(&oauth).await?;
    let mut rates: [Vec<f64>; 4] = Default::default();
    for _ in 0..runs {
        let [kept, locked, at_once, bench] = &mut rates;
        kept.push(ours::run(&database, &oauth, grants, TAKES).await?);
        // A quarter of the grants: it takes long.
        locked.push(row_lock::run(&database, grants / 4, TAKES).await?);
        at_once.push(ours::run(&database, &oauth, grants, Duration::ZERO).await?);
        bench.push(pgbench::run(&database, grants).await?);
    }

    let [kept, locked, at_once, bench] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    println!("| rotations a second | ours | beside it | ours of it | goal |  |");
    println!("|---|---:|---:|---:|---:|---|");
    row("the provider takes 200 ms", kept, &format!("row lock held over the call: {locked:.0}"), kept / locked, 4.0);
    row(
        "the provider answers at once",
        at_once,
        &format!("pgbench with our statements: {bench:.0}"),
        at_once / bench,
        0.8,
    );
    Ok(())
}

fn row(what: &str, ours: f64, beside: &str, factor: f64, goal: f64) {
    let met = if factor >= goal { "met" } else { "not met" };
    println!("| {what} | {ours:.0} | {beside} | {factor:.2} × | ≥ {goal:.1} × | {met} |");
}
