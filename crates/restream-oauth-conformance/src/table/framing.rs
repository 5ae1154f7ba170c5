//! Framing: lengths, chunks, HTTP/1.0, and informational answers.

use http::StatusCode;
use restream_oauth_core::transport::FailureKind;

use crate::outcome::{Outcome, half_arrived, in_doubt};
use crate::scenario::{Case, Scenario};
use crate::stack::{CHROMIUM, MINREQ, NODE};

use super::breaks::BODY;
use super::why::{DROPPED, HIDDEN, NO_INFORMATIONAL};

pub(super) fn scenarios() -> Vec<Scenario> {
    let wrong_length = |by: i64| format!(r#"{{"what":"wrong_length","by":{by},"endpoint":"token"}}"#);
    // The first 100 bytes of the documented answer contain the access token and not the refresh token.
    let all_but_100 = i64::try_from(BODY.len()).map_or(0, |length| 100_i64.saturating_sub(length));
    let informational = |status: u16, times: u8| {
        format!(r#"{{"what":"informational","status":{status},"times_sent":{times},"endpoint":"token"}}"#)
    };
    let done = |name, fault: &str| Scenario::new(name).case(Case::new(fault, Outcome::Done));
    vec![
        done("Content-Length longer than the body", &wrong_length(50)).but(
            &[CHROMIUM],
            [Outcome::Done, in_doubt(FailureKind::Interrupted)],
            DROPPED,
        ),
        done("Content-Length a little shorter than the body", &wrong_length(-50)),
        Scenario::new("Content-Length so short that the refresh token is lost")
            .case(Case::new(wrong_length(all_but_100), half_arrived(FailureKind::Interrupted))),
        // A valid chunk with the first half of the answer comes first. It contains the pair.
        done("a chunk size that is not a number, after the pair", r#"{"what":"bad_chunk","endpoint":"token"}"#)
            .but(&[NODE], [Outcome::Done, in_doubt(FailureKind::Protocol)], DROPPED)
            .but(&[CHROMIUM], [Outcome::Done, in_doubt(FailureKind::Interrupted)], DROPPED),
        done("every byte in a chunk of its own", r#"{"what":"tiny_chunks","endpoint":"token"}"#),
        done("HTTP/1.0", r#"{"what":"http10","endpoint":"token"}"#),
        done("100 before the answer", &informational(100, 1))
            .but(&[NODE], [in_doubt(FailureKind::Interrupted)], "It fails on a 100 that it did not ask for.")
            .but(&[MINREQ], [in_doubt(FailureKind::Interrupted)], NO_INFORMATIONAL),
        done("102 before the answer", &informational(102, 1)).but(
            &[MINREQ],
            [in_doubt(FailureKind::Interrupted)],
            NO_INFORMATIONAL,
        ),
        done("103 three times before the answer", &informational(103, 3)).but(
            &[MINREQ],
            [in_doubt(FailureKind::Interrupted)],
            NO_INFORMATIONAL,
        ),
        Scenario::new("101 as the answer")
            .case(Case::new(
                r#"{"what":"switching_protocols","endpoint":"token"}"#,
                in_doubt(StatusCode::SWITCHING_PROTOCOLS),
            ))
            .but(&[NODE], [in_doubt(FailureKind::Interrupted)], "It fails on a 101 that it did not ask for.")
            .but(&[CHROMIUM], [in_doubt(FailureKind::Other)], HIDDEN),
    ]
}
