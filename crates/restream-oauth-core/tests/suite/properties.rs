//! Properties of every response, whatever the server and the HTTP stack do.

use std::time::{Duration, SystemTime};

use crate::cases::config;
use crate::support::{
    CODE, DOCUMENTED, Ending, Got, Reply, SECRET, SENT_ACCESS, SENT_REFRESH, VERIFIER, outcome, outcome_at_once,
    outcome_in_pieces, outcome_of_saved, pair, refresh,
};
use http::StatusCode;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use restream_oauth_core::error::{ErrorKind, Operation, Salvaged};
use restream_oauth_core::generators::{self, TokenAnswer, pieces, token_answer};
use restream_oauth_core::transport::{FailureKind, Stage};
use restream_oauth_core::{Delivery, Error, Tokens};

fn a_failure() -> impl Strategy<Value = Ending> {
    select(vec![Stage::BeforeBody, Stage::AwaitingHead, Stage::ReadingBody])
        .prop_map(|stage| Ending::Failed(stage, FailureKind::Other))
}

fn nanoseconds(time: SystemTime) -> i128 {
    let signed = |duration: Duration| i128::try_from(duration.as_nanos()).unwrap();
    time.duration_since(SystemTime::UNIX_EPOCH).map_or_else(|earlier| -signed(earlier.duration()), signed)
}

/// True if a text shows a token, in plain text or as `Debug` escapes it. Short tokens do not count, because any text
/// may contain them.
fn shows(printed: &str, token: &str) -> bool {
    let escaped = format!("{token:?}");
    token.chars().count() > 5 && (printed.contains(token) || printed.contains(escaped.trim_matches('"')))
}

/// A complete description of an outcome, including its tokens.
fn told(outcome: &Result<Got, Error>) -> String {
    let tokens = match outcome {
        Ok(Got::Tokens(tokens)) => Some(pair(tokens)),
        _ => None,
    };
    format!("{outcome:?} {tokens:?}")
}

/// A step, and a secret in its request.
fn step_and_secret() -> impl Strategy<Value = (Operation, &'static str)> {
    select(vec![
        (Operation::Exchange, SECRET),
        (Operation::Exchange, CODE),
        (Operation::Exchange, VERIFIER),
        (Operation::Refresh, SECRET),
        (Operation::Refresh, SENT_REFRESH),
        (Operation::Revoke, SENT_ACCESS),
        (Operation::Profile, SENT_ACCESS),
    ])
}

/// True if HTTP and RFC 6749 §5 allow this outcome after this status, whatever followed it.
fn is_possible_after(status: StatusCode, step: Operation, outcome: &Result<Got, Error>) -> bool {
    let error = match outcome {
        // RFC 7009 §2.2: 200. A 204 means the same without a body.
        Ok(_) if step == Operation::Revoke => return [200, 204].contains(&status.as_u16()),
        Ok(_) => return status.is_success(),
        Err(error) => error,
    };
    let kind_fits = match error.kind() {
        ErrorKind::Redirected(to) => status.is_redirection() && *to == status,
        // A success response may hold an error with its own status.
        ErrorKind::Status(other) if status.is_success() => !other.is_success() || step == Operation::Revoke,
        ErrorKind::Status(other) => *other == status && !status.is_redirection(),
        ErrorKind::Malformed(_) => status.is_success(),
        _ => !status.is_redirection(),
    };
    let delivery_fits = match error.delivery() {
        // A response arrived, so the request was sent.
        Delivery::NotSent => false,
        // A 5xx status does not mean that the server did not act, not even 503 with `Retry-After` (RFC 9110 §10.2.3).
        Delivery::Refused => !status.is_server_error() && status != StatusCode::SEE_OTHER,
        Delivery::Completed => status.is_success(),
        _ => !status.is_redirection() || status == StatusCode::SEE_OTHER,
    };
    kind_fits && delivery_fits
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_success_that_holds_two_tokens_keeps_both_whatever_else_it_holds(
        answer in token_answer(),
        status in 200..300_u16,
        cut in any::<Index>(),
        tail in prop_oneof![Just(Vec::new()), vec(any::<u8>(), 0..20)],
        broken in any::<bool>(),
    ) {
        // Whole, or truncated or broken anywhere after both tokens.
        let TokenAnswer { access_token, refresh_token, body, closed, .. } = answer;
        let end = closed + cut.index(body.len() - closed + 1);
        let mut bytes = body.as_bytes()[..end].to_owned();
        bytes.extend(tail.iter().map(|byte| byte & 0x7F).filter(|byte| !b"\"\\".contains(byte)));
        let reply = Reply::of(status, &bytes);
        let outcome = if broken { reply.then_fail(refresh()) } else { reply.finish(refresh()) };
        let tokens = outcome.map_err(|error| TestCaseError::fail(format!("{error}")))?;
        prop_assert_eq!(pair(&tokens), (access_token.as_str(), Some(refresh_token.as_str())));
        let printed = format!("{tokens:?}");
        prop_assert!(!shows(&printed, &access_token) && !shows(&printed, &refresh_token), "{}", printed);
        // The saved form reads back to an equal value.
        let loaded = Tokens::from_saved(tokens.to_saved().expose_secret());
        prop_assert_eq!(loaded.as_ref(), Ok(&tokens));
        prop_assert!(tokens.lifetime() >= Duration::from_secs(1));
        prop_assert!(tokens.expires_at() > tokens.sent_at() && tokens.refresh_expires_at() > tokens.sent_at());
    }

    #[test]
    fn a_longer_prefix_never_yields_less(
        answer in token_answer(),
        cuts in any::<[Index; 2]>(),
        broken in any::<bool>(),
    ) {
        let TokenAnswer { access_token, refresh_token, body, closed, .. } = answer;
        let mut cuts = cuts.map(|cut| cut.index(body.len() + 1));
        cuts.sort_unstable();
        let yields = cuts.map(|cut| {
            let reply = Reply::ok(&body.as_bytes()[..cut]);
            match if broken { reply.then_fail(refresh()) } else { reply.finish(refresh()) } {
                Ok(tokens) => {
                    assert_eq!(pair(&tokens), (access_token.as_str(), Some(refresh_token.as_str())));
                    2
                }
                Err(error) => {
                    assert!(cut < closed, "{error}");
                    let printed = format!("{error} {error:?}");
                    assert!(!shows(&printed, &access_token) && !shows(&printed, &refresh_token), "{printed}");
                    match error.salvaged() {
                        Some(Salvaged::AccessToken(token)) => assert_eq!(token.expose_secret(), access_token),
                        Some(Salvaged::RefreshToken(token)) => assert_eq!(token.expose_secret(), refresh_token),
                        other => assert_eq!(other, None),
                    }
                    u8::from(error.salvaged().is_some())
                }
            }
        });
        prop_assert!(yields[0] <= yields[1], "{:?} at {:?}", yields, cuts);
    }

    /// OAuth 2.1 draft §7.12.
    #[test]
    fn every_response_has_one_outcome_that_no_split_into_chunks_changes_and_that_prints_no_secret(
        ((step, secret), body) in step_and_secret().prop_flat_map(|(step, secret)| {
            let body = prop_oneof![4 => generators::body(secret), 1 => Just(DOCUMENTED.as_bytes().to_owned())];
            (Just((step, secret)), body)
        }),
        status in prop_oneof![100..600_u16, Just(200), Just(400)],
        headers in generators::headers(),
        cut in any::<Index>(),
        failed in option::of(a_failure()),
        ways in vec(pieces(), 1..4),
    ) {
        let end = cut.index(body.len() + 1);
        let status = StatusCode::from_u16(status).unwrap();
        let whole = Reply { status, headers, body: body[..end].to_owned() };
        let ending = failed.unwrap_or(Ending::Finish);
        let first = outcome(step, Some(&whole), ending);
        prop_assert!(!format!("{first:?}").contains("c4nary"), "{}: {:?}", secret, first);
        prop_assert!(status.is_informational() || is_possible_after(status, step, &first), "{}: {:?}", status, first);
        if let Ending::Finish = ending {
            prop_assert_eq!(told(&outcome_at_once(step, &whole)), told(&first));
        }
        prop_assert_eq!(told(&outcome_of_saved(step, Some(&whole), ending)), told(&first));
        for pieces in ways {
            let again = outcome_in_pieces(step, Some(&whole), ending, &pieces);
            prop_assert_eq!(told(&again), told(&first), "{:?}", pieces);
        }
    }

    /// RUSTSEC-2017-0005.
    #[test]
    fn lifetimes_have_a_result_for_every_input(
        raw in prop_oneof![any::<i128>(), -10..10_i128, 315_359_990..316_224_010_i128, any::<u64>().prop_map(i128::from)],
        sent_at in generators::time(),
        now in generators::time(),
        near in option::of(0..8000_u64),
        margin in prop_oneof![Just(Duration::ZERO), any::<Duration>(), (0..10_000_u64).prop_map(Duration::from_secs)],
    ) {
        let now = near.and_then(|seconds| sent_at.checked_add(Duration::from_secs(seconds))).unwrap_or(now);
        let body = format!(r#"{{"access_token":"a","refresh_token":"r","expires_in":{raw},"refreshTokenExpiresIn":{raw}}}"#);
        let tokens = Reply::ok(body).feed(refresh().into_parts(sent_at).1, 1000).finish().interpret().unwrap();
        let years = |days: i128| 10 * days * 86_400;
        let expected = |otherwise: u64| match raw {
            _ if (1..=years(365)).contains(&raw) => Some(u64::try_from(raw).unwrap()),
            _ if raw < 1 || raw > years(366) => Some(otherwise),
            // The length of ten years depends on the leap days, so both results are right.
            _ => None,
        };
        prop_assert!(expected(3600).is_none_or(|seconds| tokens.lifetime().as_secs() == seconds));
        prop_assert!(expected(31_536_000).is_none_or(|seconds| tokens.refresh_lifetime().as_secs() == seconds));
        let expires_at = sent_at.checked_add(tokens.lifetime()).unwrap_or(sent_at);
        prop_assert_eq!(tokens.expires_at(), expires_at);
        let lived = nanoseconds(now) + i128::try_from(margin.as_nanos()).unwrap();
        let from_the_future = nanoseconds(sent_at) > nanoseconds(now) + 60_000_000_000;
        prop_assert_eq!(tokens.is_fresh(now, margin), lived <= nanoseconds(expires_at) && !from_the_future);
        let loaded = Tokens::from_saved(tokens.to_saved().expose_secret());
        prop_assert_eq!(loaded.as_ref(), Ok(&tokens));
    }
}
