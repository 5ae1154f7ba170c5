//! The operations that a keeper asks of a store, as data. The page of [`store`](crate::store) is about them.

use std::fmt;
use std::sync::Arc;

use restream_oauth_core::{SavedError, Tokens};

use crate::name::GrantName;
use crate::record::{Parent, Record, Stored, Tombstone};
use crate::seal::SealError;
use crate::spooled::Spooled;

// File locks of the standard library.
/// Executes the operations of a keeper.
///
/// Operations of one grant come one after the other, those of several grants at the same time. A future that was polled
/// is driven to its end, even if nobody waits for the grant any more.
pub trait Store: Send + Sync + 'static {
    /// Executes one operation.
    fn execute(&self, grant: &GrantName, op: StoreOp) -> impl Future<Output = StoreOutcome> + Send;
}

impl<S: Store> Store for Arc<S> {
    fn execute(&self, grant: &GrantName, op: StoreOp) -> impl Future<Output = StoreOutcome> + Send {
        (**self).execute(grant, op)
    }
}

/// One operation on the store, for one grant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreOp {
    /// Reads the record, without a claim. Another process may be about to replace it.
    Read,
    /// Takes the exclusive claim on the grant, and reads the newest record. Does not wait: returns
    /// [`StoreOutcome::Busy`] if another process has the claim.
    Claim,
    /// Replaces the record by itself with the mark "in doubt", before a refresh is sent. This proves that the record can
    /// be replaced. Makes room for the answer, which proves that there is room. `Superseded` if the stored record has
    /// another login or generation: a pair whose claim had run out was committed since the claim.
    Prepare {
        /// The claim that [`Claimed`] returned.
        claim: ClaimId,
        /// The marked record.
        record: Box<Record>,
    },
    /// Writes a raw answer into the room that `Prepare` made.
    Spool {
        /// The claim.
        claim: ClaimId,
        /// The answer, and which request it answers.
        answer: Spooled,
    },
    /// Replaces the record by its successor, if the stored record is still the parent: `Superseded` otherwise. The
    /// parent decides, and not the claim, so that a pair whose claim has run out is committed all the same. While the claim
    /// lasts, a store may drop what was spooled: a keeper that commits has read it, and removes it next.
    Commit {
        /// The claim. It may have run out.
        claim: ClaimId,
        /// The record that the new one replaces.
        parent: Parent,
        /// The new record.
        record: Box<Record>,
    },
    /// Adds a pair that came too late to the strays of the stored record. Never refused while there is a record of the
    /// same login: `Superseded` otherwise. A pair that is there already is not added again. Whoever has the claim does not
    /// know of it, so a record that is written with this claim keeps it.
    Park {
        /// The record that the pair was to replace.
        parent: Parent,
        /// The pair.
        tokens: Box<Tokens>,
    },
    /// Keeps the tokens of a login under a name of their own until the claim is there.
    Stash {
        /// The tokens of the login.
        tokens: Box<Tokens>,
    },
    /// Stores the record of a login.
    Insert {
        /// The claim.
        claim: ClaimId,
        /// The record.
        record: Box<Record>,
    },
    /// Releases the claim. Replaces the record first, if one is given and the stored record is of the same login and
    /// generation: `Superseded` otherwise, and the claim is released all the same.
    ///
    /// A claim that has run out is not released, because it may be somebody else's by now. Then the record is replaced
    /// only if it adds to what is known of a doubt: it is in doubt, and its [`requests`](Record::requests) are no fewer
    /// than those of the stored one. The strays of the stored record stay, since the writer may not know them.
    /// `ClaimLost` otherwise. A `Settle` that fails may have released the claim all the same.
    Settle {
        /// The claim.
        claim: ClaimId,
        /// The new record. Login and generation are those of the stored record.
        record: Option<Box<Record>>,
        /// What becomes of the spooled answers and stashed logins that `Claim` returned, and of the answer that was
        /// spooled since.
        leftovers: Leftovers,
    },
    /// Replaces the record by a tombstone, removes everything that belongs to the grant, and releases the claim. A login
    /// that was stashed since the claim stays.
    Forget {
        /// The claim.
        claim: ClaimId,
        /// What stays.
        tombstone: Tombstone,
    },
}

/// What becomes of leftovers when the claim is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// They are dealt with: a successor is durable, or they held nothing.
    Remove,
    /// The answers could not be read whole, and may hold part of a pair. They are kept where a person finds them, and the
    /// next `Claim` does not return them. A later `Remove` removes them too. The logins are removed.
    SetAside,
    /// They stay as they are: the next `Claim` returns them again.
    Leave,
}

/// The result of an operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreOutcome {
    /// The operation is done, and its effect is durable.
    Done,
    /// The result of [`StoreOp::Read`].
    Read {
        /// What is stored.
        stored: Stored,
        /// True if the next claim returns an answer that was spooled or a login that was stashed. It may be one of a process
        /// that has the claim.
        left: bool,
    },
    /// The result of [`StoreOp::Claim`].
    Claimed(Claimed),
    /// Another process has the claim. Only [`StoreOp::Claim`] returns this. An operation that needs no claim, and that a
    /// store cannot execute meanwhile, fails with [`StoreErrorKind::Unavailable`].
    Busy,
    /// The stored record is not the expected one any more; this is what is stored.
    Superseded(Stored),
    /// The operation failed. Its effect may be there or not, but nothing is torn. A `Claim` that fails leaves no claim.
    Failed(StoreError),
}

/// A claim, and what its holder must know.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Names the claim in the operations that follow.
    pub claim: ClaimId,
    /// What is stored. It is durable, even if another process wrote it and died.
    pub stored: Stored,
    /// Answers that a process spooled before it died.
    pub spooled: Vec<Spooled>,
    /// Logins that were stashed and not yet stored.
    pub logins: Vec<Tokens>,
    /// What the store noticed and tolerates.
    pub warnings: Vec<Warning>,
}

/// Names one claim. No other claim of the same store has this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId(pub u64);

/// Something about a store that its owner should mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Other users of the machine can read the record.
    ReadableByOthers,
    /// A leftover was set aside, because other users could have written it.
    LeftoverOfOthers,
    /// A leftover was set aside, because it does not follow on the stored record.
    LeftoverUnused,
    /// A leftover that follows on the stored record was put in its place: a process died after it had written it.
    LeftoverAdopted,
    /// Something torn was set aside. It may hold part of a pair.
    TornLeftover,
    /// The tokens do not say which client and server they belong to.
    Unbound,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadableByOthers => "other users can read the tokens",
            Self::LeftoverOfOthers => "a leftover was set aside: other users could have written it",
            Self::LeftoverUnused => "a leftover was set aside: it does not follow on the stored tokens",
            Self::LeftoverAdopted => "newer tokens, which an interrupted run had left, were put in place",
            Self::TornLeftover => "something torn was set aside: it may hold part of a pair",
            Self::Unbound => "the tokens do not say which client and server they belong to",
        })
    }
}

/// Why a store failed.
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: Box<str>,
}

impl StoreError {
    /// An error with a message for people, which must hold no secret.
    pub fn new(kind: StoreErrorKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What happened.
    pub fn kind(&self) -> &StoreErrorKind {
        &self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StoreError {}

/// What happened to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The disk or the quota is full.
    NoRoom,
    /// The file system is read-only, or the record cannot be replaced.
    ReadOnly,
    /// The user who runs the program has no permission.
    Denied,
    /// The folder of the store is not there.
    Missing,
    /// The record belongs to another user of the machine, or other users can write it.
    NotOurs,
    /// The file system has no locks, so several processes cannot share the store.
    NoLocks,
    /// The stored document cannot be used: it is torn, of a newer version, or no record.
    Document(SavedError),
    /// The stored document is sealed and was not opened, or nothing can be sealed. The error tells a missing key, a damaged
    /// document and one that cannot be opened apart.
    Sealed(SealError),
    /// The claim has run out.
    ClaimLost,
    /// The store did not answer, or failed for another reason.
    Unavailable,
}

impl StoreErrorKind {
    /// True if somebody has to mend the store, so that waiting does not help.
    pub(crate) fn is_lasting(&self) -> bool {
        !matches!(self, Self::ClaimLost | Self::Unavailable | Self::Sealed(SealError::NoRandomness))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_its_message_alone() {
        let error = StoreError::new(StoreErrorKind::NoRoom, "no room");
        assert_eq!((error.to_string().as_str(), error.kind()), ("no room", &StoreErrorKind::NoRoom));
    }

    #[test]
    fn a_document_that_does_not_open_waits_for_a_person_and_missing_randomness_for_the_next_try() {
        let key = || "k1".parse().unwrap();
        for (error, is_lasting) in [
            (SealError::KeyMissing { key: key() }, true),
            (SealError::Damaged, true),
            (SealError::CannotBeOpened { key: key() }, true),
            (SealError::NoRing { key: key() }, true),
            (SealError::Plain, true),
            (SealError::NoRandomness, false),
        ] {
            assert_eq!(StoreErrorKind::Sealed(error.clone()).is_lasting(), is_lasting, "{error}");
        }
    }
}
