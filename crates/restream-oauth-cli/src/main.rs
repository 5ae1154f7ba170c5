//! `restream-oauth`: Restream's OAuth 2.0 flow on the command line.
//!
//! Each step has a subcommand, and `demo` runs the whole flow. Results go to standard output, words for people
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
mod database;
mod failure;
mod files;
mod login;
mod manual;
mod runtime;
mod signals;
mod terminal;
mod tokens;
mod transport;

use std::process::ExitCode;

use crate::arguments::Arguments;
use crate::failure::Failure;

fn main() -> ExitCode {
    match run(arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::report(&failure);
            failure.exit_code()
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let loudness = arguments.output.loudness();
    terminal::set_loudness(loudness.ok_or_else(|| Failure::usage("--quiet cannot be used with --verbose"))?);
    commands::run(arguments.command)
}
