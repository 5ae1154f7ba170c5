//! Answers that arrive whole: error responses, redirects, and answers that are not as documented.

use http::StatusCode;
use restream_oauth_core::Advice;
use restream_oauth_core::error::{ErrorCode, ErrorKind, Malformed};
use restream_oauth_core::transport::FailureKind;

use crate::outcome::{
    Kind, Outcome, RETRY, code_in_doubt, elsewhere_in_doubt, in_doubt, may_be_repeated, refused, retry_after,
};
use crate::scenario::{Case, Operation, Scenario};
use crate::stack::{CHROMIUM, NODE};

use super::why::{DECOMPRESSES, SENDS_AGAIN};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = error_responses();
    scenarios.extend(redirects());
    scenarios.extend(oddities());
    scenarios
}

fn error_responses() -> Vec<Scenario> {
    let invalid_grant = r#"{"what":"status","status":400,"endpoint":"token",
        "body":"{\"error\":{\"statusCode\":400,\"status\":400,\"code\":400,\"message\":\"Invalid grant\",\"name\":\"invalid_grant\"}}"}"#;
    let invalid_client = r#"{"what":"status","status":401,"endpoint":"token",
        "headers":{"WWW-Authenticate":"Basic realm=\"Service\""},
        "body":"{\"error\":\"invalid_client\",\"error_description\":\"no\"}"}"#;
    let server_error = r#"{"what":"status","status":503,"endpoint":"token","headers":{"Retry-After":"7"},
        "body":"{\"error\":{\"name\":\"server_error\",\"message\":\"Server error\",\"statusCode\":503}}"}"#;
    let error_in_200 = r#"{"what":"status","status":200,"endpoint":"token","body":"{\"error\":\"invalid_grant\"}"}"#;
    let unavailable = |status: u16, after: &str| {
        format!(r#"{{"what":"status","status":{status},"endpoint":"token","headers":{{"Retry-After":"{after}"}}}}"#)
    };
    let unavailable_until = |status: u16, date: &str| {
        let headers = format!(r#"{{"Date":"Wed, 21 Oct 2015 07:28:00 GMT","Retry-After":"{date}"}}"#);
        format!(r#"{{"what":"status","status":{status},"endpoint":"token","headers":{headers}}}"#)
    };
    let row = |name, fault: &str, expected: Outcome| Scenario::new(name).case(Case::new(fault, expected).not_acted());
    vec![
        row(
            "400 invalid_grant in Restream's form",
            invalid_grant,
            refused(ErrorCode::InvalidGrant, Advice::Reauthorize),
        ),
        row(
            "401 invalid_client with a challenge",
            invalid_client,
            refused(ErrorCode::InvalidClient, Advice::FixConfiguration),
        ),
        row("425: the server did not process the request", &status(425), refused(plain(425), RETRY)),
        Scenario::new("408 and 499: a handler was slow, or it was cancelled")
            .cases([408, 499].map(|code| Case::new(status(code), in_doubt(plain(code))).not_acted())),
        misdirected("421 to a refresh", Operation::Refresh, "token", &[CHROMIUM]),
        misdirected("421 to an exchange", Operation::Exchange, "token", &[CHROMIUM]),
        misdirected("421 to a revocation", Operation::Revoke, "revoke", &[CHROMIUM]),
        misdirected("421 to a profile call", Operation::Profile, "profile", &[NODE, CHROMIUM]),
        row("429", &status(429), refused(plain(429), RETRY)),
        row("429 with Retry-After", &unavailable(429, "7"), refused(plain(429), retry_after(7))),
        row("429 with a Retry-After that is not a time", &unavailable(429, "soon"), refused(plain(429), RETRY)),
        row("503", &status(503), in_doubt(plain(503))),
        row("503 with Retry-After", &unavailable(503, "7"), in_doubt(plain(503))),
        row(
            "503 with a date as Retry-After",
            &unavailable_until(503, "Wed, 21 Oct 2015 07:28:30 GMT"),
            in_doubt(plain(503)),
        ),
        row(
            "429 with a date as Retry-After, by the server's clock",
            &unavailable_until(429, "Wed, 21 Oct 2015 07:28:30 GMT"),
            refused(plain(429), retry_after(30)),
        ),
        row(
            "429 with a date as Retry-After that is more than an hour away",
            &unavailable_until(429, "Fri, 23 Oct 2015 07:28:00 GMT"),
            refused(plain(429), retry_after(3600)),
        ),
        row("503 server_error with Retry-After", server_error, in_doubt(ErrorCode::ServerError)),
        Scenario::new("500, 502 and 504")
            .cases([500, 502, 504].map(|code| Case::new(status(code), in_doubt(plain(code))).not_acted())),
        Scenario::new("a page of HTML from a gateway: 502 and 520").cases([502, 520].map(|code| {
            let fault = format!(r#"{{"what":"html","status":{code},"endpoint":"token"}}"#);
            Case::new(fault, in_doubt(plain(code))).not_acted()
        })),
        row(
            "a page of HTML from a firewall: 403",
            r#"{"what":"html","status":403,"endpoint":"token"}"#,
            refused(plain(403), RETRY),
        ),
        row(
            "a page of HTML under 200: a captive portal",
            r#"{"what":"html","endpoint":"token"}"#,
            in_doubt(Malformed::NotJson),
        ),
        row("200 with an error inside", error_in_200, refused(ErrorCode::InvalidGrant, Advice::Reauthorize)),
        Scenario::new("500 to an exchange")
            .of(Operation::Exchange)
            .case(Case::new(status(500), code_in_doubt(plain(500))).not_acted()),
        Scenario::new("500 and 503 to a revocation").of(Operation::Revoke).cases(
            [500, 503].map(|code| Case::new(status_of("revoke", code), may_be_repeated(plain(code))).not_acted()),
        ),
    ]
}

/// The server says once that it does not serve this name (RFC 9110 §15.5.20, which allows the client to try another
/// connection). It answers the next request as usual.
fn misdirected(
    name: &'static str,
    operation: Operation,
    endpoint: &str,
    send_again: &'static [&'static str],
) -> Scenario {
    let case = Case::new(status_of(endpoint, 421), refused(plain(421), RETRY)).not_acted();
    Scenario::new(name).of(operation).case(case).but(send_again, [Outcome::Done], SENDS_AGAIN).which_sends_twice()
}

/// No redirect is followed, whatever its status; the ledger counts requests to its target, the canary. Every status
/// except 303 proves that the server did not act.
fn redirects() -> Vec<Scenario> {
    let outcome = |operation, code: u16| match (code, operation) {
        (303, Operation::Refresh) => in_doubt(redirected(code)),
        (303, Operation::Exchange) => code_in_doubt(redirected(code)),
        (303, _) => elsewhere_in_doubt(redirected(code)),
        _ => refused(redirected(code), Advice::FixConfiguration),
    };
    let row = |name, operation, codes: &[u16]| {
        let cases = codes.iter().map(|code| {
            let fault = format!(r#"{{"what":"redirect","status":{code}}}"#);
            Case::new(fault, outcome(operation, *code)).not_acted()
        });
        Scenario::new(name).of(operation).cases(cases)
    };
    let (known, others) = (&[301, 302, 303, 307, 308], &[300, 304, 305, 306, 309, 399]);
    let hidden = |name, operation| {
        let why = "A page can read that the answer is a redirect, but not which one: it may have been 303.";
        row(name, operation, known).but(&[CHROMIUM], [outcome(operation, 303)], why)
    };
    vec![
        hidden("a redirect of a refresh: 301, 302, 303, 307, 308", Operation::Refresh),
        hidden("a redirect of a profile call: 301, 302, 303, 307, 308", Operation::Profile),
        hidden("a redirect of an exchange: 301, 302, 303, 307, 308", Operation::Exchange),
        hidden("a redirect of a revocation: 301, 302, 303, 307, 308", Operation::Revoke),
        row("300, 304, 305, 306, 309 and 399 to a refresh", Operation::Refresh, others),
        row("300, 304, 305, 306, 309 and 399 to a profile call", Operation::Profile, others),
    ]
}

fn oddities() -> Vec<Scenario> {
    let made_up = |status: u16, headers: &str| {
        format!(
            r#"{{"what":"status","status":{status},"endpoint":"token",{headers}
                "body":"{{\"access_token\":\"a1\",\"refresh_token\":\"r1\"}}"}}"#
        )
    };
    let done = |name, fault: &str| Scenario::new(name).case(Case::new(fault, Outcome::Done).not_acted());
    vec![
        Scenario::new("201, 206 and 299 with tokens")
            .cases([201, 206, 299].map(|code| Case::new(made_up(code, ""), Outcome::Done).not_acted())),
        done("tokens with another content type", &made_up(200, r#""content_type":"text/html","#)),
        done("tokens without a content type", &made_up(200, r#""content_type":"","#)),
        done("tokens after a byte order mark", &made_up(200, "").replacen(r#""body":""#, r#""body":"\ufeff"#, 1)),
        Scenario::new("tokens in UTF-16")
            .cases(UTF_16.map(|body| Case::new(in_base64(body, ""), Outcome::Done).not_acted())),
        Scenario::new("200 and an empty body").case(
            Case::new(r#"{"what":"status","status":200,"endpoint":"token"}"#, in_doubt(Malformed::Empty)).not_acted(),
        ),
        Scenario::new("200 and bytes that are not text").case(
            Case::new(
                r#"{"what":"status","status":200,"endpoint":"token","body_base64":"/wD+gA=="}"#,
                in_doubt(Malformed::NotJson),
            )
            .not_acted(),
        ),
        Scenario::new("204").case(
            Case::new(r#"{"what":"status","status":204,"endpoint":"token"}"#, in_doubt(Malformed::Empty)).not_acted(),
        ),
        Scenario::new("truncated JSON in a body of the announced length").case(
            Case::new(r#"{"what":"bad_json","endpoint":"token"}"#, in_doubt(FailureKind::Interrupted)).not_acted(),
        ),
        Scenario::new("gzip that the request did not ask for")
            .case(Case::new(r#"{"what":"gzip","endpoint":"token"}"#, in_doubt(Malformed::Compressed)))
            .but(&[NODE, CHROMIUM], [Outcome::Done], DECOMPRESSES),
        Scenario::new("Brotli that the request did not ask for")
            .case(
                Case::new(
                    in_base64(BROTLI, r#""headers":{"Content-Encoding":"br"},"#),
                    in_doubt(Malformed::Compressed),
                )
                .not_acted(),
            )
            .but(&[NODE, CHROMIUM], [Outcome::Done], DECOMPRESSES),
        Scenario::new("gzip that decompresses beyond the limit")
            .case(
                Case::new(
                    in_base64(&bomb(), r#""headers":{"Content-Encoding":"gzip"},"#),
                    in_doubt(Malformed::Compressed),
                )
                .not_acted(),
            )
            .but(&[NODE, CHROMIUM], [in_doubt(ErrorKind::TooLarge { limit: 256 * 1024 })], DECOMPRESSES),
    ]
}

/// `{"access_token":"a1","refresh_token":"r1"}` after a byte order mark, in UTF-16LE and UTF-16BE.
const UTF_16: [&str; 2] = [
    "//57ACIAYQBjAGMAZQBzAHMAXwB0AG8AawBlAG4AIgA6ACIAYQAxACIALAAiAHIAZQBmAHIAZQBzAGgAXwB0AG8AawBlAG4AIgA6ACIAcgAxACIAfQA=",
    "/v8AewAiAGEAYwBjAGUAcwBzAF8AdABvAGsAZQBuACIAOgAiAGEAMQAiACwAIgByAGUAZgByAGUAcwBoAF8AdABvAGsAZQBuACIAOgAiAHIAMQAiAH0=",
];
/// The same JSON in UTF-8, compressed.
const BROTLI: &str = "ixSAeyJhY2Nlc3NfdG9rZW4iOiJhMSIsInJlZnJlc2hfdG9rZW4iOiJyMSJ9Aw==";

/// 1 MiB of spaces, compressed to 1 KiB.
fn bomb() -> String {
    format!("H4sIAAAAAAACA+3BMQEAAADCoCrrn9IQvkAB{}HwGpwID8QAAEAA=", "A".repeat(1353))
}

fn in_base64(body: &str, more: &str) -> String {
    format!(r#"{{"what":"status","status":200,"endpoint":"token",{more}"body_base64":"{body}"}}"#)
}

fn status(code: u16) -> String {
    status_of("token", code)
}

fn status_of(endpoint: &str, code: u16) -> String {
    format!(r#"{{"what":"status","status":{code},"endpoint":"{endpoint}"}}"#)
}

/// An answer with this status and no error code.
fn plain(code: u16) -> Kind {
    ErrorKind::Status(StatusCode::from_u16(code).unwrap_or_default()).into()
}

fn redirected(code: u16) -> Kind {
    ErrorKind::Redirected(StatusCode::from_u16(code).unwrap_or_default()).into()
}
