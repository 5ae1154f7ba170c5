//! Tells when a connection is between two requests.
//!
//! hyper keeps two buffers of 8 KiB for each connection, and the place for a request, for as long as it serves the
//! connection. Most connections are silent most of the time. So between two requests the connection is taken from hyper, and
//! given back with the first byte of the next request.
//!
//! A connection may be taken if four things hold; [`Progress`] notes them in this order.
//!
//! 1. The body of the request was read to its end. What is left of a body would be taken for the next request.
//! 2. The service has answered.
//! 3. hyper has written the answer, and its last flush succeeded: hyper flushes the stream when its buffer is empty.
//! 4. hyper waits for bytes. Those that it has read already are in its buffer, which is taken from it, too.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection between two requests.
#[derive(Debug)]
pub(super) struct Idle<S> {
    pub(super) stream: S,
    /// What was read of the next request.
    pub(super) received: Bytes,
}

impl<S> Idle<S> {
    /// From what hyper gives back. An empty piece of its buffer would keep all of it, so the bytes are copied.
    pub(super) fn new(watched: Watched<S>, received: &[u8]) -> Self {
        Self { stream: watched.stream, received: Bytes::copy_from_slice(received) }
    }
}

/// How far a request is. One task notes and asks, so the order of memory does not matter.
#[derive(Debug, Default)]
pub(super) struct Progress {
    step: AtomicU8,
    is_waiting_for_bytes: AtomicBool,
}

const BEGUN: u8 = 0;
const BODY_READ: u8 = 1;
const ANSWERED: u8 = 2;
const WRITING: u8 = 3;
const FLUSHED: u8 = 4;

impl Progress {
    /// A request has begun.
    pub(super) fn begun(&self) {
        self.step.store(BEGUN, Relaxed);
    }

    /// The body of the request was read to its end.
    pub(super) fn body_read(&self) {
        self.go(BEGUN, BODY_READ);
    }

    /// The service has answered.
    pub(super) fn answered(&self) {
        self.go(BODY_READ, ANSWERED);
    }

    fn writing(&self) {
        if self.step.load(Relaxed) >= ANSWERED {
            self.step.store(WRITING, Relaxed);
        }
    }

    fn flushed(&self) {
        self.go(WRITING, FLUSHED);
    }

    fn go(&self, from: u8, to: u8) {
        if self.step.load(Relaxed) == from {
            self.step.store(to, Relaxed);
        }
    }

    fn is_idle(&self) -> bool {
        self.step.load(Relaxed) == FLUSHED && self.is_waiting_for_bytes.load(Relaxed)
    }
}

/// Serves a connection until it ends, or until it is between two requests. Returns how it ended, or `None` if it may be
/// taken from hyper now.
pub(super) async fn until_idle<F: Future + Unpin>(connection: &mut F, progress: &Progress) -> Option<F::Output> {
    std::future::poll_fn(|context| match Pin::new(&mut *connection).poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if progress.is_idle() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// A stream that notes what hyper does with it.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    /// What was read before, and comes first.
    received: Bytes,
    progress: Arc<Progress>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, received: Bytes, progress: Arc<Progress>) -> Self {
        Self { stream, received, progress }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.received.is_empty() {
            let length = self.received.len().min(buffer.remaining());
            buffer.put_slice(self.received.get(..length).unwrap_or_default());
            self.received.advance(length);
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.progress.is_waiting_for_bytes.store(result.is_pending(), Relaxed);
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.progress.writing();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.progress.writing();
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(result, Poll::Ready(Ok(()))) {
            self.progress.flushed();
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use http::{Request, Response};
    use http_body_util::{BodyExt as _, Full};
    use hyper::body::Incoming;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    /// Answers each request with its path, and reads its body first unless the path says not to. Returns `None` if the
    /// connection ended.
    async fn serve(stream: DuplexStream, received: &'static [u8]) -> Option<Idle<DuplexStream>> {
        let progress = Arc::new(Progress::default());
        let of_service = Arc::clone(&progress);
        let service = service_fn(move |request: Request<Incoming>| {
            let progress = Arc::clone(&of_service);
            async move {
                progress.begun();
                let path = request.uri().path().to_owned();
                if path != "/unread" {
                    request.into_body().collect().await.unwrap();
                    progress.body_read();
                }
                if path == "/slow" {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                progress.answered();
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(path))))
            }
        });
        let stream = TokioIo::new(Watched::new(stream, Bytes::from_static(received), Arc::clone(&progress)));
        let mut connection = http1::Builder::new().serve_connection(stream, service);
        if until_idle(&mut connection, &progress).await.is_some() {
            return None;
        }
        let parts = connection.into_parts();
        Some(Idle::new(parts.io.into_inner(), &parts.read_buf))
    }

    fn post(path: &str) -> String {
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody")
    }

    /// What has come until now.
    async fn answers(theirs: &mut DuplexStream) -> String {
        let mut bytes = vec![0; 16 * 1024];
        let length = theirs.read(&mut bytes).await.unwrap();
        assert_ne!(length, 0, "the connection ended");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_given_back_when_its_answer_has_left() {
        for path in ["/", "/slow"] {
            let (ours, mut theirs) = duplex(16 * 1024);
            theirs.write_all(&post(path).as_bytes()[1..]).await.unwrap();
            let idle = serve(ours, b"P").await.unwrap();
            assert!(idle.received.is_empty());
            assert!(answers(&mut theirs).await.ends_with(path));
            // The same stream serves the next request.
            theirs.write_all(&post("/next").as_bytes()[1..]).await.unwrap();
            serve(idle.stream, b"P").await.unwrap();
            assert!(answers(&mut theirs).await.ends_with("/next"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_of_the_next_request_is_given_back_too() {
        let (ours, mut theirs) = duplex(16 * 1024);
        let (one, other) = (post("/one"), post("/other"));
        theirs.write_all(format!("{one}{other}GET /th").as_bytes()).await.unwrap();
        let idle = serve(ours, b"").await.unwrap();
        assert_eq!(idle.received, "GET /th");
        let answers = answers(&mut theirs).await;
        assert!(answers.contains("/one") && answers.ends_with("/other"), "{answers}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_keeps_its_connection() {
        let (ours, mut theirs) = duplex(70);
        theirs.write_all(post("/").as_bytes()).await.unwrap();
        let served = tokio::spawn(serve(ours, b""));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(!served.is_finished());
        let mut answer = String::new();
        while !answer.ends_with("\r\n\r\n/") {
            answer.push_str(&answers(&mut theirs).await);
        }
        assert!(served.await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_not_given_back_with_a_body_that_nobody_has_read() {
        let (ours, mut theirs) = duplex(16 * 1024);
        let served = tokio::spawn(serve(ours, b""));
        theirs.write_all(b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 40\r\n\r\nsome").await.unwrap();
        assert!(answers(&mut theirs).await.ends_with("/unread"));
        assert!(served.await.unwrap().is_none(), "hyper ends it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_to_close_ends() {
        let (ours, mut theirs) = duplex(16 * 1024);
        theirs.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        assert!(serve(ours, b"").await.is_none());
        assert!(answers(&mut theirs).await.contains("connection: close"));
    }
}
