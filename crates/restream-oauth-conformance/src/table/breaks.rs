//! Answers that break off or never arrive. The server has acted, unless the scenario says otherwise.

use http::StatusCode;
use restream_oauth_core::error::Malformed;
use restream_oauth_core::transport::FailureKind;

use crate::outcome::{Kind, Outcome, code_in_doubt, half_arrived, in_doubt, may_be_repeated};
use crate::scenario::{Case, Operation, Scenario};
use crate::stack::{CHROMIUM, MINREQ, NODE, REQWEST};

use super::why::{DROPPED, HIDDEN, MADE_UP, NO_LAST_CHUNK, UNNAMED};

/// The documented answer, with tokens of 40 characters as Restream's have. The sandbox's answer has other values of the
/// same lengths.
pub(super) const BODY: &str = concat!(
    r#"{"access_token":"eb8949d6d6aaab5a2a4e4a1e5ce3f1e1a4a5a4a1","expires":1767225600,"expires_in":3600,"#,
    r#""refresh_token":"9ca0e1e9f2b2c2d2e2f2a2b2c2d2e2f2a2b2c2d2","#,
    r#""scope":"profile.read channels.read chat.read stream.read","token_type":"Bearer","#,
    r#""accessToken":"eb8949d6d6aaab5a2a4e4a1e5ce3f1e1a4a5a4a1","accessTokenExpiresIn":3600,"#,
    r#""accessTokenExpiresAt":"2026-01-01T00:00:00.000Z","accessTokenExpiresEpoch":1767225600,"#,
    r#""refreshToken":"9ca0e1e9f2b2c2d2e2f2a2b2c2d2e2f2a2b2c2d2","refreshTokenExpiresIn":31536000,"#,
    r#""refreshTokenExpiresAt":"2027-01-01T00:00:00.000Z","refreshTokenExpiresEpoch":1798761600,"#,
    r#""scopeJson":["profile.read","channels.read","chat.read","stream.read"],"tokenType":"Bearer"}"#,
);

/// The outcome of a refresh whose body is truncated after this many bytes.
fn truncated(bytes: usize, kind: FailureKind) -> Outcome {
    let closes_before = |next_member: &str| BODY.find(next_member).is_some_and(|at| at <= bytes);
    match (closes_before(r#","expires""#), closes_before(r#","scope""#)) {
        (true, true) => Outcome::Done,
        (true, false) => half_arrived(kind),
        (false, _) => in_doubt(kind),
    }
}

/// The outcomes of a truncated body over a stack that may drop bytes that arrived before the end.
fn dropped() -> [Outcome; 3] {
    let interrupted = FailureKind::Interrupted;
    [Outcome::Done, half_arrived(interrupted), in_doubt(interrupted)]
}

/// Within the access token, between the tokens, within the refresh token, right after it, later.
const CUTS: [usize; 5] = [30, 80, 120, 160, 600];

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = before_the_body();
    scenarios.extend(within_the_body());
    scenarios.extend(other_steps());
    scenarios
}

fn before_the_body() -> Vec<Scenario> {
    let point = |what: &str, point: &str, more: &str| {
        format!(r#"{{"what":"{what}","point":"{point}","endpoint":"token"{more}}}"#)
    };
    let interrupted = || in_doubt(FailureKind::Interrupted);
    let timeout = || in_doubt(FailureKind::Timeout);
    let other = || in_doubt(FailureKind::Other);
    let made_up = || in_doubt(StatusCode::SERVICE_UNAVAILABLE);
    let reset = r#","ending":"reset""#;
    let before_acting = r#","strikes":"before_acting""#;
    vec![
        Scenario::new("closed before the head; the server has not acted")
            .case(Case::new(point("drop", "before_head", before_acting), interrupted()).not_acted())
            .but(&[CHROMIUM], [other()], HIDDEN)
            .but(&[REQWEST], [other()], UNNAMED)
            .but(&[MINREQ], [made_up()], MADE_UP),
        Scenario::new("closed before the head; the server has acted")
            .case(Case::new(point("drop", "before_head", ""), interrupted()))
            .but(&[CHROMIUM], [other()], HIDDEN)
            .but(&[REQWEST], [other()], UNNAMED)
            .but(&[MINREQ], [made_up()], MADE_UP),
        Scenario::new("reset before the head; the server has not acted")
            .case(Case::new(point("drop", "before_head", &[reset, before_acting].concat()), interrupted()).not_acted())
            .but(&[CHROMIUM], [other()], HIDDEN),
        Scenario::new("reset before the head; the server has acted")
            .case(Case::new(point("drop", "before_head", reset), interrupted()))
            .but(&[CHROMIUM], [other()], HIDDEN),
        Scenario::new("closed within the head")
            .case(Case::new(point("drop", "in_head", ""), interrupted()))
            .but(&[CHROMIUM], [other()], HIDDEN)
            .but(&[REQWEST], [other()], UNNAMED)
            .but(
                &[MINREQ],
                [in_doubt(FailureKind::Protocol)],
                "It takes the part of the head that arrived for all of it.",
            ),
        Scenario::new("closed after the head").case(Case::new(point("drop", "after_head", ""), interrupted())),
        Scenario::new("reset after the head").case(Case::new(point("drop", "after_head", reset), interrupted())),
        Scenario::new("silence before the head; the server has not acted")
            .short()
            .case(Case::new(point("hang", "before_head", before_acting), timeout()).not_acted()),
        Scenario::new("silence before the head; the server has acted")
            .short()
            .case(Case::new(point("hang", "before_head", ""), timeout())),
        Scenario::new("silence within the head").short().case(Case::new(point("hang", "in_head", ""), timeout())),
        Scenario::new("silence after the head").short().case(Case::new(point("hang", "after_head", ""), timeout())),
        Scenario::new("the server acts after the time limit")
            .short()
            .case(Case::new(r#"{"what":"delay","ms":1500,"strikes":"before_acting","endpoint":"token"}"#, timeout())),
    ]
}

fn within_the_body() -> Vec<Scenario> {
    let truncate = |after: usize, framing: &str| {
        format!(r#"{{"what":"truncate","after":{after},"framing":"{framing}","endpoint":"token"}}"#)
    };
    let cut = |framing: &'static str| {
        move |after: usize| Case::new(truncate(after, framing), truncated(after, FailureKind::Interrupted))
    };
    // A reset may destroy bytes in transit, so the body may also be truncated at any earlier byte.
    let reset = |after: usize| {
        let fault =
            format!(r#"{{"what":"truncate","after":{after},"framing":"length","ending":"reset","endpoint":"token"}}"#);
        let interrupted = FailureKind::Interrupted;
        Case::new(fault, truncated(after, interrupted)).or(truncated(80, interrupted)).or(truncated(0, interrupted))
    };
    let hang = |after: usize| {
        let fault = format!(r#"{{"what":"hang","point":"in_body","after":{after},"endpoint":"token"}}"#);
        Case::new(fault, truncated(after, FailureKind::Timeout))
    };
    vec![
        Scenario::new("the body is truncated, once at every byte").cases((0..=BODY.len()).map(cut("length"))).but(
            &[CHROMIUM],
            dropped(),
            DROPPED,
        ),
        Scenario::new("a chunked body is truncated").cases(CUTS.map(cut("chunked"))).but(
            &[CHROMIUM],
            dropped(),
            DROPPED,
        ),
        Scenario::new("a chunked body ends before its first chunk").case(cut("chunked")(0)).but(
            &[NODE, MINREQ],
            [in_doubt(Malformed::Empty)],
            NO_LAST_CHUNK,
        ),
        // Only the JSON shows that these bodies are truncated. An empty body shows nothing.
        Scenario::new("a body without a length is truncated").cases(CUTS.map(cut("until_close"))),
        Scenario::new("a body without a length is empty")
            .case(Case::new(truncate(0, "until_close"), in_doubt(Malformed::Empty))),
        Scenario::new("the connection is reset within the body").cases(CUTS.map(reset)),
        Scenario::new("silence within the body").short().cases([30, 80, 160].map(hang)),
    ]
}

fn other_steps() -> Vec<Scenario> {
    let lost = |name, operation, endpoint, expected: fn(Kind) -> Outcome| {
        let fault = format!(r#"{{"what":"drop","point":"before_head","endpoint":"{endpoint}"}}"#);
        Scenario::new(name)
            .of(operation)
            .case(Case::new(fault, expected(FailureKind::Interrupted.into())))
            .but(&[CHROMIUM], [expected(FailureKind::Other.into())], HIDDEN)
            .but(&[REQWEST], [expected(FailureKind::Other.into())], UNNAMED)
            .but(&[MINREQ], [expected(StatusCode::SERVICE_UNAVAILABLE.into())], MADE_UP)
    };
    vec![
        lost("the answer to an exchange is lost", Operation::Exchange, "token", code_in_doubt),
        lost("the answer to a revocation is lost", Operation::Revoke, "revoke", may_be_repeated),
        lost("the answer to a profile call is lost", Operation::Profile, "profile", may_be_repeated),
    ]
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use restream_oauth_core::{Client, Endpoints, Entropy};
    use restream_oauth_sandbox::Sandbox;

    #[test]
    fn the_body_that_is_truncated_at_every_byte_is_as_long_as_the_sandboxs() {
        let sandbox = Sandbox::start().unwrap();
        let client = Client::builder(sandbox.client_id())
            .secret(sandbox.client_secret().unwrap())
            .redirect_uri(&sandbox.redirect_uris()[0])
            .endpoints(Endpoints::at(sandbox.base_url()))
            .build()
            .unwrap();
        let mut login = client.login(Entropy::from([7; 64]));
        let code = login.read_callback(&sandbox.approve(login.url().as_str()).unwrap()).unwrap();
        let answer = restream_oauth_ureq::Transport::new().unwrap().receive(client.exchange(&code));
        let body = std::str::from_utf8(answer.expose_body()).unwrap();
        assert_eq!(body.len(), BODY.len());
        // The members are at the places that decide the outcome.
        for member in ["expires", "refresh_token", "scope"] {
            let member = format!(r#","{member}":"#);
            assert_eq!(body.find(&member), BODY.find(&member), "{member}");
        }
    }
}
