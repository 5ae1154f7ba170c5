//! The commands, one file each. No command imports another.

mod authorize_url;
mod completions;
mod demo;
mod exchange;
mod login;
mod man;
mod profile;
mod refresh;
mod revoke;
mod sandbox;

use crate::arguments::Command;
use crate::failure::Failure;

pub(crate) async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(options) => demo::run(&options).await,
        Command::Sandbox(options) => sandbox::run(options),
        Command::Login(options) => login::run(&options).await,
        Command::AuthorizeUrl(options) => authorize_url::run(&options),
        Command::Exchange(options) => exchange::run(&options).await,
        Command::Refresh(options) => refresh::run(&options).await,
        Command::Revoke(options) => revoke::run(&options).await,
        Command::Profile(options) => profile::run(&options).await,
        Command::Completions { shell } => completions::run(shell),
        Command::Man { subcommand } => man::run(subcommand.as_deref()),
    }
}
