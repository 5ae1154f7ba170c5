//! The saved forms of tokens and of a login: versioned JSON documents that round-trip everything.
//!
//! Secret types have no `Serialize`, so that no derived logger or dump can write them; these are the only writers.

mod answer;
mod document;
mod login;
mod tokens;

pub use document::{Saved, SavedError};
pub use login::redirect_uri_of;
