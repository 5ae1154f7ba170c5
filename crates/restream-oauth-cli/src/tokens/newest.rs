//! The newest token of a grant under a keeper, which other processes keep as well.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use restream_oauth_keeper::{Current, Grant, Record, Stored, Token, TokenError};

/// More life than any token has. A wait for such a token makes the keeper take the claim and read the store. It refreshes
/// only if the store holds the pair that it knows.
pub(crate) const ANOTHER: Duration = Duration::MAX;
/// The keeper itself replaces a token of this age at once.
const OLD: Duration = Duration::from_secs(600);

/// Why there is no token.
pub(crate) enum NoToken {
    /// The newest is still the one that the API refused.
    StillRefused,
    /// The keeper gives none.
    Keeper(TokenError),
}

impl From<TokenError> for NoToken {
    fn from(error: TokenError) -> Self {
        Self::Keeper(error)
    }
}

/// The newest token that is not the refused one. `stored` is what the store holds, which another process may have
/// written since the keeper looked.
pub(crate) async fn newest(
    grant: &Grant,
    stored: Option<&Stored>,
    refused: Option<&[u8]>,
) -> Result<Arc<Token>, NoToken> {
    let is_refused = |token: &Token| refused == Some(token.access_token().expose_secret().as_bytes());
    if grant.current() == Current::Unknown {
        // The keeper has not read the store yet.
        grant.token().await?;
    }
    // From here to the wait, no other task runs: the token that the keeper knows stays the same.
    let replaced = known(grant).filter(|token| is_refused(token));
    let wants_another = replaced.is_some() || stored.is_some_and(|stored| is_behind(grant, stored));
    if let (Some(token), Some(record)) = (replaced, stored.and_then(Stored::record))
        && (is_in_doubt(record) || is_old(record, SystemTime::now()))
    {
        grant.rejected(&token);
    }
    let valid_for = if wants_another { ANOTHER } else { Duration::ZERO };
    match grant.token_for(valid_for).await {
        Ok(token) if !is_refused(&token) => Ok(token),
        Ok(_) => Err(NoToken::StillRefused),
        // A refresh takes long, and the old token lives.
        Err(TokenError::TimedOut { last }) => match grant.current().token() {
            Some(token) if !is_refused(token) => Ok(Arc::clone(token)),
            _ => Err(TokenError::TimedOut { last }.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// The token that the keeper knows, whatever its state.
pub(crate) fn known(grant: &Grant) -> Option<Arc<Token>> {
    match grant.current() {
        Current::Fresh(token) | Current::Stale(token) | Current::Expired(token) => Some(token),
        _ => None,
    }
}

/// True if another process has written the store since the keeper read it.
pub(crate) fn is_behind(grant: &Grant, stored: &Stored) -> bool {
    let is_newer = |token: &Token, record: &Record| record.generation > token.generation() || record.death.is_some();
    known(grant).is_some_and(|token| stored.record().is_none_or(|record| is_newer(&token, record)))
}

/// True if the answer to a refresh was lost. The mark of one that is under way means no such thing: its pair is waited for.
/// If the keeper were told of another refusal just before it sends that refresh, it would take an API that refuses so young
/// a token for broken, and give out the old one.
fn is_in_doubt(record: &Record) -> bool {
    record.doubt.is_some_and(|doubt| !doubt.in_flight)
}

fn is_old(record: &Record, now: SystemTime) -> bool {
    now.duration_since(record.tokens.sent_at()).is_ok_and(|age| age >= OLD)
}
