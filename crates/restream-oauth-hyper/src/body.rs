//! The request's body, and the flag that says whether hyper ever asked for it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use restream_oauth_core::transport::Stage;

/// A body of one piece that takes note when it is asked for.
pub(crate) struct FlaggedBody {
    bytes: Option<Bytes>,
    sent: SentFlag,
}

impl FlaggedBody {
    /// An empty body is never asked for, so its flag stays unset whatever happens.
    pub(crate) fn new(body: restream_oauth_core::Body, sent: SentFlag) -> Self {
        Self { bytes: Some(Bytes::from(body)).filter(|bytes| !bytes.is_empty()), sent }
    }
}

impl http_body::Body for FlaggedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        this.sent.set();
        Poll::Ready(this.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.bytes.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
    }
}

/// Unset: not one byte of the body left.
#[derive(Clone, Default)]
pub(crate) struct SentFlag(Arc<AtomicBool>);

impl SentFlag {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// How far a call came that failed before the head of its answer.
    pub(crate) fn stage(&self) -> Stage {
        if self.is_set() { Stage::AwaitingHead } else { Stage::BeforeBody }
    }

    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}
