//! The errors of failed steps: what happened, whether the server acted, and what to do next. The expectations follow
//! from what a rotating refresh token survives.

use std::time::Duration;

use crate::support;
use crate::support::{DOCUMENTED, Ending, Reply, STEPS, error_of, outcome, sent_at};
use http::StatusCode;
use http::header::{CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use restream_oauth_core::error::{ErrorCode, ErrorKind, Malformed, Operation};
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{Advice, Delivery};

const RETRY: Advice = Advice::Retry { after: None };
const HTML: &str = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>";

/// The advice in doubt: a code works once, a refresh is sent once more by one caller, and the other steps do no harm if
/// they are repeated.
fn in_doubt(after: Option<Duration>) -> [Advice; 4] {
    [Advice::Reauthorize, Advice::Replay, Advice::Retry { after }, Advice::Retry { after }]
}

/// Restream's error body, as documented for its REST API and as seen from its token endpoint.
fn nested(status: u16, name: &str, message: &str) -> String {
    format!(
        r#"{{"error":{{"statusCode":{status},"status":{status},"code":{status},"message":"{message}","name":"{name}"}}}}"#
    )
}

/// RFC 6749 §5.2.
fn flat(code: &str, description: &str) -> String {
    format!(r#"{{"error":"{code}","error_description":"{description}"}}"#)
}

fn html(status: u16) -> Reply {
    Reply::of(status, HTML).header(CONTENT_TYPE, "text/html")
}

fn after(seconds: u64) -> Advice {
    Advice::Retry { after: Some(Duration::from_secs(seconds)) }
}

/// For exchange, refresh, revocation and profile call, in this order.
fn check(reply: &Reply, kind: &ErrorKind, delivery: Delivery, advice: [Advice; 4]) {
    for (step, advice) in STEPS.into_iter().zip(advice) {
        let error = error_of(step, reply);
        let shown = format!("{step}, {}, {}", reply.status, String::from_utf8_lossy(&reply.body));
        assert_eq!(error.kind(), kind, "{shown}");
        assert_eq!(error.delivery(), delivery, "{shown}");
        assert_eq!(error.advice(), advice, "{shown}");
        assert_eq!(error.operation(), step);
        assert_eq!(error.status(), Some(reply.status), "{shown}");
    }
}

/// xagent #1988.
#[test]
fn a_gateway_error_leaves_everything_in_doubt() {
    for status in [500, 502, 504, 503, 520, 522, 599] {
        let kind = ErrorKind::Status(StatusCode::from_u16(status).unwrap());
        let message = Reply::of(status, r#"{"message":"upstream request timeout"}"#);
        // A response without a success status is never a success, even with a whole pair in its body.
        for reply in [html(status), Reply::of(status, ""), Reply::of(status, DOCUMENTED), message.clone()] {
            check(&reply, &kind, Delivery::Unknown, in_doubt(None));
        }
        assert_eq!(error_of(Operation::Refresh, &message).server_message(), Some("upstream request timeout"));
    }
}

/// Varnish 7.1, with its own error page and a timeout for the first byte, sends this response after the backend has
/// received the request.
#[test]
fn rfc_9110_10_2_3_a_503_with_retry_after_may_still_have_acted() {
    let kind = ErrorKind::Status(StatusCode::SERVICE_UNAVAILABLE);
    let in_doubt_for = |seconds| in_doubt(Some(Duration::from_secs(seconds)));
    let cases = [
        ("30", 30),
        ("0", 0),
        ("3600", 3600),
        ("86400", 3600),
        ("99999999999999999999999999", 3600),
        ("60, 60", 60),
        ("+60", 60),
        ("1.5", 2),
        // The tests send at 14 November 2023, 22:13:20.
        ("Tue, 14 Nov 2023 22:14:00 GMT", 40),
        ("Tuesday, 14-Nov-23 22:14:00 GMT", 40),
        ("Tue Nov 14 22:14:00 2023", 40),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
        ("Wed, 15 Nov 2023 22:00:00 GMT", 3600),
    ];
    for (text, seconds) in cases {
        let reply = html(503).header(RETRY_AFTER, text);
        check(&reply, &kind, Delivery::Unknown, in_doubt_for(seconds));
        // `Replay` carries no time; `Error::retry_after` has it.
        assert_eq!(error_of(Operation::Refresh, &reply).retry_after(), Some(Duration::from_secs(seconds)), "{text}");
    }
    // If the server sends its own time, our clock does not matter.
    let by_its_own_clock =
        html(503).header(RETRY_AFTER, "Thu, 01 Jan 2015 00:00:50 GMT").header(DATE, "Thu, 01 Jan 2015 00:00:00 GMT");
    check(&by_its_own_clock, &kind, Delivery::Unknown, in_doubt_for(50));
    for garbage in ["soon", "", "-5", "1.5.5", "99 Foo 1970", "é"] {
        check(&html(503).header(RETRY_AFTER, garbage), &kind, Delivery::Unknown, in_doubt(None));
    }
}

#[test]
fn a_server_error_may_have_revoked_the_old_pair_even_with_retry_after() {
    let kind = ErrorKind::Refused(ErrorCode::ServerError);
    let seven = Some(Duration::from_secs(7));
    for status in [500, 503] {
        for body in [nested(status, "server_error", "oops"), flat("server_error", "oops")] {
            check(&Reply::of(status, &body), &kind, Delivery::Unknown, in_doubt(None));
            let timed = Reply::of(status, &body).header(RETRY_AFTER, "7");
            check(&timed, &kind, Delivery::Unknown, in_doubt(seven));
            assert_eq!(error_of(Operation::Refresh, &timed).retry_after(), seven);
        }
    }
}

#[test]
fn a_rate_limited_request_had_no_effect() {
    for status in [429, 425] {
        let kind = ErrorKind::Status(StatusCode::from_u16(status).unwrap());
        for reply in [html(status), Reply::of(status, ""), Reply::of(status, r#"{"message":"slow down"}"#)] {
            check(&reply, &kind, Delivery::Refused, [RETRY; 4]);
            check(&reply.header(RETRY_AFTER, "90"), &kind, Delivery::Refused, [after(90); 4]);
        }
        // A rate limit stays a rate limit, whatever error code the body carries.
        for code in ["too_many_requests", "invalid_request", "invalid_grant", "slow_down", "server_error"] {
            for (step, body) in
                STEPS.into_iter().flat_map(|step| [(step, nested(status, code, "x")), (step, flat(code, "x"))])
            {
                let error = error_of(step, &Reply::of(status, &body));
                assert_eq!((error.delivery(), error.advice()), (Delivery::Refused, RETRY), "{step} {status} {body}");
            }
        }
    }
}

/// tower-http and `NestJS` send 408 if a handler was too slow. A 499 means that a handler was cancelled while it ran.
#[test]
fn a_slow_or_cancelled_handler_may_have_acted() {
    for status in [408, 499] {
        let kind = ErrorKind::Status(StatusCode::from_u16(status).unwrap());
        for reply in [html(status), Reply::of(status, ""), Reply::of(status, r#"{"message":"Request Timeout"}"#)] {
            check(&reply, &kind, Delivery::Unknown, in_doubt(None));
            let timed = reply.header(RETRY_AFTER, "90");
            check(&timed, &kind, Delivery::Unknown, in_doubt(Some(Duration::from_secs(90))));
        }
        for code in ["server_error", "temporarily_unavailable", "request_timeout"] {
            let error = error_of(Operation::Refresh, &Reply::of(status, flat(code, "refresh token expired")));
            assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay), "{status} {code}");
        }
        // A known error code shows that the server itself has judged the grant, even if it was slow.
        let error = error_of(Operation::Refresh, &Reply::of(status, flat("invalid_grant", "x")));
        assert_eq!((error.delivery(), error.advice()), (Delivery::Refused, Advice::Reauthorize), "{status}");
    }
}

/// CVE-2026-54605.
#[test]
fn rfc_9700_4_12_no_redirect_is_ever_followed() {
    for status in [300, 301, 302, 303, 304, 305, 307, 308, 399] {
        let kind = ErrorKind::Redirected(StatusCode::from_u16(status).unwrap());
        for body in ["", HTML, DOCUMENTED] {
            let reply = Reply::of(status, body).header(LOCATION, "https://evil.example/?c4nary");
            // Servers often send a 303 after the POST was done (RFC 9110 §15.4.4).
            let (delivery, token_steps) = match status {
                303 => (Delivery::Unknown, [Advice::Reauthorize, Advice::Replay]),
                _ => (Delivery::Refused, [Advice::FixConfiguration; 2]),
            };
            let [exchange, refresh] = token_steps;
            check(&reply, &kind, delivery, [exchange, refresh, Advice::FixConfiguration, Advice::FixConfiguration]);
            let error = error_of(Operation::Exchange, &reply);
            assert!(!format!("{error} {error:?}").contains("c4nary"));
        }
        // The reader needs no body.
        let (_, mut reader) = support::refresh().into_parts(sent_at());
        assert!(reader.head(StatusCode::from_u16(status).unwrap(), &http::HeaderMap::new()).is_break());
    }
}

#[test]
fn rfc_6749_5_2_the_error_code_decides_in_either_form() {
    let fix = Advice::FixConfiguration;
    let cases = [
        ("invalid_request", ErrorCode::InvalidRequest, fix),
        ("invalid_client", ErrorCode::InvalidClient, fix),
        ("invalid_grant", ErrorCode::InvalidGrant, Advice::Reauthorize),
        ("unauthorized_client", ErrorCode::UnauthorizedClient, fix),
        ("unsupported_grant_type", ErrorCode::UnsupportedGrantType, fix),
        ("invalid_scope", ErrorCode::InvalidScope, fix),
        // RFC 7009 §2.2.1
        ("unsupported_token_type", ErrorCode::UnsupportedTokenType, fix),
        // RFC 6749 §4.1.2.1
        ("unsupported_response_type", ErrorCode::UnsupportedResponseType, fix),
        ("access_denied", ErrorCode::AccessDenied, Advice::Abort),
        ("insufficient_scope", ErrorCode::InsufficientScope, Advice::Reauthorize),
    ];
    for (name, code, advice) in cases {
        for status in [400, 401] {
            for body in [nested(status, name, "why"), flat(name, "why"), format!(r#"{{"error":"{name}"}}"#)] {
                let reply = Reply::of(status, &body).header(WWW_AUTHENTICATE, "Basic realm=\"Service\"");
                check(&reply, &ErrorKind::Refused(code.clone()), Delivery::Refused, [advice; 4]);
                let message = error_of(Operation::Refresh, &reply).server_message().map(str::to_owned);
                assert_eq!(message.as_deref(), body.contains("why").then_some("why"), "{body}");
            }
        }
    }
}

#[test]
fn of_several_messages_the_one_of_the_oauth_error_is_kept() {
    for body in [
        r#"{"error":"invalid_grant","error_description":"own","message":"other"}"#,
        r#"{"message":"other","error_description":"own","error":"invalid_grant"}"#,
        r#"{"message":"other","error":{"name":"invalid_grant","message":"own"}}"#,
    ] {
        let error = error_of(Operation::Refresh, &Reply::of(400, body));
        assert_eq!(error.server_message(), Some("own"), "{body}");
    }
}

/// xagent #1988.
#[test]
fn the_two_error_responses_seen_from_the_token_endpoint_mean_a_dead_grant() {
    for message in ["Invalid grant: authorization code is invalid", "Invalid grant: refresh token is invalid"] {
        let reply = Reply::of(400, nested(400, "invalid_grant", message));
        for step in [Operation::Exchange, Operation::Refresh] {
            let error = error_of(step, &reply);
            assert_eq!(error.kind(), &ErrorKind::Refused(ErrorCode::InvalidGrant));
            assert_eq!((error.delivery(), error.advice()), (Delivery::Refused, Advice::Reauthorize));
            assert_eq!(error.server_message(), Some(message));
            assert_eq!(error.salvaged(), None);
        }
    }
}

#[test]
fn an_unknown_error_code_is_kept_as_text_and_the_status_decides() {
    // A server that is temporarily unavailable gets a retry. An unknown error code means that the server refused for
    // good.
    for (name, advice) in [("temporarily_unavailable", RETRY), ("odd_thing", Advice::Abort)] {
        for step in STEPS {
            assert_eq!(error_of(step, &Reply::of(400, flat(name, "m"))).advice(), advice, "{step} {name}");
        }
    }
    let cases = [
        ("odd_thing", ErrorCode::Other("odd_thing".into())),
        // RFC 6749 §4.1.2.1 defines this code, but it does not help either.
        ("temporarily_unavailable", ErrorCode::TemporarilyUnavailable),
    ];
    for (name, code) in cases {
        let kind = ErrorKind::Refused(code);
        for body in [nested(400, name, "m"), flat(name, "m")] {
            for (status, delivery) in [(400, Delivery::Refused), (500, Delivery::Unknown), (503, Delivery::Unknown)] {
                for step in STEPS {
                    let error = error_of(step, &Reply::of(status, &body));
                    assert_eq!((error.kind(), error.delivery()), (&kind, delivery), "{step} {status}");
                }
            }
            let timed = Reply::of(503, &body).header(RETRY_AFTER, "5");
            check(&timed, &kind, Delivery::Unknown, in_doubt(Some(Duration::from_secs(5))));
        }
        // A success status decides nothing.
        check(&Reply::ok(flat(name, "m")), &kind, Delivery::Unknown, in_doubt(None));
    }
}

/// RFC 6749 §5.2.
#[test]
fn an_error_response_without_a_code_is_judged_by_its_status() {
    let bodies = [
        "",
        HTML,
        DOCUMENTED,
        r#"{"message":"Forbidden"}"#,
        "[]",
        "\"no\"",
        r#"{"error":null}"#,
        r#"{"error":5}"#,
        "{\"er",
    ];
    for status in [400, 403, 404, 405, 409, 413, 418, 451, 498] {
        let kind = ErrorKind::Status(StatusCode::from_u16(status).unwrap());
        for body in bodies {
            for step in STEPS {
                let error = error_of(step, &Reply::of(status, body));
                assert_eq!((error.kind(), error.delivery()), (&kind, Delivery::Refused), "{step} {status} {body}");
                // A firewall's page does not prove that the grant is dead.
                assert_ne!(error.advice(), Advice::Reauthorize, "{step} {status} {body}");
                assert_ne!(error.advice(), Advice::Replay, "{step} {status} {body}");
            }
        }
    }
    // A wrong URL or secret stays wrong. In the profile call, these statuses concern the access token.
    let (fix, abort) = (Advice::FixConfiguration, Advice::Abort);
    for (status, exchange_refresh_revoke, profile) in [
        (401, fix, Advice::Refresh),
        (403, RETRY, abort),
        (404, fix, fix),
        (405, fix, fix),
        (410, fix, fix),
        (415, fix, fix),
        (409, RETRY, RETRY),
        (421, RETRY, RETRY),
        (425, RETRY, RETRY),
        (429, RETRY, RETRY),
        // A request that was refused for good is never retried.
        (400, abort, abort),
        (402, abort, abort),
        (413, abort, abort),
        (422, abort, abort),
        (451, abort, abort),
    ] {
        for step in STEPS {
            let advice = if step == Operation::Profile { profile } else { exchange_refresh_revoke };
            assert_eq!(error_of(step, &Reply::of(status, "")).advice(), advice, "{step} {status}");
        }
    }
    // Restream's error body, without a name.
    let error = error_of(Operation::Refresh, &Reply::of(400, r#"{"error":{"statusCode":400,"message":"Bad"}}"#));
    assert_eq!((error.kind(), error.server_message()), (&ErrorKind::Status(StatusCode::BAD_REQUEST), Some("Bad")));
}

/// A dead grant is recognised by many descriptions. A request that the server refused for good is not retried.
/// twitchdev/issues #1042.
#[test]
fn a_dead_grant_is_recognised_in_the_servers_own_words() {
    let (dead, abort, fix) = (Advice::Reauthorize, Advice::Abort, Advice::FixConfiguration);
    let cases = [
        (400, r#"{"status":400,"message":"Invalid refresh token"}"#, dead),
        (400, r#"{"status":400,"message":"Invalid grant"}"#, dead),
        (400, r#"{"error":{"statusCode":400,"message":"Invalid grant: refresh token is invalid"}}"#, dead),
        (400, r#"{"name":"invalid_grant","message":"x","statusCode":400}"#, dead),
        (401, r#"{"error":{"code":"refresh_token_invalidated"}}"#, dead),
        (
            401,
            r#"{"error":"invalid_request","message":"The refresh token is invalid.","hint":"Token has been revoked"}"#,
            dead,
        ),
        (400, r#"{"error":"invalid_request","error_description":"refresh token expired"}"#, dead),
        (400, r#"{"statusCode":400,"error":"Bad Request","message":"Refresh token expired"}"#, dead),
        (403, r#"{"code":"REFRESH_TOKEN_REVOKED"}"#, dead),
        (404, r#"{"detail":"refresh token not found"}"#, dead),
        (422, r#"{"description":"RefreshTokenReused"}"#, dead),
        (400, r#"{"error":"Bad Request","code":"invalid_grant"}"#, dead),
        (200, r#"{"error":"refresh_token_expired"}"#, dead),
        (200, r#"{"name":"invalid_grant","message":"x","statusCode":400}"#, dead),
        (400, r#"{"error":"token_expired"}"#, abort),
        (400, r#"{"message":"Bad Request"}"#, abort),
        (422, r#"{"message":"unsupported grant type: it expired"}"#, abort),
        (400, r#"{"errors":["refresh token expired"]}"#, abort),
        (401, r#"{"message":"Unauthorized"}"#, fix),
        (401, r#"{"error":{"code":"bad_key"}}"#, fix),
        // A known error code decides.
        (400, r#"{"error":"invalid_client","error_description":"invalid refresh token"}"#, fix),
        (400, r#"{"error":"invalid_scope","message":"refresh token expired"}"#, fix),
        (400, r#"{"error":"invalid_request","error_description":"client_id missing"}"#, fix),
        (409, r#"{"message":"refresh token reused"}"#, RETRY),
        (429, r#"{"message":"refresh token reused"}"#, RETRY),
    ];
    for (status, body, advice) in cases {
        let error = error_of(Operation::Refresh, &Reply::of(status, body));
        assert_eq!((error.delivery(), error.advice()), (Delivery::Refused, advice), "{status} {body}");
    }
    // A 5xx status may come from a gateway, so its message does not mean a dead grant.
    for status in [500, 502, 503, 504] {
        let error = error_of(Operation::Refresh, &Reply::of(status, r#"{"message":"Invalid refresh token"}"#));
        assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay), "{status}");
    }
    let error = error_of(Operation::Exchange, &Reply::of(400, r#"{"message":"Authorization code expired"}"#));
    assert_eq!(error.advice(), dead);
    // The message of a revocation says nothing about the grant.
    let error = error_of(Operation::Revoke, &Reply::of(400, r#"{"message":"Invalid refresh token"}"#));
    assert_eq!(error.advice(), abort);
}

/// The server repeats the token that was sent between the words that mean a dead grant.
#[test]
fn a_token_repeated_in_the_message_does_not_hide_a_dead_grant() {
    let body = format!(r#"{{"message":"Refresh token {} was not found"}}"#, support::SENT_REFRESH);
    let error = error_of(Operation::Refresh, &Reply::of(400, body));
    assert_eq!(error.advice(), Advice::Reauthorize);
    assert_eq!(error.server_message(), Some("Refresh token [redacted] was not found"));
}

#[test]
fn an_error_response_truncated_before_its_reason_is_retried() {
    let failed = Ending::Failed(restream_oauth_core::transport::Stage::ReadingBody, FailureKind::Interrupted);
    for step in [Operation::Exchange, Operation::Refresh, Operation::Revoke] {
        for status in [400, 401, 422] {
            let error = outcome(step, Some(&Reply::of(status, "{\"err")), failed).unwrap_err();
            assert_eq!((error.delivery(), error.advice()), (Delivery::Refused, RETRY), "{step} {status}");
        }
        let error = outcome(step, Some(&Reply::of(400, r#"{"error":"invalid_client","#)), failed).unwrap_err();
        assert_eq!(error.advice(), Advice::FixConfiguration, "{step}");
    }
}

/// RFC 6750 §3.
#[test]
fn a_bearer_challenge_at_the_token_endpoint_says_nothing_about_the_grant() {
    let challenge = "Bearer error=\"invalid_token\"";
    let reply = Reply::of(401, r#"{"message":"Unauthorized"}"#).header(WWW_AUTHENTICATE, challenge);
    for step in [Operation::Exchange, Operation::Refresh, Operation::Revoke] {
        let error = error_of(step, &reply);
        assert_eq!(error.kind(), &ErrorKind::Status(StatusCode::UNAUTHORIZED), "{step}");
        assert_eq!((error.delivery(), error.advice()), (Delivery::Refused, Advice::FixConfiguration), "{step}");
    }
}

/// OAuth 2.1 draft §3.2.3.
#[test]
fn rfc_6750_3_1_a_refused_profile_call_advises_a_refresh_or_a_new_login() {
    let documented = nested(401, "invalid_token", "Invalid token: access token is invalid");
    let challenge = "Bearer realm=\"r\", error=\"invalid_token\", error_description=\"expired\"";
    let replies = [
        Reply::of(401, &documented),
        Reply::of(401, "").header(WWW_AUTHENTICATE, challenge),
        html(401).header(WWW_AUTHENTICATE, challenge),
    ];
    for reply in &replies {
        let error = error_of(Operation::Profile, reply);
        assert_eq!(error.kind(), &ErrorKind::Refused(ErrorCode::InvalidToken));
        assert_eq!((error.delivery(), error.advice()), (Delivery::Refused, Advice::Refresh));
    }
    for bare in [Reply::of(401, ""), html(401), Reply::of(401, "").header(WWW_AUTHENTICATE, "Bearer")] {
        let error = error_of(Operation::Profile, &bare);
        assert_eq!((error.delivery(), error.advice()), (Delivery::Refused, Advice::Refresh));
    }
    // No other step sends an access token, so there this error code is a mistake of the server.
    for step in [Operation::Exchange, Operation::Refresh, Operation::Revoke] {
        assert_eq!(error_of(step, &replies[0]).advice(), Advice::Reauthorize, "{step}");
    }
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"profile.read\"";
    let replies = [
        Reply::of(403, nested(403, "insufficient_scope", "x")),
        Reply::of(403, "").header(WWW_AUTHENTICATE, challenge),
        html(403),
    ];
    for reply in &replies {
        let error = error_of(Operation::Profile, reply);
        assert_eq!(error.delivery(), Delivery::Refused);
        // A refresh would give a token with the same scopes.
        assert_ne!(error.advice(), Advice::Refresh);
    }
}

/// RFC 7009 §2.2.1.
#[test]
fn rfc_7009_2_2_a_200_means_revoked_whatever_its_body_says() {
    let bodies = [
        "",
        " \n",
        "{}",
        r#"{"ok":true}"#,
        "OK",
        "null",
        "true",
        "[]",
        "SUCCESS!",
        "\"revoked\"",
        r#"{"code":"ok"}"#,
        r#"{"name":"session"}"#,
        "\u{FEFF}OK",
    ];
    for status in [200, 204] {
        for body in bodies {
            let revoked = outcome(Operation::Revoke, Some(&Reply::of(status, body)), Ending::Finish);
            assert!(revoked.is_ok(), "{status} {body:?} {revoked:?}");
        }
    }
    // Express and PHP label plain text as HTML.
    let reply = Reply::ok("OK").header(CONTENT_TYPE, "text/html");
    assert!(outcome(Operation::Revoke, Some(&reply), Ending::Finish).is_ok());
    // A 202 means that the server has not acted yet.
    for status in [201, 202, 206, 301, 400, 401, 404, 500, 503] {
        error_of(Operation::Revoke, &Reply::of(status, ""));
    }
    // A captive portal's page is not from the server. An incomplete object may be the beginning of an error.
    for body in [HTML, " <html>", "\u{FEFF}<?xml version=\"1.0\"?>", "{", r#"{"err"#, "{oops}"] {
        let error = error_of(Operation::Revoke, &Reply::ok(body));
        assert_eq!(error.kind(), &ErrorKind::Malformed(Malformed::Page), "{body}");
        assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, RETRY), "{body}");
    }
    let failed = Ending::Failed(restream_oauth_core::transport::Stage::ReadingBody, FailureKind::Interrupted);
    assert!(outcome(Operation::Revoke, Some(&Reply::ok("O")), failed).is_err());
    for body in [flat("unsupported_token_type", "x"), r#"{"name":"unsupported_token_type"}"#.to_owned()] {
        let error = error_of(Operation::Revoke, &Reply::ok(body));
        assert_eq!(error.kind(), &ErrorKind::Refused(ErrorCode::UnsupportedTokenType));
    }
}

#[test]
fn a_truncated_error_response_is_judged_by_what_arrived() {
    let whole = nested(400, "invalid_grant", "why");
    for cut in 0..whole.len() {
        let reply = Reply::of(400, &whole[..cut]);
        for ending in
            [Ending::Finish, Ending::Failed(restream_oauth_core::transport::Stage::ReadingBody, FailureKind::Timeout)]
        {
            let error = outcome(Operation::Refresh, Some(&reply), ending).unwrap_err();
            assert_eq!((error.status(), error.delivery()), (Some(StatusCode::BAD_REQUEST), Delivery::Refused), "{cut}");
        }
    }
    let timed = Reply::of(429, "{\"err").header(RETRY_AFTER, "9");
    let failed = Ending::Failed(restream_oauth_core::transport::Stage::ReadingBody, FailureKind::Interrupted);
    let error = outcome(Operation::Refresh, Some(&timed), failed).unwrap_err();
    assert_eq!(error.advice(), after(9));
}
