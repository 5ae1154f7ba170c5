//! One connection: TCP, or TLS on it. Reads with a deadline, plays scripts, and ends the way it is told.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::orders::fault::Ending;
use crate::orders::script::Step;
use crate::system::sync::Stop;

/// How long a client may take to accept bytes, or to close after we did.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that was accepted.
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

/// Whether another request may follow.
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

    /// From now on reading fails after this time in all, however the bytes drip.
    pub(crate) fn read_for(&mut self, limit: Duration) {
        self.deadline = Instant::now().checked_add(limit);
    }

    /// Waits for the client's first bytes and leaves them where they are.
    pub(crate) fn await_first_bytes(&mut self) -> io::Result<()> {
        self.socket.0.set_read_timeout(Some(PATIENCE))?;
        self.socket.0.peek(&mut [0]).map(|_| ())
    }

    /// Does what the script says, until it ends the connection or the client does.
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

    /// Ends in order: nothing that was sent is lost, and with TLS the client knows that it has all.
    pub(crate) fn finish(&mut self) {
        #[cfg(feature = "tls")]
        if let Layer::Tls(session) = &mut self.layer {
            session.send_close_notify();
            // Who is gone already needs no farewell.
            let _ = session.complete_io(&mut self.socket);
        }
        self.end(Ending::Close);
    }

    /// Ends at once.
    pub(crate) fn end(&mut self, ending: Ending) {
        match ending {
            Ending::Close => {
                // Closing while bytes are unread would send RST and destroy what is under way.
                let _ = self.socket.0.shutdown(Shutdown::Write);
                self.drain(Some(PATIENCE));
            }
            // With no time to linger, closing the socket sends RST. It closes with this wire.
            Ending::Reset => {
                let _ = SockRef::from(&*self.socket.0).set_linger(Some(Duration::ZERO));
            }
        }
    }

    /// Says nothing until the client gives up or the sandbox goes down.
    pub(crate) fn hang(&mut self) {
        self.drain(None);
    }

    /// Reads what still comes, without looking at it.
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

/// The one owner of a socket while its thread runs: dropping it closes the socket, which is when a reset
/// is sent.
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
