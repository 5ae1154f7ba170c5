//! `completions`: a script for a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::arguments::{Arguments, NAME};
use crate::failure::Failure;
use crate::terminal::print;

pub(crate) fn run(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut script);
    let script = String::from_utf8_lossy(&script);
    match shell {
        Shell::Bash => print(&one_spelling(&script)),
        _ => print(&script),
    }
}

/// The script for bash keeps a state whose text is made of the names of program and subcommand. Where it sets the state,
/// a hyphen in the name of the program becomes `__`; where it compares, `__subcmd__`. So nothing matched after a
/// subcommand (clap issue 6421). Both are spelled alike here; on a script that is right already that changes nothing.
fn one_spelling(script: &str) -> String {
    script.replace(&NAME.replace('-', "__subcmd__"), &NAME.replace('-', "__"))
}
