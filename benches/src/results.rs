//! The figures of a run, as a file. The table and the picture are made from it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::rows::Side;

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// The machine, the compiler and the crates.
    pub machine: Machine,
    /// The figures of each row.
    pub rows: Vec<RowResult>,
}

/// The machine, the compiler and the crates of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The day.
    pub date: String,
    /// The processor, as it calls itself.
    pub processor: String,
    /// How many of its cores the run could use.
    pub cores: usize,
    /// Operating system and architecture.
    pub system: String,
    /// The compiler.
    pub rustc: String,
    /// Crates that matter, with their versions.
    pub crates: Vec<String>,
}

/// One row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RowResult {
    /// The row's short name.
    pub id: String,
    /// The row's title.
    pub title: String,
    /// Our side.
    pub ours: Figures,
    /// The peer's.
    pub peer: Figures,
    /// The floor's.
    pub floor: Figures,
}

impl RowResult {
    /// The figures of one side.
    pub fn of(&self, side: Side) -> &Figures {
        match side {
            Side::Ours => &self.ours,
            Side::Peer => &self.peer,
            Side::Floor => &self.floor,
        }
    }

    /// The figures of one side, to add to.
    pub fn of_mut(&mut self, side: Side) -> &mut Figures {
        match side {
            Side::Ours => &mut self.ours,
            Side::Peer => &mut self.peer,
            Side::Floor => &mut self.floor,
        }
    }

    /// How many times faster than the peer.
    pub fn speed_up(&self) -> f64 {
        self.peer.median_ns / self.ours.median_ns
    }
}

/// One side of one row, for one run of the task.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// The median of all samples.
    pub median_ns: f64,
    /// One sample in ten is faster.
    pub low_ns: f64,
    /// One sample in ten is slower.
    pub high_ns: f64,
    /// Allocations. Growing a buffer is one more.
    pub allocations: u64,
    /// The sum of their sizes.
    pub bytes: u64,
    /// Instructions, where valgrind is installed.
    pub instructions: Option<u64>,
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

/// The path of a file in this crate's folder.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
