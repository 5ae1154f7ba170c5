//! What the broker writes about itself: one line of JSON an event, on standard error, without secrets.
//!
//! Every line has `time`, `level`, `event` and `message`. [`Entry`] is one line, and pure; [`Log`] writes them.
//!
//! **No secrets.** Of a request are logged its method, the name of its route, never its URL, which holds codes; the
//! status, the duration, the device and the address. Texts are those of errors, which hold no secret; they are truncated,
//! and control characters are escaped.
//!
//! **A reader that reads nothing does not stop the broker.** A thread of its own writes. If it falls behind by
//! [`LONGEST_QUEUE`] lines, further lines are dropped, and a later line says how many.

mod entry;
mod level;
mod queue;

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use queue::Queue;

pub use entry::{Entry, RequestLine, Value};
pub use level::{Level, UnknownLevel};

/// How many lines wait to be written at most.
pub const LONGEST_QUEUE: usize = 4_096;

/// Writes lines. Clones write to the same place; the last one to be dropped ends the thread, once all lines are written.
///
/// ```
/// use std::time::Duration;
/// use restream_oauth_broker::log::{Entry, Level, Log};
///
/// let log = Log::to_standard_error(Level::Info);
/// log.write(Entry::new(Level::Info, "ready", "serving").with("port", 8080_u16));
/// assert!(log.flush(Duration::from_secs(10)));
/// ```
#[derive(Clone)]
pub struct Log {
    lowest: Level,
    queue: Arc<Open>,
}

impl Log {
    /// Writes to standard error. Entries below `lowest` are left out.
    pub fn to_standard_error(lowest: Level) -> Self {
        Self::to(std::io::stderr(), lowest)
    }

    /// Writes to any place. Entries below `lowest` are left out. A line that cannot be written counts as dropped.
    pub fn to(writer: impl Write + Send + 'static, lowest: Level) -> Self {
        let queue = Arc::new(Queue::new(LONGEST_QUEUE));
        let of_thread = Arc::clone(&queue);
        std::thread::spawn(move || of_thread.write_to(writer));
        Self { lowest, queue: Arc::new(Open(queue)) }
    }

    /// Writes an entry, with the time of now. Never waits.
    pub fn write(&self, entry: Entry) {
        if self.is_written(entry.level()) {
            self.queue.0.push(entry.into_line(SystemTime::now()));
        }
    }

    /// True if entries of this level are written. Ask before work that is for the log alone.
    pub fn is_written(&self, level: Level) -> bool {
        level >= self.lowest
    }

    /// How many lines were dropped since the beginning.
    pub fn dropped(&self) -> u64 {
        self.queue.0.dropped()
    }

    /// Waits until everything is written, for `limit` at most. Returns false if something is left.
    pub fn flush(&self, limit: Duration) -> bool {
        self.queue.0.wait_until_empty(limit)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("lowest", &self.lowest).finish_non_exhaustive()
    }
}

/// Closes the queue once nobody can write any more.
struct Open(Arc<Queue>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests;
