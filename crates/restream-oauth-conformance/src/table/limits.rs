//! Too much, or too slowly: memory is bounded by the reader, time by the stack.

use restream_oauth_core::{ErrorKind, FailureKind};

use crate::outcome::{Outcome, in_doubt};
use crate::scenario::{Case, Scenario};
use crate::stack::{CHROMIUM, CURL, HYPER, MINREQ, REQWEST, TCP};

use super::why::{HIDDEN, UNNAMED};

pub(super) fn scenarios() -> Vec<Scenario> {
    let too_large = || in_doubt(ErrorKind::TooLarge { limit: 256 * 1024 });
    let done = |name, fault: &str| Scenario::new(name).case(Case::new(fault, Outcome::Done));
    vec![
        Scenario::new("16 MiB of white space")
            .case(Case::new(r#"{"what":"oversize","bytes":16777216,"endpoint":"token"}"#, too_large())),
        done(
            "16 MiB of white space after the answer",
            r#"{"what":"oversize","bytes":16777216,"answer_first":true,"endpoint":"token"}"#,
        ),
        Scenario::new("white space without end")
            .case(Case::new(r#"{"what":"endless","endpoint":"token"}"#, too_large())),
        done(
            "white space without end after the answer",
            r#"{"what":"endless","answer_first":true,"endpoint":"token"}"#,
        ),
        Scenario::new("a head of 1 MiB")
            .case(Case::new(
                r#"{"what":"huge_header","bytes":1048576,"endpoint":"token"}"#,
                in_doubt(FailureKind::Protocol),
            ))
            .but(&[CHROMIUM], [in_doubt(FailureKind::Other)], HIDDEN)
            .but(&[REQWEST, MINREQ], [in_doubt(FailureKind::Other)], UNNAMED)
            .but(
                &[TCP, CURL],
                [in_doubt(FailureKind::Interrupted)],
                "It does not tell too long a head from a broken one.",
            ),
        done("an answer that drips, within the limit", r#"{"what":"drip","bytes":50,"ms":5,"endpoint":"token"}"#),
        Scenario::new("an answer that drips beyond the limit").short().case(Case::new(
            r#"{"what":"drip","bytes":1,"ms":100,"endpoint":"token"}"#,
            in_doubt(FailureKind::Timeout),
        )),
        Scenario::new("103 without end")
            .short()
            .case(Case::new(
                r#"{"what":"informational","status":103,"endless":true,"ms":20,"endpoint":"token"}"#,
                in_doubt(FailureKind::Timeout),
            ))
            .but(&[HYPER], [in_doubt(FailureKind::Protocol)], "It gives up after 16 informational answers."),
    ]
}
