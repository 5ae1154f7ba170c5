//! Takes connections from a listener.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::broker::Broker;
use super::connection::{HEAD_LIMIT, Purpose, serve_connection};
use super::tls::{Tls, handshake};
use super::work::Work;
use crate::metrics::{Bound, Gauge};

/// How many connections are open at once. A further one waits in the queue of the kernel.
const MOST_CONNECTIONS: usize = 16_384;
/// The pause after the system had no connection to give, which passes when others close.
const PAUSE: Duration = Duration::from_millis(100);
/// How long connections get to end once the broker stops. The keeper then has its own limit.
const STOP_LIMIT: Duration = Duration::from_secs(65);

/// Serves the connections of a listener until `stop` ends. Then it takes no more, and waits until those that are open have
/// had their answers.
pub async fn serve(listener: TcpListener, broker: Arc<Broker>, stop: impl Future<Output = ()>) {
    serve_for(Purpose::Devices, None, listener, broker, MOST_CONNECTIONS, stop).await;
}

/// As [`serve`], but over TLS. The certificate is read again when it changed, until `stop` ends.
pub async fn serve_tls(listener: TcpListener, broker: Arc<Broker>, tls: Arc<Tls>, stop: impl Future<Output = ()>) {
    let (acceptor, log) = (tls.acceptor(), broker.observer().log.clone());
    tokio::select! {
        () = serve_for(Purpose::Devices, Some(acceptor), listener, broker, MOST_CONNECTIONS, stop) => {}
        () = tls.keep_reading(log) => {}
    }
}

/// Serves `/healthz` and `/metrics` until `stop` ends. Whoever reaches the listener may read them.
pub async fn serve_admin(listener: TcpListener, broker: Arc<Broker>, stop: impl Future<Output = ()>) {
    serve_for(Purpose::Admin, None, listener, broker, MOST_CONNECTIONS, stop).await;
}

/// `most` is how many connections are open at once.
pub(super) async fn serve_for(
    purpose: Purpose,
    tls: Option<TlsAcceptor>,
    listener: TcpListener,
    broker: Arc<Broker>,
    most: usize,
    stop: impl Future<Output = ()>,
) {
    let (stopping, stopped) = watch::channel(false);
    let open = Work::default();
    let room = Arc::new(Semaphore::new(most));
    let mut stop = std::pin::pin!(stop);
    loop {
        if room.available_permits() == 0 {
            broker.observer().metrics.turned_away(Bound::Connections);
        }
        let accepted = tokio::select! {
            () = stop.as_mut() => break,
            accepted = async {
                // The semaphore is never closed.
                let permit = Arc::clone(&room).acquire_owned().await.ok();
                (listener.accept().await, permit)
            } => accepted,
        };
        let (stream, peer, permit) = match accepted {
            (Ok((stream, peer)), permit) => (stream, peer, permit),
            (Err(error), _) if is_of_one_connection(&error) => continue,
            // Out of files, most likely.
            (Err(_), _) => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // An answer is one write: waiting to put two together only delays it.
        let _ = stream.set_nodelay(true);
        let (broker, stopped, begun) = (Arc::clone(&broker), stopped.clone(), open.begin());
        let tls = tls.clone();
        tokio::spawn(async move {
            let observer = Arc::clone(broker.observer());
            observer.metrics.up(Gauge::Connections);
            match tls {
                None => serve_connection(stream, peer.ip(), broker, purpose, stopped).await,
                // In a box, so that connections without TLS do not take its place.
                Some(acceptor) if says_something(&stream, stopped.clone()).await => {
                    let served = async {
                        if let Some(stream) = handshake(&acceptor, stream, &observer, stopped.clone()).await {
                            serve_connection(stream, peer.ip(), broker, purpose, stopped).await;
                        }
                    };
                    Box::pin(served).await;
                }
                Some(_) => {}
            }
            observer.metrics.down(Gauge::Connections);
            drop((permit, begun));
        });
    }
    drop(listener);
    let _ = stopping.send(true);
    let _ = tokio::time::timeout(STOP_LIMIT, open.done()).await;
}

/// Waits for the first byte of a handshake, or for the end. TLS gets its buffers then: ten thousand connections that are
/// silent cost little.
/// False if nothing came in time, or the broker stops before.
async fn says_something(stream: &TcpStream, mut stopping: watch::Receiver<bool>) -> bool {
    let mut byte = [0];
    tokio::select! {
        biased;
        // What a stream says of its readiness may be wrong, so a byte is looked at.
        peeked = stream.peek(&mut byte) => peeked.is_ok_and(|bytes| bytes > 0),
        _ = stopping.wait_for(|stopping| *stopping) => false,
        () = tokio::time::sleep(HEAD_LIMIT) => false,
    }
}

/// The other end hung up before the connection was taken.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
