//! The saved document as the command writes it: one line.

use restream_oauth_core::Saved;
use zeroize::Zeroizing;

/// Returns a saved document as one line.
pub(crate) fn line(saved: &Saved) -> Zeroizing<String> {
    let text = saved.expose_secret();
    let mut line = Zeroizing::new(String::with_capacity(text.len().saturating_add(1)));
    line.push_str(text);
    line.push('\n');
    line
}
