//! Keeps Restream logins alive: refreshes each pair of tokens in time, once, and durably.
//!
//! Restream replaces both tokens at each refresh. Whoever refreshes twice at once, loses the answer, or takes a lost
//! answer for a refusal, locks the user out. `restream-oauth-core` makes one request safe; this crate makes a *grant*
//! safe: what a user gave the program, from the login to the logout, over restarts, crashes and lost connections, and
//! among any number of tasks and processes.
//!
//! The states of one grant:
//!
//! ```text
//!                 time            claim · prepare · send              the pair is stored
//!   log in ─▶ fresh ─────▶ due ───────────────────────────▶ rotating ────────────────────▶ fresh
//!                           ▲                                │ │ │
//!                           └── nothing was sent, or refused ┘ │ └─ refused for good ─▶ dead (revoked)
//!                               for now: as before             │
//!                                                    no answer │
//!                                                              ▼   the same token again, by a schedule
//!                                                          in doubt ───────────────────────▶ rotating
//!                                                                     refused for good ─▶ dead (lost answer)
//!
//!   log out, in any state ─▶ leaving ─▶ revoked ─▶ forgotten        log in, in any state ─▶ fresh
//! ```
//!
//! *Prepare* writes "in doubt" into the record before the request is sent, and makes room for the answer. The raw answer
//! is on disk before anything reads it, and nobody sees the new token before the new record is.
//!
//! **What is promised.** Nobody sees a new access token before its refresh token is durable. At most one refresh of a
//! grant is under way, whatever the number of tasks and processes. A refresh token is sent twice only if the outcome of
//! the first request is unknown and its connection is dead. Dropping a caller's future never cancels a refresh. A failed
//! store never loses a pair that arrived. A grant is declared dead only when the server says so, and the reason tells a
//! lost answer from a revoked grant.
//!
//! **What cannot be promised.** If the server rotates the pair, the answer never arrives, and the server accepts the old
//! refresh token no more, then the grant is lost for every client; this one says so. So is a pair whose process dies
//! between the arrival of the answer and the write that spools it. A disk that loses what it has synced, a backup that is
//! restored, or a synchronized folder brings spent tokens back: log in again.
//!
//! **In scope:** when to refresh, the order of operations, what stores must do, logins and logouts, recovery.
//! **Out of scope:** connections and TLS, which belong to an adapter; the login itself, which belongs to the program.
//!
//! **Where to begin:** [`Keeper`] and [`Grant`] are what a program holds. [`store`] says what a store must do.
//! [`machine`] is the pure machine under everything.
//!
//! **How to keep tokens:** `KEEPING_TOKENS.md`, beside this crate's `Cargo.toml`, shows a script, a bot and a service,
//! and how to encrypt what is stored ([`seal`]).
//! `FAILURES.md` lists what can go wrong, and the tests of each failure.
//!
//! **Which driver:** on a runtime, of whatever kind, spawn [`Keeper::run`] once. Without one, give [`Keeper::run_blocking`]
//! a thread. A program that must drive everything itself, such as a simulation, takes the [`Machine`].

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects
    )
)]

mod cell;
mod clock;
pub mod compact;
pub mod contract;
mod doubt;
mod drive;
mod event;
mod grant;
mod hub;
#[cfg(all(doctest, feature = "file", feature = "sealed"))]
#[doc = include_str!("../KEEPING_TOKENS.md")]
mod keeping_tokens {}
mod keeper;
pub mod machine;
mod milliseconds;
mod name;
mod names;
mod operation;
mod pace;
mod policy;
mod record;
mod record_document;
pub mod seal;
mod slot;
mod spooled;
mod steady;
pub mod store;
mod stray_document;
#[cfg(test)]
mod testing;
mod tight;
mod timers;
mod token;
mod token_times;
mod told;

pub use cell::TokenReader;
pub use clock::Now;
pub use drive::AlreadyRunning;
pub use event::{Event, EventKind, Odd, Problem};
pub use grant::Grant;
pub use hub::Left;
pub use keeper::{BuildError, Keeper, KeeperBuilder};
pub use machine::Machine;
pub use name::{GrantName, InvalidGrantName};
pub use policy::{Mode, Policy};
pub use record::{Death, DeathCause, Doubt, LoginId, Parent, Record, Stored, Stray, TokenHash, Tombstone, User};
pub use spooled::Spooled;
pub use token::{Current, Gone, Token, TokenError};
pub use told::{BlockingEvents, Events};
