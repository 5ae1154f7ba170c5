//! The saved form of a [`Row`]: one line of JSON.

use restream_oauth_core::{SavedError, Tokens};
use serde_json::Value;
use zeroize::Zeroizing;

use super::row::{Lease, Row};
use crate::operation::ClaimId;
use crate::record::{Record, Stored, Stray, Tombstone};
use crate::record_document::{Members, read_time, time};
use crate::spooled::Spooled;

/// The member with the record.
const RECORD: &str = "record";
const TOMBSTONE: &str = "tombstone";

impl Row {
    /// Writes the saved form: one line of JSON. It holds secrets.
    pub fn to_saved(&self) -> Zeroizing<String> {
        let documents = |spooled: &[Spooled]| spooled.iter().map(Spooled::to_saved).collect();
        let saved = |tokens: &Tokens| Zeroizing::new(tokens.to_saved().expose_secret().to_owned());
        let (claim, until) = self.claim.map_or((0, None), |lease| (lease.id.0, lease.until));
        let mut parts = Parts(vec![Zeroizing::new(format!(
            "{{\"version\":1,\"kind\":\"row\",\"claims\":{},\"claim\":{claim},\"claimed_until\":{},\"logins_claimed\":{}",
            self.claims,
            until.map_or(Value::Null, time),
            self.logins_claimed,
        ))]);
        match &self.stored {
            Stored::Nothing => {}
            Stored::Grant(record) => parts.member(RECORD, record.to_saved()),
            Stored::Tombstone(tombstone) => parts.member(TOMBSTONE, Zeroizing::new(tombstone.to_saved())),
        }
        parts.list("spooled", documents(&self.spooled));
        parts.list("set_aside", documents(&self.set_aside));
        parts.list("logins", self.logins.iter().map(saved).collect());
        parts.list("parked", self.parked.iter().map(|stray| saved(&stray.tokens)).collect());
        let generations: Vec<_> = self.parked.iter().map(|stray| stray.generation).collect();
        parts.member("parked_generations", Zeroizing::new(Value::from(generations).to_string()));
        parts.0.push(Zeroizing::new("}".to_owned()));
        // Memory that holds a secret never grows, because growing leaves a copy behind.
        let mut out = Zeroizing::new(String::with_capacity(parts.0.iter().map(|part| part.len()).sum()));
        parts.0.iter().for_each(|part| out.push_str(part));
        out
    }

    /// Reads a saved form. An empty document is an empty row.
    ///
    /// # Errors
    /// [`SavedError`] if the document is no row, is damaged, or has an unknown version.
    pub fn from_saved(document: impl AsRef<[u8]>) -> Result<Self, SavedError> {
        let document = document.as_ref();
        if document.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let members = Members::read(document).map_err(|_| SavedError::NotJson)?;
        if members.optional("kind", |kind| Some(kind == "row"))? != Some(true) {
            return Err(SavedError::OtherKind { expected: "row" });
        }
        if members.optional("version", Value::as_u64)? != Some(1) {
            return Err(SavedError::UnknownVersion);
        }
        let stored = match (members.raw(RECORD), members.raw(TOMBSTONE)) {
            (Some(record), _) => Stored::Grant(Box::new(Record::from_saved(record)?)),
            (None, Some(tombstone)) => Stored::Tombstone(Tombstone::from_saved(tombstone.as_bytes())?),
            (None, None) => Stored::Nothing,
        };
        let claim = ClaimId(members.required("claim", Value::as_u64)?);
        let until = members.optional("claimed_until", read_time)?;
        let tokens = |name| members.list(name)?.into_iter().map(Tokens::from_saved).collect::<Result<Vec<_>, _>>();
        let spooled = |name| members.list(name)?.into_iter().map(Spooled::from_saved).collect::<Result<Vec<_>, _>>();
        let generations = |value: &Value| value.as_array()?.iter().map(Value::as_u64).collect::<Option<Vec<_>>>();
        let generations = members.required("parked_generations", generations)?;
        let parked = generations.into_iter().zip(tokens("parked")?);
        Ok(Self {
            stored,
            claim: (claim != ClaimId(0)).then_some(Lease { id: claim, until }),
            claims: members.required("claims", Value::as_u64)?,
            spooled: spooled("spooled")?,
            logins: tokens("logins")?,
            logins_claimed: members.required("logins_claimed", |value| usize::try_from(value.as_u64()?).ok())?,
            set_aside: spooled("set_aside")?,
            parked: parked.map(|(generation, tokens)| Stray { generation, tokens }).collect(),
        })
    }
}

/// The pieces of a document, some of which hold secrets.
struct Parts(Vec<Zeroizing<String>>);

impl Parts {
    fn member(&mut self, name: &str, value: Zeroizing<String>) {
        self.0.push(Zeroizing::new(format!(",\"{name}\":")));
        self.0.push(value);
    }

    fn list(&mut self, name: &str, values: Vec<Zeroizing<String>>) {
        self.0.push(Zeroizing::new(format!(",\"{name}\":[")));
        for (index, value) in values.into_iter().enumerate() {
            self.0.extend((index > 0).then(|| Zeroizing::new(",".to_owned())));
            self.0.push(value);
        }
        self.0.push(Zeroizing::new("]".to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::operation::{Leftovers, StoreOp, StoreOutcome};
    use crate::record::Parent;
    use crate::testing::tokens;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// A row with something in every place.
    fn full() -> Row {
        let record = Record::of_login(tokens("a1", "r1"), at(3000));
        let parent = record.parent();
        let mut row = Row::default();
        let StoreOutcome::Claimed(claimed) = row.execute_leased(StoreOp::Claim, at(0), Duration::from_secs(120)) else {
            panic!("the claim is free");
        };
        let claim = claimed.claim;
        let answer = |number| Spooled { parent, number, answer: Zeroizing::new("{\"a\":\"s3cret\"}".to_owned()) };
        for op in [
            StoreOp::Insert { claim, record: Box::new(record) },
            StoreOp::Spool { claim, answer: answer(1) },
            StoreOp::Stash { tokens: Box::new(tokens("a2", "r2")) },
            StoreOp::Settle { claim, record: None, leftovers: Leftovers::SetAside },
            StoreOp::Claim,
            StoreOp::Spool { claim: ClaimId(2), answer: answer(2) },
            StoreOp::Park { parent: Parent { generation: 4, ..parent }, tokens: Box::new(tokens("a3", "r3")) },
        ] {
            let outcome = row.execute_leased(op, at(10), Duration::from_secs(120));
            assert!(matches!(outcome, StoreOutcome::Done | StoreOutcome::Claimed(_)), "{outcome:?}");
        }
        row
    }

    #[test]
    fn a_row_is_read_back_as_it_was() {
        let mut forgotten = full();
        forgotten.stored = Stored::Tombstone(Record::of_login(tokens("a1", "r1"), at(3000)).tombstone());
        for row in [Row::default(), full(), forgotten] {
            assert_eq!(Row::from_saved(row.to_saved().as_bytes()).unwrap(), row);
        }
        assert_eq!(Row::from_saved(" ").unwrap(), Row::default());
    }

    #[test]
    fn what_is_no_row_is_told_apart_from_a_damaged_one() {
        let saved = full().to_saved();
        let is = |document: String| Row::from_saved(document).unwrap_err();
        assert_eq!(is(saved[..saved.len() - 1].to_owned()), SavedError::NotJson);
        assert!(matches!(is(saved.replacen("\"row\"", "\"raw\"", 1)), SavedError::OtherKind { .. }));
        assert_eq!(is(saved.replacen("\"version\":1", "\"version\":9", 1)), SavedError::UnknownVersion);
        assert!(matches!(is(saved.replacen("\"claims\":2", "\"claims\":-2", 1)), SavedError::Damaged(_)));
        assert!(matches!(is(saved.replacen("\"spooled\":[", "\"spooled\":[1,", 1)), SavedError::NotJson));
    }

    #[test]
    fn a_claim_that_nobody_releases_ends_with_its_lease() {
        let (mut row, lease) = (Row::default(), Duration::from_secs(120));
        let mut claim = |seconds| row.execute_leased(StoreOp::Claim, at(seconds), lease);
        assert!(matches!(claim(0), StoreOutcome::Claimed(_)));
        assert!(matches!(claim(119), StoreOutcome::Busy));
        assert!(matches!(claim(120), StoreOutcome::Claimed(_)));
        assert!(matches!(claim(121), StoreOutcome::Busy), "the new claim has a lease of its own");
    }

    #[test]
    fn debug_shows_no_token() {
        let shown = format!("{:?}", full());
        for secret in ["\"a1", "\"r1", "s3cr", "\"a3"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
