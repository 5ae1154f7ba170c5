//! `man`: a manual page.

use clap::CommandFactory as _;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::terminal::print;

pub(crate) fn run(subcommand: Option<&str>) -> Result<(), Failure> {
    let mut whole = Arguments::command();
    // `build` gives the subcommands their full names.
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
    print(&String::from_utf8_lossy(&page))
}
