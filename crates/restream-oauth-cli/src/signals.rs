//! The signals that ask a program to end.

/// Ctrl-C; on Unix also what `kill`, a service manager and a closing terminal send.
#[cfg(unix)]
pub(crate) struct Interruptions([Option<tokio::signal::unix::Signal>; 3]);

#[cfg(unix)]
impl Interruptions {
    /// From now on these signals no longer end the program.
    pub(crate) fn watch() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        // One that cannot be watched keeps its effect.
        Self(kinds.map(|kind| signal(kind).ok()))
    }

    /// Waits for one of them.
    pub(crate) async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut signals = self.0.iter_mut().flatten();
            if signals.any(|signal| signal.poll_recv(context).is_ready()) {
                return std::task::Poll::Ready(());
            }
            std::task::Poll::Pending
        })
        .await;
    }
}

#[cfg(not(unix))]
pub(crate) struct Interruptions;

#[cfg(not(unix))]
impl Interruptions {
    pub(crate) fn watch() -> Self {
        Self
    }

    pub(crate) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
