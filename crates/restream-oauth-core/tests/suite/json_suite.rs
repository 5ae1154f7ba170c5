//! The public test suite for JSON parsers, nst/JSONTestSuite. Each file is added to a token response as one more
//! member.
//!
//! The response has no refresh token, so that broken JSON cannot be a success with a whole pair. The bytes of the files
//! are not changed: some files are not UTF-8. The files are in `json_cases/`, with their licence.

use std::path::Path;

use crate::support::{ACCESS, Reply, SENT_REFRESH, exchange, oddities, pair, refresh};
use restream_oauth_core::error::Salvaged;
use restream_oauth_core::token::Oddity;
use restream_oauth_core::{Delivery, Error, Tokens};

/// Files that must be refused alone but are valid as a member. There are none: no file begins with a value and ends in
/// a text that the surrounding object could complete.
const VALID_AS_MEMBER: [&str; 0] = [];
/// Files that must be refused, and that close the object of the response if they are its last member. Then the response
/// is a whole object with text after it, which is an oddity and not an error.
const CLOSE_THE_ANSWER: [&str; 1] = [
    // `{}}`: the second brace closes the object of the response, and the object's own brace is left over.
    "n_structure_object_followed_by_closing_object.json",
];

#[test]
fn files_that_every_parser_must_accept_do_not_affect_the_token() {
    for (name, bytes) in files("y_") {
        for body in [last(&bytes), first(&bytes)] {
            let tokens = Reply::ok(&body).finish(exchange()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(pair(&tokens), (ACCESS, None), "{name}");
            assert_eq!(oddities(&tokens), [Oddity::LifetimeAssumed, Oddity::TokenTypeMissing], "{name}");
            let tokens = Reply::ok(&body).finish(refresh()).unwrap();
            assert_eq!(pair(&tokens), (ACCESS, Some(SENT_REFRESH)), "{name}");
        }
    }
}

#[test]
fn files_that_every_parser_must_refuse_are_an_error_that_salvages_an_earlier_token() {
    for (name, bytes) in files("n_") {
        if VALID_AS_MEMBER.contains(&name.as_str()) {
            continue;
        }
        if CLOSE_THE_ANSWER.contains(&name.as_str()) {
            let tokens = Reply::ok(last(&bytes)).finish(exchange()).unwrap();
            assert_eq!(pair(&tokens), (ACCESS, None), "{name}");
            assert!(oddities(&tokens).contains(&Oddity::BrokenJson), "{name}");
            refused(&name, Reply::ok(first(&bytes)).finish(exchange()));
            continue;
        }
        for call in [exchange(), refresh()] {
            let error = refused(&name, Reply::ok(last(&bytes)).finish(call));
            let Some(Salvaged::AccessToken(token)) = error.salvaged() else { panic!("{name}: {error:?}") };
            assert_eq!((token.expose_secret(), error.delivery()), (ACCESS, Delivery::Completed), "{name}");
        }
        refused(&name, Reply::ok(first(&bytes)).finish(exchange()));
    }
}

#[test]
fn files_that_a_parser_may_accept_or_refuse_do_not_lose_an_earlier_token() {
    for (name, bytes) in files("i_") {
        match Reply::ok(last(&bytes)).finish(refresh()) {
            Ok(tokens) => assert_eq!(pair(&tokens), (ACCESS, Some(SENT_REFRESH)), "{name}"),
            Err(error) => assert!(matches!(error.salvaged(), Some(Salvaged::AccessToken(_))), "{name}"),
        }
        // Before the token, a file that the parser refuses may hide the token. It only must not panic.
        let _ = Reply::ok(first(&bytes)).finish(refresh());
    }
}

#[test]
fn the_files_alone_are_not_token_responses() {
    for prefix in ["y_", "n_", "i_"] {
        for (name, bytes) in files(prefix) {
            for status in [200, 400] {
                let error = refused(&name, Reply::of(status, &bytes).finish(refresh()));
                assert_eq!(error.salvaged(), None, "{name}");
            }
        }
    }
}

#[test]
fn wrapping_a_file_keeps_its_meaning() {
    // `serde_json` decides: it accepts the wrapped file exactly if it accepts the file alone.
    let accepts = |bytes: &[u8]| serde_json::from_slice::<serde_core::de::IgnoredAny>(bytes).is_ok();
    for (prefix, accepted) in [("y_", true), ("n_", false)] {
        for (name, bytes) in files(prefix) {
            assert_eq!(accepts(&bytes), accepted, "{name}");
            let expected = accepted || VALID_AS_MEMBER.contains(&name.as_str());
            assert_eq!([accepts(&last(&bytes)), accepts(&first(&bytes))], [expected; 2], "{name}");
        }
    }
}

/// The name and the bytes of each file whose name begins with `prefix`.
#[expect(clippy::disallowed_methods, reason = "a test reads its data")]
fn files(prefix: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/json_cases");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    let all = match prefix {
        "y_" => 95,
        "n_" => 188,
        _ => 35,
    };
    assert_eq!(files.len(), all, "files {prefix}");
    files
}

/// The file as the last member, after the access token.
fn last(bytes: &[u8]) -> Vec<u8> {
    [format!(r#"{{"access_token":"{ACCESS}","x":"#).as_bytes(), bytes, b"}"].concat()
}

/// The file as the first member, before the access token.
fn first(bytes: &[u8]) -> Vec<u8> {
    [br#"{"x":"#, bytes, format!(r#","access_token":"{ACCESS}"}}"#).as_bytes()].concat()
}

fn refused(name: &str, outcome: Result<Tokens, Error>) -> Error {
    match outcome {
        Ok(tokens) => panic!("{name}: {tokens:?}"),
        Err(error) => error,
    }
}
