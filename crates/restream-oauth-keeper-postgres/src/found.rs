//! What a row holds of a grant.

use restream_oauth_core::Tokens;
use restream_oauth_keeper::compact::unpack;
use restream_oauth_keeper::store::{ClaimId, Claimed, Warning};
use restream_oauth_keeper::{GrantName, Stored, Tombstone};

use crate::columns::Columns;
use crate::form::{Form, Unread};
use crate::offset::ClockOffset;

/// Reads what is stored, with the late pairs beside it.
pub(crate) fn stored(row: &Columns, form: &Form, grant: &GrantName, offset: ClockOffset) -> Result<Stored, Unread> {
    let to_local = |time| offset.to_local(time);
    if let Some(document) = &row.record {
        let mut record = form.read_record(grant, document)?;
        for parked in row.parked.iter().flatten() {
            for stray in form.read_parked(grant, parked)? {
                let is_known = |tokens: &Tokens| is_same_pair(tokens, &stray.tokens);
                if !is_known(&record.tokens) && !record.strays.iter().any(|it| is_known(&it.tokens)) {
                    record.strays.push(stray);
                }
            }
        }
        record.map_times(to_local);
        return Ok(Stored::Grant(Box::new(record)));
    }
    let Some(document) = &row.tombstone else { return Ok(Stored::Nothing) };
    let tombstone = Tombstone::from_saved(&unpack(document)?)?;
    Ok(Stored::Tombstone(Tombstone { logged_in_at: to_local(tombstone.logged_in_at), ..tombstone }))
}

/// Reads everything that the holder of a claim must know. A document that is there twice counts once: sealed documents of
/// the same text differ, so the database does not notice.
pub(crate) fn claimed(
    claim: ClaimId,
    row: &Columns,
    form: &Form,
    grant: &GrantName,
    offset: ClockOffset,
) -> Result<Claimed, Unread> {
    let stored = stored(row, form, grant, offset)?;
    let mut claimed = Claimed { claim, stored, spooled: Vec::new(), logins: Vec::new(), warnings: Vec::new() };
    for document in row.spooled.iter().flatten() {
        match form.read_answer(grant, document) {
            Ok(mut answer) => {
                answer.map_times(|time| offset.to_local(time));
                if !claimed.spooled.contains(&answer) {
                    claimed.spooled.push(answer);
                }
            }
            Err(error) if error.is_whole() => return Err(error),
            Err(_) => claimed.warnings.push(Warning::TornLeftover),
        }
    }
    for document in row.logins.iter().flatten() {
        match form.read_login(grant, document) {
            Ok(tokens) => {
                let sent_at = offset.to_local(tokens.sent_at());
                if !claimed.logins.iter().any(|known| is_same_pair(known, &tokens)) {
                    claimed.logins.push(tokens.with_sent_at(sent_at));
                }
            }
            Err(error) if error.is_whole() => return Err(error),
            Err(_) => claimed.warnings.push(Warning::TornLeftover),
        }
    }
    Ok(claimed)
}

/// Two clients may have seen the same pair with times that differ a little.
fn is_same_pair(one: &Tokens, other: &Tokens) -> bool {
    one.access_token() == other.access_token() && one.refresh_token() == other.refresh_token()
}
