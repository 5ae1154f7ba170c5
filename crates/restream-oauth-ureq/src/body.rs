//! The request's body, with a flag that shows whether ureq asked for it.

use std::cell::Cell;
use std::io::{self, Cursor, Read};
use std::rc::Rc;

use restream_oauth_core::Body;
use restream_oauth_core::transport::Stage;
use ureq::SendBody;

/// Returns a body that sets the flag when ureq first reads it. ureq never reads an empty body, so its flag stays unset.
pub(crate) fn flagged(body: Body, sent: &SentFlag) -> SendBody<'static> {
    if body.is_empty() {
        return SendBody::none();
    }
    SendBody::from_owned_reader(FlaggedBody { bytes: Cursor::new(body), sent: sent.clone() })
}

struct FlaggedBody {
    bytes: Cursor<Body>,
    sent: SentFlag,
}

impl Read for FlaggedBody {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.sent.0.set(true);
        self.bytes.read(into)
    }
}

/// Whether ureq asked for the body. While the flag is unset, no byte of the body was sent. ureq reads a body on the
/// thread that makes the call, so the flag needs no atomic.
#[derive(Clone, Default)]
pub(crate) struct SentFlag(Rc<Cell<bool>>);

impl SentFlag {
    /// The stage of a call that fails before the head of its answer.
    pub(crate) fn stage(&self) -> Stage {
        if self.0.get() { Stage::AwaitingHead } else { Stage::BeforeBody }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use restream_oauth_core::{Client, RefreshToken};

    #[test]
    fn the_first_read_sets_the_flag() {
        let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build().unwrap();
        let (request, _reader) = client.refresh(&RefreshToken::new("r1")).into_parts(std::time::SystemTime::UNIX_EPOCH);
        let sent = SentFlag::default();
        let mut reader = flagged(request.into_body(), &sent).into_reader();
        assert_eq!(sent.stage(), Stage::BeforeBody);
        assert_eq!(reader.read(&mut [0]).unwrap(), 1);
        assert_eq!(sent.stage(), Stage::AwaitingHead);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "rant_type=refresh_token&refresh_token=r1");
    }
}
