//! Values: tokens, their type, scopes and binding, and the oddities of a response.

mod access;
mod binding;
mod oddity;
mod refresh;
mod revocable;
mod scope;
mod tokens;

pub use access::{AccessToken, BearerError, TokenType};
pub use binding::Binding;
pub(crate) use oddity::Oddities;
pub use oddity::Oddity;
pub use refresh::RefreshToken;
pub use revocable::RevocableToken;
pub use scope::{InvalidScope, Scope, Scopes};
pub(crate) use scope::{MOST_FROM_SERVER, is_scope, words};
pub use tokens::Tokens;
