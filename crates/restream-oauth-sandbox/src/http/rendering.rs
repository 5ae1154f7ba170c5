//! Writes what Restream decides as HTTP answers.

use crate::answer::Answer;
use crate::restream::error_response::ErrorResponse;
use crate::restream::rules::ErrorStyle;

/// An error in this style, with its status and its challenge.
pub(crate) fn error_answer(error: &ErrorResponse, style: ErrorStyle) -> Answer {
    let answer = Answer::json(error.status(), error.body(style));
    match error.challenge() {
        Some(challenge) => answer.header("WWW-Authenticate", challenge),
        None => answer,
    }
}

/// In the documented style.
impl From<ErrorResponse> for Answer {
    fn from(error: ErrorResponse) -> Self {
        error_answer(&error, ErrorStyle::Nested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_that_used_basic_gets_a_challenge() {
        for style in [ErrorStyle::Nested, ErrorStyle::Flat, ErrorStyle::Bare] {
            let basic = error_answer(&ErrorResponse::invalid_client(true, "reason"), style);
            assert_eq!(basic.status(), 401);
            assert_eq!(basic.value("www-authenticate"), Some("Basic realm=\"Service\""));
            let body = error_answer(&ErrorResponse::invalid_client(false, "reason"), style);
            assert_eq!(body.status(), 400);
            assert_eq!(body.value("www-authenticate"), None);
        }
    }
}
