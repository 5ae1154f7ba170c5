//! `restream-oauth`: Restream's OAuth 2.0 flow on the command line.
//!
//! Each step has a subcommand, and `demo` runs the whole flow. Results go to standard output as JSON, words for people
//! go to standard error, and the exit code says what to do next. No secret is ever taken from an argument.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod arguments;
mod commands;
mod configuration;
mod failure;
mod files;
mod login;
mod signals;
mod terminal;
mod tokens;

use std::process::ExitCode;

use clap::Parser as _;

use crate::failure::Failure;
use crate::terminal::say;

/// More file descriptors than any command has open at a time.
const MOST_DESCRIPTORS: usize = 16;

/// Fails if too few file descriptors are free. With too few, the runtime panics when it opens its pipe for signals,
/// and a response cannot be saved.
#[cfg(unix)]
fn prove_descriptors() -> std::io::Result<()> {
    let open: Result<Vec<_>, _> = (0..MOST_DESCRIPTORS).map(|_| std::fs::File::open("/dev/null")).collect();
    open.map(drop)
}

#[cfg(not(unix))]
fn prove_descriptors() -> std::io::Result<()> {
    Ok(())
}

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    if let Err(error) = prove_descriptors() {
        let message =
            format!("cannot start: {MOST_DESCRIPTORS} free file descriptors are needed (`ulimit -n`): {error}");
        return report(&Failure::other(message));
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failure::other(format!("cannot start: {error}"))),
    };
    let outcome = runtime.block_on(commands::run(arguments.command));
    // Waiting for a thread that still resolves a name could take for ever.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

/// Prints why the command failed, and returns its exit code.
fn report(failure: &Failure) -> ExitCode {
    say(failure.message());
    failure.exit_code()
}
