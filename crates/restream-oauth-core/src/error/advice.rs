//! The retry rules: whether the server may have acted on a failed request, and what to do next.
//!
//! The two lists [`DELIVERY`] and [`ADVICE`] are the rules. Each is read from top to bottom, and the first row that
//! matches decides. `RETRY_RULES.md` shows both lists, and is part of the documentation of [`Advice`].

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;

use super::code::ErrorCode;
use super::kind::{ErrorKind, Operation, Salvaged};
use super::report::Report;

/// Whether the server acted on a failed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// No byte of the request body was sent: the HTTP stack has proof.
    NotSent,
    /// The server may have acted on the request.
    Unknown,
    /// The response shows that the server did not act on the request.
    Refused,
    /// The server acted, but only one of the two tokens arrived: [`Error::salvaged`](crate::Error::salvaged).
    Completed,
}

impl Delivery {
    /// False if the server may have acted on a call that only reads: that changes nothing.
    pub(super) fn is_worth_saying(self, operation: Operation) -> bool {
        self != Self::Unknown || operation != Operation::Profile
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "nothing was sent",
            Self::Unknown => "the server may have acted on it",
            Self::Refused => "the server did not act on it",
            Self::Completed => "the server acted on it, but not all of its answer arrived",
        })
    }
}

/// What to do next after a failure.
///
#[doc = include_str!("../../RETRY_RULES.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// Build the call again and send it: either nothing has happened yet, or a repetition does no harm. Wait longer
    /// before each retry.
    Retry {
        /// How long the server asked to wait: at most an hour.
        after: Option<Duration>,
    },
    /// A refresh is in doubt: the server may have spent the refresh token. Send the same refresh token once more, soon
    /// and from one place only, and keep it until a new pair is stored. If the token is spent, the response is
    /// `invalid_grant`. [`Error::retry_after`](crate::Error::retry_after) says whether the server asked to wait.
    Replay,
    /// Get a new access token with the refresh token, because the API refused the access token. If
    /// [`Error::salvaged`](crate::Error::salvaged) holds a refresh token, use that one: it is the newest of its grant.
    Refresh,
    /// Send the user through the login again: the grant is dead or lacks a scope, or a code exchange is in doubt, so
    /// that its code may be used up.
    Reauthorize,
    /// A retry cannot help: check client identifier, secret, redirect URI, scopes and URLs.
    FixConfiguration,
    /// A retry cannot help: the user or the server refused for good.
    /// [`Error::server_message`](crate::Error::server_message) may say why.
    Abort,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { after: None } => f.write_str("try again"),
            Self::Retry { after: Some(after) } => write!(f, "try again after {} s", after.as_secs()),
            Self::Replay => f.write_str("keep the refresh token and send it once more, soon and from one place only"),
            Self::Refresh => f.write_str("refresh the access token"),
            Self::Reauthorize => f.write_str("log in again"),
            Self::FixConfiguration => f.write_str("check client identifier, secret, redirect URI, scopes and URLs"),
            Self::Abort => f.write_str("trying again will not help"),
        }
    }
}

type Statuses = &'static [RangeInclusive<u16>];

const ANY_STATUS: Statuses = &[0..=u16::MAX];
const TOO_EARLY: Statuses = &[425..=425, 429..=429];
const REDIRECTS: Statuses = &[300..=399];

/// What an error response says, apart from its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// Any content.
    Anything,
    /// One of these error codes.
    Code(&'static [ErrorCode]),
    /// A known error code (RFC 6749, 6750 or 7009) that is the server's verdict on the request: all except
    /// `server_error` and `temporarily_unavailable`.
    Verdict,
    /// A text that means that the grant is dead, without an error code that contradicts it; see
    /// [`dead_grant`](super::dead_grant).
    DeadGrant,
    /// No error code, and the response is truncated.
    Truncated,
}

/// A row of [`DELIVERY`]: the delivery of an error response that has one of the `statuses` and matches `says`.
struct DeliveryRule {
    statuses: Statuses,
    says: Says,
    delivery: Delivery,
    #[cfg(test)]
    because: &'static str,
}

/// Maps status and error code of an error response to its delivery. A failure of the HTTP stack, and a success response
/// that lacks the result, are `Unknown` unless something proves otherwise; see [`delivery`].
#[rustfmt::skip]
const DELIVERY: &[DeliveryRule] = {
    use Delivery::{Refused, Unknown};
    use Says::{Anything, Code, DeadGrant, Verdict};
    const fn row(
        statuses: Statuses,
        says: Says,
        delivery: Delivery,
        #[cfg_attr(not(test), expect(unused_variables, reason = "for RETRY_RULES.md"))] because: &'static str,
    ) -> DeliveryRule {
        DeliveryRule { statuses, says, delivery, #[cfg(test)] because }
    }
    &[
        row(TOO_EARLY, Anything, Refused,
            "429 and 425 mean that nothing happened, whatever error code the body carries"),
        row(ANY_STATUS, Code(&[ErrorCode::ServerError]), Unknown,
            "a server library whose responses look like Restream's sends it even after it revoked the old pair"),
        row(&[200..=299, 400..=499], Verdict, Refused, "the authorization server itself refused"),
        row(DEAD_GRANT_STATUSES, DeadGrant, Refused, "the authorization server itself refused, in its own words"),
        row(&[408..=408, 499..=499], Anything, Unknown,
            "server frameworks send them when a handler was too slow or was cancelled while it ran"),
        row(&[400..=499], Anything, Refused, "the request was refused before anything was done"),
        row(&[303..=303], Anything, Unknown, "servers send it after the POST was done (RFC 9110 §15.4.4)"),
        row(REDIRECTS, Anything, Refused, "the request belongs elsewhere; no redirect is followed"),
        row(ANY_STATUS, Anything, Unknown,
            "a gateway may send it after the server acted, even 503 with `Retry-After` (RFC 9110 §10.2.3)"),
    ]
};

/// The statuses with which a text alone can mean that the grant is dead. Statuses that mean "not now" or "cancelled"
/// are left out: 408, 409, 421, 425, 429 and 499.
const DEAD_GRANT_STATUSES: Statuses = &[200..=299, 400..=407, 410..=420, 422..=424, 426..=428, 430..=498];

/// A row of [`ADVICE`]: the advice for a failure with one of the `deliveries` in one of the `operations`. An error
/// response must also have one of the `statuses` and match `says`.
struct AdviceRule {
    deliveries: &'static [Delivery],
    operations: &'static [Operation],
    statuses: Statuses,
    says: Says,
    advice: Advice,
    #[cfg(test)]
    because: &'static str,
}

const RETRY: Advice = Advice::Retry { after: None };
const IN_DOUBT: &[Delivery] = &[Delivery::Unknown, Delivery::Completed];
const REFUSED: &[Delivery] = &[Delivery::Refused];

/// Maps delivery and operation to an advice; for an error response, also by status and error code.
///
/// `Retry` takes over the time that the server asked to wait. If a refresh token arrived without its access token, the
/// advice is always `Refresh`.
#[rustfmt::skip]
const ADVICE: &[AdviceRule] = {
    use Advice::{Abort, FixConfiguration, Reauthorize, Refresh, Replay};
    use ErrorCode as Oauth;
    use Operation::{Exchange, Profile, Revoke};
    use Says::{Anything, Code, DeadGrant, Truncated, Verdict};
    const fn row(
        deliveries: &'static [Delivery],
        operations: &'static [Operation],
        statuses: Statuses,
        says: Says,
        advice: Advice,
        #[cfg_attr(not(test), expect(unused_variables, reason = "for RETRY_RULES.md"))] because: &'static str,
    ) -> AdviceRule {
        AdviceRule { deliveries, operations, statuses, says, advice, #[cfg(test)] because }
    }
    const ALL: &[Operation] = &[Exchange, Operation::Refresh, Revoke, Profile];
    const TOKEN: &[Operation] = &[Exchange, Operation::Refresh];
    const HARMLESS: &[Operation] = &[Revoke, Profile];
    &[
        row(&[Delivery::NotSent], ALL, ANY_STATUS, Anything, RETRY, "nothing has happened yet"),
        row(IN_DOUBT, &[Exchange], ANY_STATUS, Anything, Reauthorize, "a code works once (RFC 6749 §4.1.2)"),
        row(IN_DOUBT, &[Operation::Refresh], ANY_STATUS, Anything, Replay,
            "the old refresh token may still be the only one of its grant"),
        row(IN_DOUBT, HARMLESS, REDIRECTS, Anything, FixConfiguration, "the server would redirect the same URL again"),
        row(IN_DOUBT, HARMLESS, ANY_STATUS, Anything, RETRY, "a repetition does no harm"),
        row(REFUSED, ALL, TOO_EARLY, Anything, RETRY,
            "429 and 425 mean that nothing happened, whatever error code the body carries"),
        row(REFUSED, ALL, REDIRECTS, Anything, FixConfiguration, "the URL is wrong"),
        row(REFUSED, &[Profile], ANY_STATUS, Code(&[Oauth::InvalidToken]), Refresh,
            "the access token is expired or revoked"),
        row(REFUSED, ALL, ANY_STATUS, Code(&[Oauth::InvalidGrant, Oauth::InvalidToken, Oauth::InsufficientScope]),
            Reauthorize, "the grant is dead, or lacks a scope"),
        row(REFUSED, TOKEN, DEAD_GRANT_STATUSES, DeadGrant, Reauthorize,
            "the grant is dead, in the server's own words"),
        row(REFUSED, ALL, ANY_STATUS, Code(&[Oauth::AccessDenied]), Abort, "the user or the server denied it"),
        row(REFUSED, ALL, ANY_STATUS, Code(&[Oauth::TemporarilyUnavailable]), RETRY, "the server asks for it"),
        row(REFUSED, ALL, ANY_STATUS, Verdict, FixConfiguration,
            "the server does not accept such a request from this client"),
        row(REFUSED, &[Profile], &[401..=401], Anything, Refresh, "the access token is expired or revoked"),
        row(REFUSED, &[Profile], &[403..=403], Anything, Abort, "the access token is valid but lacks a scope"),
        row(REFUSED, ALL, ANY_STATUS, Truncated, RETRY, "the server's reason did not arrive"),
        row(REFUSED, ALL, &[401..=401, 404..=405, 410..=410, 415..=415], Anything, FixConfiguration,
            "the credentials or the URL are wrong"),
        row(REFUSED, ALL, &[403..=403, 409..=409, 421..=421], Anything, RETRY,
            "a firewall blocked the request, or the server could not accept it at that moment"),
        row(REFUSED, ALL, ANY_STATUS, Anything, Abort, "the server understood the request and refused it for good"),
    ]
};

impl Says {
    fn matches(self, report: &Report) -> bool {
        let code = match &report.kind {
            ErrorKind::Refused(code) => Some(code),
            _ => None,
        };
        match self {
            Self::Anything => true,
            Self::Code(codes) => code.is_some_and(|code| codes.contains(code)),
            Self::Verdict => code.is_some_and(|code| {
                code.is_known() && !matches!(code, ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable)
            }),
            Self::DeadGrant => report.dead_grant,
            Self::Truncated => report.truncated && code.is_none(),
        }
    }
}

impl DeliveryRule {
    fn matches(&self, report: &Report) -> bool {
        include(self.statuses, report.judged_by) && self.says.matches(report)
    }
}

impl AdviceRule {
    fn matches(&self, report: &Report, delivery: Delivery) -> bool {
        self.deliveries.contains(&delivery)
            && self.operations.contains(&report.operation)
            && include(self.statuses, report.judged_by)
            && self.says.matches(report)
    }
}

/// A failure without a status matches only a row for every status.
fn include(statuses: Statuses, status: Option<StatusCode>) -> bool {
    let status = status.map_or(0, |status| status.as_u16());
    statuses.iter().any(|range| range.contains(&status))
}

/// `Unknown`, unless the report proves another delivery.
pub(super) fn delivery(report: &Report) -> Delivery {
    if report.salvaged.is_some() {
        return Delivery::Completed;
    }
    match &report.kind {
        ErrorKind::Transport(_) if report.not_sent => Delivery::NotSent,
        ErrorKind::Transport(_) | ErrorKind::Malformed(_) | ErrorKind::TooLarge { .. } => Delivery::Unknown,
        ErrorKind::Refused(_) | ErrorKind::Status(_) | ErrorKind::Redirected(_) => {
            DELIVERY.iter().find(|rule| rule.matches(report)).map_or(Delivery::Unknown, |rule| rule.delivery)
        }
    }
}

pub(super) fn advice(report: &Report, delivery: Delivery) -> Advice {
    if matches!(report.salvaged, Some(Salvaged::RefreshToken(_))) {
        return Advice::Refresh;
    }
    let rule = ADVICE.iter().find(|rule| rule.matches(report, delivery));
    match rule.map_or(Advice::Abort, |rule| rule.advice) {
        Advice::Retry { .. } => Advice::Retry { after: report.retry_after },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::failure::FailureKind;
    use super::*;

    fn statuses(statuses: Statuses) -> String {
        if statuses == ANY_STATUS {
            return "any".to_owned();
        }
        let shown = statuses.iter().map(|range| match (range.start(), range.end()) {
            (start, end) if start == end => start.to_string(),
            (start, end) => format!("{start}–{end}"),
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    fn says(says: Says) -> String {
        match says {
            Says::Anything => "anything".to_owned(),
            Says::Code(codes) => codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", "),
            Says::Verdict => "any known error code but `server_error` and `temporarily_unavailable`".to_owned(),
            Says::DeadGrant => "a text that means that the grant is dead".to_owned(),
            Says::Truncated => "no error code, and the response is truncated".to_owned(),
        }
    }

    fn name(value: impl fmt::Debug) -> String {
        let shown = format!("{value:?}");
        format!("`{}`", shown.split(' ').next().unwrap())
    }

    fn names<T: fmt::Debug>(values: &[T], all: usize) -> String {
        if values.len() == all {
            return "any".to_owned();
        }
        values.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    /// The rules as a page.
    fn page() -> String {
        let mut page = "# The retry rules\n\n\
            Each list is read from top to bottom; the first row that matches decides.\n\n\
            **1. Did the server act? By the status and the content of an error response.** A success response that is \
            truncated or lacks the result is `Unknown`, or `Completed` if one of the two tokens arrived. `NotSent` \
            needs proof from the HTTP stack.\n\n| status | content | delivery | because |\n|---|---|---|---|\n"
            .to_owned();
        for rule in DELIVERY {
            let (statuses, says, delivery) = (statuses(rule.statuses), says(rule.says), name(rule.delivery));
            writeln!(page, "| {statuses} | {says} | {delivery} | {} |", rule.because).unwrap();
        }
        page.push_str(
            "\n**2. What to do next? By the delivery, the step, and the error response.** `Retry` carries the time \
            that the server asked to wait. If a refresh token arrived without its access token, the advice is \
            `Refresh`.\n\n\
            | delivery | step | status | content | advice | because |\n|---|---|---|---|---|---|\n",
        );
        for rule in ADVICE {
            let (deliveries, operations) = (names(rule.deliveries, 4), names(rule.operations, 4));
            let (statuses, says, advice) = (statuses(rule.statuses), says(rule.says), name(rule.advice));
            writeln!(page, "| {deliveries} | {operations} | {statuses} | {says} | {advice} | {} |", rule.because)
                .unwrap();
        }
        page.push_str(
            "\nKnown error codes are those of RFC 6749, RFC 6750 and RFC 7009. A text means that the grant is dead if \
            `invalid`, `invalidated`, `expired`, `revoked`, `reused`, `blacklisted` or `not found` is next to \
            `refresh token` (of a refresh), `authorization code` (of an exchange) or `grant` (not `grant type`). Words \
            such as `the`, `is` or `has been` may come between. The texts are unknown error codes and names, \
            `message`, `detail`, `description` and `error_description`. They count only if the response has no known error code, \
            or `invalid_request`.\n",
        );
        page
    }

    #[test]
    fn the_page_shows_the_current_rules() {
        let page = page();
        // The core writes no file, not even in a test: copy the page from the failure.
        assert!(include_str!("../../RETRY_RULES.md") == page, "RETRY_RULES.md must be:\n{page}");
    }

    #[test]
    fn every_failure_has_a_rule_and_every_rule_decides_for_a_failure() {
        let last = DELIVERY.last().unwrap();
        assert!(last.statuses == ANY_STATUS && last.says == Says::Anything);
        // Each row decides for at least one failure: no earlier row matches all of its failures.
        let codes = [
            "invalid_request",
            "invalid_grant",
            "invalid_token",
            "access_denied",
            "server_error",
            "temporarily_unavailable",
            "odd",
        ];
        let mut met = (vec![false; DELIVERY.len()], vec![false; ADVICE.len()]);
        for status in (100..=999).filter_map(|status| StatusCode::from_u16(status).ok()) {
            for code in codes.into_iter().map(Some).chain([None]) {
                for dead_grant in [false, true] {
                    for operation in [Operation::Exchange, Operation::Refresh, Operation::Revoke, Operation::Profile] {
                        let code = code.map(|code| ErrorCode::read(code, &[]));
                        let words = matches!(code, None | Some(ErrorCode::Other(_) | ErrorCode::InvalidRequest));
                        let kind = match code {
                            _ if status.is_redirection() => ErrorKind::Redirected(status),
                            Some(code) => ErrorKind::Refused(code),
                            None => ErrorKind::Status(status),
                        };
                        for (not_sent, truncated) in [(false, false), (false, true), (true, true)] {
                            let kind = if not_sent { ErrorKind::Transport(FailureKind::Connect) } else { kind.clone() };
                            let report = Report {
                                operation,
                                kind,
                                status: Some(status),
                                judged_by: Some(status),
                                retry_after: None,
                                server_message: None,
                                salvaged: None,
                                failure: None,
                                dead_grant: dead_grant && words,
                                truncated,
                                not_sent,
                            };
                            if !not_sent {
                                met.0[DELIVERY.iter().position(|rule| rule.matches(&report)).unwrap()] = true;
                            }
                            let delivery = delivery(&report);
                            let rule = ADVICE.iter().position(|rule| rule.matches(&report, delivery));
                            met.1[rule.unwrap_or_else(|| panic!("no advice for {:?} {delivery:?}", report.kind))] =
                                true;
                        }
                    }
                }
            }
        }
        assert!(met.0.iter().chain(&met.1).all(|met| *met), "{met:?}");
    }
}
