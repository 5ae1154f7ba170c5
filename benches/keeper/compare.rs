//! Runs every row for both sides and prints the table.
//!
//! ```text
//! cargo bench                            the table
//! cargo bench -- --quick                 everything once, to see that it runs
//! cargo bench -- --json FILE             and the run's data into a file
//! cargo bench -- --only reader           rows whose short name contains this
//! ```

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use restream_oauth_benches::machine;
use restream_oauth_keeper_benches::live::Counting;
use restream_oauth_keeper_benches::results::Results;
use restream_oauth_keeper_benches::rows::{self, Effort};
use restream_oauth_keeper_benches::{CRATES, LOCK_FILE, table};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    match Options::read(env::args().skip(1)).and_then(|options| compare(&options)) {
        Ok(()) => ExitCode::SUCCESS,
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
                _ => return Err(format!("unknown argument {argument}; known: --quick, --json FILE, --only NAME")),
            }
        }
        Ok(options)
    }
}

fn compare(options: &Options) -> Result<(), String> {
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    let mut results = Results { machine: machine::describe(LOCK_FILE, &CRATES), rows: Vec::new() };
    for row in rows::all() {
        if options.only.as_ref().is_none_or(|only| row.id.contains(only.as_str())) {
            eprintln!("{}", row.title);
            results.rows.push(row.measure(effort));
        }
    }
    println!("{}", table::markdown(&results));
    match &options.json {
        Some(path) => results.save(path).map_err(|error| format!("{}: {error}", path.display())),
        None => Ok(()),
    }
}
