//! Puts a run's data into the repository: the table between the markers of `README.md`, and the picture.
//!
//! ```text
//! cargo bench -p restream-oauth-benches -- --json benches/results.json
//! cargo run -p restream-oauth-benches --bin report
//! ```

use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use restream_oauth_benches::results::{Results, file};
use restream_oauth_benches::{picture, table};

const BEGIN: &str = "<!-- results: written by `report` from results.json -->\n";
const END: &str = "<!-- end of results -->\n";

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
    between_markers(&file("README.md"), &table::markdown(&results))
}

fn between_markers(path: &Path, new: &str) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| io::Error::other(format!("{}: no markers", path.display())))?;
    fs::write(path, format!("{before}{BEGIN}\n{new}\n{END}{after}"))
}
