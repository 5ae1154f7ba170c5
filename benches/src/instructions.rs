//! Counts instructions with valgrind. Unlike time, their number does not depend on what else the machine does.
//!
//! The program starts itself under callgrind, once for each side of each row. Callgrind counts only what happens inside
//! `measured`.

use std::env;
use std::process::{Command, Stdio};

use crate::rows::{Row, Side};

/// The option that makes this program the one that is counted.
pub const FLAG: &str = "--count";
/// Runs of a task, so that work which happens only once has little weight.
const TIMES: u64 = 64;

/// True if valgrind is installed.
pub fn available() -> bool {
    Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Instructions for one run of a task; `None` if valgrind printed no number.
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

/// The counted program: warms up outside of `measured`, then runs inside it.
pub fn run(row: &Row, side: Side) {
    let times = usize::try_from(TIMES).unwrap_or(usize::MAX);
    row.task(side).run(times, |work| work());
    row.task(side).run(times, |work| measured(work));
}

/// Callgrind finds this function by its name, so it must not be inlined.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
    // Without a statement after it, the call above would become a jump, and the count would never end.
    std::hint::black_box(());
}
