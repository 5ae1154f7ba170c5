//! The documented response, truncated at every byte, in every way in which an HTTP stack can report the truncation.

use std::ops::Range;

use crate::support::{
    ACCESS, DOCUMENTED, Json, REFRESH, Reply, SENT_REFRESH, exchange, oddities, pair, refresh, sent_at,
};
use http::StatusCode;
use http::header::{CONTENT_LENGTH, HeaderMap};
use restream_oauth_core::error::{ErrorKind, Malformed, Salvaged};
use restream_oauth_core::token::Oddity;
use restream_oauth_core::transport::{Failure, FailureKind, Stage};
use restream_oauth_core::{Advice, Call, Delivery, Error, Tokens};

const CHUNKS: [usize; 5] = [1, 2, 7, 64, usize::MAX];

/// The tokens that have arrived after a number of bytes. Found in the text itself, not by our parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Arrived {
    Nothing,
    Access,
    Both,
}

/// The byte after the closing quote of each token's first appearance.
fn closed_at(body: &str) -> [usize; 2] {
    [ACCESS, REFRESH].map(|token| body.find(&format!("\"{token}\"")).unwrap() + token.len() + 2)
}

fn arrived(body: &str, cut: usize) -> Arrived {
    match closed_at(body) {
        [_, refresh] if cut >= refresh => Arrived::Both,
        [access, _] if cut >= access => Arrived::Access,
        _ => Arrived::Nothing,
    }
}

/// How a stack feeds a reply in chunks of a given size, and reports its end.
type End = fn(Reply, Call<Tokens>, usize) -> Result<Tokens, Error>;

/// The ways in which a stack reports the end of a truncated body.
const ENDINGS: [End; 3] = [
    // The connection closes, and the stack reports a normal end.
    |reply, call, size| reply.feed(call.into_parts(sent_at()).1, size).finish().interpret(),
    // The stack reports a failure.
    |reply, call, size| {
        let failure = Failure::new(FailureKind::Interrupted).with_source("connection reset");
        reply.feed(call.into_parts(sent_at()).1, size).fail(Stage::ReadingBody, failure).interpret()
    },
    // The connection closes, but Content-Length announced more bytes.
    |reply, call, size| {
        let promised = DOCUMENTED.len().to_string();
        reply.header(CONTENT_LENGTH, &promised).feed(call.into_parts(sent_at()).1, size).finish().interpret()
    },
];

fn judge(outcome: &Result<Tokens, Error>, body: &str, cut: usize, advice: Advice) {
    match (arrived(body, cut), outcome) {
        (Arrived::Both, Ok(tokens)) => {
            assert_eq!(pair(tokens), (ACCESS, Some(REFRESH)), "{cut}");
            assert!(cut == body.len() || oddities(tokens).contains(&Oddity::Truncated), "{cut}");
        }
        (Arrived::Access, Err(error)) => {
            let Some(Salvaged::AccessToken(token)) = error.salvaged() else { panic!("{cut}: {error:?}") };
            assert_eq!(token.expose_secret(), ACCESS, "{cut}");
            assert_eq!((error.delivery(), error.advice()), (Delivery::Completed, advice), "{cut}");
        }
        (Arrived::Nothing, Err(error)) => {
            assert_eq!(error.salvaged(), None, "{cut}");
            assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, advice), "{cut}");
        }
        (expected, other) => panic!("{cut}: expected {expected:?}, got {other:?}"),
    }
}

fn cuts(body: &str) -> Range<usize> {
    0..body.len() + 1
}

#[test]
fn whole_tokens_are_kept_at_every_truncation_point_of_the_documented_response() {
    for cut in cuts(DOCUMENTED) {
        for ending in ENDINGS {
            let reply = Reply::ok(&DOCUMENTED[..cut]);
            judge(&ending(reply.clone(), refresh(), usize::MAX), DOCUMENTED, cut, Advice::Replay);
            judge(&ending(reply, exchange(), usize::MAX), DOCUMENTED, cut, Advice::Reauthorize);
        }
    }
}

#[test]
fn most_truncation_points_leave_the_pair_whole() {
    // Counted in the text, to test the helper of this file against known numbers.
    let whole = (0..DOCUMENTED.len()).filter(|&cut| arrived(DOCUMENTED, cut) == Arrived::Both).count();
    assert!(whole * 4 > DOCUMENTED.len() * 3, "{whole} of {}", DOCUMENTED.len());
    assert!(closed_at(DOCUMENTED)[0] < closed_at(DOCUMENTED)[1]);
}

#[test]
fn a_truncated_response_is_reported_as_interrupted() {
    for cut in 1..closed_at(DOCUMENTED)[1] {
        for ending in ENDINGS {
            let error = ending(Reply::ok(&DOCUMENTED[..cut]), refresh(), usize::MAX).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Interrupted), "{cut}");
        }
    }
    let nothing = ENDINGS.map(|ending| ending(Reply::ok(""), refresh(), 1).unwrap_err().kind().clone());
    let interrupted = ErrorKind::Transport(FailureKind::Interrupted);
    assert_eq!(nothing, [ErrorKind::Malformed(Malformed::Empty), interrupted.clone(), interrupted]);
}

#[test]
fn the_chunk_size_changes_nothing_at_any_truncation_point() {
    for cut in cuts(DOCUMENTED) {
        for ending in ENDINGS {
            let of = |size| format!("{:?}", ending(Reply::ok(&DOCUMENTED[..cut]), refresh(), size));
            let whole = of(usize::MAX);
            for size in CHUNKS {
                assert_eq!(of(size), whole, "cut at {cut}, chunks of {size}");
            }
        }
    }
}

#[test]
fn a_longer_prefix_never_yields_less() {
    let bodies = [
        Json::camel_half().text(),
        Json::documented().set("access_token", "null").push("refresh_token", "\"\"").text(),
        Json::documented().push("access_token", "{}").push("error", "\"invalid_grant\"").text(),
        Json::documented().push_front("error", "\"invalid_grant\"").push("expires_in", "-1.5e3").text(),
        Json::snake_half().push("name", "\"Zoë 🦀\"").push("accessToken", "\"\\ud800\"").text(),
        Json::documented().without(&["refresh_token", "refreshToken"]).text(),
    ];
    for body in bodies {
        let mut best = 0;
        for cut in 0..=body.len() {
            let bytes = &body.as_bytes()[..cut];
            let got = match Reply::ok(bytes).then_fail(refresh()) {
                Ok(tokens) => {
                    assert_eq!(tokens.access_token().expose_secret(), ACCESS);
                    // A complete response without a refresh token keeps the one that was sent.
                    assert!([REFRESH, SENT_REFRESH].contains(&pair(&tokens).1.unwrap()));
                    2
                }
                Err(error) => usize::from(error.salvaged().is_some()),
            };
            assert!(got >= best, "{got} after {best} at {cut} of {body}");
            best = got;
        }
        assert_eq!(best, 2, "{body}");
    }
}

#[test]
fn a_token_truncated_within_an_escape_is_not_whole() {
    let access = r#"{"access_token":"a\u00e9\"""#;
    let refresh_token = r#","refresh_token":"r\\""#;
    let body = [access, refresh_token, "}"].concat();
    for cut in 0..=body.len() {
        let outcome = Reply::ok(&body[..cut]).then_fail(refresh());
        if cut >= access.len() + refresh_token.len() {
            assert_eq!(pair(&outcome.unwrap()), ("aé\"", Some("r\\")));
        } else {
            let error = outcome.unwrap_err();
            assert_eq!(error.salvaged().is_some(), cut >= access.len(), "{cut}");
        }
    }
}

#[test]
fn a_truncated_escape_is_not_a_syntax_error() {
    for escape in ["\\", "\\u", "\\u00e"] {
        let body = Json::documented().push("x", &format!("\"{escape}")).text();
        let cut = body.trim_end_matches(['\n', '}']);
        assert!(cut.ends_with(escape), "{cut}");
        let tokens = Reply::ok(cut).finish(refresh()).unwrap();
        assert_eq!(pair(&tokens), (ACCESS, Some(REFRESH)));
        assert_eq!(oddities(&tokens), [Oddity::Truncated], "{escape}");
    }
}

#[test]
fn a_number_at_the_truncation_point_does_not_count() {
    let body = r#"{"access_token":"a","refresh_token":"r","expires_in":1200,"refreshTokenExpiresIn":7200 }"#;
    for cut in body.find(r#","expires_in"#).unwrap()..=body.len() {
        let arrived = &body[..cut];
        for ending in ENDINGS {
            let tokens = ending(Reply::ok(arrived), refresh(), usize::MAX).unwrap();
            let lifetime = tokens.lifetime().as_secs();
            // Between the comma and the end of the next name, both results are right.
            assert!(lifetime == 1200 || !arrived.contains("1200,\"refreshTokenExpiresIn\""), "{arrived}");
            assert!(lifetime == 3600 || arrived.contains("1200,"), "{arrived}");
            assert_eq!(oddities(&tokens).contains(&Oddity::LifetimeAssumed), lifetime == 3600, "{arrived}");
            let refresh_lifetime = if arrived.contains("7200 }") { 7200 } else { 31_536_000 };
            assert_eq!(tokens.refresh_lifetime().as_secs(), refresh_lifetime, "{arrived}");
        }
    }
}

#[test]
fn a_content_length_that_is_too_small_changes_nothing() {
    for promised in ["0", "1", "100", "+5", "x", "", "99999999999999999999999"] {
        let tokens = Reply::ok(DOCUMENTED).header(CONTENT_LENGTH, promised).finish(refresh()).unwrap();
        assert_eq!(pair(&tokens), (ACCESS, Some(REFRESH)), "{promised}");
    }
}

#[test]
fn a_content_length_that_is_too_large_makes_the_response_truncated() {
    let reply = Reply::ok(DOCUMENTED).header(CONTENT_LENGTH, &(DOCUMENTED.len() + 1).to_string());
    assert_eq!(oddities(&reply.finish(refresh()).unwrap()), [Oddity::Truncated]);
    let exact = Reply::ok(DOCUMENTED).header(CONTENT_LENGTH, &DOCUMENTED.len().to_string());
    assert_eq!(oddities(&exact.finish(refresh()).unwrap()), []);
}

#[test]
fn informational_responses_are_skipped() {
    let (_, mut reader) = refresh().into_parts(sent_at());
    for status in [100, 102, 103] {
        let headers = HeaderMap::from_iter([(CONTENT_LENGTH, 7.into())]);
        assert!(reader.head(StatusCode::from_u16(status).unwrap(), &headers).is_continue());
    }
    let tokens = Reply::ok(DOCUMENTED).feed(reader, 100).finish().interpret().unwrap();
    assert_eq!(oddities(&tokens), []);
    // If two final heads arrive, the first one counts.
    let (_, mut reader) = refresh().into_parts(sent_at());
    assert!(reader.head(StatusCode::OK, &HeaderMap::new()).is_continue());
    assert!(Reply::of(400, DOCUMENTED).feed(reader, 100).finish().interpret().is_ok());
    // Informational responses alone are not a response.
    let (_, mut reader) = refresh().into_parts(sent_at());
    assert!(reader.head(StatusCode::CONTINUE, &HeaderMap::new()).is_continue());
    let error = reader.finish().interpret().unwrap_err();
    assert_eq!((error.status(), error.delivery()), (None, Delivery::Unknown));
}

#[test]
fn without_a_head_there_is_no_response() {
    for (call, advice) in [(refresh(), Advice::Replay), (exchange(), Advice::Reauthorize)] {
        let error = call.into_parts(sent_at()).1.finish().interpret().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Interrupted));
        assert_eq!((error.status(), error.delivery(), error.advice()), (None, Delivery::Unknown, advice));
    }
}

#[test]
fn an_answer_shows_what_arrived_and_whether_it_is_whole() {
    let answer = Reply::ok(DOCUMENTED).feed(refresh().into_parts(sent_at()).1, 9).finish();
    assert_eq!((answer.status(), answer.is_whole()), (Some(StatusCode::OK), true));
    assert_eq!(answer.expose_body(), DOCUMENTED.as_bytes());
    assert!(!format!("{answer:?}").contains(ACCESS));
    assert_eq!(pair(&answer.interpret().unwrap()), (ACCESS, Some(REFRESH)));

    let cut = &DOCUMENTED[..100];
    let reply = Reply::ok(cut);
    let broken =
        |stage| reply.feed(refresh().into_parts(sent_at()).1, 9).fail(stage, Failure::new(FailureKind::Timeout));
    let answer = broken(Stage::ReadingBody);
    assert_eq!((answer.expose_body(), answer.is_whole()), (cut.as_bytes(), false));
    let error = answer.interpret().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Timeout));

    let short = reply.header(CONTENT_LENGTH, "770").feed(refresh().into_parts(sent_at()).1, 9).finish();
    assert_eq!((short.expose_body(), short.is_whole()), (cut.as_bytes(), false));
    let answer = exchange().into_parts(sent_at()).1.finish();
    assert_eq!((answer.status(), answer.is_whole(), answer.expose_body().len()), (None, false, 0));
}
