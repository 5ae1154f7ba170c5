//! The runtime of the commands that send requests. A command that sends none starts none.

use std::future::Future;

use crate::failure::Failure;

/// More file descriptors than any command but `keep` has open at a time.
const MOST_DESCRIPTORS: usize = 16;

/// Runs a future to its end on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    prove_descriptors(MOST_DESCRIPTORS)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(format!("cannot start: {error}")))?;
    let outcome = runtime.block_on(future);
    // Waiting for a thread that still resolves a name could take for ever.
    runtime.shutdown_background();
    outcome
}

/// Fails if fewer file descriptors are free. With too few, the runtime panics when it opens its pipe for signals, and a
/// response cannot be saved.
pub(crate) fn prove_descriptors(count: usize) -> Result<(), Failure> {
    open_descriptors(count).map_err(|error| {
        Failure::other(format!("cannot start: {count} free file descriptors are needed (`ulimit -n`): {error}"))
    })
}

#[cfg(unix)]
fn open_descriptors(count: usize) -> std::io::Result<()> {
    let open: Result<Vec<_>, _> = (0..count).map(|_| std::fs::File::open("/dev/null")).collect();
    open.map(drop)
}

#[cfg(not(unix))]
fn open_descriptors(_: usize) -> std::io::Result<()> {
    Ok(())
}
