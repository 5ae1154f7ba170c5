//! A readable trace of the last events of a run. A run is traced only when it is repeated to show a violation.

use std::collections::VecDeque;

use crate::time::{Time, shown};

/// How many lines are kept.
const LINES: usize = 50_000;

/// The last events.
#[derive(Debug)]
pub(crate) struct Trace {
    wanted: bool,
    lines: VecDeque<String>,
    /// A digest of all lines, so that two runs can be compared.
    pub(crate) digest: u64,
}

impl Trace {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { wanted, lines: VecDeque::new(), digest: 0xCBF2_9CE4_8422_2325 }
    }

    pub(crate) fn say(&mut self, now: Time, what: impl FnOnce() -> String) {
        if !self.wanted {
            return;
        }
        let line = format!("{} {}", shown(now), what());
        // FNV-1a.
        for byte in line.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The last lines.
    pub(crate) fn last(&self, lines: usize) -> Vec<String> {
        self.lines.iter().skip(self.lines.len().saturating_sub(lines)).cloned().collect()
    }
}
