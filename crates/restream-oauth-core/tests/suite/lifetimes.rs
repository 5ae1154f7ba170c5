//! Lifetimes: no spelling loses the pair, and the arithmetic has a result for every input.

use std::time::{Duration, SystemTime};

use crate::support::{ACCESS, DOCUMENTED, Json, REFRESH, Reply, oddities, pair, refresh, sent_at, tokens};
use restream_oauth_core::Tokens;
use restream_oauth_core::token::Oddity;

const DAY: u64 = 86_400;
const DEFAULT: u64 = 3600;
const YEAR: u64 = 31_536_000;

/// Usable lifetimes in an unusual spelling.
const STRANGE: [(&str, u64); 7] = [
    ("\"1800\"", 1800),
    ("1800.0", 1800),
    ("\"1800.0\"", 1800),
    ("1.8e3", 1800),
    ("1800.9", 1800),
    ("\" 1800 \"", 1800),
    ("180000e-2", 1800),
];

/// Unusable lifetimes.
const UNUSABLE: [&str; 23] = [
    "null",
    "0",
    "-1",
    "-0",
    "0.0",
    "-3600.5",
    "\"0\"",
    "\"\"",
    "\"soon\"",
    "\"-1\"",
    "1e400",
    "-1e400",
    "1e9",
    "999999999999",
    "18446744073709551616",
    "true",
    "[]",
    "[3600]",
    "{}",
    r#"{"seconds":3600}"#,
    "\"NaN\"",
    "\"inf\"",
    r#""\ud800""#,
];

fn seconds(tokens: &Tokens) -> (u64, u64) {
    (tokens.lifetime().as_secs(), tokens.refresh_lifetime().as_secs())
}

fn sent(at: SystemTime, body: &str) -> Tokens {
    Reply::ok(body).feed(refresh().into_parts(at).1, 64).finish().interpret().unwrap()
}

#[test]
fn a_plain_number_of_seconds_counts_up_to_ten_years() {
    for lifetime in [1, 60, 3600, 30 * DAY, YEAR, 10 * YEAR] {
        let raw = lifetime.to_string();
        let body = Json::documented().set("expires_in", &raw).set("accessTokenExpiresIn", &raw);
        let read = tokens(body.set("refreshTokenExpiresIn", &raw).text());
        assert_eq!(seconds(&read), (lifetime, lifetime));
        assert_eq!(oddities(&read), []);
    }
}

/// OAuth 2.1 draft §3.2.3.
#[test]
fn a_number_in_quotes_or_with_a_fraction_counts_as_an_oddity() {
    for (raw, expected) in STRANGE {
        for (name, twin) in [("expires_in", "accessTokenExpiresIn"), ("accessTokenExpiresIn", "expires_in")] {
            let read = tokens(Json::documented().without(&[twin]).set(name, raw).text());
            assert_eq!(seconds(&read), (expected, YEAR), "{name} {raw}");
            assert_eq!(oddities(&read), [Oddity::LifetimeSpelling], "{name} {raw}");
        }
        let read = tokens(Json::documented().set("refreshTokenExpiresIn", raw).text());
        assert_eq!(seconds(&read), (DEFAULT, expected), "{raw}");
        assert_eq!(oddities(&read), [Oddity::LifetimeSpelling], "{raw}");
    }
}

#[test]
fn an_unusable_lifetime_is_taken_from_the_relative_twin() {
    for raw in UNUSABLE {
        for (name, twin) in [("expires_in", "accessTokenExpiresIn"), ("accessTokenExpiresIn", "expires_in")] {
            let read = tokens(Json::documented().set(name, raw).set(twin, "120").text());
            assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{name} {raw}");
            assert_eq!(seconds(&read), (120, YEAR), "{name} {raw}");
            assert_eq!(oddities(&read), [Oddity::LifetimeUnusable], "{name} {raw}");
        }
    }
}

#[test]
fn without_a_usable_lifetime_the_documented_one_is_assumed() {
    let names = ["expires_in", "accessTokenExpiresIn"];
    for raw in UNUSABLE {
        let read = tokens(Json::documented().set(names[0], raw).set(names[1], raw).text());
        assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{raw}");
        assert_eq!(seconds(&read), (DEFAULT, YEAR), "{raw}");
        assert_eq!(oddities(&read), [Oddity::LifetimeUnusable, Oddity::LifetimeAssumed], "{raw}");

        let read = tokens(Json::documented().set("refreshTokenExpiresIn", raw).text());
        assert_eq!(pair(&read), (ACCESS, Some(REFRESH)), "{raw}");
        assert_eq!(seconds(&read), (DEFAULT, YEAR), "{raw}");
        assert_eq!(oddities(&read), [Oddity::LifetimeUnusable, Oddity::RefreshLifetimeAssumed], "{raw}");
    }
    for (absent, assumed) in
        [(&names[..], Oddity::LifetimeAssumed), (&["refreshTokenExpiresIn"], Oddity::RefreshLifetimeAssumed)]
    {
        let read = tokens(Json::documented().without(absent).text());
        assert_eq!(seconds(&read), (DEFAULT, YEAR));
        assert_eq!(oddities(&read), [assumed]);
    }
}

#[test]
fn a_lifetime_of_more_than_ten_years_is_unusable() {
    // Ten years, with the largest possible number of leap days.
    let longer = 10 * 366 * DAY + 1;
    let raw = longer.to_string();
    let read = tokens(Json::documented().set("expires_in", &raw).set("accessTokenExpiresIn", "null").text());
    assert_eq!(seconds(&read), (DEFAULT, YEAR));
    assert!(oddities(&read).contains(&Oddity::LifetimeUnusable));
}

#[test]
fn the_absolute_times_never_become_a_lifetime() {
    let names = ["expires_in", "accessTokenExpiresIn", "refreshTokenExpiresIn"];
    let far = "99999999999";
    let body = Json::documented().without(&names).set("expires", far).set("accessTokenExpiresEpoch", far);
    let read = tokens(body.set("refreshTokenExpiresEpoch", far).text());
    assert_eq!(seconds(&read), (DEFAULT, YEAR));
}

#[test]
fn validity_counts_from_the_moment_of_sending() {
    let tokens = tokens(DOCUMENTED);
    let after = |seconds| sent_at() + Duration::from_secs(seconds);
    assert_eq!((tokens.sent_at(), tokens.expires_at()), (sent_at(), after(3600)));
    assert_eq!(tokens.refresh_expires_at(), after(YEAR));
    let cases = [
        (0, 0, true),
        (3600, 0, true),
        (3601, 0, false),
        (3540, 60, true),
        (3541, 60, false),
        (0, 3600, true),
        (0, 3601, false),
    ];
    for (now, margin, fresh) in cases {
        assert_eq!(tokens.is_fresh(after(now), Duration::from_secs(margin)), fresh, "{now} {margin}");
    }
    // A single nanosecond makes the difference.
    let edge = after(3600);
    assert!(!tokens.is_fresh(edge + Duration::from_nanos(1), Duration::ZERO));
    assert!(!tokens.is_fresh(edge, Duration::from_nanos(1)));
}

/// openpilot #36485.
#[test]
fn a_clock_that_jumps_gives_a_result_and_no_panic() {
    let tokens = tokens(DOCUMENTED);
    for (now, fresh) in [
        // Tokens from the future show that the clock was set back, so their age is unknown. A minute is tolerated.
        (SystemTime::UNIX_EPOCH, false),
        (SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 40), false),
        (sent_at() - Duration::from_secs(DAY), false),
        (sent_at() - Duration::from_secs(61), false),
        (sent_at() - Duration::from_nanos(60_000_000_001), false),
        (sent_at() - Duration::from_secs(60), true),
        (sent_at() + Duration::from_secs(DAY), false),
        (sent_at() + Duration::from_secs(1 << 50), false),
    ] {
        assert_eq!(tokens.is_fresh(now, Duration::from_secs(60)), fresh, "{now:?}");
        assert!(!tokens.is_fresh(now, Duration::MAX));
    }
}

/// RUSTSEC-2017-0005.
#[test]
fn a_time_of_sending_at_the_edge_of_the_clock_counts_as_expired_and_does_not_panic() {
    // The latest time that the platform can express.
    let mut latest = SystemTime::UNIX_EPOCH;
    for bit in (0..63).rev() {
        latest = latest.checked_add(Duration::from_secs(1 << bit)).unwrap_or(latest);
    }
    let read = sent(latest, DOCUMENTED);
    assert!(!read.is_fresh(latest, Duration::from_secs(1)));
    assert!(read.expires_at() >= read.sent_at());
    assert!(read.refresh_expires_at() >= read.sent_at());
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 40);
    let read = sent(before, DOCUMENTED);
    assert_eq!(read.expires_at(), before + Duration::from_secs(3600));
}
