//! `restream-oauth-broker`: the broker as a program.

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

#[cfg(feature = "demo")]
mod demo;
mod program;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::program::Failure;

/// A broker for Restream logins: holds the client secret and the grants for devices that must not.
#[derive(Debug, Parser)]
#[command(name = "restream-oauth-broker", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct Run {
    /// The configuration, in TOML
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Names every fault of the configuration, and does not start
    #[arg(long, requires = "config")]
    check: bool,
    /// Shows two years of OBS Studio in some seconds, against a local Restream. Needs no configuration
    #[cfg(feature = "demo")]
    #[arg(long, conflicts_with = "config")]
    demo: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists devices, or ends one. Works beside a running broker
    Devices {
        /// The configuration, in TOML
        #[arg(long, value_name = "FILE")]
        config: std::path::PathBuf,
        #[command(subcommand)]
        what: Devices,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Devices {
    /// Prints a line of JSON for each handle: `id`, `client_id`, `created_at`, `last_used_at`
    List,
    /// Ends a device, and revokes its grant at Restream
    End {
        /// The id, as `list` prints it
        id: restream_oauth_broker::devices::DeviceId,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match (arguments.command, arguments.run) {
        (Some(Command::Devices { config, what: Devices::List }), _) => program::list(&config),
        (Some(Command::Devices { config, what: Devices::End { id } }), _) => program::end(&config, id),
        #[cfg(feature = "demo")]
        (None, Run { demo: true, .. }) => demo::run(),
        (None, Run { config: Some(config), check: true, .. }) => program::check(&config),
        (None, Run { config: Some(config), check: false, .. }) => program::run(&config),
        (None, Run { config: None, .. }) => {
            Err(Failure::usage("expected --config FILE, --demo, or devices: see --help".to_owned()))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            program::report(&failure);
            failure.exit_code()
        }
    }
}
