//! Operations of a keeper as statements, and what the row means that comes back. No I/O, so that a store on another client
//! needs no more than to pass the parameters on.

use std::time::{Duration, SystemTime};

use restream_oauth_core::Tokens;
use restream_oauth_keeper::compact::pack;
#[cfg(feature = "sealed")]
use restream_oauth_keeper::seal::Sealer;
use restream_oauth_keeper::store::{ClaimId, Leftovers, StoreError, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, LoginId, Record, Stray, Tombstone};
use zeroize::Zeroizing;

use crate::columns::Columns;
use crate::form::{Document, Form};
use crate::found::{claimed, stored};
use crate::offset::{ClockOffset, microseconds};
use crate::parameter::Parameter;
use crate::sql;

/// How long a claim lasts that nobody releases: longer than a request (75 seconds) and what is stored after it.
const LEASE: Duration = Duration::from_secs(120);

/// An operation as a statement.
pub struct Statement {
    sql: &'static str,
    parameters: Vec<Parameter>,
    claim: Option<ClaimId>,
    grant: GrantName,
    form: Form,
}

impl Statement {
    /// The statement for an operation. `new_claim` is the number of the claim if the operation is one: any random number.
    /// `offset` is what is known of the database's clock.
    pub fn of(grant: &GrantName, op: &StoreOp, new_claim: u64, offset: ClockOffset) -> Option<Self> {
        Self::in_form(grant, op, new_claim, offset, &Form::default()).ok()
    }

    /// The same, for a store that seals its documents.
    ///
    /// # Errors
    /// [`StoreError`] if nothing can be sealed now, or the operation is one of a later keeper.
    #[cfg(feature = "sealed")]
    pub fn sealed(
        grant: &GrantName,
        op: &StoreOp,
        new_claim: u64,
        offset: ClockOffset,
        sealer: &Sealer,
    ) -> Result<Self, StoreError> {
        Self::in_form(grant, op, new_claim, offset, &Form::sealed(sealer.clone()))
    }

    /// The same, for a store whose documents have this form.
    pub(crate) fn in_form(
        grant: &GrantName,
        op: &StoreOp,
        new_claim: u64,
        offset: ClockOffset,
        form: &Form,
    ) -> Result<Self, StoreError> {
        let name = Parameter::Text(grant.as_str().into());
        let written = |claim: ClaimId, record: Option<&Record>| {
            let mut parameters = vec![name.clone(), number_of(claim.0)];
            parameters.extend(record_parameters(grant, record, offset, form)?);
            Ok(parameters)
        };
        let mut claimed = None;
        let (sql, parameters) = match op {
            StoreOp::Read => (sql::READ, vec![name]),
            StoreOp::Claim => {
                claimed = Some(ClaimId(new_claim));
                (sql::CLAIM, vec![name, number_of(new_claim), lease()])
            }
            StoreOp::Prepare { claim, record } => (sql::PREPARE, written(*claim, Some(record))?),
            StoreOp::Spool { claim, answer } => {
                let mut answer = answer.clone();
                answer.map_times(|time| offset.to_database(time));
                (sql::SPOOL, vec![name, number_of(claim.0), document(form.answer(grant, &answer)?)])
            }
            StoreOp::Commit { claim, parent, record } => {
                let mut parameters = written(*claim, Some(record))?;
                parameters.extend([login_of(&parent.login), number_of(parent.generation)]);
                (sql::COMMIT, parameters)
            }
            StoreOp::Park { parent, tokens } => {
                let stray = Stray { generation: parent.generation, tokens: on_database(tokens, offset) };
                (sql::PARK, vec![name, login_of(&parent.login), document(form.stray(grant, &stray)?)])
            }
            StoreOp::Stash { tokens } => {
                (sql::STASH, vec![name, document(form.login(grant, &on_database(tokens, offset))?)])
            }
            StoreOp::Insert { claim, record } => (sql::INSERT, written(*claim, Some(record))?),
            StoreOp::Settle { claim, record, leftovers } => {
                let mut parameters = written(*claim, record.as_deref())?;
                let word = match leftovers {
                    Leftovers::Remove => "remove",
                    Leftovers::SetAside => "aside",
                    Leftovers::Leave => "leave",
                };
                parameters.push(Parameter::Text(word.into()));
                (sql::SETTLE, parameters)
            }
            StoreOp::Forget { claim, tombstone } => {
                let mut parameters = vec![name, number_of(claim.0)];
                parameters.extend(tombstone_parameters(tombstone, offset));
                (sql::FORGET, parameters)
            }
            // An operation of a later keeper.
            _ => {
                let words = "this release of the store does not know the operation";
                return Err(StoreError::new(StoreErrorKind::Unavailable, words));
            }
        };
        Ok(Self { sql, parameters, claim: claimed, grant: grant.clone(), form: form.clone() })
    }

    pub(crate) fn grant(&self) -> &GrantName {
        &self.grant
    }

    /// The text: one of the constants of [`sql`].
    pub fn sql(&self) -> &'static str {
        self.sql
    }

    /// The parameters, in order. The text takes them as arrays: see [`Arrays`](crate::Arrays).
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// What the row means. `offset` is what is known of the database's clock, after the row was [observed].
    ///
    /// [observed]: ClockOffset::observe
    pub fn outcome(&self, row: &Columns, offset: ClockOffset) -> StoreOutcome {
        let (form, grant) = (&self.form, &self.grant);
        match row.outcome.as_str() {
            "done" => StoreOutcome::Done,
            "busy" => StoreOutcome::Busy,
            "lost" => failed(StoreErrorKind::ClaimLost, "the claim has run out"),
            "quiet" => {
                failed(StoreErrorKind::Unavailable, "the database has just been started: nothing is claimed yet")
            }
            outcome @ ("read" | "superseded") => match (stored(row, form, grant, offset), outcome) {
                (Ok(stored), "read") => StoreOutcome::Read { stored, left: row.left_over },
                (Ok(stored), _) => StoreOutcome::Superseded(stored),
                (Err(error), _) => StoreOutcome::Failed(error.into_error()),
            },
            "claimed" => match self.claim.map(|claim| claimed(claim, row, form, grant, offset)) {
                Some(Ok(claimed)) => StoreOutcome::Claimed(claimed),
                Some(Err(error)) => StoreOutcome::Failed(error.into_error()),
                None => unknown_outcome(),
            },
            _ => unknown_outcome(),
        }
    }
}

/// The parameters of [`sql::RESTORE`].
pub(crate) fn restored(
    grant: &GrantName,
    record: &Record,
    claim: Option<ClaimId>,
    offset: ClockOffset,
    form: &Form,
) -> Result<Vec<Parameter>, StoreError> {
    let claim = claim.map_or(Parameter::Number(None), |claim| number_of(claim.0));
    let mut parameters = vec![Parameter::Text(grant.as_str().into()), claim];
    parameters.extend(record_parameters(grant, Some(record), offset, form)?);
    parameters.push(lease());
    Ok(parameters)
}

/// A tombstone, its login and its generation: the last parameters of [`sql::FORGET`] and [`sql::RESTORE_TOMBSTONE`].
pub(crate) fn tombstone_parameters(tombstone: &Tombstone, offset: ClockOffset) -> [Parameter; 3] {
    let moved = Tombstone { logged_in_at: offset.to_database(tombstone.logged_in_at), ..*tombstone };
    [document(pack(&moved.to_saved())), login_of(&moved.login), number_of(moved.generation)]
}

/// The parameters of [`sql::PREPARE`] but for the first two.
fn record_parameters(
    grant: &GrantName,
    record: Option<&Record>,
    offset: ClockOffset,
    form: &Form,
) -> Result<Vec<Parameter>, StoreError> {
    let Some(record) = record else {
        let documents = [Parameter::Bytes(None), Parameter::Bytes(None)];
        return Ok(documents.into_iter().chain([const { Parameter::Number(None) }; 7]).collect());
    };
    let mut moved = record.clone();
    moved.map_times(|time| offset.to_database(time));
    let time = |time: SystemTime| Parameter::Number(Some(microseconds(time)));
    let optional = |time: Option<SystemTime>| Parameter::Number(time.map(microseconds));
    let strays = i64::try_from(moved.strays.len()).ok().filter(|strays| *strays > 0);
    Ok(vec![
        document(form.record(grant, &moved)?),
        login_of(&moved.login),
        number_of(moved.generation),
        Parameter::Number(Some(moved.requests.into())),
        time(moved.usable_until),
        optional(run_at(&moved)),
        optional(moved.doubt.map(|doubt| doubt.since)),
        optional(moved.death.map(|death| death.at)),
        Parameter::Number(strays),
    ])
}

/// How long a claim lasts, as a parameter.
fn lease() -> Parameter {
    Parameter::Number(i64::try_from(LEASE.as_millis()).ok())
}

/// When a worker has to look at the grant, if nobody keeps it: when its token is no longer promised, or its refresh is in
/// doubt; never if it is dead. It has an index, so it must change only once a rotation.
fn run_at(record: &Record) -> Option<SystemTime> {
    let doubt = record.doubt.map(|doubt| doubt.since);
    let leaving = record.leaving.then_some(record.tokens.sent_at());
    let due = [Some(record.usable_until), doubt, leaving].into_iter().flatten().min();
    due.filter(|_| record.death.is_none() || record.leaving)
}

fn on_database(tokens: &Tokens, offset: ClockOffset) -> Tokens {
    tokens.clone().with_sent_at(offset.to_database(tokens.sent_at()))
}

fn document(document: Document) -> Parameter {
    Parameter::Bytes(Some(document))
}

fn bytes(bytes: &[u8]) -> Parameter {
    Parameter::Bytes(Some(Zeroizing::new(bytes.to_vec())))
}

fn login_of(login: &LoginId) -> Parameter {
    // Only the logins of one grant are compared. A few bytes tell them apart, and a million grants are 24 MB smaller.
    bytes(login.as_bytes().first_chunk::<8>().map_or(login.as_bytes(), |first| first))
}

/// The database's numbers have a sign. It only compares these for equality.
fn number_of(number: u64) -> Parameter {
    Parameter::Number(Some(i64::from_ne_bytes(number.to_ne_bytes())))
}

pub(crate) fn failed(kind: StoreErrorKind, words: &str) -> StoreOutcome {
    StoreOutcome::Failed(StoreError::new(kind, words))
}

fn unknown_outcome() -> StoreOutcome {
    failed(StoreErrorKind::Unavailable, "the database's statement returned a row that this release does not know")
}
