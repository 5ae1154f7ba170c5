//! `man`: a manual page.

use crate::failure::Failure;
use crate::terminal::print;
use crate::{arguments, manual};

pub(crate) fn run(subcommand: Option<&str>) -> Result<(), Failure> {
    let whole = arguments::built();
    let found = subcommand.map(|name| {
        let mut pages = manual::pages(&whole);
        let found = pages.find(|command| command.get_name() == name);
        found.ok_or_else(|| Failure::usage(format!("there is no subcommand {name}")))
    });
    let page = manual::page(&whole, found.transpose()?);
    let page = page.map_err(|error| Failure::other(format!("cannot render the manual page: {error}")))?;
    print(&String::from_utf8_lossy(&page))
}
