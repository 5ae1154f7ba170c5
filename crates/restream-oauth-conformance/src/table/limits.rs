//! Answers that are too large or too slow. The reader limits memory, and the stack limits time.

use restream_oauth_core::error::ErrorKind;
use restream_oauth_core::transport::FailureKind;

use crate::outcome::{Outcome, in_doubt};
use crate::scenario::{Case, Scenario};
use crate::stack::{CHROMIUM, CURL, HYPER, MINREQ, REQWEST, TCP, UREQ};

use super::why::{HIDDEN, NO_INFORMATIONAL, TOO_LONG, UNNAMED};

pub(super) fn scenarios() -> Vec<Scenario> {
    let too_large = || in_doubt(ErrorKind::TooLarge { limit: 256 * 1024 });
    let endless_103 =
        |ms: u32| format!(r#"{{"what":"informational","status":103,"endless":true,"ms":{ms},"endpoint":"token"}}"#);
    let done = |name, fault: &str| Scenario::new(name).case(Case::new(fault, Outcome::Done));
    vec![
        Scenario::new("16 MiB of white space")
            .case(Case::new(r#"{"what":"oversize","bytes":16777216,"endpoint":"token"}"#, too_large())),
        done(
            "16 MiB of white space after the answer",
            r#"{"what":"oversize","bytes":16777216,"answer_first":true,"endpoint":"token"}"#,
        ),
        Scenario::new("endless white space").case(Case::new(r#"{"what":"endless","endpoint":"token"}"#, too_large())),
        done("endless white space after the answer", r#"{"what":"endless","answer_first":true,"endpoint":"token"}"#),
        Scenario::new("a head of 1 MiB")
            .case(Case::new(
                r#"{"what":"huge_header","bytes":1048576,"endpoint":"token"}"#,
                in_doubt(FailureKind::Protocol),
            ))
            .but(&[CHROMIUM], [in_doubt(FailureKind::Other)], HIDDEN)
            .but(&[REQWEST, MINREQ], [in_doubt(FailureKind::Other)], UNNAMED)
            .but(&[TCP, CURL], [in_doubt(FailureKind::Interrupted)], TOO_LONG),
        done("a slow answer within the time limit", r#"{"what":"drip","bytes":50,"ms":5,"endpoint":"token"}"#),
        Scenario::new("a slow answer beyond the time limit").short().case(Case::new(
            r#"{"what":"drip","bytes":1,"ms":100,"endpoint":"token"}"#,
            in_doubt(FailureKind::Timeout),
        )),
        Scenario::new("endless 103 answers, every 20 ms and every ms")
            .short()
            .cases([20, 1].map(|ms| Case::new(endless_103(ms), in_doubt(FailureKind::Timeout))))
            .but(&[HYPER], [in_doubt(FailureKind::Protocol)], "It gives up after 16 informational answers."),
        // The sandbox cannot write all of them within the time limit. An endless series would keep Chromium's network
        // process busy for ever, even after the call is over.
        Scenario::new("six million 103 answers without a pause")
            .short()
            .alone()
            .case(Case::new(
                r#"{"what":"informational","status":103,"times_sent":6000000,"endpoint":"token"}"#,
                in_doubt(FailureKind::Timeout),
            ))
            .but(&[HYPER], [in_doubt(FailureKind::Protocol)], "It gives up after 16 informational answers.")
            .but(&[UREQ], [in_doubt(FailureKind::Protocol)], "It takes all of them for one head, which is too long.")
            .but(&[MINREQ], [in_doubt(FailureKind::Interrupted)], NO_INFORMATIONAL)
            .but(&[TCP, CURL], [in_doubt(FailureKind::Interrupted)], TOO_LONG),
    ]
}
