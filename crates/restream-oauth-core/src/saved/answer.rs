//! The saved form of an answer that is not interpreted yet. After a refresh it may hold the only copy of the new pair,
//! so a careful program writes it to disk before it interprets it.

use std::time::SystemTime;

use http::{HeaderValue, StatusCode};

use super::document::{Document, Kind, Saved, SavedError, Writer, saved_around};
use crate::error::{FailureKind, RetryAfter, Stage};
use crate::round_trip::{Answer, Head, Reader, RefusalHead, Restored};

const ANSWER: Kind = Kind { name: "answer", newest: "1" };

impl<T> Answer<T> {
    /// Writes the saved form: one line of JSON that [`Reader::restore_answer`] reads.
    ///
    /// The document holds everything that [`interpret`](Self::interpret) needs: the status, the headers that matter,
    /// the body, how the response ended, and when the request was sent. It identifies the credential of the request by
    /// a hash. It does not hold the source of a failure.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use restream_oauth_core::{Client, RefreshToken};
    ///
    /// # fn send(mut reader: restream_oauth_core::Reader<restream_oauth_core::Tokens>)
    /// #     -> restream_oauth_core::Answer<restream_oauth_core::Tokens> {
    /// #     let _ = reader.head(http::StatusCode::OK, &http::HeaderMap::new());
    /// #     let _ = reader.chunk(br#"{"access_token":"a1","refresh_token":"r1"}"#);
    /// #     reader.finish()
    /// # }
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let refresh_token = RefreshToken::new("r0");
    /// let (request, reader) = client.refresh(&refresh_token).into_parts(SystemTime::UNIX_EPOCH);
    /// let answer = send(reader); // with an adapter: its `receive`
    /// let spooled = answer.to_saved(); // write this to disk, and sync
    ///
    /// // After a crash, a call with the same refresh token restores the answer.
    /// let (_, reader) = client.refresh(&refresh_token).into_parts(SystemTime::UNIX_EPOCH);
    /// let tokens = reader.restore_answer(spooled.expose_secret())?.interpret()?;
    /// assert_eq!(tokens.access_token().expose_secret(), "a1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_saved(&self) -> Saved {
        let arrival = self.arrival();
        let body = self.expose_body();
        let refusal = arrival.head.as_ref().and_then(|head| head.refusal.as_deref());
        let challenges = refusal.map(joined).unwrap_or_default();
        // Base64 writes four bytes for every three, rounded up.
        let room = body.len().saturating_add(challenges.len()).div_ceil(3).saturating_mul(4).saturating_add(8);
        let mut writer = Writer::with_room(&ANSWER, ANSWER.newest, room);
        writer.text("call", &arrival.question.fingerprint());
        writer.time("sent_at", arrival.sent_at);
        if let Some(head) = &arrival.head {
            writer.number("status", head.status.as_u16().into());
            writer.boolean("json", head.json);
            writer.boolean("encoded", head.encoded);
            if let Some(length) = head.content_length {
                writer.number("content_length", length);
            }
        }
        match refusal.and_then(|refusal| refusal.retry_after) {
            Some(RetryAfter::Seconds(seconds)) => writer.number("retry_after", seconds),
            Some(RetryAfter::At { date, server_now }) => {
                writer.time("retry_at", date);
                if let Some(now) = server_now {
                    writer.time("server_now", now);
                }
            }
            None => {}
        }
        writer.base64("challenges", &challenges);
        writer.boolean("too_large", arrival.too_large);
        if let Some((stage, failure)) = &arrival.broke_off {
            writer.text("stage", stage_name(*stage));
            writer.text("failure", failure_name(failure.kind()));
        }
        writer.base64("body", body);
        writer.finish()
    }

    /// Replaces the time of sending in a document that [`to_saved`](Self::to_saved) wrote. For a store that keeps times
    /// of a clock that is not this machine's.
    ///
    /// # Errors
    /// [`SavedError`] if the document is not a saved answer, or is damaged.
    pub fn saved_with_sent_at(
        document: &str,
        change: impl FnOnce(SystemTime) -> SystemTime,
    ) -> Result<Saved, SavedError> {
        const DAMAGED: SavedError = SavedError::Damaged("sent_at");
        let read = Document::read(document.as_bytes(), &ANSWER)?;
        let sent_at = read.time("sent_at")?.ok_or(DAMAGED)?;
        let written = read.get("sent_at").and_then(|value| std::str::from_utf8(value.written()).ok()).ok_or(DAMAGED)?;
        // `to_saved` writes this time before every other one, so it is the first of equal texts.
        let (before, after) = document.split_once(written).ok_or(DAMAGED)?;
        Ok(saved_around(before, change(sent_at), after))
    }
}

impl<T> Reader<T> {
    /// Restores an answer that [`Answer::to_saved`] wrote. The reader must come from a call of the same step with the
    /// same credential. Anything that was fed to the reader before is dropped.
    ///
    /// # Errors
    /// [`SavedError`] if the document is not a saved answer, is damaged, or belongs to another call.
    pub fn restore_answer(self, document: impl AsRef<[u8]>) -> Result<Answer<T>, SavedError> {
        let document = Document::read(document.as_ref(), &ANSWER)?;
        if *document.text("call")? != *self.question().fingerprint() {
            return Err(SavedError::OtherCall);
        }
        let broke_off = match document.optional_text("stage")? {
            Some(stage) => Some((
                stage_of(&stage).ok_or(SavedError::Damaged("stage"))?,
                failure_of(&document.text("failure")?).ok_or(SavedError::Damaged("failure"))?,
            )),
            None => None,
        };
        let body = document.bytes("body")?;
        Ok(self.restored(Restored {
            sent_at: document.time("sent_at")?.ok_or(SavedError::Damaged("sent_at"))?,
            head: read_head(&document)?,
            too_large: document.boolean("too_large")?,
            broke_off,
            body: body.as_slice(),
        }))
    }
}

fn read_head(document: &Document<'_>) -> Result<Option<Head>, SavedError> {
    let Some(status) = document.optional_number("status")? else { return Ok(None) };
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let retry_after = match (document.optional_number("retry_after")?, document.time("retry_at")?) {
        (Some(seconds), _) => Some(RetryAfter::Seconds(seconds)),
        (None, Some(date)) => Some(RetryAfter::At { date, server_now: document.time("server_now")? }),
        (None, None) => None,
    };
    let challenges = split(document.bytes("challenges")?.as_slice()).ok_or(SavedError::Damaged("challenges"))?;
    let says_more = retry_after.is_some() || !challenges.is_empty();
    Ok(Some(Head {
        status: status.ok_or(SavedError::Damaged("status"))?,
        json: document.boolean("json")?,
        encoded: document.boolean("encoded")?,
        content_length: document.optional_number("content_length")?,
        refusal: says_more.then(|| Box::new(RefusalHead { retry_after, challenges })),
    }))
}

/// The values of a header, each followed by a line feed. No header value contains a line feed.
fn joined(refusal: &RefusalHead) -> Vec<u8> {
    refusal.challenges.iter().flat_map(|line| line.as_bytes().iter().chain(b"\n")).copied().collect()
}

fn split(lines: &[u8]) -> Option<Vec<HeaderValue>> {
    let Some(lines) = lines.strip_suffix(b"\n") else { return lines.is_empty().then(Vec::new) };
    lines.split(|&byte| byte == b'\n').map(|line| HeaderValue::from_bytes(line).ok()).collect()
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::BeforeBody => "before_body",
        Stage::AwaitingHead => "awaiting_head",
        Stage::ReadingBody => "reading_body",
    }
}

fn stage_of(name: &str) -> Option<Stage> {
    Some(match name {
        "before_body" => Stage::BeforeBody,
        "awaiting_head" => Stage::AwaitingHead,
        "reading_body" => Stage::ReadingBody,
        _ => return None,
    })
}

fn failure_name(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Connect => "connect",
        FailureKind::Tls => "tls",
        FailureKind::Timeout => "timeout",
        FailureKind::Interrupted => "interrupted",
        FailureKind::Protocol => "protocol",
        FailureKind::Other => "other",
    }
}

fn failure_of(name: &str) -> Option<FailureKind> {
    Some(match name {
        "connect" => FailureKind::Connect,
        "tls" => FailureKind::Tls,
        "timeout" => FailureKind::Timeout,
        "interrupted" => FailureKind::Interrupted,
        "protocol" => FailureKind::Protocol,
        "other" => FailureKind::Other,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_and_every_kind_of_failure_is_read_back_from_its_name() {
        for stage in [Stage::BeforeBody, Stage::AwaitingHead, Stage::ReadingBody] {
            assert_eq!(stage_of(stage_name(stage)), Some(stage));
        }
        for kind in [
            FailureKind::Connect,
            FailureKind::Tls,
            FailureKind::Timeout,
            FailureKind::Interrupted,
            FailureKind::Protocol,
            FailureKind::Other,
        ] {
            assert_eq!(failure_of(failure_name(kind)), Some(kind));
        }
        assert_eq!((stage_of("other"), failure_of("before_body")), (None, None));
    }
}
