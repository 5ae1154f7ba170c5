//! A world in which the keeper may lose no grant.
//!
//! The machine of `restream-oauth-keeper` is pure: it takes inputs and says what to do. So this crate can put it into a
//! world of its own making: servers that rotate, networks that lose answers, disks that forget what was not synced,
//! laptops that sleep, clocks that jump, processes that die between any two steps. One seed is one run, and the same
//! seed repeats it exactly.
//!
//! | part | files |
//! |---|---|
//! | the truth about tokens, and the bytes of answers | `server`, `reply` |
//! | what happens on the way | `network`, `setting` |
//! | stores | `disk`, `file_store`, `database`, `storage` |
//! | processes | `program`, and instead of the machine `interceptor` (with a [`Flaw`]) or `peers` (a [`Peer`]) |
//! | everything in the order of time | `world` |
//! | what must hold ([`Check`]) | `oracle` |
//!
//! **In scope:** the protocol: which operation comes when, and what each outcome means. **Out of scope:** whether the
//! real stores keep the promises that the simulated ones keep; the contract of the stores tests that.

#![forbid(unsafe_code)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::missing_panics_doc,
    reason = "a world of small numbers; a panic in it is found at once"
)]
#![allow(
    clippy::large_enum_variant,
    clippy::needless_pass_by_value,
    clippy::struct_excessive_bools,
    clippy::too_many_lines,
    reason = "orders, facts and tables: what is one thing stays in one place"
)]

mod database;
mod disk;
mod file_store;
mod flaws;
mod interceptor;
mod network;
mod oracle;
mod peers;
mod picture;
mod program;
mod random;
mod reply;
mod run;
mod server;
mod setting;
mod storage;
mod study;
mod time;
mod trace;
mod world;

pub use flaws::Flaw;
pub use oracle::{Check, Violation};
pub use peers::Peer;
pub use picture::picture;
pub use run::{Outcome, everyday, run, trace};
pub use study::{Found, Study, hunt, search};
