//! Tables in Markdown pages.

use std::path::Path;
use std::{fs, io};

/// The marker at the end of each table.
const END: &str = "<!-- end of results -->\n";

/// Replaces the part of a page that begins with this marker and ends with the next end marker.
///
/// # Errors
/// Fails if the page has no markers, or cannot be written.
pub fn replace(path: &Path, begin: &str, new: &str) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    let parts = text.split_once(begin).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| io::Error::other(format!("{}: no markers", path.display())))?;
    fs::write(path, format!("{before}{begin}\n{new}\n{END}{after}"))
}
