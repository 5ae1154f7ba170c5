//! The request's body, with a flag that shows whether hyper asked for it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use restream_oauth_core::transport::Stage;

/// A body of one piece that sets its flag when hyper asks for it.
pub(crate) struct FlaggedBody {
    bytes: Option<Bytes>,
    sent: SentFlag,
}

impl FlaggedBody {
    /// hyper never asks for an empty body, so its flag stays unset.
    pub(crate) fn new(body: Bytes, sent: SentFlag) -> Self {
        Self { bytes: Some(body).filter(|bytes| !bytes.is_empty()), sent }
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

/// Whether hyper asked for the body. While the flag is unset, no byte of the body was sent.
#[derive(Clone, Default)]
pub(crate) struct SentFlag(Arc<AtomicBool>);

impl SentFlag {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// The stage of a call that fails before the head of its answer.
    pub(crate) fn stage(&self) -> Stage {
        if self.is_set() { Stage::AwaitingHead } else { Stage::BeforeBody }
    }

    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}
