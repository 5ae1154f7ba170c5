//! Records, tokens and answers for the checks.

use std::time::{Duration, SystemTime};

use restream_oauth_core::{RefreshToken, Tokens};
use zeroize::Zeroizing;

use crate::record::{Death, DeathCause, Doubt, Parent, Record, Stray, TokenHash, User};
use crate::spooled::Spooled;

/// `Err` says what was expected and what came.
pub(super) type Verdict<T = ()> = Result<T, String>;

/// A time with whole milliseconds, which every store keeps.
fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A pair. Two names make two pairs.
pub(super) fn tokens(name: &str) -> Verdict<Tokens> {
    let saved = format!(
        "{{\"version\":2,\"kind\":\"tokens\",\"client_id\":\"id\",\"token_endpoint\":\"https://api.example/token\",\
         \"access_token\":\"a-{name}\",\"refresh_token\":\"r-{name}\",\"token_type\":\"Bearer\",\"scope\":\"a b\",\
         \"sent_at\":\"1700000000.000000000\",\"expires_in\":3600,\"refresh_expires_in\":31536000,\"oddities\":\"\"}}"
    );
    Tokens::from_saved(saved).map_err(|error| error.to_string())
}

/// The record of a login.
pub(super) fn login(name: &str) -> Verdict<Box<Record>> {
    Ok(Box::new(Record::of_login(tokens(name)?, at(1_700_003_540))))
}

/// The record that a refresh makes of another one.
pub(super) fn next(record: &Record, name: &str) -> Verdict<Box<Record>> {
    Ok(Box::new(Record {
        tokens: tokens(name)?,
        generation: record.generation.saturating_add(1),
        sent: Some(record.parent().sent),
        usable_until: at(1_700_007_140),
        requests: 0,
        doubt: None,
        ..record.clone()
    }))
}

/// The record with the mark "in doubt", after so many requests.
pub(super) fn doubted(record: &Record, requests: u32) -> Box<Record> {
    let doubt = Doubt {
        since: at(1_700_003_541),
        sends: requests,
        in_flight: true,
        ended: None,
        witnessed: false,
        forwarded: None,
    };
    Box::new(Record { doubt: Some(doubt), requests, ..record.clone() })
}

/// A record with every member.
pub(super) fn full(name: &str) -> Verdict<Box<Record>> {
    Ok(Box::new(Record {
        generation: 7,
        sent: Some(TokenHash::of(&RefreshToken::new("r-before"))),
        not_before: Some(at(1_700_000_100)),
        requests: 4,
        doubt: Some(Doubt {
            since: at(1_700_000_001),
            sends: 2,
            in_flight: true,
            ended: Some(at(1_700_000_002)),
            witnessed: true,
            forwarded: Some(at(1_700_003_543)),
        }),
        death: Some(Death { why: DeathCause::LostAnswer, at: at(1_700_000_003) }),
        leaving: true,
        salvaged: Some(RefreshToken::new("r-\"salvaged\"\u{e9}")),
        strays: vec![
            Stray { generation: 5, tokens: tokens("stray-5")? },
            Stray { generation: 6, tokens: tokens("stray-6")? },
        ],
        user: Some(User { id: "12".to_owned(), username: Some("m\u{e9}\"x".to_owned()) }),
        ..*login(name)?
    }))
}

/// An answer to the request with this number. `length` is that of its body.
pub(super) fn answer(parent: Parent, number: u32, length: usize) -> Spooled {
    let body = "x".repeat(length);
    Spooled { parent, number, answer: Zeroizing::new(format!("{{\"version\":1,\"body\":\"{body}\"}}")) }
}
