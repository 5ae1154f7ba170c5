//! Listens for the browser on the loopback redirect URI (RFC 8252 §7.3).
//!
//! Anyone who reaches the port can send anything. A request counts only if it looks like a browser that follows the
//! redirect: GET, our own Host (against DNS rebinding), the exact path, a top-level navigation, no prefetch. The caller
//! then checks the parameters. The pages are constants, and echo nothing of a request.
//!
//! Once a code is accepted, the browser is redirected to a page that waits for the end of the exchange.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::failure::Failure;
use crate::login::pages::{DONE_PATH, Page};

/// More connections than a browser and its extensions open. Further connections wait for a free place.
const MOST_CONNECTIONS: usize = 512;
/// How long a connection may take to send its request.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// How long the last page waits for the end of the login. After that it refers to the terminal.
const OUTCOME_TIME: Duration = Duration::from_secs(5);
/// How long the port stays open for the last page, which removes the code from the address bar.
const LAST_PAGE_TIME: Duration = Duration::from_millis(800);
/// How long the port stays open so that a small page can be written.
const WRITING_TIME: Duration = Duration::from_millis(100);

/// The open port. It is bound before the browser opens, so that a port in use is found first.
pub(crate) struct CallbackListener {
    sockets: Vec<TcpListener>,
    place: Arc<Place>,
}

/// The redirect URI as a browser writes it into a request, and how far the login is.
struct Place {
    /// The values of the Host header that name this port.
    hosts: Vec<String>,
    path: String,
    progress: watch::Sender<Progress>,
    /// Notified when the browser gets the last page.
    done: Notify,
}

/// How far the login is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Waiting,
    /// A code was accepted, and the exchange runs.
    Accepted,
    Ended {
        logged_in: bool,
    },
}

impl Place {
    /// Normalizes the host: browsers write an address in its shortest form, and leave out port 80.
    fn new(host: &str, port: u16, path: &str) -> Arc<Self> {
        let host = match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            Ok(IpAddr::V4(address)) => address.to_string(),
            Err(_) => host.to_owned(),
        };
        let mut hosts = vec![format!("{host}:{port}")];
        hosts.extend((port == 80).then_some(host));
        let (progress, _) = watch::channel(Progress::Waiting);
        Arc::new(Self { hosts, path: path.to_owned(), progress, done: Notify::new() })
    }

    /// Waits for the end of the login, and returns the last page.
    async fn last_page(&self) -> Page {
        let mut progress = self.progress.subscribe();
        let ended = progress.wait_for(|progress| matches!(progress, Progress::Ended { .. }));
        let page = match timeout(OUTCOME_TIME, ended).await.map(|ended| ended.map(|progress| *progress)) {
            Ok(Ok(Progress::Ended { logged_in: true })) => Page::LoggedIn,
            Ok(Ok(_)) => Page::NotLoggedIn,
            Ok(Err(_)) | Err(_) => Page::NotEnded,
        };
        self.done.notify_one();
        page
    }
}

impl CallbackListener {
    /// Listens on the host and port of `redirect_uri`: a loopback address, or `localhost`, which means both of them.
    pub(crate) async fn bind(redirect_uri: &str) -> Result<Self, Failure> {
        let unusable = |reason: &str| {
            let other_way = "with --no-listen, the URL that came back is pasted";
            Failure::usage(format!("cannot listen on the redirect URI: {reason}; {other_way}"))
        };
        let uri: Uri = redirect_uri.parse().map_err(|_| unusable("it cannot be read"))?;
        if uri.scheme_str() != Some("http") {
            return Err(unusable("it must be http://127.0.0.1:PORT/PATH or http://[::1]:PORT/PATH"));
        }
        let port = uri.port_u16().ok_or_else(|| unusable("it names no port"))?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let addresses = loopback_addresses(host).ok_or_else(|| unusable("its host is not loopback"))?;
        let mut sockets = Vec::new();
        let mut failed = None;
        for address in addresses {
            match TcpListener::bind(SocketAddr::new(address, port)).await {
                Ok(socket) => sockets.push(socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(cannot_bind(port, &error)),
                // The machine may lack one of the two protocols of `localhost`.
                Err(error) => failed = Some(error),
            }
        }
        match (sockets.is_empty(), failed) {
            (true, Some(error)) => Err(cannot_bind(port, &error)),
            _ => Ok(Self { sockets, place: Place::new(host, port, uri.path()) }),
        }
    }

    /// Listens on a free port of 127.0.0.1, and returns its redirect URI.
    pub(crate) async fn bind_free() -> Result<(Self, String), Failure> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| cannot_bind(0, &error))?;
        let address = socket.local_addr().map_err(|error| cannot_bind(0, &error))?;
        let redirect_uri = format!("http://{address}/callback");
        let place = Place::new(&address.ip().to_string(), address.port(), "/callback");
        Ok((Self { sockets: vec![socket], place }, redirect_uri))
    }

    /// Begins to answer requests.
    pub(crate) fn serve(self) -> Serving {
        let (sender, callbacks) = mpsc::channel(16);
        let mut server = JoinSet::new();
        for socket in self.sockets {
            server.spawn(serve(socket, Arc::clone(&self.place), sender.clone()));
        }
        Serving { callbacks, server, place: self.place }
    }
}

/// The open port while the login waits. It closes on drop.
pub(crate) struct Serving {
    callbacks: mpsc::Receiver<Callback>,
    server: JoinSet<()>,
    place: Arc<Place>,
}

impl Serving {
    /// Waits for the next request that looks like a browser on the redirect URI.
    pub(crate) async fn next(&mut self) -> Callback {
        match self.callbacks.recv().await {
            Some(callback) => callback,
            None => pending().await,
        }
    }

    /// Accepts a callback: redirects its browser to the page that waits for the end of the login.
    pub(crate) fn accept(self, callback: Callback) -> LastPage {
        self.place.progress.send_replace(Progress::Accepted);
        callback.answer(Page::Accepted);
        LastPage { server: self.server, place: self.place }
    }
}

/// The open port after a code was accepted. It closes when the login has ended and the browser has the last page, but
/// less than a second after the end in any case.
pub(crate) struct LastPage {
    server: JoinSet<()>,
    place: Arc<Place>,
}

impl LastPage {
    /// Passes on how the login ended, waits until the browser has the page, and closes the port.
    pub(crate) async fn show(mut self, logged_in: bool) {
        self.place.progress.send_replace(Progress::Ended { logged_in });
        // A browser that does not follow the redirect loses only this page.
        let _ = timeout(LAST_PAGE_TIME, self.place.done.notified()).await;
        sleep(WRITING_TIME).await;
        self.server.shutdown().await;
    }
}

fn loopback_addresses(host: &str) -> Option<Vec<IpAddr>> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let address: IpAddr = host.parse().ok()?;
    address.is_loopback().then(|| vec![address])
}

fn cannot_bind(port: u16, error: &io::Error) -> Failure {
    Failure::other(format!("cannot listen on port {port}: {error}; no browser was opened"))
}

/// A request for the redirect URI, which waits for its page.
pub(crate) struct Callback {
    uri: String,
    page: oneshot::Sender<Page>,
}

impl Callback {
    /// Returns path and query of the request.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Refuses the callback with this page.
    pub(crate) fn answer(self, page: Page) {
        // If this fails, the browser has closed its connection and needs no page.
        let _ = self.page.send(page);
    }

    /// Like [`answer`](Self::answer), and waits until the page is written: the port closes after it.
    pub(crate) async fn answer_last(self, page: Page) {
        self.answer(page);
        sleep(WRITING_TIME).await;
    }
}

async fn serve(socket: TcpListener, place: Arc<Place>, callbacks: mpsc::Sender<Callback>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = socket.accept().await else {
            // Either no file descriptor is free, or the connection was closed before it was accepted.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (place, callbacks) = (Arc::clone(&place), callbacks.clone());
        connections.spawn(async move {
            serve_connection(stream, place, callbacks).await;
            drop(permit);
        });
    }
}

async fn serve_connection(stream: TcpStream, place: Arc<Place>, callbacks: mpsc::Sender<Callback>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (place, callbacks) = (Arc::clone(&place), callbacks.clone());
        async move { Ok::<_, Infallible>(respond(&request, &place, callbacks).await) }
    });
    // An error of one connection affects no other.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn respond(
    request: &Request<Incoming>,
    place: &Place,
    callbacks: mpsc::Sender<Callback>,
) -> Response<Full<Bytes>> {
    match judge(request, place) {
        Ok(Target::Callback) => {
            let (page, answered) = oneshot::channel();
            let uri = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
            // Both fail only after the wait has ended.
            let sent = callbacks.send(Callback { uri, page }).await.is_ok();
            let page = if sent { answered.await.ok() } else { None };
            page.unwrap_or(Page::NotTrusted).into_response(StatusCode::OK)
        }
        Ok(Target::Done) => place.last_page().await.into_response(StatusCode::OK),
        Err(status) => Page::NotTrusted.into_response(status),
    }
}

enum Target {
    Callback,
    Done,
}

/// Checks that a request looks like a browser that follows our redirect, in a window of its own.
fn judge(request: &Request<Incoming>, place: &Place) -> Result<Target, StatusCode> {
    let headers = request.headers();
    let is = |name: &str, expected: &[u8]| headers.get(name).is_none_or(|value| value.as_bytes() == expected);
    let mut hosts = headers.get_all(header::HOST).iter();
    let is_ours =
        |host: &HeaderValue| place.hosts.iter().any(|own| host.as_bytes().eq_ignore_ascii_case(own.as_bytes()));
    let ours = hosts.next().is_some_and(is_ours);
    if !ours || hosts.next().is_some() {
        return Err(StatusCode::MISDIRECTED_REQUEST);
    }
    let navigation = is("sec-fetch-mode", b"navigate") && is("sec-fetch-dest", b"document");
    if !navigation || headers.contains_key(header::ORIGIN) {
        return Err(StatusCode::FORBIDDEN);
    }
    if request.method() != Method::GET {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    if is_fetched_ahead(headers) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    match request.uri().path() {
        path if path == place.path => Ok(Target::Callback),
        DONE_PATH if *place.progress.borrow() != Progress::Waiting => Ok(Target::Done),
        _ => Err(StatusCode::NOT_FOUND),
    }
}

/// True if a browser prefetches the page, which it says in a header. It discards an error response, and sends the
/// request again when the user really goes there.
fn is_fetched_ahead(headers: &HeaderMap) -> bool {
    let ahead = |part: &[u8]| {
        let part = part.trim_ascii();
        ["prefetch", "prerender", "preview"].iter().any(|name| part.eq_ignore_ascii_case(name.as_bytes()))
    };
    ["sec-purpose", "purpose", "x-purpose", "x-moz"].iter().any(|name| {
        let mut values = headers.get_all(*name).iter();
        values.any(|value| value.as_bytes().split(|byte| b";,".contains(byte)).any(ahead))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OAuth 2.1 draft §8.5.4, RFC 8252 §7.3, RFC 8252 §8.3.
    #[test]
    fn only_loopback_addresses_are_listened_on() {
        for host in ["127.0.0.1", "127.1.2.3", "::1", "localhost"] {
            assert!(loopback_addresses(host).is_some(), "{host}");
        }
        for host in ["0.0.0.0", "::", "10.0.0.1", "127.1", "localhost.evil", "::ffff:127.0.0.1", ""] {
            assert!(loopback_addresses(host).is_none(), "{host}");
        }
    }

    /// RFC 8252 §7.3, cleared-cli 0.2.1.
    #[tokio::test]
    async fn a_port_in_use_is_found_before_the_browser_opens() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let redirect_uri = format!("http://{}/callback", taken.local_addr().unwrap());
        assert!(CallbackListener::bind(&redirect_uri).await.is_err());
    }

    #[tokio::test]
    async fn a_redirect_uri_that_cannot_be_listened_on_is_an_error() {
        for uri in
            ["https://127.0.0.1:8976/callback", "http://10.0.0.1:8976/", "http://127.0.0.1/callback", "/callback"]
        {
            assert!(CallbackListener::bind(uri).await.is_err(), "{uri}");
        }
    }
}
