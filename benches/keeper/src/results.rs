//! The figures of a run, as a file. The table is made from it.

use std::path::Path;
use std::{fs, io};

use restream_oauth_benches::results::Machine;
use serde::{Deserialize, Serialize};

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// The machine, the compiler and the crates.
    pub machine: Machine,
    /// The figures of each row.
    pub rows: Vec<RowResult>,
}

/// One row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RowResult {
    /// The row's short name.
    pub id: String,
    /// Our side.
    pub ours: Figures,
    /// The peer's, if there is one.
    pub peer: Option<Figures>,
}

impl RowResult {
    /// Our share of the peer's figure.
    pub fn share(&self) -> Option<f64> {
        Some(self.ours.median / self.peer.as_ref()?.median)
    }
}

/// One side of one row, in the unit of the row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The median of all samples.
    pub median: f64,
    /// One sample in ten is lower.
    pub low: f64,
    /// One sample in ten is higher.
    pub high: f64,
}

impl Figures {
    /// The figures of these samples, of which there is one at least.
    pub(crate) fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |tenths: usize| sorted[(sorted.len() - 1) * tenths / 10];
        Self { median: at(5), low: at(1), high: at(9) }
    }
}

impl Results {
    /// The row of this name.
    pub fn row(&self, id: &str) -> Option<&RowResult> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// Fails if the file is missing or holds something else.
    pub fn load(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text)
    }
}
