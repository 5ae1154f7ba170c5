//! The first call of a program: it resolves a name, connects, sets up TLS, and exchanges a code. Then the second call.
//!
//!     cargo run --release --locked              # nine programs of each kind
//!     cargo run --release --locked -- --quick   # one
//!
//! Prints the table of the benches' README. Fails if our first call needs more round trips than the best of the four, or
//! if our second call does not resume the TLS session.

mod relay;
mod server;
mod sides;

use std::env;
use std::time::{Duration, Instant};

use relay::Relay;
use server::Server;
use sides::{Outcome, Place, SIDES};

const PROGRAMS: usize = 9;

/// What one call took.
struct Figures {
    time: Duration,
    round_trips: usize,
    resumed: bool,
}

fn main() -> Outcome<()> {
    let programs = if env::args().any(|argument| argument == "--quick") { 1 } else { PROGRAMS };
    let server = Server::start()?;
    let relay = Relay::before(server.address)?;
    let place = Place { port: relay.port, root: server.certificate.clone() };

    let mut measured: Vec<[Vec<Figures>; 2]> = SIDES.iter().map(|_| Default::default()).collect();
    for _ in 0..programs {
        for ((_, set_up), calls) in SIDES.iter().zip(&mut measured) {
            let mut exchange = None;
            for figures in calls {
                let before = (Instant::now(), relay.round_trips(), server.resumed());
                let exchange = match &mut exchange {
                    Some(exchange) => exchange,
                    // Setting up counts, as it does when a program starts.
                    none => none.insert(set_up(&place)?),
                };
                exchange()?;
                figures.push(Figures {
                    time: before.0.elapsed(),
                    round_trips: relay.round_trips() - before.1,
                    resumed: server.resumed() > before.2,
                });
            }
        }
    }

    println!("|  | first call | round trips | second call | round trips | over |");
    println!("|---|---:|---:|---:|---:|---|");
    for ((name, _), [first, second]) in SIDES.iter().zip(&mut measured) {
        let over = match second.iter().all(|figures| figures.resumed) {
            true => "a new connection, TLS resumed",
            false if most(second) == 1 => "the connection of the first",
            false => "a new connection",
        };
        println!(
            "| {name} | {} ms | {} | {} ms | {} | {over} |",
            median(first).as_millis(),
            most(first),
            median(second).as_millis(),
            most(second)
        );
    }

    let best = measured.iter().map(|[first, _]| most(first)).min().unwrap_or(0);
    for ((name, _), [first, second]) in SIDES.iter().zip(&measured).filter(|((name, _), _)| name.starts_with("ours")) {
        if most(first) > best {
            return Err(
                format!("the first call, {name}: {} round trips, and the best needs {best}", most(first)).into()
            );
        }
        if !second.iter().all(|figures| figures.resumed) {
            return Err(format!("the second call, {name}: it does not resume the TLS session").into());
        }
    }
    Ok(())
}

fn median(figures: &mut [Figures]) -> Duration {
    figures.sort_by_key(|figures| figures.time);
    figures[figures.len() / 2].time
}

fn most(figures: &[Figures]) -> usize {
    figures.iter().map(|figures| figures.round_trips).max().unwrap_or(0)
}
