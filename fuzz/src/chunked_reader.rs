//! The reader, fed with any heads, in any chunks, to any end.
//!
//! - Neither the chunks nor the choice of exit change the outcome. Reading the whole body at once is the judge.
//! - Only a success status gives a success, and tokens are those that the server wrote.
//! - The raw answer holds the bytes that arrived, up to the limit.
//! - While receiving, the reader holds at most the limit and 64 KiB more.

use restream_oauth_core::error::ErrorKind;
use restream_oauth_core::{Call, Error};

use crate::allocation::{bounded, peak};
use crate::canary::Silence;
use crate::client::sent_at;
use crate::expand::expand;
use crate::script::{Got, Script, Way, Whole, tell};

/// The oracle. `data` is a script; `script.rs` describes it.
pub fn chunked_reader(data: &[u8]) {
    let script = Script::read(&expand(data));
    let judge = script.outcome(Whole);
    let chunked = script.outcome(Chunked);
    assert_eq!(tell(&chunked), tell(&judge), "in chunks of {:?}", script.cuts);
    if script.response().is_some() {
        assert_eq!(tell(&script.outcome(AsResponse)), tell(&judge), "as a response");
    }
    if let Err(error) = &judge {
        if let ErrorKind::TooLarge { limit } = error.kind() {
            assert!(*limit == script.limit && script.body.len() > script.limit);
        }
    }
    script.check(&judge);
    let silence = Silence::after(data);
    match &judge {
        Ok(Got::Tokens(tokens)) => silence.check_tokens(tokens),
        Ok(_) => {}
        Err(error) => silence.check_error(error),
    }
}

/// Feeds chunk by chunk, and interprets the raw answer.
struct Chunked;

impl Way for Chunked {
    fn go<T: std::fmt::Debug>(self, script: &Script, call: Call<T>) -> Result<T, Error> {
        let (_, reader) = call.into_parts(sent_at());
        let (reader, held) = peak(|| script.feed_chunks(reader));
        // The reader keeps the headers that it needs later.
        let most = script.limit + 64 * 1024;
        assert!(held <= most, "receiving held {held} bytes, {most} may be");
        let silence = Silence::after(b"");
        silence.check_debug(&reader);
        let answer = script.end(reader);
        silence.check_debug(&answer);

        assert_eq!(answer.status(), script.status());
        let has_body = answer.status().is_some_and(|status| !status.is_redirection());
        let arrived = if has_body { script.body.len().min(script.limit) } else { 0 };
        assert_eq!(answer.expose_body(), &script.body[..arrived]);
        if answer.is_whole() {
            assert!(script.failure.is_none() && answer.status().is_some());
            assert!(arrived == script.body.len() || !has_body);
        }
        bounded(script.len(), || answer.interpret())
    }
}

/// Hands over a whole response, as libraries do.
struct AsResponse;

impl Way for AsResponse {
    fn go<T: std::fmt::Debug>(self, script: &Script, call: Call<T>) -> Result<T, Error> {
        let (_, reader) = call.into_parts(sent_at());
        let Some(response) = script.response() else { return script.end(reader).interpret() };
        reader.read(response)
    }
}
