//! The words for what happens to a grant, for counters and for the log.

use restream_oauth_keeper::EventKind;

/// All words. The last is for an event that a newer keeper may know.
pub(crate) const WORDS: [&str; 11] = [
    "logged_in",
    "rotated",
    "in_doubt",
    "recovered",
    "dead",
    "stranded",
    "throttled",
    "failed",
    "logged_out",
    "odd",
    "other",
];

/// The word for an event, as in the lines of `restream-oauth keep`.
pub(crate) fn word(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::LoggedIn { .. } => "logged_in",
        EventKind::Rotated { .. } => "rotated",
        EventKind::InDoubt { .. } => "in_doubt",
        EventKind::Recovered { .. } => "recovered",
        EventKind::Dead { .. } => "dead",
        EventKind::Stranded { .. } => "stranded",
        EventKind::Throttled => "throttled",
        EventKind::Failed(_) => "failed",
        EventKind::LoggedOut => "logged_out",
        EventKind::Odd(_) => "odd",
        _ => "other",
    }
}
