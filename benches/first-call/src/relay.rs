//! A relay in front of the server, which delays every byte, and counts how often the client has to wait for the server.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a byte takes each way.
pub(crate) const DELAY: Duration = Duration::from_millis(20);

/// A relay that listens on a port of its own.
pub(crate) struct Relay {
    pub(crate) port: u16,
    /// Round trips on all connections so far. The handshake of TCP is not counted: the kernel answers it at once.
    round_trips: Arc<AtomicUsize>,
}

impl Relay {
    pub(crate) fn before(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let relay = Self { port: listener.local_addr()?.port(), round_trips: Arc::default() };
        let round_trips = Arc::clone(&relay.round_trips);
        thread::spawn(move || {
            for client in listener.incoming() {
                // A connection that breaks is the client's to report.
                let _ = client.and_then(|client| join(client, TcpStream::connect(server)?, &round_trips));
            }
        });
        Ok(relay)
    }

    pub(crate) fn round_trips(&self) -> usize {
        self.round_trips.load(Ordering::SeqCst)
    }
}

/// Carries bytes both ways, on threads that end with the connection.
fn join(client: TcpStream, server: TcpStream, round_trips: &Arc<AtomicUsize>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let has_asked = Arc::new(AtomicBool::new(false));
    let (asks, answered, counter) = (Arc::clone(&has_asked), has_asked, Arc::clone(round_trips));
    let comes = move || asks.store(true, Ordering::SeqCst);
    let goes = move || {
        // What the client sends at once, and what the server answers at once, is one round trip.
        if answered.swap(false, Ordering::SeqCst) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    };
    carry(client.try_clone()?, server.try_clone()?, comes, || {});
    carry(server, client, || {}, goes);
    Ok(())
}

/// Carries bytes one way. Calls `comes` when a piece has come, and `goes` before it goes on.
fn carry(mut from: TcpStream, mut to: TcpStream, comes: impl Fn() + Send + 'static, goes: impl Fn() + Send + 'static) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            comes();
            if sender.send((Instant::now() + DELAY, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (at, piece) in receiver {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            goes();
            if to.write_all(&piece).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
