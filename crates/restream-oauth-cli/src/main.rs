//! `restream-oauth`: Restream's OAuth 2.0 flow on the command line.
//!
//! One subcommand for each step and one for the whole. Results go to standard output as JSON, words for people to
//! standard error, and the exit code says what to do next. No secret is ever taken from an argument.

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
mod browser;
mod callback_listener;
mod commands;
mod configuration;
mod failure;
mod files;
mod signals;
mod token_file;
mod token_source;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::Failure::other(format!("cannot start: {error}")).report(),
    };
    let outcome = runtime.block_on(commands::run(arguments.command));
    // A thread that still resolves a name would put off the end for as long as it likes.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
