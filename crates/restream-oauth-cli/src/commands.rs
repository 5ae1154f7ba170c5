//! The commands, one file each.

mod authorize_url;
mod demo;
mod exchange;
mod login;
mod profile;
mod refresh;
mod revoke;
mod sandbox;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;
use crate::terminal::print;

const NAME: &str = "restream-oauth";

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
        Command::Completions { shell } => print(&completion_script(shell)),
        Command::Man { subcommand } => print(&manual_page(subcommand.as_deref())?),
    }
}

/// The script for bash keeps a state whose text is made of the names of program and subcommand. Where it sets the state,
/// a hyphen in the name of the program becomes `__`; where it compares, `__subcmd__`. So nothing matched after a
/// subcommand (clap issue 6421). Both are spelled alike here; on a script that is right already that changes nothing.
fn completion_script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => script.replace(&NAME.replace('-', "__subcmd__"), &NAME.replace('-', "__")),
        _ => script,
    }
}

fn manual_page(subcommand: Option<&str>) -> Result<String, Failure> {
    let mut whole = Arguments::command();
    // Gives the subcommands their full names.
    whole.build();
    let described = match subcommand {
        None => whole,
        Some(name) => {
            let found = whole.find_subcommand(name);
            found.cloned().ok_or_else(|| Failure::usage(format!("there is no subcommand {name}")))?
        }
    };
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(described).render(&mut page);
    rendered.map_err(|error| Failure::other(format!("cannot render the manual page: {error}")))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
