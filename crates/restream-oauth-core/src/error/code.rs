//! Error codes as servers write them.

use std::fmt;

use crate::encoding::redaction;
use crate::secret::CleanText;

/// An error code of RFC 6749 §4.1.2.1 and §5.2, RFC 7009 §2.2.1 or RFC 6750 §3.1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `invalid_request`: a parameter is missing, repeated or malformed.
    InvalidRequest,
    /// `invalid_client`: the client authentication failed.
    InvalidClient,
    /// `invalid_grant`: the code or refresh token is invalid, expired, revoked, already used, or was issued to another
    /// client.
    InvalidGrant,
    /// `unauthorized_client`: the client may not use this grant type.
    UnauthorizedClient,
    /// `unsupported_grant_type`: the server does not support this grant type.
    UnsupportedGrantType,
    /// `unsupported_response_type`: the server does not support this response type.
    UnsupportedResponseType,
    /// `invalid_scope`: a scope is unknown, malformed, or more than was granted.
    InvalidScope,
    /// `access_denied`: the user or the server denied the request.
    AccessDenied,
    /// `server_error`: the server failed, perhaps after it acted on the request.
    ServerError,
    /// `temporarily_unavailable`: the server cannot handle the request now.
    TemporarilyUnavailable,
    /// `unsupported_token_type`: the server cannot revoke this kind of token.
    UnsupportedTokenType,
    /// `invalid_token`: the access token is expired, revoked or malformed.
    InvalidToken,
    /// `insufficient_scope`: the call needs scopes that the access token does not have.
    InsufficientScope,
    /// Any other code: redacted and escaped like [`Error::server_message`](crate::Error::server_message), and truncated
    /// to 64 characters.
    Other(Box<str>),
}

impl ErrorCode {
    /// The code as RFC 6749, 6750 or 7009 writes it; for [`Other`](Self::Other), its text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::Other(text) => text,
        }
    }

    /// Reads a text that [`as_str`](Self::as_str) returned; `None` for a text that it never returns.
    #[cfg(feature = "serde")]
    pub(crate) fn from_saved(text: &str) -> Option<Self> {
        let given =
            text.len() <= redaction::LONGEST_PRINTED_CODE && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        given.then(|| match Self::read(text, &[]) {
            Self::Other(_) => Self::Other(text.into()),
            known => known,
        })
    }

    /// True for the codes that RFC 6749, RFC 6750 and RFC 7009 define.
    pub(crate) fn is_known(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Reads a code. A test checks that this `match` agrees with [`as_str`](Self::as_str).
    pub(crate) fn read(text: &str, secrets: &[CleanText<'_>]) -> Self {
        match text {
            "invalid_request" => Self::InvalidRequest,
            "invalid_client" => Self::InvalidClient,
            "invalid_grant" => Self::InvalidGrant,
            "unauthorized_client" => Self::UnauthorizedClient,
            "unsupported_grant_type" => Self::UnsupportedGrantType,
            "unsupported_response_type" => Self::UnsupportedResponseType,
            "invalid_scope" => Self::InvalidScope,
            "access_denied" => Self::AccessDenied,
            "server_error" => Self::ServerError,
            "temporarily_unavailable" => Self::TemporarilyUnavailable,
            "unsupported_token_type" => Self::UnsupportedTokenType,
            "invalid_token" => Self::InvalidToken,
            "insufficient_scope" => Self::InsufficientScope,
            other => Self::Other(redaction::code(other, secrets)),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_code_is_read_back_from_its_text() {
        let codes = [
            ErrorCode::InvalidRequest,
            ErrorCode::InvalidClient,
            ErrorCode::InvalidGrant,
            ErrorCode::UnauthorizedClient,
            ErrorCode::UnsupportedGrantType,
            ErrorCode::UnsupportedResponseType,
            ErrorCode::InvalidScope,
            ErrorCode::AccessDenied,
            ErrorCode::ServerError,
            ErrorCode::TemporarilyUnavailable,
            ErrorCode::UnsupportedTokenType,
            ErrorCode::InvalidToken,
            ErrorCode::InsufficientScope,
        ];
        for code in codes {
            assert_eq!(ErrorCode::read(code.as_str(), &[]), code);
            assert!(code.is_known());
        }
        for text in ["", "INVALID_GRANT", "invalid_grant ", "other"] {
            assert!(!ErrorCode::read(text, &[]).is_known(), "{text}");
        }
    }
}
