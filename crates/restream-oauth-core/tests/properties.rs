//! What holds for every answer, whatever a server and a stack make of it.

#[path = "support/any.rs"]
mod any;
mod support;

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use any::{config, text};
use http::StatusCode;
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use restream_oauth_core::{FailureKind, Stage, Tokens};
use support::{DOCUMENTED, Ending, Reply, SECRET, STEPS, outcome, outcome_in_chunks, pair, refresh};

/// A text as a JSON string, with none, some or all characters escaped.
fn json_string(text: &str, escape: u8) -> String {
    let mut out = String::from("\"");
    for (index, character) in text.chars().enumerate() {
        if index % 3 < usize::from(escape) || character < ' ' || "\"\\".contains(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").unwrap();
            }
        } else {
            out.push(character);
        }
    }
    out + "\""
}

/// Any JSON value, as raw text.
fn junk() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec![
            "null",
            "true",
            "false",
            "0",
            "-1",
            "1e400",
            "-0.5e-7",
            "3600",
            "\"3600\"",
            "\"\"",
            "[]",
            "{}",
            "\"Bearer\"",
            r#""\ud800""#,
            r#""\udfff\ud800""#,
            "18446744073709551616",
            "\"inf\"",
            "\"a b\"",
            "[\"a\",5]",
        ])
        .prop_map(str::to_owned),
        any::<i128>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("JSON has no other numbers", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        (text(0..8), 0..4_u8).prop_map(|(text, escape)| json_string(&text, escape)),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|all| format!("[{}]", all.join(","))),
            vec((text(0..4), inner.clone()), 0..4).prop_map(|all| {
                let members: Vec<_> = all.iter().map(|(key, raw)| json_string(key, 0) + ":" + raw).collect();
                format!("{{{}}}", members.join(" , "))
            }),
            (inner, 1..200_usize).prop_map(|(raw, depth)| "[".repeat(depth) + &raw + &"]".repeat(depth)),
        ]
    })
}

/// The names that a token answer may hold, but for the tokens themselves.
const NAMES: [&str; 14] = [
    "expires",
    "expires_in",
    "scope",
    "token_type",
    "accessTokenExpiresIn",
    "accessTokenExpiresAt",
    "error",
    "message",
    "accessTokenExpiresEpoch",
    "refreshTokenExpiresIn",
    "refreshTokenExpiresEpoch",
    "scopeJson",
    "tokenType",
    "id",
];

/// A member that holds no token.
fn junk_member() -> impl Strategy<Value = (String, String)> {
    // What stands where a token should, but is none, never replaces one.
    let no_token = prop_oneof![
        select(vec!["null", "\"\"", "5", "true", "[\"x\"]", "{}", r#""\ud800""#, "1e400"]).prop_map(str::to_owned),
        junk().prop_filter("it would be a token", |raw| !raw.starts_with('"')),
    ];
    let token_names = select(vec!["access_token", "accessToken", "refresh_token", "refreshToken"]);
    prop_oneof![
        (select(NAMES.to_vec()).prop_map(str::to_owned), junk()),
        (text(0..6).prop_map(|name| format!("x{name}")), junk()),
        (token_names.prop_map(str::to_owned), no_token),
    ]
}

/// An answer that holds two tokens among anything: the tokens, the body, and where in it both have closed.
fn answer_with_tokens() -> impl Strategy<Value = (String, String, String, usize)> {
    // A replacement character beside bytes that are no text could be one of them.
    let token = || text(1..20).prop_map(|text| format!("t{}", text.replace('\u{FFFD}', "")));
    let camel = any::<[bool; 2]>();
    (token(), token(), camel, 0..4_u8, vec(junk_member(), 0..6), any::<[Index; 2]>(), select(vec!["", " ", "\r\n\t"]))
        .prop_map(|(access, refresh, camel, escape, junk, places, space)| {
            let mut members: Vec<(String, String, bool)> =
                junk.into_iter().map(|(name, raw)| (name, raw, false)).collect();
            let names = [["access_token", "accessToken"], ["refresh_token", "refreshToken"]];
            for (index, token) in [&access, &refresh].into_iter().enumerate() {
                let name = names[index][usize::from(camel[index])].to_owned();
                members.insert(places[index].index(members.len() + 1), (name, json_string(token, escape), true));
            }
            let mut body = String::from("{");
            let mut closed = 0;
            for (index, (name, raw, is_token)) in members.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                write!(body, "{space}{comma}{}{space}:{space}{raw}", json_string(name, escape / 2)).unwrap();
                if *is_token {
                    closed = body.len();
                }
            }
            (access, refresh, body + space + "}", closed)
        })
}

/// What a server or a gateway may send as a body, with the client secret repeated where an error says why.
fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..200),
        junk().prop_map(String::into_bytes),
        answer_with_tokens().prop_map(|(_, _, body, _)| body.into_bytes()),
        junk().prop_map(|raw| { format!(r#"{{"error":{raw},"message":"no {SECRET} is right"}}"#).into_bytes() }),
        Just(DOCUMENTED.as_bytes().to_owned()),
    ]
}

fn a_header() -> impl Strategy<Value = (HeaderName, Vec<u8>)> {
    let names = vec![CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, RETRY_AFTER, DATE, WWW_AUTHENTICATE];
    let values = select(vec![
        "application/json",
        "200",
        "30",
        "gzip",
        "Bearer error=\"invalid_token\"",
        "Thu, 01 Jan 1970 00:01:30 GMT",
    ]);
    let value = prop_oneof![vec(32..=255_u8, 0..12), values.prop_map(|value| value.as_bytes().to_owned())];
    (select(names), value)
}

fn a_failure() -> impl Strategy<Value = Ending> {
    select(vec![Stage::BeforeBody, Stage::AwaitingHead, Stage::ReadingBody])
        .prop_map(|stage| Ending::Failed(stage, FailureKind::Other))
}

fn time(seconds: i64, nanoseconds: u32) -> SystemTime {
    let distance = Duration::new(seconds.unsigned_abs(), nanoseconds);
    let epoch = SystemTime::UNIX_EPOCH;
    if seconds < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) }.unwrap_or(epoch)
}

fn nanoseconds(time: SystemTime) -> i128 {
    let signed = |duration: Duration| i128::try_from(duration.as_nanos()).unwrap();
    time.duration_since(SystemTime::UNIX_EPOCH).map_or_else(|earlier| -signed(earlier.duration()), signed)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_success_that_holds_two_tokens_keeps_both_whatever_else_it_holds(
        (access, refresh_token, body, closed) in answer_with_tokens(),
        status in 200..300_u16,
        cut in any::<Index>(),
        tail in prop_oneof![Just(Vec::new()), vec(any::<u8>(), 0..20)],
        broken in any::<bool>(),
    ) {
        // Cut or broken anywhere after both have closed, or whole.
        let end = closed + cut.index(body.len() - closed + 1);
        let mut bytes = body.as_bytes()[..end].to_owned();
        bytes.extend(tail.iter().map(|byte| byte & 0x7F).filter(|byte| !b"\"\\".contains(byte)));
        let reply = Reply::of(status, &bytes);
        let outcome = if broken { reply.break_off(refresh()) } else { reply.finish(refresh()) };
        let tokens = outcome.map_err(|error| TestCaseError::fail(format!("{error}")))?;
        prop_assert_eq!(pair(&tokens), (access.as_str(), Some(refresh_token.as_str())));
        // And the saved form is its inverse.
        let loaded = Tokens::from_saved(tokens.to_saved().expose_secret());
        prop_assert_eq!(loaded.as_ref(), Ok(&tokens));
        prop_assert!(tokens.lifetime() >= Duration::from_secs(1));
        prop_assert!(tokens.expires_at() > tokens.sent_at() && tokens.refresh_expires_at() > tokens.sent_at());
    }

    #[test]
    fn a_longer_prefix_never_yields_less(
        (access, refresh_token, body, closed) in answer_with_tokens(),
        cuts in any::<[Index; 2]>(),
        broken in any::<bool>(),
    ) {
        let mut cuts = cuts.map(|cut| cut.index(body.len() + 1));
        cuts.sort_unstable();
        let yields = cuts.map(|cut| {
            let reply = Reply::ok(&body.as_bytes()[..cut]);
            match if broken { reply.break_off(refresh()) } else { reply.finish(refresh()) } {
                Ok(tokens) => {
                    assert_eq!(pair(&tokens), (access.as_str(), Some(refresh_token.as_str())));
                    2
                }
                Err(error) => {
                    assert!(cut < closed, "{error}");
                    u8::from(error.salvaged().is_some())
                }
            }
        });
        prop_assert!(yields[0] <= yields[1], "{:?} at {:?}", yields, cuts);
    }

    #[test]
    fn every_answer_has_one_outcome_that_no_chunk_changes_and_that_prints_no_secret(
        step in select(STEPS.to_vec()),
        status in prop_oneof![100..600_u16, Just(200), Just(400)],
        body in body(),
        headers in vec(a_header(), 0..4),
        cut in any::<Index>(),
        failed in option::of(a_failure()),
        sizes in vec(1..64_usize, 1..5),
    ) {
        let headers: HeaderMap = headers.into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::from_bytes(&value).ok()?))).collect();
        let end = cut.index(body.len() + 1);
        let status = StatusCode::from_u16(status).unwrap();
        let whole = Reply { status, headers, body: body[..end].to_owned() };
        let ending = failed.unwrap_or(Ending::Finish);
        let first = format!("{:?}", outcome(step, Some(&whole), ending));
        prop_assert!(!first.contains("c4nary"), "{}", first);
        for size in sizes {
            let again = format!("{:?}", outcome_in_chunks(step, Some(&whole), ending, size));
            prop_assert_eq!(&again, &first, "chunks of {}", size);
        }
    }

    #[test]
    fn lifetimes_are_total(
        raw in prop_oneof![any::<i128>(), -10..10_i128, 315_359_990..316_224_010_i128, any::<u64>().prop_map(i128::from)],
        sent_at in (any::<i64>(), 0..1_000_000_000_u32),
        now in (any::<i64>(), 0..1_000_000_000_u32),
        near in any::<bool>(),
        margin in prop_oneof![Just(Duration::ZERO), any::<Duration>(), (0..10_000_u64).prop_map(Duration::from_secs)],
    ) {
        let sent_at = time(sent_at.0, sent_at.1);
        let now = if near { sent_at.checked_add(Duration::from_secs(u64::from(now.1) % 8000)).unwrap_or(sent_at) } else { time(now.0, now.1) };
        let body = format!(r#"{{"access_token":"a","refresh_token":"r","expires_in":{raw},"refreshTokenExpiresIn":{raw}}}"#);
        let tokens = Reply::ok(body).feed(refresh().into_parts().1, 1000).finish(sent_at).unwrap();
        let years = |days: i128| 10 * days * 86_400;
        let expected = |otherwise: u64| match raw {
            _ if (1..=years(365)).contains(&raw) => Some(u64::try_from(raw).unwrap()),
            _ if raw < 1 || raw > years(366) => Some(otherwise),
            // How long ten years are is open.
            _ => None,
        };
        prop_assert!(expected(3600).is_none_or(|seconds| tokens.lifetime().as_secs() == seconds));
        prop_assert!(expected(31_536_000).is_none_or(|seconds| tokens.refresh_lifetime().as_secs() == seconds));
        let expires_at = sent_at.checked_add(tokens.lifetime()).unwrap_or(sent_at);
        prop_assert_eq!(tokens.expires_at(), expires_at);
        let lived = nanoseconds(now) + i128::try_from(margin.as_nanos()).unwrap();
        prop_assert_eq!(tokens.is_fresh(now, margin), lived <= nanoseconds(expires_at));
        let loaded = Tokens::from_saved(tokens.to_saved().expose_secret());
        prop_assert_eq!(loaded.as_ref(), Ok(&tokens));
    }
}
