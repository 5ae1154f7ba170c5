//! Puts a run's table into the page of the benches.
//!
//! ```text
//! cargo bench -- --json results.json
//! cargo run --bin report
//! ```

use std::io;

use restream_oauth_benches::page;
use restream_oauth_keeper_benches::results::Results;
use restream_oauth_keeper_benches::{file, table};

const BEGIN: &str = "<!-- keeper: written by `report` of the folder `keeper` from its results.json -->\n";

fn main() -> io::Result<()> {
    let results = Results::load(&file("results.json"))?;
    page::replace(&file("../README.md"), BEGIN, &table::markdown(&results))
}
