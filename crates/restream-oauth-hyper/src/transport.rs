//! Sends each call over a connection of its own.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::Connect;
use hyper_util::rt::TokioExecutor;
use restream_oauth_core::transport::{Failure, FailureKind, Stage};
use restream_oauth_core::{Answer, Call, Error};
use rustls::pki_types::CertificateDer;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::body::{FlaggedBody, SentFlag};
use crate::build_error::BuildError;
use crate::connector::TcpConnector;
use crate::failure;
#[cfg(feature = "proxy")]
use crate::proxy::Proxy;
use crate::tls::{self, Roots};

/// The most informational answers (1xx) that one call accepts: more than servers send before the final answer.
const MOST_INFORMATIONAL: usize = 16;

/// A timer is that much late if the process did not run when it should have fired.
const LATE: Duration = Duration::from_millis(100);
/// How long a call that was late is looked at once more.
const LAST_LOOK: Duration = Duration::from_millis(250);
/// A timer is that much late if the process was stopped, or the machine slept.
const SLEPT: Duration = Duration::from_secs(3);
/// How long a call gets after that: what the server sent in the meantime may have to be sent again.
const AFTER_SLEEP: Duration = Duration::from_secs(15);

/// Sends calls. A transport is cheap to clone; share it.
#[derive(Clone, Debug)]
pub struct Transport<C = HttpsConnector<TcpConnector>> {
    client: Client<C, FlaggedBody>,
    limits: Limits,
    user_agent: HeaderValue,
}

impl Transport {
    /// Builds a transport with the default connector, the bundled roots and the default limits.
    ///
    /// # Errors
    /// [`BuildError`] if TLS cannot be set up.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// Begins a transport with other roots or limits.
    pub fn builder() -> TransportBuilder {
        TransportBuilder {
            roots: Roots::default(),
            limits: Limits::default(),
            #[cfg(feature = "proxy")]
            proxy_from_environment: false,
        }
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> Transport<C> {
    /// Builds a transport over your own connector, for example one through a proxy. The connector must check the
    /// server's certificate (RFC 6749 §10.9), and it must not fall back to plain http. The limits apply to it as well.
    pub fn with_connector(connector: C, limits: Limits) -> Self {
        // A new connection for each call, and no retries: a refresh token must not be sent twice, and a reused
        // connection may fail only after the request was written to it.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .retry_canceled_requests(false)
            .build(connector);
        let user_agent = HeaderValue::from_static(concat!("restream-oauth-hyper/", env!("CARGO_PKG_VERSION")));
        Self { client, limits, user_agent }
    }

    /// Sets the `User-Agent`, which otherwise is this crate's name and version.
    #[must_use]
    pub fn user_agent(mut self, user_agent: HeaderValue) -> Self {
        self.user_agent = user_agent;
        self
    }

    /// Shortens the limit for the whole call, if it is longer than `total`. A clone keeps its own limit, so one call can be
    /// given less time than the others.
    ///
    /// ```no_run
    /// # async fn run(transport: restream_oauth_hyper::Transport, client: restream_oauth_core::Client)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use restream_oauth_core::AccessToken;
    ///
    /// let hasty = transport.clone().at_most(Duration::from_secs(5));
    /// let profile = hasty.send(client.profile(&AccessToken::new("9ca0e1e9"))?).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn at_most(mut self, total: Duration) -> Self {
        self.limits.total = self.limits.total.min(total);
        self
    }

    /// Sends a call and interprets its answer.
    ///
    /// # Errors
    /// [`Error`] says what happened, whether the server may have acted, and what to do now.
    pub async fn send<T>(&self, call: Call<T>) -> Result<T, Error> {
        self.receive(call).await.interpret()
    }

    /// Sends a call and returns its answer, not yet interpreted. Use it to save the raw answer
    /// ([`Answer::to_saved`]) before anything interprets it.
    pub async fn receive<T>(&self, call: Call<T>) -> Answer<T> {
        self.receive_at(call, SystemTime::now()).await
    }

    /// Like [`receive`](Self::receive), for a program that reads another clock than the system's: tokens count as issued at
    /// `now`. The limits are those of the system's clock all the same.
    ///
    /// ```no_run
    /// # async fn run(transport: restream_oauth_hyper::Transport, client: restream_oauth_core::Client)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::{Duration, SystemTime};
    /// use restream_oauth_core::RefreshToken;
    ///
    /// let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    /// let answer = transport.receive_at(client.refresh(&RefreshToken::new("9ca0e1e9")), tomorrow).await;
    /// assert_eq!(answer.interpret()?.sent_at(), tomorrow);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn receive_at<T>(&self, call: Call<T>, now: SystemTime) -> Answer<T> {
        let (request, mut reader) = call.into_parts(now);
        let sent = SentFlag::default();
        let deadline = after(self.limits.total);
        let (head, mut body) = match self.send_head(request.map(Bytes::from), &sent, deadline).await {
            Ok(response) => response.into_parts(),
            Err(failure) => return reader.fail(sent.stage(), failure),
        };
        if reader.head(head.status, &head.headers).is_break() {
            return reader.finish();
        }
        let mut total_limit = pin!(passed(deadline));
        loop {
            let frame = poll_fn(|context| {
                if let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(context) {
                    return Poll::Ready(Some(frame));
                }
                total_limit.as_mut().poll(context).map(|()| None)
            });
            match frame.await {
                Some(Some(Ok(frame))) => {
                    if frame.data_ref().is_some_and(|bytes| reader.chunk(bytes).is_break()) {
                        return reader.finish();
                    }
                }
                Some(Some(Err(error))) => return reader.fail(Stage::ReadingBody, failure::of_body(error)),
                Some(None) => return reader.finish(),
                None => return reader.fail(Stage::ReadingBody, Failure::new(FailureKind::Timeout)),
            }
        }
    }

    /// Sends a request that is no step of the flow, such as a call of the API with a
    /// [bearer header](restream_oauth_core::AccessToken::bearer_header), over a connection of its own. Follows no
    /// redirect. The limits apply until the head of the response is there. The caller reads the body, and bounds its size
    /// and time.
    ///
    /// # Errors
    /// [`Failure`] if no response head arrived. Also for plain http to another host than this machine: nothing is sent
    /// then.
    pub async fn request(&self, request: Request<Bytes>) -> Result<Response<Incoming>, Failure> {
        if !is_protected(request.uri()) {
            return Err(Failure::new(FailureKind::Other).with_source("expected https, or http on a loopback address"));
        }
        self.send_head(request, &SentFlag::default(), after(self.limits.total)).await
    }

    /// Connects, sends the request, and waits for the head of the answer.
    async fn send_head(
        &self,
        request: Request<Bytes>,
        sent: &SentFlag,
        deadline: Instant,
    ) -> Result<Response<Incoming>, Failure> {
        // The flag of an empty body is never set, so it does not show the end of connecting. Only the total limit
        // applies.
        let connect_deadline =
            if request.body().is_empty() { deadline } else { after(self.limits.connect).min(deadline) };
        let mut request = request.map(|body| FlaggedBody::new(body, sent.clone()));
        request.headers_mut().insert(USER_AGENT, self.user_agent.clone());
        let too_many_informational = limit_informational(&mut request);

        let mut response = pin!(self.client.request(request));
        let mut too_many_informational = pin!(too_many_informational.notified());
        let mut connect_limit = pin!(sleep_until(connect_deadline));
        let mut total_limit = pin!(passed(deadline));
        poll_fn(|context| {
            if let Poll::Ready(response) = response.as_mut().poll(context) {
                return Poll::Ready(response.map_err(failure::of_client));
            }
            if too_many_informational.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(Failure::new(FailureKind::Protocol)));
            }
            let connecting_too_long = !sent.is_set() && connect_limit.as_mut().poll(context).is_ready();
            if connecting_too_long || total_limit.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(Failure::new(FailureKind::Timeout)));
            }
            Poll::Pending
        })
        .await
    }
}

/// The time limits of a call.
///
/// ```
/// use std::time::Duration;
/// use restream_oauth_hyper::Limits;
///
/// let limits = Limits::default().connect(Duration::from_secs(5)).total(Duration::from_secs(60));
/// assert_eq!((limits.connect.as_secs(), limits.total.as_secs()), (5, 60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The limit for name resolution, TCP and TLS together. For a call without a body, only [`total`](Self::total)
    /// applies.
    pub connect: Duration,
    /// The limit for the whole call, with connecting. The default is long: to give up after a refresh was sent may cost
    /// the user a login. If the process is stopped when the limit passes, or the machine sleeps, the call gets up to 15
    /// seconds more, because its answer may be waiting to be read.
    pub total: Duration,
}

impl Default for Limits {
    /// 10 seconds to connect, 75 seconds in total: no longer than a keeper lets a request take.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), total: Duration::from_secs(75) }
    }
}

impl Limits {
    /// Sets the limit for connecting.
    #[must_use]
    pub fn connect(self, connect: Duration) -> Self {
        Self { connect, ..self }
    }

    /// Sets the limit for the whole call.
    #[must_use]
    pub fn total(self, total: Duration) -> Self {
        Self { total, ..self }
    }
}

/// Builds a [`Transport`] with the default connector.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct TransportBuilder {
    roots: Roots,
    limits: Limits,
    #[cfg(feature = "proxy")]
    proxy_from_environment: bool,
}

impl TransportBuilder {
    /// Sets the time limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Trusts these root certificates in addition to the bundled or the system's ones.
    pub fn root_certificates(mut self, certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.roots.additional.extend(certificates);
        self
    }

    /// Trusts these root certificates *instead of* the bundled or the system's ones.
    pub fn only_root_certificates(mut self, certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.roots = Roots {
            additional: certificates.into_iter().collect(),
            only_additional: true,
            #[cfg(feature = "system-roots")]
            system: false,
        };
        self
    }

    /// Trusts the operating system's root certificates instead of the bundled ones.
    #[cfg(feature = "system-roots")]
    pub fn system_roots(mut self) -> Self {
        self.roots.system = true;
        self.roots.only_additional = false;
        self
    }

    /// Connects through the proxy in the environment, if there is one. [`build`](Self::build) reads the environment.
    /// See [A proxy](crate#a-proxy).
    ///
    /// ```
    /// use restream_oauth_hyper::Transport;
    ///
    /// let transport = Transport::builder().proxy_from_environment().build()?;
    /// # Ok::<(), restream_oauth_hyper::BuildError>(())
    /// ```
    #[cfg(feature = "proxy")]
    pub fn proxy_from_environment(mut self) -> Self {
        self.proxy_from_environment = true;
        self
    }

    /// Sets up TLS, and reads the environment if `proxy_from_environment` was called.
    ///
    /// # Errors
    /// [`BuildError`] if a root certificate is not a certificate, if the system's roots cannot be read, or if the proxy
    /// in the environment cannot be used.
    pub fn build(self) -> Result<Transport, BuildError> {
        let tcp = TcpConnector::direct();
        #[cfg(feature = "proxy")]
        let tcp = tcp.through(if self.proxy_from_environment { Proxy::from_environment()? } else { None });
        Ok(Transport::with_connector(tls::connector(self.roots, tcp)?, self.limits))
    }
}

/// True for https, and for plain http that does not leave this machine. The core checks its own requests.
fn is_protected(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    uri.scheme() == Some(&Scheme::HTTPS) || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Counts the informational answers, and notifies when there are too many. Without this count, a server could keep a
/// call going past every time limit.
fn limit_informational<B>(request: &mut Request<B>) -> Arc<Notify> {
    let too_many = Arc::new(Notify::new());
    let count = AtomicUsize::new(0);
    let notify = Arc::clone(&too_many);
    hyper::ext::on_informational(request, move |_| {
        if count.fetch_add(1, Ordering::Relaxed) >= MOST_INFORMATIONAL {
            notify.notify_one();
        }
    });
    too_many
}

/// Waits until the deadline of a call has passed. If the process did not run at that time, because it was stopped or the
/// machine slept, the call gets some more: the answer may be here already, and passes through the task of the connection
/// before the call can see it.
async fn passed(deadline: Instant) {
    sleep_until(deadline).await;
    let late = deadline.elapsed();
    if late > LATE {
        sleep(if late > SLEPT { AFTER_SLEEP } else { LAST_LOOK }).await;
    }
}

/// Returns the time at which a limit passes. A limit beyond what the clock can express counts as thirty years.
fn after(limit: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 31_536_000);
    let now = Instant::now();
    now.checked_add(limit.min(FAR)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bearer token must not cross a network in the clear (RFC 6750 section 5.3).
    #[tokio::test]
    async fn a_request_over_plain_http_leaves_this_machine_never() {
        let transport = Transport::new().unwrap();
        for uri in ["http://api.restream.io/", "http://localhost.example/", "http://10.0.0.1/", "/v2/user/profile"] {
            let request = Request::get(uri).body(Bytes::new()).unwrap();
            let failure = transport.request(request).await.unwrap_err();
            assert_eq!(failure.kind(), FailureKind::Other, "{uri}");
        }
        assert!(is_protected(&Uri::from_static("http://[::1]:9/")));
        assert!(is_protected(&Uri::from_static("https://api.restream.io/")));
        assert!(!is_protected(&Uri::from_static("http://localhost/")));
    }
}
