//! Reaching the server: name, connection, TLS. If no byte of the body was sent, a stack that can prove it must report
//! it.

use http::StatusCode;
use restream_oauth_core::error::Malformed;
use restream_oauth_core::transport::FailureKind;

use crate::outcome::{Outcome, in_doubt, not_sent};
use crate::scenario::{Case, Certificate, Operation, Scenario, Server};
use crate::stack::{CHROMIUM, CURL, MINREQ, NODE, REQWEST, UREQ};

use super::why::{HIDDEN, KEEPS_CONNECTIONS, MADE_UP, NO_CLOSE_NOTIFY, NO_PROOF, UNNAMED};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = vec![
        Scenario::new("an exchange without a fault").of(Operation::Exchange).case(Case::faultless(Outcome::Done)),
        Scenario::new("a refresh without a fault").case(Case::faultless(Outcome::Done)),
        Scenario::new("a revocation without a fault").of(Operation::Revoke).case(Case::faultless(Outcome::Done)),
        Scenario::new("a profile call without a fault").of(Operation::Profile).case(Case::faultless(Outcome::Done)),
        Scenario::new("two refreshes: the server keeps the connection between them, or closes it")
            .of(Operation::RefreshTwice)
            .case(Case::faultless(Outcome::Done))
            .case(Case::new(r#"{"what":"wrong_length","by":0,"endpoint":"token"}"#, Outcome::Done))
            .but(&[CHROMIUM], [Outcome::Done], KEEPS_CONNECTIONS),
        Scenario::new("the name does not resolve")
            .against(Server::Nowhere)
            .case(Case::faultless(not_sent(FailureKind::Connect)).unseen())
            .but(&[REQWEST], [in_doubt(FailureKind::Other)], NO_PROOF)
            .but(&[CHROMIUM], [in_doubt(FailureKind::Other)], HIDDEN)
            .but(&[NODE, CURL], [in_doubt(FailureKind::Connect)], NO_PROOF),
        Scenario::new("the connection is refused")
            .against(Server::Nobody)
            .case(Case::faultless(not_sent(FailureKind::Connect)).unseen())
            .but(&[CHROMIUM], [in_doubt(FailureKind::Other)], HIDDEN)
            .but(&[NODE, REQWEST, MINREQ, CURL], [in_doubt(FailureKind::Connect)], NO_PROOF),
        Scenario::new("the connection is closed right after it was accepted")
            .case(
                // Timing decides whether the stack has begun to send the request, and how the connection ends.
                Case::new(r#"{"what":"drop","point":"accept"}"#, in_doubt(FailureKind::Interrupted))
                    .or(not_sent(FailureKind::Interrupted))
                    .or(not_sent(FailureKind::Connect))
                    .unseen(),
            )
            .but(&[CHROMIUM], [in_doubt(FailureKind::Other)], HIDDEN)
            .but(&[REQWEST], [in_doubt(FailureKind::Other), in_doubt(FailureKind::Interrupted)], UNNAMED)
            .but(&[MINREQ], [in_doubt(StatusCode::SERVICE_UNAVAILABLE), in_doubt(FailureKind::Interrupted)], MADE_UP),
        Scenario::new("the connection is reset while the request is being sent")
            .case(
                Case::new(
                    r#"{"what":"drop","point":"handshake","ending":"reset"}"#,
                    in_doubt(FailureKind::Interrupted),
                )
                .unseen(),
            )
            .but(&[CHROMIUM], [in_doubt(FailureKind::Other)], HIDDEN),
        Scenario::new("the server accepts the connection and reads nothing")
            .short()
            .case(Case::new(r#"{"what":"hang","point":"accept"}"#, in_doubt(FailureKind::Timeout)).unseen()),
    ];
    scenarios.extend(tls());
    scenarios
}

fn tls() -> Vec<Scenario> {
    let good = Server::Https(Certificate::Good);
    let wrong = |name, certificate| {
        Scenario::new(name)
            .against(Server::Https(certificate))
            .case(Case::faultless(not_sent(FailureKind::Tls)).unseen())
            .but(&[REQWEST], [in_doubt(FailureKind::Other)], NO_PROOF)
            .but(&[CHROMIUM], [in_doubt(FailureKind::Other)], HIDDEN)
            .but(&[NODE, CURL], [in_doubt(FailureKind::Tls)], NO_PROOF)
    };
    vec![
        Scenario::new("TLS without a fault").against(good).case(Case::faultless(Outcome::Done)),
        wrong("TLS: the certificate is self-signed", Certificate::SelfSigned),
        wrong("TLS: the certificate has expired", Certificate::Expired),
        wrong("TLS: the certificate is for another name", Certificate::WrongHost),
        Scenario::new("TLS: the handshake is reset")
            .against(good)
            .case(
                Case::new(r#"{"what":"drop","point":"handshake","ending":"reset"}"#, not_sent(FailureKind::Connect))
                    .unseen(),
            )
            .but(&[NODE], [in_doubt(FailureKind::Interrupted)], NO_PROOF)
            .but(&[CHROMIUM], [Outcome::Done], "It repeats the handshake by itself; no request had been sent.")
            .which_acts()
            .but(&[REQWEST], [in_doubt(FailureKind::Other), in_doubt(FailureKind::Interrupted)], NO_PROOF)
            .but(&[CURL], [in_doubt(FailureKind::Tls)], NO_PROOF),
        Scenario::new("TLS: the handshake hangs")
            .against(good)
            .short()
            .case(Case::new(r#"{"what":"hang","point":"handshake"}"#, not_sent(FailureKind::Timeout)).unseen())
            .but(&[NODE, CHROMIUM, REQWEST, CURL], [in_doubt(FailureKind::Timeout)], NO_PROOF),
        Scenario::new("TLS: the answer is lost")
            .against(good)
            .case(Case::new(
                r#"{"what":"drop","point":"before_head","endpoint":"token"}"#,
                in_doubt(FailureKind::Interrupted),
            ))
            .but(&[CHROMIUM], [in_doubt(FailureKind::Other)], HIDDEN),
        Scenario::new("TLS: the connection ends without a body and without a close_notify")
            .against(good)
            .case(Case::new(
                r#"{"what":"truncate","after":0,"framing":"until_close","endpoint":"token"}"#,
                in_doubt(FailureKind::Interrupted),
            ))
            .but(&[UREQ, NODE, CHROMIUM], [in_doubt(Malformed::Empty)], NO_CLOSE_NOTIFY)
            .but(
                &[CURL],
                [in_doubt(Malformed::Empty), in_doubt(FailureKind::Interrupted)],
                "Whether it requires a close_notify depends on its version and its TLS library.",
            ),
    ]
}
