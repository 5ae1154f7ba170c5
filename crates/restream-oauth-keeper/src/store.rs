//! What a keeper asks of a store: operations as data.
//!
//! A store executes [`StoreOp`]s and answers each with a [`StoreOutcome`]. It decides nothing: the order of operations,
//! and what each outcome means, is the machine's. So a file store, a database, a simulated disk and a log can execute
//! the same operations, and [`contract`](crate::contract) checks each of them with the same tests.
//!
//! A store over a database of your own needs some twenty lines: [`Row`] has the rules, and the database keeps its saved
//! form. To encrypt it, seal that text: [`seal`](crate::seal).
//!
//! | operation | what it promises when it returns `Done` |
//! |---|---|
//! | [`Read`](StoreOp::Read) | (returns [`StoreOutcome::Read`]) the newest record, and it is durable; whether a claim would find more |
//! | [`Claim`](StoreOp::Claim) | (returns [`StoreOutcome::Claimed`]) nobody else has the grant; the newest record, and it is durable |
//! | [`Prepare`](StoreOp::Prepare) | the record is replaced and durable; there is room for an answer |
//! | [`Spool`](StoreOp::Spool) | the answer is durable |
//! | [`Commit`](StoreOp::Commit) | the record is replaced and durable, if the stored one was the parent |
//! | [`Park`](StoreOp::Park) | the late pair is durable beside the record |
//! | [`Stash`](StoreOp::Stash) | the login is durable, under a name of its own |
//! | [`Insert`](StoreOp::Insert) | the record of a login is durable, whatever was there before |
//! | [`Settle`](StoreOp::Settle) | the record, if one is given, is replaced and durable; the claim is released |
//! | [`Forget`](StoreOp::Forget) | the record is gone, and a tombstone is durable; the claim is released |

#[cfg(feature = "file")]
#[clippy::msrv = "1.89"]
pub mod file;
mod memory;
mod row;
mod row_document;

#[cfg(feature = "file")]
pub use file::FileStore;
pub use memory::MemoryStore;
pub use row::Row;

pub use crate::operation::{
    ClaimId, Claimed, Leftovers, Store, StoreError, StoreErrorKind, StoreOp, StoreOutcome, Warning,
};
