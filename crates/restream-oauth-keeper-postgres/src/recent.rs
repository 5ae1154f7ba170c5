//! What this process wrote a short while ago. A failover can lose what the standby did not have yet. A restarted server
//! can lack what it confirmed before it was on disk. Then each process writes it again.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use restream_oauth_core::Tokens;
use restream_oauth_keeper::compact::pack;
use restream_oauth_keeper::store::{ClaimId, StoreError, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Parent, Record, Tombstone};

use crate::form::{Document, Form, Unread};
use crate::offset::ClockOffset;
use crate::parameter::Parameter;
use crate::sql;
use crate::statement::{Statement, restored, tombstone_parameters};

/// How long a write is kept: longer than any standby should lag behind.
const KEPT: Duration = Duration::from_secs(60);

/// The writes of the last minute, and the server that confirmed them.
#[derive(Default)]
pub(crate) struct Recent {
    server: Option<i64>,
    /// What was written of each grant, and when.
    writes: BTreeMap<GrantName, Vec<(Instant, Write)>>,
    /// When something was written, from the oldest on.
    order: VecDeque<(Instant, GrantName)>,
    claims: BTreeMap<GrantName, ClaimId>,
}

/// A write that has to be there. Nearly all are records, and a busy process has thousands: so a record is kept as its compact
/// document, in a quarter of its bytes, and the others must not make a write larger.
#[derive(Clone)]
pub(crate) enum Write {
    /// The document of a record, and the claim of this process if it still has it.
    Record(Document, Option<ClaimId>),
    /// A pair that came too late.
    Stray(Box<(Parent, Tokens)>),
    /// A login that waits for the claim.
    Login(Box<Tokens>),
    /// What is left after a logout.
    Tombstone(Box<Tombstone>),
}

impl Recent {
    /// Notes an operation that was executed.
    pub(crate) fn note(&mut self, grant: &GrantName, op: &StoreOp, outcome: &StoreOutcome, now: Instant) {
        self.forget_old(now);
        match (op, outcome) {
            (_, StoreOutcome::Claimed(claimed)) => {
                self.claims.insert(grant.clone(), claimed.claim);
            }
            (StoreOp::Settle { claim, .. } | StoreOp::Forget { claim, .. }, _)
                if self.claims.get(grant) == Some(claim) =>
            {
                self.claims.remove(grant);
            }
            _ => {}
        }
        let StoreOutcome::Done = outcome else { return };
        let write = match op {
            StoreOp::Prepare { record, .. }
            | StoreOp::Commit { record, .. }
            | StoreOp::Insert { record, .. }
            | StoreOp::Settle { record: Some(record), .. } => Write::of_record(record),
            StoreOp::Park { parent, tokens } => Write::Stray(Box::new((*parent, *tokens.clone()))),
            StoreOp::Stash { tokens } => Write::Login(tokens.clone()),
            StoreOp::Forget { tombstone, .. } => Write::Tombstone(Box::new(*tombstone)),
            _ => return,
        };
        let is_replaced = |earlier: &Write| match (op, &write) {
            (StoreOp::Insert { .. }, _) => true,
            // A login that waits was not part of the login that has ended.
            (_, Write::Tombstone(_)) => !matches!(earlier, Write::Login(_)),
            // The later record has everything that counts of the earlier one.
            (_, Write::Record(..)) => matches!(earlier, Write::Record(..)),
            (_, Write::Stray(..) | Write::Login(_)) => false,
        };
        let entry = self.writes.entry(grant.clone());
        // All writes of a grant share one copy of its name.
        self.order.push_back((now, entry.key().clone()));
        let writes = entry.or_insert_with(|| Vec::with_capacity(1));
        writes.retain(|(_, earlier)| !is_replaced(earlier));
        writes.push((now, write));
    }

    pub(crate) fn has_writes(&mut self, now: Instant) -> bool {
        self.forget_old(now);
        !self.writes.is_empty()
    }

    fn forget_old(&mut self, now: Instant) {
        let is_old = |at: Instant| now.saturating_duration_since(at) > KEPT;
        while let Some((_, grant)) = self.order.front().filter(|(at, _)| is_old(*at)).cloned() {
            self.order.pop_front();
            if let Entry::Occupied(mut writes) = self.writes.entry(grant) {
                writes.get_mut().retain(|(at, _)| !is_old(*at));
                if writes.get().is_empty() {
                    writes.remove();
                }
            }
        }
    }

    /// What has to be written again if this server answers: everything, if it is another one than before.
    pub(crate) fn lost_by(&self, server: i64, now: Instant) -> Vec<(GrantName, Write)> {
        if self.server.is_none_or(|before| before == server) {
            return Vec::new();
        }
        let is_fresh = |at: &Instant| now.saturating_duration_since(*at) <= KEPT;
        let with_claim = |grant: &GrantName, write: &Write| {
            let write = match write.clone() {
                Write::Record(record, _) => Write::Record(record, self.claims.get(grant).copied()),
                other => other,
            };
            (grant.clone(), write)
        };
        let writes = self.writes.iter().flat_map(|(grant, writes)| writes.iter().map(move |write| (grant, write)));
        writes.filter(|(_, (at, _))| is_fresh(at)).map(|(grant, (_, write))| with_claim(grant, write)).collect()
    }

    /// This server has everything.
    pub(crate) fn server_is(&mut self, server: i64) {
        self.server = Some(server);
    }
}

impl Write {
    pub(crate) fn of_record(record: &Record) -> Self {
        Self::Record(pack(&record.to_saved()), None)
    }

    /// The statement that writes it again, and changes nothing if something newer is there.
    pub(crate) fn statement(
        &self,
        grant: &GrantName,
        offset: ClockOffset,
        form: &Form,
    ) -> Result<(&'static str, Vec<Parameter>), StoreError> {
        let op = match self {
            Self::Record(document, claim) => {
                let record = Form::default().read_record(grant, document).map_err(Unread::into_error)?;
                return Ok((sql::RESTORE, restored(grant, &record, *claim, offset, form)?));
            }
            Self::Stray(stray) => {
                let (parent, tokens) = &**stray;
                StoreOp::Park { parent: *parent, tokens: Box::new(tokens.clone()) }
            }
            Self::Login(tokens) => StoreOp::Stash { tokens: tokens.clone() },
            Self::Tombstone(tombstone) => {
                let mut parameters = vec![Parameter::Text(grant.as_str().into())];
                parameters.extend(tombstone_parameters(tombstone, offset));
                return Ok((sql::RESTORE_TOMBSTONE, parameters));
            }
        };
        let statement = Statement::in_form(grant, &op, 0, offset, form)?;
        Ok((statement.sql(), statement.parameters().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use restream_oauth_keeper::Stored;
    use restream_oauth_keeper::store::{Claimed, Leftovers};

    use super::*;

    fn record(generation: u64) -> Box<Record> {
        let saved = r#"{"version":1,"kind":"tokens","access_token":"a","refresh_token":"r","token_type":"Bearer","sent_at":"0.000000000","expires_in":3600,"refresh_expires_in":9,"oddities":""}"#;
        let tokens = Tokens::from_saved(saved).unwrap();
        let at = tokens.expires_at();
        Box::new(Record { generation, ..Record::of_login(tokens, at) })
    }

    #[test]
    fn another_server_gets_the_newest_record_of_each_grant_with_its_claim() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        let names: Vec<GrantName> = ["a", "b", "c"].map(|name| name.parse().unwrap()).into();
        recent.server_is(1);
        let claimed = |claim| {
            let stored = Stored::Nothing;
            StoreOutcome::Claimed(Claimed { claim, stored, spooled: vec![], logins: vec![], warnings: vec![] })
        };
        for (name, claim) in names.iter().zip([ClaimId(7), ClaimId(8), ClaimId(9)]) {
            recent.note(name, &StoreOp::Claim, &claimed(claim), now);
            let parent = record(0).parent();
            for generation in 1..3 {
                let commit = StoreOp::Commit { claim, parent, record: record(generation) };
                recent.note(name, &commit, &StoreOutcome::Done, now);
            }
        }
        let settle = StoreOp::Settle { claim: ClaimId(8), record: None, leftovers: Leftovers::Remove };
        recent.note(&names[1], &settle, &StoreOutcome::Done, now);
        let forget = StoreOp::Forget { claim: ClaimId(9), tombstone: record(2).tombstone() };
        recent.note(&names[2], &forget, &StoreOutcome::Done, now);
        assert!(recent.lost_by(1, now).is_empty(), "the same server has it");
        let lost: Vec<_> = recent
            .lost_by(2, now)
            .into_iter()
            .map(|(name, write)| match write {
                Write::Record(document, claim) => {
                    let record = Form::default().read_record(&name, &document).unwrap();
                    assert_eq!(record, *self::record(record.generation), "it is the same");
                    (name.as_str().to_owned(), record.generation, claim)
                }
                Write::Tombstone(tombstone) => (format!("{} has ended", name.as_str()), tombstone.generation, None),
                Write::Stray(..) | Write::Login(_) => panic!("none was written"),
            })
            .collect();
        let expected = [("a", 2, Some(ClaimId(7))), ("b", 2, None), ("c has ended", 2, None)];
        assert_eq!(lost, expected.map(|(name, generation, claim)| (name.to_owned(), generation, claim)));
        let later = now + KEPT + Duration::from_secs(1);
        assert!(!recent.lost_by(2, now).is_empty(), "they may not have come back");
        assert!(recent.lost_by(2, later).is_empty(), "older writes are too old");
        assert!(!recent.has_writes(later) && recent.order.is_empty(), "and are forgotten");
    }

    #[test]
    fn a_login_that_waits_outlives_a_logout_and_ends_with_the_record_that_it_becomes() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        let (name, claim) = ("a".parse().unwrap(), ClaimId(1));
        let kinds = |recent: &Recent| -> Vec<&str> {
            let kind = |(_, write): &(Instant, Write)| match write {
                Write::Record(..) => "record",
                Write::Stray(..) => "stray",
                Write::Login(_) => "login",
                Write::Tombstone(_) => "tombstone",
            };
            recent.writes.values().flatten().map(kind).collect()
        };
        let tokens = Box::new(record(0).tokens.clone());
        let mut note = |op| {
            recent.note(&name, &op, &StoreOutcome::Done, now);
            kinds(&recent).join(", ")
        };
        note(StoreOp::Prepare { claim, record: record(0) });
        note(StoreOp::Park { parent: record(0).parent(), tokens: tokens.clone() });
        assert_eq!(note(StoreOp::Stash { tokens }), "record, stray, login");
        assert_eq!(note(StoreOp::Forget { claim, tombstone: record(0).tombstone() }), "login, tombstone");
        assert_eq!(note(StoreOp::Insert { claim, record: record(1) }), "record");
    }
}
