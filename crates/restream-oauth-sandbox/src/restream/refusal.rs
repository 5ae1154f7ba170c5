//! A refusal in the words of the documented REST API and of the npm library oauth2-server, whose error
//! bodies Restream's look like.

use std::borrow::Cow;

use crate::answer::{Answer, quoted};

/// What went wrong, for the client to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    name: &'static str,
    message: Cow<'static, str>,
    challenge: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "invalid_request", message)
    }

    pub(crate) fn invalid_grant(message: &'static str) -> Self {
        Self::new(400, "invalid_grant", message)
    }

    pub(crate) fn invalid_scope(message: &'static str) -> Self {
        Self::new(400, "invalid_scope", message)
    }

    /// 400, or 401 with a challenge if the client tried Basic (RFC 6749 section 5.2).
    pub(crate) fn invalid_client(tried_basic: bool) -> Self {
        let refusal = Self::new(400, "invalid_client", "Invalid client: client is invalid");
        if tried_basic { Self { status: 401, challenge: Some("Basic realm=\"Service\""), ..refusal } } else { refusal }
    }

    pub(crate) fn unsupported_grant_type() -> Self {
        Self::new(400, "unsupported_grant_type", "Unsupported grant type: `grant_type` is invalid")
    }

    /// Of the API: the access token is missing, dead or unknown (RFC 6750 section 3).
    pub(crate) fn invalid_token(message: &'static str) -> Self {
        Self { challenge: Some("Bearer error=\"invalid_token\""), ..Self::new(401, "invalid_token", message) }
    }

    /// oauth2-server reports its own failures with 503.
    pub(crate) fn server_error(message: &'static str) -> Self {
        Self::new(503, "server_error", message)
    }

    /// The same refusal under another status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    fn new(status: u16, name: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, name, message: message.into(), challenge: None }
    }
}

impl From<Refusal> for Answer {
    /// `{"error":{"statusCode":401,"status":401,"code":401,"message":"…","name":"…"}}`
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, name, message, challenge } = refusal;
        let body = format!(
            r#"{{"error":{{"statusCode":{status},"status":{status},"code":{status},"message":{},"name":"{name}"}}}}"#,
            quoted(&message),
        );
        let answer = Self::json(status, body);
        match challenge {
            Some(challenge) => answer.header("WWW-Authenticate", challenge),
            None => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_the_documented_one() {
        let answer = Answer::from(Refusal::invalid_token("Invalid token: access token is invalid"));
        assert_eq!(
            String::from_utf8_lossy(answer.body()),
            r#"{"error":{"statusCode":401,"status":401,"code":401,"message":"Invalid token: access token is invalid","name":"invalid_token"}}"#
        );
    }

    #[test]
    fn only_a_client_that_tried_basic_is_challenged() {
        let basic = Answer::from(Refusal::invalid_client(true));
        assert_eq!(basic.status(), 401);
        assert_eq!(basic.value("www-authenticate"), Some("Basic realm=\"Service\""));
        let body = Answer::from(Refusal::invalid_client(false));
        assert_eq!(body.status(), 400);
        assert_eq!(body.value("www-authenticate"), None);
    }
}
