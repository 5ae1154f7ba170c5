//! The retry rules: whether the server may have acted on a failed request, and what to do next.
//!
//! [`DELIVERY`] and [`ADVICE`] are the rules: two lists, each read from top to bottom; the first row that matches decides.
//! `RETRY_RULES.md` shows both, and is part of the documentation of [`Advice`].

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;

use super::code::ErrorCode;
use super::kind::{ErrorKind, Operation, Salvaged};
use super::report::Report;

/// Whether the server perhaps acted on a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// It is proven that no byte of the request's body left.
    NotSent,
    /// The server may have acted: nothing proves otherwise.
    Unknown,
    /// The server said that it did not act.
    Refused,
    /// The server acted, but only a part of its response is there.
    Completed,
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

/// What to do after a failure.
///
#[doc = include_str!("../../RETRY_RULES.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// Build the call again and send it: nothing has happened yet, or it does no harm twice. Back off between tries.
    Retry {
        /// How long the server asked to wait.
        after: Option<Duration>,
    },
    /// A refresh is in doubt: send the same refresh token once more, soon, by one caller only, and keep it until a
    /// new pair is safe. The server may have spent it; then the response is `invalid_grant`.
    /// [`Error::retry_after`](crate::Error::retry_after) says whether the server asked to wait.
    Replay,
    /// Get a new access token with the refresh token: the API refused the one that was used. When
    /// [`Error::salvaged`](crate::Error::salvaged) holds a refresh token, it is that one which must be used.
    Refresh,
    /// Send the user through the login again. Also when a code exchange is in doubt: a code is used once.
    Reauthorize,
    /// Trying again cannot help: identifier, secret, redirect URI, scopes or URLs are wrong.
    FixConfiguration,
    /// Give up: the server refused for good. [`Error::server_message`](crate::Error::server_message) may say why.
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

/// What an error response says besides its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// Whatever it says.
    Anything,
    /// One of these error codes.
    Code(&'static [ErrorCode]),
    /// An error code of RFC 6749, 6750 or 7009 that says that the server judged the request: all but `server_error` and
    /// `temporarily_unavailable`.
    Verdict,
    /// In words that the grant is dead, beside no error code that decides; see [`dead_grant`](super::dead_grant).
    DeadGrant,
    /// Nothing, and the response broke off.
    Truncated,
}

/// A row of [`DELIVERY`]: of an error response with such a status that says such a thing.
struct DeliveryRule {
    statuses: Statuses,
    says: Says,
    delivery: Delivery,
    #[cfg(test)]
    because: &'static str,
}

/// Status and error code → delivery, for error responses. A transport that failed, and a success that lacks what was asked
/// for, are `Unknown` unless proven otherwise.
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
        row(TOO_EARLY, Anything, Refused, "a rate limit stays one, whatever error code it carries"),
        row(ANY_STATUS, Code(&[ErrorCode::ServerError]), Unknown,
            "a library whose responses Restream's look like says it after it revoked the old pair"),
        row(&[200..=299, 400..=499], Verdict, Refused, "the authorization server itself refused"),
        row(DEAD_GRANT_STATUSES, DeadGrant, Refused, "the authorization server itself refused, in words of its own"),
        row(&[408..=408, 499..=499], Anything, Unknown,
            "server frameworks send them when a handler was slow, or was cancelled midway"),
        row(&[400..=499], Anything, Refused, "the request was refused before anything was done"),
        row(&[303..=303], Anything, Unknown, "servers send it after the POST was done (RFC 9110 §15.4.4)"),
        row(REDIRECTS, Anything, Refused, "the request belongs elsewhere; no redirect is followed"),
        row(ANY_STATUS, Anything, Unknown,
            "a gateway may say it after the request went through, be it 503 with `Retry-After` (RFC 9110 §10.2.3)"),
    ]
};

/// Where words alone can say that a grant is dead: not beside a status that says "not now" or "cancelled".
const DEAD_GRANT_STATUSES: Statuses = &[200..=299, 400..=407, 410..=420, 422..=424, 426..=428, 430..=498];

/// A row of [`ADVICE`]: of a failure with such a delivery, in such a step, and if it is an error response, with such a
/// status that says such a thing.
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

/// Delivery and operation → advice, and for what the server refused, by status and error code.
///
/// `Retry` takes the time that the server asked to wait. A refresh token that arrived alone is used next, whatever else
/// happened: `Refresh`.
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
        row(IN_DOUBT, &[Exchange], ANY_STATUS, Anything, Reauthorize, "a code is used once"),
        row(IN_DOUBT, &[Operation::Refresh], ANY_STATUS, Anything, Replay,
            "the old refresh token may be the only one of its grant"),
        row(IN_DOUBT, HARMLESS, REDIRECTS, Anything, FixConfiguration, "the same URL would be redirected again"),
        row(IN_DOUBT, HARMLESS, ANY_STATUS, Anything, RETRY, "it does no harm twice"),
        row(REFUSED, ALL, TOO_EARLY, Anything, RETRY, "a rate limit stays one, whatever error code it carries"),
        row(REFUSED, ALL, REDIRECTS, Anything, FixConfiguration, "the URL is wrong"),
        row(REFUSED, &[Profile], ANY_STATUS, Code(&[Oauth::InvalidToken]), Refresh, "the access token ended"),
        row(REFUSED, ALL, ANY_STATUS, Code(&[Oauth::InvalidGrant, Oauth::InvalidToken, Oauth::InsufficientScope]),
            Reauthorize, "the grant is dead, or does not reach so far"),
        row(REFUSED, TOKEN, DEAD_GRANT_STATUSES, DeadGrant, Reauthorize, "the grant is dead, in the server's own words"),
        row(REFUSED, ALL, ANY_STATUS, Code(&[Oauth::AccessDenied]), Abort, "the user or the server said no"),
        row(REFUSED, ALL, ANY_STATUS, Code(&[Oauth::TemporarilyUnavailable]), RETRY, "the server says so"),
        row(REFUSED, ALL, ANY_STATUS, Verdict, FixConfiguration,
            "the server does not take such a request from this client"),
        row(REFUSED, &[Profile], &[401..=401], Anything, Refresh, "the access token ended"),
        row(REFUSED, &[Profile], &[403..=403], Anything, Abort, "the access token is alive and does not reach so far"),
        row(REFUSED, ALL, ANY_STATUS, Truncated, RETRY, "the reason did not arrive"),
        row(REFUSED, ALL, &[401..=401, 404..=405, 410..=410, 415..=415], Anything, FixConfiguration,
            "the credentials or the URL are wrong"),
        row(REFUSED, ALL, &[403..=403, 409..=409, 421..=421], Anything, RETRY,
            "a firewall's page, or a server that could not take the request just now"),
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

/// A failure without a status matches where every status does.
fn include(statuses: Statuses, status: Option<StatusCode>) -> bool {
    let status = status.map_or(0, |status| status.as_u16());
    statuses.iter().any(|range| range.contains(&status))
}

/// `Unknown` unless proven.
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
            Says::Verdict => "any other error code that OAuth knows".to_owned(),
            Says::DeadGrant => "in words that the grant is dead".to_owned(),
            Says::Truncated => "nothing, and the response broke off".to_owned(),
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
            **What a response with an error says → did the server act?** A response that broke off, or that lacks what \
            was asked for, is `Unknown`, or `Completed` if one of the two tokens arrived. `NotSent` needs proof from the \
            HTTP stack.\n\n| status | it says | delivery | because |\n|---|---|---|---|\n"
            .to_owned();
        for rule in DELIVERY {
            let (statuses, says, delivery) = (statuses(rule.statuses), says(rule.says), name(rule.delivery));
            writeln!(page, "| {statuses} | {says} | {delivery} | {} |", rule.because).unwrap();
        }
        page.push_str(
            "\n**Did the server act, and what was asked? → what to do.** `Retry` carries the time that the server asked \
            to wait. A refresh token that arrived alone is used next: `Refresh`.\n\n\
            | delivery | step | status | it says | advice | because |\n|---|---|---|---|---|---|\n",
        );
        for rule in ADVICE {
            let (deliveries, operations) = (names(rule.deliveries, 4), names(rule.operations, 4));
            let (statuses, says, advice) = (statuses(rule.statuses), says(rule.says), name(rule.advice));
            writeln!(page, "| {deliveries} | {operations} | {statuses} | {says} | {advice} | {} |", rule.because)
                .unwrap();
        }
        page.push_str(
            "\nA text means that the grant is dead if `invalid`, `invalidated`, `expired`, `revoked`, `reused`, \
            `blacklisted` or `not found` is beside `refresh token`, `authorization code` (of an exchange) or `grant` (not \
            `grant type`). Read are error codes and names that OAuth does not know, `message`, `detail`, `description` \
            and `error_description`, and only if there is no code that OAuth knows but `invalid_request`.\n",
        );
        page
    }

    #[test]
    fn the_page_shows_the_rules_of_today() {
        let page = page();
        // The core writes no file, not even here: copy what the failure shows.
        assert!(include_str!("../../RETRY_RULES.md") == page, "RETRY_RULES.md must be:\n{page}");
    }

    #[test]
    fn every_failure_meets_a_rule_of_its_own() {
        let last = DELIVERY.last().unwrap();
        assert!(last.statuses == ANY_STATUS && last.says == Says::Anything);
        // Each row decides for at least one failure: none stands behind another that takes all of it.
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
