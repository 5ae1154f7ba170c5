//! A living access token, and what is printed of it.

use std::time::{Duration, SystemTime};

use restream_oauth_core::AccessToken;
use restream_oauth_keeper::{Gone, Record, Token};
use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::tokens::status::{rfc_3339, seconds_until};

/// The API may refuse a token that is this young for reasons that no refresh removes. A refresh for each refusal would be
/// a loop.
const YOUNG: Duration = Duration::from_secs(60);

/// An access token that its file holds, or that came alone.
pub(crate) struct Living {
    pub(crate) access_token: AccessToken,
    /// Until when no planned refresh replaces it.
    usable_until: SystemTime,
    /// The server has replaced it, or may have: its refresh has no answer, or one without an access token.
    pub(crate) in_doubt: bool,
    /// `None` if the server did not say.
    scopes: Option<Vec<String>>,
}

impl Living {
    /// The access token of a record, if it lives on for `valid_for` and no refresh of it is under way or in doubt.
    pub(crate) fn of_record(record: &Record, valid_for: Duration, now: SystemTime) -> Option<Self> {
        let settled = record.doubt.is_none()
            && record.death.is_none()
            && record.salvaged.is_none()
            && record.strays.is_empty()
            && !record.leaving;
        // Without a refresh token there is nothing better.
        let margin = record.refresh_token().map_or(Duration::ZERO, |_| Self::margin(record, valid_for));
        (settled && record.tokens.is_fresh(now, margin)).then(|| Self::from(record))
    }

    /// How long the access token must live on. However much the user asks for, a new token must be good enough.
    pub(crate) fn margin(record: &Record, valid_for: Duration) -> Duration {
        valid_for.min(record.tokens.lifetime().div_f64(5.0))
    }

    /// An access token that came without its refresh token, so that no file holds it.
    pub(crate) fn alone(token: &Token) -> Self {
        let access_token = token.access_token().clone();
        Self { access_token, usable_until: token.expires_at(), in_doubt: false, scopes: None }
    }

    /// Returns the token as one JSON object for programs.
    pub(crate) fn to_json(&self, now: SystemTime) -> Value {
        json!({
            "access_token": self.access_token.expose_secret(),
            "token_type": self.access_token.token_type().as_str(),
            "expires_at": rfc_3339(self.usable_until),
            "expires_in": seconds_until(self.usable_until, now),
            "scopes": self.scopes,
        })
    }
}

impl From<&Record> for Living {
    fn from(record: &Record) -> Self {
        let scopes = record.tokens.scopes().map(|scopes| scopes.iter().map(ToString::to_string).collect());
        Self {
            access_token: record.tokens.access_token().clone(),
            usable_until: record.usable_until,
            in_doubt: record.doubt.is_some() || record.salvaged.is_some(),
            scopes,
        }
    }
}

/// The access token of a record without a request; `None` if a refresh is needed. The API has `refused` a token, if there is
/// one: another must be returned.
pub(crate) fn at_hand(
    record: &Record,
    refused: Option<&AccessToken>,
    valid_for: Duration,
    now: SystemTime,
) -> Result<Option<Living>, Failure> {
    if refused.is_some_and(|refused| record.tokens.access_token() == refused) {
        check_rejected(record, now)?;
        return Ok(None);
    }
    Ok(Living::of_record(record, valid_for, now))
}

/// Fails if the token of a record must not be replaced although the API refused it: it came from a refresh just now. In
/// doubt, the refusal means that the server has replaced the token.
pub(crate) fn check_rejected(record: &Record, now: SystemTime) -> Result<(), Failure> {
    let age = now.duration_since(record.tokens.sent_at()).unwrap_or_default();
    if record.sent.is_none() || record.doubt.is_some() || age >= YOUNG {
        return Ok(());
    }
    let message = "the refused token is the newest, and came from a refresh less than a minute ago: another refresh would \
                   not help. Is a scope missing, or is it another server's token?";
    Err(Failure::new(Exit::Refresh, message))
}

/// Why a record has no token, and no refresh can change that.
pub(crate) fn gone(record: &Record) -> Option<Gone> {
    match record.death {
        _ if record.leaving => Some(Gone::LoggedOut),
        Some(death) if record.strays.is_empty() => Some(Gone::Dead(death.why)),
        _ => None,
    }
}
