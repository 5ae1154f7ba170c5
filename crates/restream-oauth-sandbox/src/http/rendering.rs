//! Writes what Restream decides as HTTP answers.

use crate::answer::Answer;
use crate::restream::error_response::ErrorResponse;

impl From<ErrorResponse> for Answer {
    fn from(error: ErrorResponse) -> Self {
        let answer = Self::json(error.status(), error.body());
        match error.challenge() {
            Some(challenge) => answer.header("WWW-Authenticate", challenge),
            None => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_that_used_basic_gets_a_challenge() {
        let basic = Answer::from(ErrorResponse::invalid_client(true));
        assert_eq!(basic.status(), 401);
        assert_eq!(basic.value("www-authenticate"), Some("Basic realm=\"Service\""));
        let body = Answer::from(ErrorResponse::invalid_client(false));
        assert_eq!(body.status(), 400);
        assert_eq!(body.value("www-authenticate"), None);
    }
}
