//! `completions`: a script for a shell.

use clap_complete::Shell;

use crate::arguments::{self, NAME, listing};
use crate::failure::Failure;
use crate::terminal::print;

pub(crate) fn run(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut listing::listed(&arguments::declared()), NAME, &mut script);
    let script = String::from_utf8_lossy(&script);
    match shell {
        Shell::Bash => print(&one_spelling(&script)),
        _ => print(&script),
    }
}

/// Repairs the script for bash, which completes nothing after a subcommand (clap issue 6421). The script builds a state
/// from the names of program and subcommand. Where it sets the state, a hyphen in the name of the program becomes `__`;
/// where it compares the state, `__subcmd__`. This function spells both alike, and does not change a correct script.
fn one_spelling(script: &str) -> String {
    script.replace(&NAME.replace('-', "__subcmd__"), &NAME.replace('-', "__"))
}
