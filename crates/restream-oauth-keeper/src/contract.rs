//! The contract of a store, as checks that any store can run.
//!
//! A keeper relies on every sentence of [`store`](crate::store). [`check`] tries these sentences, by nothing but
//! [`Store::execute`]. What a store does when its disk or its database fails is not in it: no check can make it fail.
//!
//! ```
//! use std::sync::Arc;
//!
//! use restream_oauth_keeper::contract;
//! use restream_oauth_keeper::store::MemoryStore;
//!
//! contract::check(|| {
//!     let store = Arc::new(MemoryStore::new());
//!     (Arc::clone(&store), store) // two handles on one store
//! })?;
//! # Ok::<(), contract::Broken>(())
//! ```

mod bench;
mod checks;
mod pairs;
mod records;

use std::fmt;

use crate::operation::Store;
use bench::Bench;
#[cfg(test)]
pub(crate) use bench::block_on;

/// Runs every check. `handles` returns two handles on one store, as two processes have; it is called once a check, and
/// may return handles on the same store each time, because each check has a grant of its own. That grant must be empty.
///
/// Blocks, and needs no runtime. A store that needs one is checked inside of it, with a second thread to drive it.
///
/// # Errors
/// [`Broken`] lists the checks that the store does not pass.
pub fn check<S: Store>(mut handles: impl FnMut() -> (S, S)) -> Result<(), Broken> {
    let mut broken = Vec::new();
    for (name, check) in checks::all() {
        let (one, other) = handles();
        // Names of checks are names of grants, but for their length.
        let grant = name.get(..name.len().min(64)).unwrap_or(name).parse();
        let verdict = match grant {
            Ok(grant) => check(&Bench { one, other, grant }),
            Err(error) => Err(format!("{error}")),
        };
        if let Err(reason) = verdict {
            broken.push((name, reason));
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(Broken(broken)) }
}

/// The checks that a store does not pass, and why.
pub struct Broken(Vec<(&'static str, String)>);

impl Broken {
    /// The names of the checks.
    pub fn checks(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store breaks the contract")?;
        for (name, reason) in &self.0 {
            write!(f, "\n  {name}: {reason}")?;
        }
        Ok(())
    }
}

/// As `Display`, because a test shows this.
impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Broken {}
