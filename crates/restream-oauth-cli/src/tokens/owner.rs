//! Which client and which server tokens belong to.

use http::Uri;
use restream_oauth_core::token::Binding;
use restream_oauth_core::{Client, Endpoints, SavedError, Tokens};

use crate::arguments::ClientOptions;
use crate::failure::Failure;
use crate::terminal::say;

/// Which tokens a command accepts. A token must not be sent to another server than its own: the operator of that server
/// could use it.
#[derive(Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// The tokens of one client.
    Client(&'a Client),
    /// The tokens of one server, for requests that do not name the client.
    Server(&'a Endpoints),
}

impl<'a> Owner<'a> {
    /// The owner whose tokens a request may send that does not name the client: the client, if the user has named one.
    pub(crate) fn of(options: &ClientOptions, client: &'a Client) -> Self {
        let is_named = options.client_id.as_deref().is_some_and(|id| !id.is_empty());
        if is_named { Self::Client(client) } else { Self::Server(client.endpoints()) }
    }

    /// Reads saved tokens, and fails if they belong to another owner.
    pub(crate) fn restore(self, document: &str) -> Result<Tokens, Failure> {
        let tokens = match self {
            Self::Client(client) => client.restore_tokens(document),
            Self::Server(endpoints) => endpoints.restore_tokens(document),
        }?;
        if tokens.binding().is_none() {
            say("warning: the saved tokens do not say which client and server they belong to; a new pair will");
        }
        Ok(tokens)
    }

    /// Fails if tokens belong to another owner.
    pub(crate) fn accept(self, tokens: &Tokens) -> Result<Tokens, Failure> {
        self.restore(tokens.to_saved().expose_secret())
    }
}

/// Returns the owner of `tokens`, in words, if they belong to another client than `client` or to another server than its server.
pub(crate) fn other_owner(tokens: &Tokens, client: &Client) -> Option<String> {
    match client.check_owner(tokens) {
        Err(SavedError::TokensOfOtherClient { .. } | SavedError::TokensOfOtherServer { .. }) => {}
        _ => return None,
    }
    tokens.binding().map(words_of)
}

/// Names a client and its server.
pub(crate) fn words_of(binding: &Binding) -> String {
    let client_id = binding.client_id().escape_default();
    format!("client \"{client_id}\" at {}", server_of(binding.token_endpoint()))
}

/// Returns scheme, host and port of a URL. The rest may hold a secret, or characters that a terminal acts on.
fn server_of(url: &str) -> String {
    let uri: Option<Uri> = url.parse().ok();
    let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?.as_str())));
    parts.map_or_else(
        || "another server".to_owned(),
        |(scheme, authority)| format!("{scheme}://{}", authority.rsplit('@').next().unwrap_or_default()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_without_what_may_hold_a_secret() {
        for (url, server) in [
            ("https://api.restream.io/oauth/token", "https://api.restream.io"),
            ("http://127.0.0.1:8975/oauth/token?key=s3cret", "http://127.0.0.1:8975"),
            ("https://user:s3cret@api.example/token", "https://api.example"),
            ("https://api.example/\u{202E}", "https://api.example"),
            ("\u{1B}[31m", "another server"),
            ("", "another server"),
        ] {
            assert_eq!(server_of(url), server, "{url:?}");
        }
    }
}
