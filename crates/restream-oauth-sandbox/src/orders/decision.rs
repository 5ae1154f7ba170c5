//! The user's decision without a browser: from the URL of the consent page to the redirect that a button causes.

use std::fmt;

use crate::provider::Provider;
use crate::restream::authorization_request::{AuthorizationError, AuthorizationRequest};
use crate::restream::form::Form;

/// Presses "Approve" or "Deny" on the page at `authorize_url`. Returns the address that a browser would be redirected to.
pub(crate) fn decide(
    provider: &Provider,
    base_url: &str,
    authorize_url: &str,
    approved: bool,
) -> Result<String, AuthorizeError> {
    let target = authorize_url.strip_prefix(base_url).ok_or(AuthorizeError::NotOurs)?;
    let (path, query) = target.split_once('?').ok_or(AuthorizeError::NotOurs)?;
    if !matches!(path, "/login" | "/oauth/authorize") {
        return Err(AuthorizeError::NotOurs);
    }
    match AuthorizationRequest::read(&provider.settings, &Form::parse(query.as_bytes())) {
        Ok(asked) => {
            provider.settle(asked, approved).map_err(|error| AuthorizeError::Refused(error.message().to_owned()))
        }
        Err(AuthorizationError::Redirect(location)) => Ok(location),
        Err(AuthorizationError::Page(error)) => Err(AuthorizeError::Refused(error.message().to_owned())),
    }
}

/// Why the consent page cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// The URL is not this sandbox's `/login` or `/oauth/authorize` with a query.
    NotOurs,
    /// The sandbox would show an error page with this message.
    Refused(String),
}

impl fmt::Display for AuthorizeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => formatter.write_str("not the address of this sandbox's login page"),
            Self::Refused(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for AuthorizeError {}
