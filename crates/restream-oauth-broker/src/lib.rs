//! Restream logins for devices that must not hold the client secret.
//!
//! The broker holds the client secret and keeps the grants ([`restream_oauth_keeper`]). A device logs in through it and gets
//! a *handle* in the place of the refresh token. The handle does not change, so no device can lose the login.
//!
//! ```text
//! device ──▶ server ──▶ protocol (pure) ──▶ decision ──▶ devices, keeper ──▶ Restream
//! ```
//!
//! **In scope:** OAuth 2.0 for public clients by discovery, the door for OBS Studio, grants in files, or in PostgreSQL for
//! several instances, a relay that stores nothing, TLS of its own, limits, metrics and logs.
//!
//! **Where to begin:** [`protocol`] says what the broker answers, [`server`] carries it out, and [`devices`] is what it
//! remembers. [`settings`] reads the configuration of the program `restream-oauth-broker`; `RUNNING.md` beside this
//! crate's `Cargo.toml` says how to run it.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod addresses;
pub mod devices;
mod keeper_event;
pub mod limits;
pub mod log;
pub mod metrics;
mod origin;
pub mod protocol;
mod redirect_uri;
mod seal;
pub mod server;
pub mod settings;
mod tls;
