//! The accept loop, one thread per connection, and how they all stop.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::answer::Answer;
use crate::http::endpoints;
use crate::http::events;
use crate::http::observation::{observe, refresh_token_of};
use crate::http::request::{BadRequest, Request, Unreadable, read_request};
use crate::http::state::State;
use crate::http::wire::{Next, Wire};
use crate::ledger::uses::PreviousAnswer;
use crate::orders::fault::{Endpoint, Fault, Point, Strikes, What};
use crate::orders::script::Script;
use crate::restream::error_response::ErrorResponse;
use crate::system::sync::lock;

/// The time for a request, from the first wait to its last byte. It ends idle connections and slow senders.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// How long stopping waits for threads. Closing its socket ends every wait of a thread.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// A running server. Dropping it stops its threads and closes the port.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    state: State,
    open: Mutex<HashMap<u64, Weak<TcpStream>>>,
    closed: Condvar,
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Server {
    pub(crate) fn start(
        listener: TcpListener,
        state: State,
        #[cfg(feature = "tls")] tls: Option<Arc<rustls::ServerConfig>>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state,
            open: Mutex::default(),
            closed: Condvar::new(),
            #[cfg(feature = "tls")]
            tls,
        });
        let for_accepting = Arc::clone(&shared);
        let accepting = thread::Builder::new()
            .name("restream-sandbox".to_owned())
            .spawn(move || accept(&listener, &for_accepting))?;
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    pub(crate) fn state(&self) -> &State {
        &self.shared.state
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.state.stop.stop();
        // A connection to itself wakes the accept loop, which then notices the stop.
        let woken = TcpStream::connect_timeout(&reachable(self.address), SHUTDOWN_LIMIT).is_ok();
        if let Some(accepting) = self.accepting.take().filter(|_| woken) {
            // An error means that the thread panicked, which also ended it.
            let _ = accepting.join();
        }
        let open = lock(&self.shared.open);
        for stream in open.values().filter_map(Weak::upgrade) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let all_closed = |open: &mut HashMap<_, _>| !open.is_empty();
        drop(
            self.shared
                .closed
                .wait_timeout_while(open, SHUTDOWN_LIMIT, all_closed)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}

/// The address that a client can connect to: loopback if the server listens on all addresses.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for number in 0.. {
        let accepted = listener.accept();
        if shared.state.stop.is_stopping() {
            return;
        }
        let Ok((stream, _)) = accepted else {
            // Most likely there is no free file descriptor. Gives other threads time to return some.
            shared.state.stop.sleep(Duration::from_millis(10));
            continue;
        };
        let stream = Arc::new(stream);
        {
            let mut open = lock(&shared.open);
            if open.len() >= shared.state.most_connections {
                continue;
            }
            open.insert(number, Arc::downgrade(&stream));
        }
        shared.state.provider.book.connected();
        let registration = Registration { shared: Arc::clone(shared), number };
        // If no thread can be started, `stream` and `registration` are dropped, which closes the connection.
        let _ = thread::Builder::new().name("restream-sandbox-connection".to_owned()).spawn(move || {
            let registration = registration;
            // A broken connection needs no report: the client notices it.
            let _ = serve(stream, &registration.shared);
        });
    }
}

/// Removes a connection from the list when its thread ends.
struct Registration {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        lock(&self.shared.open).remove(&self.number);
        self.shared.closed.notify_all();
    }
}

fn serve(stream: Arc<TcpStream>, shared: &Shared) -> io::Result<()> {
    let state = &shared.state;
    let mut wire = Wire::plain(stream)?;
    let fault = lock(&state.faults).take_for_connection();
    if let Some(fault) = fault {
        return strike_connection(&mut wire, &fault.what);
    }
    #[cfg(feature = "tls")]
    if let Some(config) = &shared.tls {
        let session = rustls::ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        wire = wire.over_tls(session);
    }
    let mut early = Vec::new();
    #[cfg(feature = "tls")]
    let mut is_first = true;
    loop {
        wire.read_for(REQUEST_LIMIT);
        let request = match read_request(&mut wire, &mut early) {
            Ok(request) => request,
            Err(Unreadable::Finished) => {
                wire.finish();
                return Ok(());
            }
            Err(Unreadable::Bad(bad)) => {
                let answer = endpoints::with_common_headers(state, bad_request(bad));
                wire.play(Script::plain(&answer.header("Connection", "close")).steps, &state.stop)?;
                wire.finish();
                return Ok(());
            }
            Err(Unreadable::Broken) => return Ok(()),
        };
        #[cfg(feature = "tls")]
        if std::mem::take(&mut is_first) && wire.has_resumed() {
            state.provider.book.tls_session_resumed();
        }
        if events::asked_for(state, &request) {
            return events::send(state, &request, &mut wire);
        }
        let next = answer(state, &request, &mut wire)?;
        if next == Next::Nothing {
            return Ok(());
        }
        if !lives_on(&request, state) {
            wire.finish();
            return Ok(());
        }
    }
}

fn strike_connection(wire: &mut Wire, what: &What) -> io::Result<()> {
    if what.connection_point() == Some(Point::Handshake) {
        wire.await_first_bytes()?;
    }
    match what {
        What::Drop { ending, .. } => wire.end(*ending),
        _ => wire.hang(),
    }
    Ok(())
}

/// Answers a request, or lets a fault strike. The ledger is written before the client receives the answer.
fn answer(state: &State, request: &Request, wire: &mut Wire) -> io::Result<Next> {
    let endpoint = Endpoint::at(request.head.path()).filter(|_| request.head.method() != "OPTIONS");
    let fault = endpoint.and_then(|endpoint| lock(&state.faults).take_for_request(endpoint));
    let controls =
        request.head.path().starts_with(crate::http::control::PREFIX) && request.head.path() != endpoints::CANARY;
    let seen = |fault| state.provider.book.arrived(observe(state, request, fault), refresh_token_of(request));
    let entry = (!controls).then(|| seen(fault.as_ref()));

    let script = match &fault {
        None => Script::plain(&framed_for(request, state, endpoints::act(state, request))),
        Some(fault) => match strike(state, request, fault) {
            Some(script) => script,
            None => return Ok(Next::Nothing),
        },
    };
    let Some(entry) = entry else {
        return wire.play(script.steps, &state.stop);
    };
    state.provider.book.answered(entry, script.status);
    if script.loses_the_answer() {
        state.provider.book.ended(entry, PreviousAnswer::Lost);
        return wire.play(script.steps, &state.stop);
    }
    let (most, last) = script.before_the_last_bytes();
    let played = wire.play(most, &state.stop);
    let whole = matches!(played, Ok(Next::Request));
    state.provider.book.ended(entry, if whole { PreviousAnswer::Sent } else { PreviousAnswer::Lost });
    if whole { wire.play(last, &state.stop) } else { played }
}

/// Lets a fault strike a request. Returns `None` if the sandbox stopped meanwhile.
fn strike(state: &State, request: &Request, fault: &Fault) -> Option<Script> {
    // A delay before acting: the only fault that acts although it strikes before acting.
    if let (What::Delay(duration), Strikes::BeforeActing) = (&fault.what, fault.strikes) {
        if state.stop.sleep(*duration) {
            return None;
        }
        let answer = framed_for(request, state, endpoints::act(state, request));
        return Some(Script::plain(&answer));
    }
    let real = match fault.strikes {
        Strikes::AfterActing => endpoints::act(state, request),
        Strikes::BeforeActing => endpoints::unavailable(state),
    };
    let answer = endpoints::replaced(state, &fault.what).unwrap_or(real);
    let answer = framed_for(request, state, answer);
    Some(Script::faulty(&answer, &fault.what))
}

/// Adapts an answer to its connection: no body for HEAD, and `Connection: close` on the last answer.
fn framed_for(request: &Request, state: &State, answer: Answer) -> Answer {
    let answer = endpoints::with_common_headers(state, answer);
    let answer = if request.head.method() == "HEAD" { answer.replace_body(Vec::new()) } else { answer };
    if lives_on(request, state) { answer } else { answer.header("Connection", "close") }
}

/// Whether the connection stays open for another request.
fn lives_on(request: &Request, state: &State) -> bool {
    request.head.keeps_alive() && !state.one_request_per_connection
}

fn bad_request(bad: BadRequest) -> Answer {
    let (status, message) = match bad {
        BadRequest::Syntax => (400, "Not an HTTP/1.1 request"),
        BadRequest::HeadTooLarge => (431, "The head is too large"),
        BadRequest::BodyTooLarge => (413, "The body is too large"),
        BadRequest::Framing => (400, "The body's length is not told in exactly one way"),
        BadRequest::Host => (400, "There must be exactly one `Host`"),
    };
    ErrorResponse::invalid_request(message).with_status(status).into()
}
