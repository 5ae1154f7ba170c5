//! The registered application, and the rules that the sandbox follows.

use std::time::Duration;

/// The registered application, the lifetimes, and the rules of the authorization server.
pub(crate) struct Settings {
    pub(crate) client_id: String,
    /// `None` for a public client.
    pub(crate) client_secret: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Vec<String>,
    /// The text at the start of every code and token.
    pub(crate) token_prefix: String,
    pub(crate) code_lifetime: Duration,
    pub(crate) access_token_lifetime: Duration,
    pub(crate) refresh_token_lifetime: Duration,
}
