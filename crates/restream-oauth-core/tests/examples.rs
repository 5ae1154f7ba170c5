//! The examples do what they say.

#[path = "../examples/advice.rs"]
#[expect(dead_code, reason = "`main` shows the same")]
mod advice;
#[path = "../examples/property_tests.rs"]
mod property_tests;

#[test]
fn the_example_has_an_answer_to_every_advice() {
    for (status, body, next_step) in [
        (429, "", "build the call again, and wait longer each time"),
        (502, "", "refresh once more with the same token, soon, from one place only"),
        (200, r#"{"refresh_token":"7b12"}"#, "save the refresh token that arrived, and refresh with it"),
        (400, r#"{"error":"invalid_grant"}"#, "ask the user to log in again"),
        (401, r#"{"error":"invalid_client"}"#, "tell the operator: identifier, secret, URLs or scopes are wrong"),
        (400, r#"{"error":"access_denied","error_description":"no"}"#, "stop; the server says: no"),
    ] {
        let error = advice::refresh_answered_with(status, body).unwrap();
        assert_eq!(advice::next_step(&error), next_step, "{status} {body}");
    }
}

#[test]
fn the_example_finds_both_tokens_of_every_answer() {
    property_tests::main().unwrap();
}
