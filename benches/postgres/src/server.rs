//! The servers of `.ci/postgres`.

use std::env;
use std::process::Command;

use crate::Outcome;

/// Stops or starts the `primary` or its `standby`.
pub(crate) fn server(which: &str, what: &str) -> Outcome<()> {
    let server = env::var("RESTREAM_TEST_SERVER")?;
    let status = Command::new(server).args([which, what]).status()?;
    if status.success() { Ok(()) } else { Err(format!("the {which} did not {what}").into()) }
}
