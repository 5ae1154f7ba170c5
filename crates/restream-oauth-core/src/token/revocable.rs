//! A token that can be revoked: either token of a pair.

use super::access::AccessToken;
use super::refresh::RefreshToken;

/// A token to revoke (RFC 7009 §2.1). References to both kinds of token convert into it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum RevocableToken<'a> {
    /// An access token.
    Access(&'a AccessToken),
    /// A refresh token.
    Refresh(&'a RefreshToken),
}

impl<'a> RevocableToken<'a> {
    pub(crate) fn text(self) -> &'a str {
        match self {
            Self::Access(token) => token.expose_secret(),
            Self::Refresh(token) => token.expose_secret(),
        }
    }

    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Access(_) => "access_token",
            Self::Refresh(_) => "refresh_token",
        }
    }
}

impl<'a> From<&'a AccessToken> for RevocableToken<'a> {
    fn from(token: &'a AccessToken) -> Self {
        Self::Access(token)
    }
}

impl<'a> From<&'a RefreshToken> for RevocableToken<'a> {
    fn from(token: &'a RefreshToken) -> Self {
        Self::Refresh(token)
    }
}
