//! Lines that wait for the thread which writes them.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::entry::Entry;
use super::level::Level;

/// How long the thread rests when it has written everything. So a busy broker wakes it up for many lines at once: to wake it
/// up for each line takes a fifth of the time of a request. A line after a silence is written at once.
const REST: Duration = Duration::from_millis(5);

pub(super) struct Queue {
    longest: usize,
    state: Mutex<State>,
    /// A line came, or the queue was closed.
    came: Condvar,
    /// Everything is written.
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<String>,
    /// The thread writes the line that it took last.
    is_writing: bool,
    /// The thread looks for lines by itself, soon.
    is_resting: bool,
    is_closed: bool,
    dropped: u64,
    /// How many were dropped that a line has yet to tell. Those that could not be written are not told: that line could
    /// not be written either.
    untold: u64,
}

impl State {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && !self.is_writing
    }
}

impl Queue {
    pub(super) fn new(longest: usize) -> Self {
        Self { longest, state: Mutex::default(), came: Condvar::new(), emptied: Condvar::new() }
    }

    /// Adds a line, or drops it if too many wait.
    pub(super) fn push(&self, line: String) {
        let mut state = self.lock();
        if state.lines.len() < self.longest {
            state.lines.push_back(line);
            if !state.is_resting || state.lines.len() >= self.longest / 2 {
                self.came.notify_one();
            }
        } else {
            state.dropped = state.dropped.saturating_add(1);
            state.untold = state.untold.saturating_add(1);
        }
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.came.notify_one();
    }

    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    pub(super) fn wait_until_empty(&self, limit: Duration) -> bool {
        let waited = self.emptied.wait_timeout_while(self.lock(), limit, |state| !state.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_empty()
    }

    /// Writes lines until the queue is closed and empty.
    pub(super) fn write_to(&self, mut writer: impl Write) {
        let mut has_written = false;
        while let Some(mut line) = self.next(has_written) {
            has_written = true;
            line.push('\n');
            if writer.write_all(line.as_bytes()).and_then(|()| writer.flush()).is_err() {
                let mut state = self.lock();
                state.dropped = state.dropped.saturating_add(1);
            }
        }
    }

    /// Waits for a line, after a rest if one was written before. Returns `None` once the queue is closed and empty.
    fn next(&self, mut must_rest: bool) -> Option<String> {
        let mut state = self.lock();
        loop {
            state.is_writing = false;
            let line = if state.untold > 0 && state.lines.len() < self.longest / 2 {
                Some(lines_dropped(std::mem::take(&mut state.untold)))
            } else {
                state.lines.pop_front()
            };
            if line.is_some() {
                state.is_writing = true;
                return line;
            }
            self.emptied.notify_all();
            if state.is_closed {
                return None;
            }
            state = if std::mem::take(&mut must_rest) {
                self.rest(state)
            } else {
                self.came.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    /// Rests until lines may have gathered, or too many wait, or the queue is closed.
    fn rest<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.is_resting = true;
        let goes_on = |state: &mut State| !state.is_closed && state.lines.len() < self.longest / 2;
        let rested = self.came.wait_timeout_while(state, REST, goes_on);
        let mut state = rested.unwrap_or_else(PoisonError::into_inner).0;
        state.is_resting = false;
        state
    }

    /// Nothing panics while it holds the lock, so what it protects is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lines_dropped(count: u64) -> String {
    let message = "standard error was not read in time, so lines of this log are missing";
    Entry::new(Level::Warn, "log_lines_dropped", message).with("count", count).into_line(SystemTime::now())
}
