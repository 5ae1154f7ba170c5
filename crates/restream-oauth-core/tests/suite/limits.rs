//! The body limit: memory is bounded, the reading stops, and a pair within the limit is kept.

use std::ops::ControlFlow;

use crate::support::{
    ACCESS, DOCUMENTED, Json, REFRESH, Reply, SECRET, SENT_REFRESH, builder, oddities, pair, refresh, sent_at,
};
use http::header::CONTENT_LENGTH;
use restream_oauth_core::config::ConfigError;
use restream_oauth_core::error::{ErrorKind, Malformed, Salvaged};
use restream_oauth_core::token::Oddity;
use restream_oauth_core::transport::{Failure, FailureKind, Stage};
use restream_oauth_core::{Advice, Call, Client, Delivery, Error, Reader, RefreshToken, Tokens};

const DEFAULT_LIMIT: usize = 256 * 1024;
const CHUNKS: [usize; 5] = [1, 7, 4096, 65_537, usize::MAX];

/// A client with this body limit, in bytes.
fn limited(limit: usize) -> Client {
    builder().secret(SECRET).body_limit(limit).build().unwrap()
}

fn refresh_with(client: &Client) -> Call<Tokens> {
    client.refresh(&RefreshToken::new(SENT_REFRESH))
}

/// The documented members, and a filler so that the body has this length.
fn padded(length: usize, filler_first: bool) -> String {
    let body = |filler: &str| {
        let raw = format!("\"{filler}\"");
        let documented = Json::documented();
        if filler_first { documented.push_front("x", &raw).text() } else { documented.push("x", &raw).text() }
    };
    let padded = body(&"x".repeat(length - body("").len()));
    assert_eq!(padded.len(), length);
    padded
}

/// Feeds an endless body in chunks. Returns the number of bytes after which the reader returned `Break`.
fn feed_forever(reader: &mut Reader<Tokens>, chunk: &[u8]) -> usize {
    let mut fed = 0;
    while fed < 64 * DEFAULT_LIMIT {
        fed += chunk.len();
        if reader.chunk(chunk) == ControlFlow::Break(()) {
            return fed;
        }
    }
    panic!("still reading after {fed} bytes");
}

fn too_large(outcome: Result<Tokens, Error>, limit: usize) -> Error {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::TooLarge { limit });
    error
}

#[test]
fn a_response_of_exactly_the_limit_is_read_and_one_byte_more_is_too_large() {
    for limit in [1000, 65_536, DEFAULT_LIMIT] {
        for size in CHUNKS {
            let call = || refresh_with(&limited(limit)).into_parts(sent_at()).1;
            let tokens = Reply::ok(padded(limit, true)).feed(call(), size).finish().interpret().unwrap();
            assert_eq!(pair(&tokens), (ACCESS, Some(REFRESH)), "{limit} {size}");
            assert_eq!(oddities(&tokens), [], "{limit} {size}");
            // The filler comes first, so no token arrives within the limit.
            let error = too_large(Reply::ok(padded(2 * limit, true)).feed(call(), size).finish().interpret(), limit);
            assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay), "{limit} {size}");
        }
    }
}

#[test]
fn the_largest_limit_is_16_mib() {
    assert!(builder().body_limit(16 << 20).build().is_ok());
    assert_eq!(builder().body_limit((16 << 20) + 1).build().unwrap_err(), ConfigError::BodyLimit);
}

#[test]
fn the_default_limit_is_256_kib() {
    let tokens = Reply::ok(padded(DEFAULT_LIMIT, true)).finish(refresh()).unwrap();
    assert_eq!(oddities(&tokens), []);
    too_large(Reply::ok(padded(2 * DEFAULT_LIMIT, true)).finish(refresh()), DEFAULT_LIMIT);
}

#[test]
fn a_pair_within_the_limit_is_a_truncated_success() {
    for size in CHUNKS {
        let tokens = Reply::ok(padded(DEFAULT_LIMIT + 1, false))
            .feed(refresh().into_parts(sent_at()).1, size)
            .finish()
            .interpret();
        let tokens = tokens.unwrap();
        assert_eq!(pair(&tokens), (ACCESS, Some(REFRESH)));
        assert_eq!(oddities(&tokens), [Oddity::Truncated]);
    }
}

#[test]
fn a_token_within_the_limit_is_salvaged() {
    let at = DOCUMENTED.find("\"expires\"").unwrap();
    let (_, reader) = refresh_with(&limited(at)).into_parts(sent_at());
    let error = too_large(Reply::ok(DOCUMENTED).feed(reader, 10).finish().interpret(), at);
    assert_eq!(error.delivery(), Delivery::Completed);
    assert!(matches!(error.salvaged(), Some(Salvaged::AccessToken(token)) if token.expose_secret() == ACCESS));
}

/// the oauth2 crate's adapters.
#[test]
fn an_endless_response_stops_at_the_limit_for_every_chunk_size() {
    for (limit, client) in [(DEFAULT_LIMIT, builder().secret(SECRET).build().unwrap()), (5000, limited(5000))] {
        for chunk in [&b"x"[..], b"[[[[[[[", &[b' '; 4096], &vec![0; 100_000]] {
            let (_, mut reader) = refresh_with(&client).into_parts(sent_at());
            assert!(reader.head(http::StatusCode::OK, &Reply::ok("").headers).is_continue());
            let fed = feed_forever(&mut reader, chunk);
            assert!(fed > limit && fed <= limit + chunk.len(), "stopped after {fed} of {limit}");
            // The reader keeps returning `Break`, and stores no more bytes.
            assert!(reader.chunk(chunk).is_break());
            assert!(reader.chunk(b"").is_break());
            let answer = reader.finish();
            assert_eq!((answer.expose_body().len(), answer.is_whole()), (limit, false));
            let error = answer.interpret().unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::TooLarge { limit });
            assert_eq!(error.delivery(), Delivery::Unknown);
        }
    }
}

#[test]
fn an_endless_response_keeps_a_pair_that_arrived_whole() {
    let (_, mut reader) = refresh().into_parts(sent_at());
    assert!(reader.head(http::StatusCode::OK, &Reply::ok("").headers).is_continue());
    assert!(reader.chunk(DOCUMENTED.as_bytes()).is_continue());
    feed_forever(&mut reader, b" \r\n");
    let tokens = reader.finish().interpret().unwrap();
    assert_eq!(pair(&tokens), (ACCESS, Some(REFRESH)));
    assert_eq!(oddities(&tokens), [Oddity::Truncated]);
}

#[test]
fn a_failure_after_the_reader_returned_break_changes_nothing() {
    let (_, reader) = refresh_with(&limited(1000)).into_parts(sent_at());
    let reader = Reply::ok(padded(2000, true)).feed(reader, 64);
    let error = reader.fail(Stage::ReadingBody, Failure::new(FailureKind::Timeout)).interpret().unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (&ErrorKind::TooLarge { limit: 1000 }, Delivery::Unknown));
}

#[test]
fn a_content_length_beyond_the_limit_reserves_no_memory_for_it() {
    for promised in ["18446744073709551615", "9999999999999"] {
        let reply = Reply::ok(DOCUMENTED).header(CONTENT_LENGTH, promised);
        let tokens = reply.finish(refresh()).unwrap();
        assert_eq!(oddities(&tokens), [Oddity::Truncated]);
    }
}

#[test]
fn an_error_response_beyond_the_limit_is_still_reported() {
    let body = format!(r#"{{"error":"invalid_grant","error_description":"{}"}}"#, "x".repeat(DEFAULT_LIMIT));
    let error = Reply::of(400, body).finish(refresh()).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Refused(restream_oauth_core::error::ErrorCode::InvalidGrant));
    assert_eq!(error.advice(), Advice::Reauthorize);
}

#[test]
fn two_tokens_of_64_kib_in_both_spellings_are_read_although_the_whole_is_longer_than_the_limit() {
    let [access, refresh_token] = ["a", "r"].map(|letter| letter.repeat(64 * 1024));
    let raw = |text: &str| format!("\"{text}\"");
    let body = Json::documented()
        .set("access_token", &raw(&access))
        .set("accessToken", &raw(&access))
        .set("refresh_token", &raw(&refresh_token))
        .set("refreshToken", &raw(&refresh_token));
    assert!(body.text().len() > DEFAULT_LIMIT);
    let tokens = Reply::ok(body.text()).finish(refresh()).unwrap();
    assert_eq!(pair(&tokens), (access.as_str(), Some(refresh_token.as_str())));
}

#[test]
fn the_smallest_limit_reads_only_an_empty_response() {
    let client = limited(1);
    let error = Reply::ok("").finish(refresh_with(&client)).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Malformed(Malformed::Empty));
    too_large(Reply::ok("{}").finish(refresh_with(&client)), 1);
    assert!(builder().body_limit(0).build().is_err());
}
