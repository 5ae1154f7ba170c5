//! The signals that ask a program to end.

use crate::terminal::alert;
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

/// A signal that comes so soon after the first says the same once more: a shell and the kernel both tell that a terminal has
/// closed, and `timeout` tells a process and its group.
const ECHO: Duration = Duration::from_millis(200);

/// SIGINT (Ctrl-C), and on Unix SIGTERM and SIGHUP, which `kill`, service managers and closing terminals send.
pub(crate) struct Interruptions {
    signals: Signals,
    first: Option<Instant>,
}

/// A second signal came while the program waited.
pub(crate) struct GivenUp;

impl Interruptions {
    /// Starts to watch these signals. From now on they do not end the program by themselves.
    pub(crate) fn watch() -> Self {
        Self { signals: Signals::watch(), first: None }
    }

    /// Waits for a signal. Returns true if it is not the first.
    pub(crate) async fn next(&mut self) -> bool {
        loop {
            self.signals.next().await;
            match self.first {
                None => {
                    self.first = Some(Instant::now());
                    return false;
                }
                Some(first) if first.elapsed() >= ECHO => return true,
                Some(_) => {}
            }
        }
    }

    /// Waits for the response to a request that spends a code or a token. Puts off the first signal, because giving up
    /// may lose the login.
    pub(crate) async fn put_off<T>(&mut self, answer: impl Future<Output = T>) -> Result<T, GivenUp> {
        let mut answer = pin!(answer);
        loop {
            let again = tokio::select! {
                answer = &mut answer => return Ok(answer),
                again = self.next() => again,
            };
            if again {
                return Err(GivenUp);
            }
            alert("waiting for the answer: giving up now may lose the login; interrupt again to give up all the same");
        }
    }
}

#[cfg(unix)]
struct Signals([Option<tokio::signal::unix::Signal>; 3]);

#[cfg(unix)]
impl Signals {
    fn watch() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        // A signal that cannot be watched still ends the program.
        Self(kinds.map(|kind| signal(kind).ok()))
    }

    async fn next(&mut self) {
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
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn watch() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
