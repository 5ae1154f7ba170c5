//! What is known of an account without a request, as `status`, `accounts` and `login` show it. It holds no secret.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use restream_oauth_core::token::Binding;
use restream_oauth_keeper::{DeathCause, GrantName, Record};
use serde_json::{Value, json};

use crate::tokens::place::TokensPath;

/// Where the tokens of an account lie.
#[derive(Clone, Copy)]
pub(crate) enum Whereabouts<'a> {
    File(&'a TokensPath),
    /// In a database, which is named without a secret.
    Database {
        account: &'a GrantName,
        place: &'a str,
    },
}

impl<'a> Whereabouts<'a> {
    /// The account, unless the user named a file.
    pub(crate) fn account(self) -> Option<&'a GrantName> {
        match self {
            Self::File(place) => place.account(),
            Self::Database { account, .. } => Some(account),
        }
    }
}

impl<'a> From<&'a TokensPath> for Whereabouts<'a> {
    fn from(place: &'a TokensPath) -> Self {
        Self::File(place)
    }
}

/// Returns the status of an account as one JSON object. What is not known is null.
pub(crate) fn status<'a>(place: impl Into<Whereabouts<'a>>, record: &Record, now: SystemTime) -> Value {
    let place = place.into();
    let (file, database) = match place {
        Whereabouts::File(place) => (Some(place.path().to_string_lossy()), None),
        Whereabouts::Database { place, .. } => (None, Some(place)),
    };
    let Record { tokens, user, doubt, death, usable_until, .. } = record;
    let binding = tokens.binding();
    let refresh_expires_at = tokens.refresh_token().map(|_| tokens.refresh_expires_at());
    let mut status = json!({
        "account": place.account().map(GrantName::as_str),
        "user_id": user.as_ref().map(|user| &user.id),
        "username": user.as_ref().and_then(|user| user.username.as_ref()),
        "client_id": binding.map(Binding::client_id),
        "token_endpoint": binding.map(Binding::token_endpoint),
        "expires_at": rfc_3339(tokens.expires_at()),
        "expires_in": seconds_until(tokens.expires_at(), now),
        "refresh_expires_at": refresh_expires_at.and_then(rfc_3339),
        "refresh_expires_in": refresh_expires_at.map(|time| seconds_until(time, now)),
        "fresh": doubt.is_none() && death.is_none() && now < *usable_until && tokens.is_fresh(now, Duration::ZERO),
        "in_doubt_since": doubt.as_ref().and_then(|doubt| rfc_3339(doubt.since)),
        "dead_because": death.as_ref().and_then(|death| cause(death.why)),
        "scopes": tokens.scopes().map(|scopes| scopes.iter().collect::<Vec<_>>()),
        "file": file,
    });
    if let (Some(database), Some(members)) = (database, status.as_object_mut()) {
        members.insert("database".to_owned(), database.into());
    }
    status
}

/// Writes a time as RFC 3339, in UTC and whole seconds; `None` for a time that this form cannot express.
pub(crate) fn rfc_3339(time: SystemTime) -> Option<String> {
    // The formatter panics before 1970, and fails after 9999, where `to_string` would panic.
    time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let mut text = String::new();
    write!(text, "{}", humantime::format_rfc3339_seconds(time)).ok()?;
    Some(text)
}

/// The whole seconds until a time; 0 after it.
pub(crate) fn seconds_until(time: SystemTime, now: SystemTime) -> u64 {
    time.duration_since(now).unwrap_or_default().as_secs()
}

/// The word for why a grant is dead; `None` if there is none.
pub(crate) fn cause(why: DeathCause) -> Option<&'static str> {
    match why {
        DeathCause::Revoked => Some("revoked"),
        DeathCause::LostAnswer => Some("lost_answer"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_and_what_it_cannot_express_is_null() {
        let after = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap();
        assert_eq!(rfc_3339(after(1_795_000_000)).as_deref(), Some("2026-11-18T11:06:40Z"));
        assert_eq!(rfc_3339(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), None);
        assert_eq!(rfc_3339(after(300_000_000_000)), None);
        assert_eq!(seconds_until(after(10), after(12)), 0);
    }
}
