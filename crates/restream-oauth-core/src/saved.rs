//! The saved forms of a login, of tokens and of an answer: JSON documents with a version. Reading one back gives an
//! equal value.
//!
//! Secret types do not implement `Serialize`, so that no derived logger or dump can write them. Only this module writes
//! them.

mod answer;
mod document;
mod login;
mod tokens;

pub use document::{Saved, SavedError};
pub use login::redirect_uri_of;
