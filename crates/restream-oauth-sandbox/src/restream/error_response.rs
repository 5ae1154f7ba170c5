//! Error responses, in the words of the documented REST API and of the npm library oauth2-server, whose error bodies
//! look like Restream's.

use std::borrow::Cow;

use crate::restream::json::quoted;
use crate::restream::rules::ErrorStyle;

/// An OAuth error: its name, its message, and how HTTP reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorResponse {
    status: u16,
    name: &'static str,
    message: Cow<'static, str>,
    challenge: Option<&'static str>,
}

impl ErrorResponse {
    pub(crate) fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "invalid_request", message)
    }

    pub(crate) fn invalid_grant(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "invalid_grant", message)
    }

    pub(crate) fn invalid_scope(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "invalid_scope", message)
    }

    /// Status 400, or 401 with a challenge if the client used Basic (RFC 6749 section 5.2). The reason says what is wrong.
    pub(crate) fn invalid_client(tried_basic: bool, reason: &str) -> Self {
        let error = Self::new(400, "invalid_client", format!("Invalid client: client is invalid: {reason}"));
        if tried_basic { Self { status: 401, challenge: Some("Basic realm=\"Service\""), ..error } } else { error }
    }

    pub(crate) fn unsupported_grant_type() -> Self {
        Self::new(400, "unsupported_grant_type", "Unsupported grant type: `grant_type` is invalid")
    }

    /// The API's error for a missing, dead or unknown access token (RFC 6750 section 3).
    pub(crate) fn invalid_token(message: &'static str) -> Self {
        Self { challenge: Some("Bearer error=\"invalid_token\""), ..Self::new(401, "invalid_token", message) }
    }

    /// Status 503, with which oauth2-server reports its own failures.
    pub(crate) fn server_error(message: &'static str) -> Self {
        Self::new(503, "server_error", message)
    }

    /// The same error with another status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The value of `WWW-Authenticate`.
    pub(crate) fn challenge(&self) -> Option<&'static str> {
        self.challenge
    }

    /// The body in this style. The documented one is
    /// `{"error":{"statusCode":401,"status":401,"code":401,"message":"…","name":"…"}}`.
    pub(crate) fn body(&self, style: ErrorStyle) -> String {
        let Self { status, name, message, .. } = self;
        let message = quoted(message);
        let bare = || {
            format!(
                r#"{{"statusCode":{status},"status":{status},"code":{status},"message":{message},"name":"{name}"}}"#
            )
        };
        match style {
            ErrorStyle::Nested => format!(r#"{{"error":{}}}"#, bare()),
            ErrorStyle::Flat => format!(r#"{{"error":"{name}","error_description":{message}}}"#),
            ErrorStyle::Bare => bare(),
        }
    }

    fn new(status: u16, name: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, name, message: message.into(), challenge: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_style_has_its_body() {
        let error = ErrorResponse::invalid_token("Invalid token: access token is invalid");
        for (style, body) in [
            (
                ErrorStyle::Nested,
                r#"{"error":{"statusCode":401,"status":401,"code":401,"message":"Invalid token: access token is invalid","name":"invalid_token"}}"#,
            ),
            (
                ErrorStyle::Flat,
                r#"{"error":"invalid_token","error_description":"Invalid token: access token is invalid"}"#,
            ),
            (
                ErrorStyle::Bare,
                r#"{"statusCode":401,"status":401,"code":401,"message":"Invalid token: access token is invalid","name":"invalid_token"}"#,
            ),
        ] {
            assert_eq!(error.body(style), body);
        }
    }
}
