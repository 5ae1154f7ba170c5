//! What is known of accounts as tables for people: one account in rows, or many in one row each. They hold no secret, and
//! no character that a terminal acts on.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use restream_oauth_core::Tokens;
use restream_oauth_keeper::{Record, User};

use crate::tokens::owner::words_of;
use crate::tokens::place::TokensPath;
use crate::tokens::status::{Whereabouts, rfc_3339, seconds_until};

/// Two columns apart.
const GAP: &str = "  ";

/// One account in rows, with further rows at the end.
pub(crate) fn details<'a>(
    place: impl Into<Whereabouts<'a>>,
    record: &Record,
    more: &[(&str, String)],
    now: SystemTime,
) -> String {
    let place = place.into();
    let tokens = &record.tokens;
    let mut rows: Vec<(&str, String)> = Vec::new();
    rows.extend(place.account().map(|account| ("account", account.to_string())));
    rows.push(("user", record.user.as_ref().map_or_else(|| "not known".to_owned(), name_of)));
    rows.push(("state", state(record, now)));
    rows.push(("access token", until(tokens.expires_at(), now)));
    rows.push((
        "refresh token",
        tokens.refresh_token().map_or_else(|| "none".to_owned(), |_| until(tokens.refresh_expires_at(), now)),
    ));
    rows.extend(scopes(tokens).map(|scopes| ("scopes", scopes)));
    rows.extend(tokens.binding().map(|binding| ("issued to", words_of(binding))));
    rows.push(match place {
        Whereabouts::File(place) => ("file", printable(&place.path().display().to_string())),
        Whereabouts::Database { place, .. } => ("database", printable(place)),
    });
    rows.extend(more.iter().cloned());
    let rows: Vec<_> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    aligned(&rows)
}

/// Many accounts, in one row each below a head.
pub(crate) fn list<'a>(accounts: impl Iterator<Item = (&'a TokensPath, &'a Record)>, now: SystemTime) -> String {
    let mut rows = vec![["ACCOUNT", "USER", "STATE"].map(str::to_owned).to_vec()];
    rows.extend(accounts.map(|(place, record)| {
        let name = place.account().map_or_else(String::new, ToString::to_string);
        let user = record.user.as_ref().map_or_else(|| "not known".to_owned(), name_of);
        vec![name, user, state(record, now)]
    }));
    aligned(&rows)
}

/// Names a user.
pub(crate) fn name_of(user: &User) -> String {
    let id = printable(&user.id);
    user.username.as_ref().map_or_else(|| format!("id {id}"), |name| format!("{} (id {id})", printable(name)))
}

/// Says whether the tokens can be used.
fn state(record: &Record, now: SystemTime) -> String {
    let time = |time| rfc_3339(time).unwrap_or_else(|| "a time that is not known".to_owned());
    let lives = record.tokens.is_fresh(now, Duration::ZERO);
    if let Some(death) = record.death {
        return format!("dead: {}; log in again", death.why);
    }
    if record.leaving {
        return "a logout was begun and not finished: log out again".to_owned();
    }
    if let Some(doubt) = record.doubt {
        return format!("in doubt since {}: the answer to a refresh was lost; refresh again", time(doubt.since));
    }
    if lives && now < record.usable_until {
        return "fresh".to_owned();
    }
    match record.refresh_token() {
        None if !lives => "expired: log in again".to_owned(),
        Some(_) => "due for a refresh".to_owned(),
        None => "about to expire".to_owned(),
    }
}

fn until(time: SystemTime, now: SystemTime) -> String {
    let Some(text) = rfc_3339(time) else { return "until a time that is not known".to_owned() };
    match seconds_until(time, now) {
        0 => format!("expired at {text}"),
        seconds => format!("until {text}, for {}", span(seconds)),
    }
}

/// A length of time, in the largest unit of which it has two, rounded down.
fn span(seconds: u64) -> String {
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let fitting =
        units.into_iter().find_map(|(length, name)| Some((seconds.checked_div(length)?, name)).filter(|it| it.0 >= 2));
    match fitting {
        Some((count, name)) => format!("{count} {name}"),
        None if seconds == 1 => "1 second".to_owned(),
        None => format!("{seconds} seconds"),
    }
}

fn scopes(tokens: &Tokens) -> Option<String> {
    let scopes: Vec<_> = tokens.scopes()?.iter().collect();
    Some(printable(&scopes.join(" ")))
}

/// Replaces the characters that a terminal acts on: those that control it, and those that change the direction of text.
fn printable(text: &str) -> String {
    let acts = |it: char| {
        it.is_control() || matches!(it, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|it| if acts(it) { char::REPLACEMENT_CHARACTER } else { it }).collect()
}

/// Writes rows in columns.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let mut table = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = width(column).unwrap_or(0);
            // Writing to a `String` cannot fail.
            let _ = write!(line, "{cell:width$}{GAP}");
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_the_largest_unit_of_which_it_has_two() {
        for (seconds, words) in [
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7_199, "119 minutes"),
            (7_200, "2 hours"),
            (172_799, "47 hours"),
            (31_536_000, "365 days"),
        ] {
            assert_eq!(span(seconds), words);
        }
    }

    #[test]
    fn a_name_of_a_server_cannot_act_on_the_terminal() {
        let user = User { id: "1\n".into(), username: Some("\u{1B}[31mzoë\u{202E}".into()) };
        assert_eq!(name_of(&user), "\u{FFFD}[31mzoë\u{FFFD} (id 1\u{FFFD})");
        assert_eq!(name_of(&User { id: "7".into(), username: None }), "id 7");
    }

    #[test]
    fn columns_are_aligned_by_characters_and_lines_end_without_spaces() {
        let rows = [["zoë", "x"], ["a", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&rows), "zoë  x\na\n");
    }
}
