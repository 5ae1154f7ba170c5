//! Failures of the HTTP stack: the stage decides whether anything was sent, and the cause is kept.

use std::error::Error as _;
use std::fmt;
use std::io;

use crate::support::{
    ACCESS, DOCUMENTED, Ending, Got, REFRESH, Reply, STEPS, exchange, oddities, outcome, pair, refresh, sent_at,
};
use restream_oauth_core::error::{ErrorKind, Operation};
use restream_oauth_core::token::Oddity;
use restream_oauth_core::transport::{Failure, FailureKind, Stage};
use restream_oauth_core::{Advice, Delivery};

const RETRY: Advice = Advice::Retry { after: None };
const KINDS: [FailureKind; 6] = [
    FailureKind::Connect,
    FailureKind::Tls,
    FailureKind::Timeout,
    FailureKind::Interrupted,
    FailureKind::Protocol,
    FailureKind::Other,
];

/// In doubt, for exchange, refresh, revocation and profile call.
const IN_DOUBT: [Advice; 4] = [Advice::Reauthorize, Advice::Replay, RETRY, RETRY];

#[test]
fn nothing_was_sent_only_if_the_stack_had_not_asked_for_the_body() {
    for kind in KINDS {
        for step in STEPS {
            let error = outcome(step, None, Ending::Failed(Stage::BeforeBody, kind)).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Transport(kind));
            // A stack never asks for the body of a call without one, so there the stage proves nothing.
            let expected = if step == Operation::Profile { Delivery::Unknown } else { Delivery::NotSent };
            assert_eq!((error.delivery(), error.advice()), (expected, RETRY), "{step} {kind}");
            assert_eq!((error.operation(), error.status(), error.salvaged()), (step, None, None));
        }
    }
}

#[test]
fn from_the_first_byte_of_the_body_on_everything_is_in_doubt_whatever_the_error_is_called() {
    for kind in KINDS {
        for stage in [Stage::AwaitingHead, Stage::ReadingBody] {
            for (step, advice) in STEPS.into_iter().zip(IN_DOUBT) {
                let error = outcome(step, None, Ending::Failed(stage, kind)).unwrap_err();
                assert_eq!(error.kind(), &ErrorKind::Transport(kind));
                assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, advice), "{step} {kind} {stage:?}");
            }
        }
    }
}

/// The profile call only reads, so its message does not frighten with what the server may have done.
#[test]
fn the_message_says_that_the_server_may_have_acted_only_if_there_is_something_to_do() {
    for kind in KINDS {
        for step in STEPS {
            let error = outcome(step, None, Ending::Failed(Stage::AwaitingHead, kind)).unwrap_err();
            assert_eq!(error.to_string().contains("may have acted"), step != Operation::Profile, "{error}");
        }
    }
}

#[test]
fn a_body_truncated_after_a_success_status_is_in_doubt() {
    for kind in KINDS {
        for (step, advice) in STEPS.into_iter().zip(IN_DOUBT) {
            for body in ["", "{", "{\"acc", "<html>"] {
                let failed = Ending::Failed(Stage::ReadingBody, kind);
                let error = outcome(step, Some(&Reply::ok(body)), failed).unwrap_err();
                assert_eq!(error.kind(), &ErrorKind::Transport(kind), "{step} {body}");
                assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, advice), "{step} {body}");
            }
        }
    }
}

/// toolhive #6559.
#[test]
fn a_failure_after_the_whole_response_does_not_lose_it() {
    // For example, a TLS connection that ends without a closing message.
    for call in [exchange(), refresh()] {
        let tokens = Reply::ok(DOCUMENTED).then_fail(call).unwrap();
        assert_eq!(pair(&tokens), (ACCESS, Some(REFRESH)));
        assert_eq!(oddities(&tokens), [Oddity::Truncated]);
    }
    let profile = Reply::ok(r#"{"id":7,"username":"u","email":"e@x"}"#);
    let failed = Ending::Failed(Stage::ReadingBody, FailureKind::Interrupted);
    assert!(
        matches!(outcome(Operation::Profile, Some(&profile), failed), Ok(Got::Profile(profile)) if profile.id() == "7")
    );
}

#[test]
fn the_cause_is_kept_and_only_its_kind_is_printed() {
    let failure = || Failure::from(io::Error::new(io::ErrorKind::TimedOut, "the cause"));
    for stage in [Stage::BeforeBody, Stage::AwaitingHead, Stage::ReadingBody] {
        let error = refresh().into_parts(sent_at()).1.fail(stage, failure()).interpret().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Timeout));
        let cause = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!((cause.kind(), cause.to_string().as_str()), (io::ErrorKind::TimedOut, "the cause"));
        // Each error of a chain prints only itself, so that a report does not repeat text.
        assert!(!error.to_string().contains("the cause"), "{error}");
    }
    // Also if the status or the limit decides.
    for reply in [Reply::of(500, "x"), Reply::of(400, "x"), Reply::of(302, ""), Reply::ok("{\"a")] {
        let reader = reply.feed(refresh().into_parts(sent_at()).1, 1);
        let error = reader.fail(Stage::ReadingBody, failure()).interpret().unwrap_err();
        assert!(error.source().is_some_and(<dyn std::error::Error>::is::<io::Error>), "{error}");
    }
    assert!(refresh().into_parts(sent_at()).1.finish().interpret().unwrap_err().source().is_none());
}

/// An error of some HTTP stack, with a source.
#[derive(Debug)]
struct Around(Option<Box<dyn std::error::Error + Send + Sync>>);

impl fmt::Display for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stack failed")
    }
}

impl std::error::Error for Around {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_deref().map(|source| source as _)
    }
}

#[test]
fn the_kind_of_a_failure_is_found_in_the_chain_of_its_causes() {
    use io::ErrorKind;
    let cases = [
        (ErrorKind::ConnectionRefused, FailureKind::Connect),
        (ErrorKind::HostUnreachable, FailureKind::Connect),
        (ErrorKind::TimedOut, FailureKind::Timeout),
        (ErrorKind::ConnectionReset, FailureKind::Interrupted),
        (ErrorKind::ConnectionAborted, FailureKind::Interrupted),
        (ErrorKind::BrokenPipe, FailureKind::Interrupted),
        (ErrorKind::UnexpectedEof, FailureKind::Interrupted),
        (ErrorKind::OutOfMemory, FailureKind::Other),
    ];
    for (io, kind) in cases {
        assert_eq!(Failure::from(io::Error::from(io)).kind(), kind, "{io}");
        let around = Around(Some(Box::new(Around(Some(Box::new(io::Error::from(io)))))));
        assert_eq!(Failure::from(around).kind(), kind, "{io}");
    }
    assert_eq!(Failure::from(Around(None)).kind(), FailureKind::Other);
    assert_eq!(Failure::new(FailureKind::Tls).with_source("bad certificate").kind(), FailureKind::Tls);
}

#[test]
fn an_io_error_alone_never_proves_that_nothing_was_sent() {
    // A refused connection looks like a proof, but only the stage is a proof.
    let failure = Failure::from(io::Error::from(io::ErrorKind::ConnectionRefused));
    let error = refresh().into_parts(sent_at()).1.fail(Stage::AwaitingHead, failure).interpret().unwrap_err();
    assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay));
}
