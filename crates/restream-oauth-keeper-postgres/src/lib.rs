//! Keeps Restream logins in PostgreSQL: a store for [`restream-oauth-keeper`](restream_oauth_keeper) that any number of
//! processes on any number of machines share.
//!
//! ```text
//! worker ─┐   Claim · Prepare       one statement each, committed at once
//! worker ─┼─▶ Spool · Commit  ────▶ PgBouncer ────▶ PostgreSQL ──▶ standby
//! reader ─┘   Settle · Read         nothing is held while a request to Restream is under way
//! ```
//!
//! **What is promised**, besides what every store promises ([`restream_oauth_keeper::store`]): each operation is one
//! statement, so a lost connection leaves nothing half done. A claim is two columns, not an open transaction: a process
//! that dies loses it after 120 seconds, and a pooler in transaction mode is no obstacle. A late pair is judged by what it
//! replaces, never by the claim. All times are the database's, so machines whose clocks differ keep the same grants. After
//! a failover each process writes again what it wrote in the last minute, before anybody claims anything.
//!
//! **What is not promised:** what the server has confirmed can be lost with it; [`PostgresStore::durability`] says what.
//! After a backup was restored, log in again.
//!
//! **In scope:** the store, its schema and migrations, its statements for other clients, workers, and with the feature
//! `sealed` the encryption of documents. **Out of scope:** running PostgreSQL, and keeping the keys.
//!
//! **Where to begin:** [`PostgresStore`] and [`Config`]. [`sql`] has every statement; [`Statement`] fills them in for a
//! client of your own.

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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod admin;
mod batches;
mod columns;
mod config;
mod connection;
mod connections;
mod error;
mod form;
mod found;
mod known_clock;
mod offset;
mod parameter;
mod password;
mod recent;
#[cfg(feature = "sealed")]
mod reseal;
mod restoring;
mod schema;
mod server;
pub mod sql;
mod statement;
mod store;
mod tls;
mod watch;
mod worker;

pub use admin::{Ended, Exported, State, Summary};
pub use columns::Columns;
pub use config::Config;
pub use error::{ConfigError, ConnectError};
pub use offset::ClockOffset;
pub use parameter::{Arrays, Parameter};
#[cfg(feature = "sealed")]
pub use reseal::Resealed;
pub use schema::{GRANTS, SCHEMA_VERSION, migrations};
pub use server::{Durability, Survives};
pub use statement::Statement;
pub use store::PostgresStore;
pub use tokio_postgres::{Client, Row};
pub use worker::Worker;
