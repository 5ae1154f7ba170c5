//! Whose tokens they are.

use restream_oauth_core::{Client, Endpoints, Tokens};

use crate::failure::Failure;
use crate::terminal::say;

/// Whose tokens a command takes. A token that is sent to another server than its own is lost to the operator of that
/// server.
#[derive(Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// Those of one client.
    Client(&'a Client),
    /// Those of one server, for calls that say nothing of the client.
    Server(&'a Endpoints),
    /// For what is not sent anywhere.
    Anyone,
}

impl Owner<'_> {
    /// Reads a saved document.
    pub(crate) fn restore(self, document: &str) -> Result<Tokens, Failure> {
        let tokens = match self {
            Self::Client(client) => client.restore_tokens(document),
            Self::Server(endpoints) => endpoints.restore_tokens(document),
            Self::Anyone => Tokens::from_saved(document),
        }?;
        if tokens.binding().is_none() && !matches!(self, Self::Anyone) {
            say("warning: the saved tokens do not say which client and server they belong to; a new pair will");
        }
        Ok(tokens)
    }
}
