//! Runs every row for every side and prints the table.
//!
//! ```text
//! cargo bench -p restream-oauth-benches                            the table
//! cargo bench -p restream-oauth-benches -- --quick                 everything once, to see that it runs
//! cargo bench -p restream-oauth-benches -- --json FILE             and the run's data into a file
//! cargo bench -p restream-oauth-benches -- --only read             rows whose short name contains this
//! ```
//!
//! Instructions are counted where valgrind is there, except in a quick run.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use restream_oauth_benches::allocations::Counting;
use restream_oauth_benches::measure::{self, Effort};
use restream_oauth_benches::results::Results;
use restream_oauth_benches::rows::{self, Side};
use restream_oauth_benches::{CRATES, LOCK_FILE, instructions, machine, table};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    match Options::read(env::args().skip(1)) {
        Ok(Options { counted: Some((row, side)), .. }) => count(&row, &side),
        Ok(options) => compare(&options),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Options {
    quick: bool,
    json: Option<PathBuf>,
    only: Option<String>,
    /// Row and side, when valgrind runs this program.
    counted: Option<(String, String)>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                // What cargo adds.
                "--bench" => {}
                "--quick" => options.quick = true,
                "--json" => options.json = Some(value()?.into()),
                "--only" => options.only = Some(value()?),
                instructions::FLAG => options.counted = Some((value()?, value()?)),
                _ => return Err(format!("unknown argument {argument}; known: --quick, --json FILE, --only NAME")),
            }
        }
        Ok(options)
    }
}

fn compare(options: &Options) -> ExitCode {
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    let counting = !options.quick && instructions::available();
    let mut results = Results { machine: machine::describe(LOCK_FILE, &CRATES), rows: Vec::new() };
    for row in rows::all() {
        if options.only.as_ref().is_some_and(|only| !row.id.contains(only.as_str())) {
            continue;
        }
        eprintln!("{}", row.title);
        let mut measured = measure::row(&row, effort);
        for side in Side::ALL.into_iter().filter(|_| counting) {
            measured.of_mut(side).instructions = instructions::count(&row, side);
        }
        results.rows.push(measured);
    }
    println!("{}", table::markdown(&results));
    match &options.json {
        Some(path) => match results.save(path) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                ExitCode::FAILURE
            }
        },
        None => ExitCode::SUCCESS,
    }
}

fn count(row: &str, side: &str) -> ExitCode {
    let row = rows::all().into_iter().find(|known| known.id == row);
    let side = Side::ALL.into_iter().find(|known| known.name() == side);
    let (Some(row), Some(side)) = (row, side) else { return ExitCode::FAILURE };
    instructions::run(&row, side);
    ExitCode::SUCCESS
}
