//! An executor of a few lines, a timer, and an HTTP client that works only while it is polled.

use std::future::poll_fn;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Thread, current, park, park_timeout, sleep as sleep_thread};
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use restream_oauth_core::transport::{Failure, FailureKind, Stage, Unread};
use restream_oauth_core::{Answer, Call, Reader};

use crate::programs::BoxFuture;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        park();
    }
}

/// Polls all its futures whenever one of them is woken, on a thread of its own.
pub(crate) struct Executor {
    thread: Thread,
    new: Sender<BoxFuture>,
}

impl Executor {
    pub(crate) fn start() -> Self {
        let (new, arriving) = channel();
        let thread = std::thread::spawn(move || Self::run(&arriving)).thread().clone();
        Self { thread, new }
    }

    pub(crate) fn spawn(&self, future: BoxFuture) {
        self.new.send(future).unwrap();
        self.thread.unpark();
    }

    fn run(arriving: &Receiver<BoxFuture>) {
        let waker = Waker::from(Arc::new(Unpark(current())));
        let mut context = Context::from_waker(&waker);
        let mut futures: Vec<BoxFuture> = Vec::new();
        loop {
            let open = loop {
                match arriving.try_recv() {
                    Ok(future) => futures.push(future),
                    Err(TryRecvError::Empty) => break true,
                    Err(TryRecvError::Disconnected) => break false,
                }
            };
            futures.retain_mut(|future| {
                let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
                matches!(polled, Ok(Poll::Pending))
            });
            if futures.is_empty() && !open {
                return;
            }
            // Nothing wakes it for a socket or when the program ends.
            park_timeout(Duration::from_millis(1));
        }
    }
}

/// Wakes by a thread of its own.
pub(crate) fn sleep(nap: Duration) -> impl Future<Output = ()> + Send {
    let until = Instant::now() + nap;
    let waker = Arc::new(Mutex::new(None::<Waker>));
    let mut begun = false;
    poll_fn(move |context| {
        if Instant::now() >= until {
            return Poll::Ready(());
        }
        *waker.lock().unwrap() = Some(context.waker().clone());
        if !begun {
            begun = true;
            let waker = Arc::clone(&waker);
            std::thread::spawn(move || {
                sleep_thread(until.saturating_duration_since(Instant::now()));
                waker.lock().unwrap().take().unwrap().wake();
            });
        }
        Poll::Pending
    })
}

/// Sends a call over http, and reads the answer until the connection ends.
pub(crate) async fn receive(call: Call<Unread>) -> Answer<Unread> {
    let (request, reader) = call.into_parts(SystemTime::now());
    let uri = request.uri();
    let Ok(mut stream) = TcpStream::connect(uri.authority().unwrap().as_str()) else {
        return reader.fail(Stage::BeforeBody, Failure::new(FailureKind::Connect));
    };
    let mut head = Vec::new();
    write!(head, "{} {} HTTP/1.1\r\nconnection: close\r\n", request.method(), uri.path()).unwrap();
    write!(head, "host: {}\r\ncontent-length: {}\r\n", uri.authority().unwrap(), request.body().len()).unwrap();
    for (name, value) in request.headers() {
        write!(head, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    stream.write_all(&head).unwrap();
    stream.write_all(b"\r\n").unwrap();
    stream.write_all(request.body().as_ref()).unwrap();
    stream.set_nonblocking(true).unwrap();

    let mut bytes = Vec::new();
    let ended = poll_fn(|context| {
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) => Poll::Ready(Ok(())),
            Ok(count) => {
                bytes.extend_from_slice(&piece[..count]);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(Failure::new(error.kind().into()))),
        }
    })
    .await;
    read(reader, &bytes, ended)
}

fn read(mut reader: Reader<Unread>, bytes: &[u8], ended: Result<(), Failure>) -> Answer<Unread> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(length)) = head.parse(bytes) else {
        return reader.fail(Stage::AwaitingHead, Failure::new(FailureKind::Interrupted));
    };
    let mut headers = HeaderMap::new();
    for field in head.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(field.value).unwrap());
    }
    let status = StatusCode::from_u16(head.code.unwrap()).unwrap();
    if reader.head(status, &headers).is_continue() {
        let _ = reader.chunk(&bytes[length..]);
    }
    match ended {
        Ok(()) => reader.finish(),
        Err(failure) => reader.fail(Stage::ReadingBody, failure),
    }
}
