//! One connection, with or without TLS: reads with a deadline, plays scripts, and closes in the ordered way.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::orders::fault::Ending;
use crate::orders::script::Step;
use crate::system::sync::Stop;

/// How long a client may take to accept bytes, or to close the connection after the server closed it.
const PATIENCE: Duration = Duration::from_secs(10);

/// An accepted connection.
pub(crate) struct Wire {
    socket: Socket,
    layer: Layer,
    deadline: Option<Instant>,
}

enum Layer {
    Plain,
    #[cfg(feature = "tls")]
    Tls(Box<rustls::ServerConnection>),
}

/// What may follow on a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Request,
    Nothing,
}

impl Wire {
    pub(crate) fn plain(stream: Arc<TcpStream>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket: Socket(stream), layer: Layer::Plain, deadline: None })
    }

    #[cfg(feature = "tls")]
    pub(crate) fn over_tls(self, session: rustls::ServerConnection) -> Self {
        Self { layer: Layer::Tls(Box::new(session)), ..self }
    }

    /// True if the client resumed a TLS session. Known once a request has come.
    #[cfg(feature = "tls")]
    pub(crate) fn has_resumed(&self) -> bool {
        let Layer::Tls(session) = &self.layer else { return false };
        session.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// Sets a deadline for all reads from now on, however slowly the bytes arrive.
    pub(crate) fn read_for(&mut self, limit: Duration) {
        self.deadline = Instant::now().checked_add(limit);
    }

    /// Waits for the client's first bytes without taking them.
    pub(crate) fn await_first_bytes(&mut self) -> io::Result<()> {
        self.socket.0.set_read_timeout(Some(PATIENCE))?;
        self.socket.0.peek(&mut [0]).map(|_| ())
    }

    /// Plays a script, until the script or the client ends the connection.
    pub(crate) fn play(&mut self, steps: Vec<Step>, stop: &Stop) -> io::Result<Next> {
        for step in steps {
            match step {
                Step::Send(bytes) => self.send(&bytes)?,
                Step::Wait(duration) => {
                    if stop.sleep(duration) {
                        return Ok(Next::Nothing);
                    }
                }
                Step::Repeat { bytes, times, every } => {
                    let mut sent = 0;
                    while times.is_none_or(|times| sent < times) {
                        self.send(&bytes)?;
                        sent += 1;
                        if stop.is_stopping() || (!every.is_zero() && stop.sleep(every)) {
                            return Ok(Next::Nothing);
                        }
                    }
                }
                Step::Hang => {
                    self.hang();
                    return Ok(Next::Nothing);
                }
                Step::Finish => {
                    self.finish();
                    return Ok(Next::Nothing);
                }
                Step::End(ending) => {
                    self.end(ending);
                    return Ok(Next::Nothing);
                }
            }
        }
        Ok(Next::Request)
    }

    /// Closes in order: no sent byte is lost. With TLS, `close_notify` tells the client that it received everything.
    pub(crate) fn finish(&mut self) {
        #[cfg(feature = "tls")]
        if let Layer::Tls(session) = &mut self.layer {
            session.send_close_notify();
            // The client may have closed the connection already.
            let _ = session.complete_io(&mut self.socket);
        }
        self.end(Ending::Close);
    }

    /// Ends the connection without a `close_notify`.
    pub(crate) fn end(&mut self, ending: Ending) {
        match ending {
            Ending::Close => {
                // Closing with unread bytes would send RST, which destroys the bytes that are still on their way.
                let _ = self.socket.0.shutdown(Shutdown::Write);
                self.drain(Some(PATIENCE));
            }
            // With a linger time of zero, closing the socket sends RST. Dropping this value closes the socket.
            Ending::Reset => {
                let _ = SockRef::from(&*self.socket.0).set_linger(Some(Duration::ZERO));
            }
        }
    }

    /// Sends nothing until the client gives up or the sandbox stops.
    pub(crate) fn hang(&mut self) {
        self.drain(None);
    }

    /// Reads and discards what the client still sends.
    fn drain(&mut self, limit: Option<Duration>) {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut nowhere = [0; 4096];
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) || self.socket.0.set_read_timeout(left).is_err() {
                return;
            }
            match self.socket.read(&mut nowhere) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.flush()
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.socket.0.set_read_timeout(left)?;
        match &mut self.layer {
            Layer::Plain => self.socket.read(into),
            #[cfg(feature = "tls")]
            Layer::Tls(session) => rustls::Stream::new(session.as_mut(), &mut self.socket).read(into),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.layer {
            Layer::Plain => self.socket.write(bytes),
            #[cfg(feature = "tls")]
            Layer::Tls(session) => rustls::Stream::new(session.as_mut(), &mut self.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.layer {
            Layer::Plain => self.socket.flush(),
            #[cfg(feature = "tls")]
            Layer::Tls(session) => rustls::Stream::new(session.as_mut(), &mut self.socket).flush(),
        }
    }
}

/// The only owner of a socket while its thread runs. Dropping it closes the socket, and with it sends the reset if one
/// was ordered.
struct Socket(Arc<TcpStream>);

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(into)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}
