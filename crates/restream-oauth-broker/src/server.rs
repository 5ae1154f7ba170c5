//! The broker as an HTTP server: it does what the [protocol](crate::protocol) decides.
//!
//! A [`Broker`] holds everything that a decision needs: the keeper with its grants, the devices, the way to Restream.
//! [`serve`] lets it answer the connections of a listener, within bounds.
//!
//! Each request is carried out in a task of its own. A device that hangs up cancels nothing: what Restream answers is kept
//! and given out at the next try.

mod admin;
mod broker;
mod clock;
mod connection;
mod ending;
mod endings;
mod idle;
mod kept;
mod login;
mod observe;
mod open_logins;
mod relay;
mod relaying;
mod serve;
mod sightings;
mod start_error;
mod steady_write;
mod storage;
mod tls;
mod tokens;
mod witness;
mod work;

pub use self::broker::{Broker, Options, RELAY_MEMORY};
pub use self::clock::Clock;
pub use self::ending::{EndError, devices_beside, end_device};
pub use self::serve::{serve, serve_admin, serve_tls};
pub use self::start_error::StartError;
pub use self::tls::{Tls, TlsError};
