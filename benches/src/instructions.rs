//! Instructions, counted by valgrind: the one measure of speed that does not depend on what else the machine does.
//!
//! The program starts itself under callgrind, once for each side of each row, and tells it to count only what happens
//! inside `measured`.

use std::env;
use std::process::{Command, Stdio};

use crate::rows::{Row, Side};

/// How the program is told to be the one that is counted.
pub const FLAG: &str = "--count";
/// Runs of a task, over which what happens only once is spread.
const TIMES: u64 = 64;

/// True if valgrind is there.
pub fn available() -> bool {
    Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Instructions for one run of a task; `None` if valgrind did not say.
pub fn count(row: &Row, side: Side) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*instructions*measured*"])
        .arg(env::current_exe().ok()?)
        .args([FLAG, row.id, side.name()])
        .output()
        .ok()?;
    let report = String::from_utf8(output.stderr).ok()?;
    let collected = report.lines().find_map(|line| line.split_once("Collected :"))?.1;
    Some(collected.trim().parse::<u64>().ok()? / TIMES)
}

/// What the counted program does: warm up outside of `measured`, then run inside it.
pub fn run(row: &Row, side: Side) {
    let times = usize::try_from(TIMES).unwrap_or(usize::MAX);
    row.task(side).run(times, |work| work());
    row.task(side).run(times, |work| measured(work));
}

/// Found by its name, so it must stay a function of its own.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
    // Without something after it, the call above would become a jump, and the count would never end.
    std::hint::black_box(());
}
