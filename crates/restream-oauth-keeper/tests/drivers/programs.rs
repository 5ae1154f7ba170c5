//! Three kinds of programs: tasks on tokio that send through hyper, threads that send through ureq, and futures that are
//! polled by hand and send through a socket of their own.

use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;

use restream_oauth_keeper::Keeper;

use crate::hand;

pub(crate) type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;
/// Is called before each request.
pub(crate) type Before = Arc<dyn Fn() + Send + Sync>;

/// What the scenarios need of a program. Dropping it waits for its drivers.
pub(crate) trait Program {
    /// Drives a keeper until it has shut down.
    fn drive_with(&self, keeper: &Keeper, before: Before);

    /// Runs a future in the background. It may panic.
    fn spawn(&self, future: BoxFuture);

    fn drive(&self, keeper: &Keeper) {
        self.drive_with(keeper, Arc::new(|| {}));
    }
}

/// Tasks of tokio, and hyper.
pub(crate) struct Tasks(tokio::runtime::Runtime);

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
    }
}

impl Program for Tasks {
    fn drive_with(&self, keeper: &Keeper, before: Before) {
        let transport = restream_oauth_hyper::Transport::new().unwrap();
        let send = async move |call| {
            before();
            transport.receive(call).await
        };
        self.0.spawn(keeper.run(send, tokio::time::sleep));
    }

    fn spawn(&self, future: BoxFuture) {
        self.0.spawn(future);
    }
}

/// Threads, and ureq.
pub(crate) struct Threads;

impl Threads {
    pub(crate) fn new() -> Self {
        Self
    }
}

impl Program for Threads {
    fn drive_with(&self, keeper: &Keeper, before: Before) {
        let transport = restream_oauth_ureq::Transport::new().unwrap();
        let keeper = keeper.clone();
        let _: JoinHandle<_> = std::thread::spawn(move || {
            keeper.run_blocking(|call, _limit| {
                before();
                transport.receive(call)
            })
        });
    }

    fn spawn(&self, future: BoxFuture) {
        std::thread::spawn(move || hand::block_on(future));
    }
}

/// An executor of a few lines, and a socket.
pub(crate) struct ByHand(hand::Executor);

impl ByHand {
    pub(crate) fn new() -> Self {
        Self(hand::Executor::start())
    }
}

impl Program for ByHand {
    fn drive_with(&self, keeper: &Keeper, before: Before) {
        let send = move |call| {
            before();
            hand::receive(call)
        };
        let run: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(keeper.run(send, hand::sleep));
        self.spawn(Box::pin(async move { run.await.unwrap() }));
    }

    fn spawn(&self, future: BoxFuture) {
        self.0.spawn(future);
    }
}
