//! Fresh handles and idle connections: what the broker takes, beside nginx as a proxy, in one run.
//!
//!     .ci/postgres cargo run --release --locked --manifest-path benches/broker/Cargo.toml
//!
//! Three runs of ten seconds for each row, by turns, and 10,000 connections. With `-- --quick` one run of a second, and
//! 1,000 connections. `--broker PATH` is the program, in the place of a release build. Without `.ci/postgres`, the rows of
//! that store are left out.
//!
//! Prints the tables of the benches' README. A goal that is not met is no failure. Needs Linux, two cores, `taskset` and
//! nginx. The server that is measured has one core to itself, and the load has the other one.

mod broker;
mod load;
mod machine;
mod nginx;

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker::{Broker, Store};
use load::{Figures, Pace};
use machine::Cores;
use nginx::Nginx;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Requests a second that the broker must manage, and those of the rows about time.
const RATE: u32 = 2_000;
/// Connections that send requests.
const CONNECTIONS: usize = 16;
/// The most memory that the broker may take with all idle connections, in bytes.
const MOST_MEMORY: u64 = 100_000_000;

/// How much is measured.
struct Size {
    turns: usize,
    seconds: u32,
    handles: usize,
    idle: usize,
}

const WHOLE: Size = Size { turns: 3, seconds: 10, handles: 256, idle: 10_000 };
const QUICK: Size = Size { turns: 1, seconds: 1, handles: 16, idle: 1_000 };

fn main() -> Outcome<()> {
    let mut arguments = env::args().skip(1);
    let (mut size, mut program) = (WHOLE, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // What the load is, in a process of its own.
            load::NAME => return load::run(arguments),
            "--quick" => size = QUICK,
            "--broker" => program = arguments.next().map(PathBuf::from),
            other => return Err(format!("expected --quick or --broker PATH, and not {other}").into()),
        }
    }
    measure(&size, program)
}

/// What a server did under the two kinds of load, turn by turn.
#[derive(Default)]
struct Row {
    full: Vec<Figures>,
    paced: Vec<Figures>,
}

impl Row {
    fn measure(&mut self, cores: Cores, address: &str, requests: &str, seconds: u32) -> Outcome<()> {
        let load = |pace| load::measure(cores, address, requests, CONNECTIONS, seconds, pace);
        self.full.push(load(Pace::Full)?);
        self.paced.push(load(Pace::PerSecond(RATE))?);
        Ok(())
    }

    /// The middle one of all turns, for each figure.
    fn summary(&self) -> [Figures; 2] {
        [&self.full, &self.paced].map(|turns| {
            let middle = |figure: fn(&Figures) -> f64| {
                let mut figures: Vec<f64> = turns.iter().map(figure).collect();
                figures.sort_by(f64::total_cmp);
                figures[figures.len() / 2]
            };
            Figures {
                rate: middle(|figures| figures.rate),
                median: middle(|figures| figures.median),
                high: middle(|figures| figures.high),
            }
        })
    }
}

/// What the bench prints.
#[derive(Default)]
struct Report {
    rows: Vec<(String, [Figures; 2])>,
    goals: Vec<[String; 3]>,
}

fn measure(size: &Size, program: Option<PathBuf>) -> Outcome<()> {
    let cores = Cores::take()?;
    let program = program.map_or_else(broker::build, Ok)?;
    let mut report = Report::default();
    for store in broker::stores()? {
        report.measure(cores, &program, &store, size)?;
    }
    report.print();
    Ok(())
}

impl Report {
    fn measure(&mut self, cores: Cores, program: &Path, store: &Store, size: &Size) -> Outcome<()> {
        let title = store.title;
        let broker = Broker::start(cores, program, store, size.handles)?;
        let nginx = Nginx::start(cores, broker.body_of_an_answer()?.len())?;
        let (mut ours, mut theirs) = (Row::default(), Row::default());
        for _ in 0..size.turns {
            // Two loads, each with the time for its start.
            broker.settle(Duration::from_secs(u64::from(size.seconds) * 2 + 6))?;
            ours.measure(cores, broker.address(), broker.requests(), size.seconds)?;
            theirs.measure(cores, nginx.address(), broker.requests(), size.seconds)?;
        }
        drop(nginx);
        let dropped = broker.lines_dropped()?;
        if dropped > 0 {
            eprintln!("{title}: {dropped} lines of the log were dropped, so the figures are too good");
        }

        let (ours, theirs) = (ours.summary(), theirs.summary());
        let [full, paced] = ours;
        let factor = full.rate / theirs[0].rate;
        self.rows.push((format!("the broker, {title}"), ours));
        self.rows.push(("nginx, `proxy_pass` to itself".to_owned(), theirs));
        self.goal(
            format!("{title}: ≥ {RATE} requests a second"),
            format!("{:.0}", full.rate),
            full.rate >= RATE.into(),
        );
        self.goal(format!("{title}: ≥ 0.30 × nginx"), format!("{factor:.2} ×"), factor >= 0.3);
        self.goal(
            format!("{title}: median ≤ 1 ms at {RATE} requests a second"),
            format!("{:.2} ms", paced.median),
            paced.median <= 1.0,
        );

        let before = broker.memory()?;
        let connections = load::idle(cores, broker.address(), broker.requests(), size.idle)?;
        let with_all = broker.memory()?;
        broker.has_connections(size.idle)?;
        drop(connections);
        let each = with_all.saturating_sub(before) / u64::try_from(size.idle)?;
        self.goal(
            format!("{title}: ≤ {} MB resident with {} idle connections", MOST_MEMORY / 1_000_000, size.idle),
            format!("{:.1} MB, {each} bytes each", megabytes(with_all)),
            with_all <= MOST_MEMORY,
        );
        Ok(())
    }

    fn goal(&mut self, what: String, reached: String, is_met: bool) {
        self.goals.push([what, reached, if is_met { "met" } else { "**not met**" }.to_owned()]);
    }

    fn print(&self) {
        println!("| fresh handles | requests/s | median | 99 % | at {RATE}/s: median | 99 % |");
        println!("|---|---:|---:|---:|---:|---:|");
        for (title, [full, paced]) in &self.rows {
            println!(
                "| {title} | {:.0} | {:.2} ms | {:.2} ms | {:.2} ms | {:.2} ms |",
                full.rate, full.median, full.high, paced.median, paced.high
            );
        }
        println!("\n| goal | reached |  |\n|---|---:|---|");
        for [what, reached, is_met] in &self.goals {
            println!("| {what} | {reached} | {is_met} |");
        }
    }
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1_000).unwrap_or(u32::MAX)) / 1_000.0
}
