//! The commands, one file each. No command imports another.

mod accounts;
mod api;
mod authorize_url;
mod completions;
mod demo;
mod exchange;
mod keep;
mod login;
mod logout;
mod man;
mod profile;
mod refresh;
mod revoke;
mod sandbox;
mod status;
mod token;

use crate::arguments::Command;
use crate::failure::Failure;
use crate::runtime::block_on;

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(options) => block_on(demo::run(&options)),
        Command::Sandbox(options) => sandbox::run(options),
        Command::Login(options) => block_on(login::run(&options)),
        Command::AuthorizeUrl(options) => authorize_url::run(&options),
        Command::Exchange(options) => block_on(exchange::run(&options)),
        Command::Refresh(options) => block_on(refresh::run(&options)),
        Command::Token(options) => token::run(&options),
        Command::Api(options) => block_on(api::run(&options)),
        Command::Revoke(options) => block_on(revoke::run(&options)),
        Command::Logout(options) => block_on(logout::run(&options)),
        Command::Status(options) => status::run(&options),
        Command::Accounts(options) => accounts::run(&options),
        Command::Keep(options) => block_on(keep::run(&options)),
        Command::Profile(options) => block_on(profile::run(&options)),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { subcommand } => man::run(subcommand.as_deref()),
    }
}
