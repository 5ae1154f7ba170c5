//! The reader, fed in any chunks, with any heads, to any end.
//!
//! - Neither the chunks nor the exit that is taken change the outcome: the reading of the whole body is the judge.
//! - Only a success is one, and tokens are those that the server wrote.
//! - The raw answer is what arrived, up to the limit.
//! - Receiving holds at most the limit and 64 KiB.

use restream_oauth_core::error::ErrorKind;
use restream_oauth_core::{Call, Error};

use crate::allocation::{bounded, peak};
use crate::canary::Silence;
use crate::client::sent_at;
use crate::expand::expand;
use crate::script::{Got, Script, Way, Whole, tell};

/// The oracle: `data` is a script, as `script.rs` describes it.
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

/// Chunk by chunk, and out through the raw answer.
struct Chunked;

impl Way for Chunked {
    fn go<T: std::fmt::Debug>(self, script: &Script, call: Call<T>) -> Result<T, Error> {
        let (_, reader) = call.into_parts(sent_at());
        let (reader, held) = peak(|| script.feed_chunks(reader));
        // Headers that matter later are kept as they are read.
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

/// As a library hands over a response that it has read to its end.
struct AsResponse;

impl Way for AsResponse {
    fn go<T: std::fmt::Debug>(self, script: &Script, call: Call<T>) -> Result<T, Error> {
        let (_, reader) = call.into_parts(sent_at());
        let Some(response) = script.response() else { return script.end(reader).interpret() };
        reader.read(response)
    }
}
