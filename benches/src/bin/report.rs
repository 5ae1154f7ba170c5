//! Puts a run's data into the repository: the table between the markers of `README.md`, and the picture.
//!
//! ```text
//! cargo bench -p restream-oauth-benches -- --json benches/results.json
//! cargo run -p restream-oauth-benches --bin report
//! ```

use std::process::ExitCode;
use std::{fs, io};

use restream_oauth_benches::results::{Results, file};
use restream_oauth_benches::{page, picture, table};

const BEGIN: &str = "<!-- results: written by `report` from results.json -->\n";

fn main() -> ExitCode {
    match report() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn report() -> io::Result<()> {
    let results = Results::load(&file("results.json"))?;
    fs::write(file("results.svg"), picture::svg(&results))?;
    page::replace(&file("README.md"), BEGIN, &table::markdown(&results))
}
