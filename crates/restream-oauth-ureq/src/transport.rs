//! Sends each call over a connection of its own.

use std::io::{ErrorKind, Read};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::header::{CONTENT_LENGTH, HeaderValue, USER_AGENT};
use http::{Request, Uri};
use restream_oauth_core::transport::Stage;
use restream_oauth_core::{Answer, Body, Call, Error};
use rustls::pki_types::CertificateDer;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, SendBody};

use crate::body::{SentFlag, flagged};
use crate::build_error::BuildError;
use crate::failure;
use crate::proxy;
use crate::resolver::Ipv4First;
use crate::tls::{self, Roots};

/// The longest head of an answer, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;
/// ureq keeps and reuses a connection only for calls whose input buffer has the agent's size. A call takes the first of
/// these sizes that is not the agent's.
const INPUT_BUFFER: usize = 128 * 1024;
const OTHER_INPUT_BUFFER: usize = 129 * 1024;
/// The output buffer must hold the longest header of a request, which is the one with an access token.
const OUTPUT_BUFFER: usize = 128 * 1024;

/// Sends calls. A transport is cheap to clone; share it.
#[derive(Clone, Debug)]
pub struct Transport {
    agents: Agents,
    limits: Limits,
    user_agent: HeaderValue,
}

#[derive(Clone, Debug)]
enum Agents {
    /// Made by the program. Each call overrides its settings.
    Given(Agent),
    /// Made here, with the settings of every call. ureq sets up TLS anew for a call with settings of its own, so that
    /// none would resume the session of the one before.
    Own { remote: Agent, loopback: Agent },
}

/// What no call may leave to the agent. A macro, because ureq's trait for "agent or request" has no public name.
macro_rules! settings {
    ($builder:expr, $limits:expr, $to_loopback:expr, $proxy:expr) => {{
        let (limits, to_loopback) = ($limits, $to_loopback);
        let phase = limits.phase();
        let connect = limits.connect.min(phase);
        $builder
            .http_status_as_error(false)
            .max_redirects(0)
            .https_only(!to_loopback)
            .proxy(if to_loopback { None } else { $proxy })
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .max_response_header_size(LONGEST_HEAD)
            .no_delay(true)
            .output_buffer_size(OUTPUT_BUFFER)
            .timeout_global(Some(limits.bounded_total()))
            .timeout_per_call(None)
            .timeout_per_read(None)
            .timeout_per_write(None)
            .timeout_resolve(Some(connect))
            .timeout_connect(Some(connect))
            .timeout_send_request(Some(phase))
            .timeout_send_body(Some(phase))
            .timeout_recv_response(Some(phase))
            .timeout_recv_body(Some(phase))
    }};
}

impl Transport {
    /// Builds a transport with the bundled roots and the default limits.
    ///
    /// # Errors
    /// [`BuildError`], as with every adapter. Today these settings cause none.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// Begins a transport with other roots or limits.
    ///
    /// ```
    /// use std::time::Duration;
    /// use restream_oauth_ureq::{Limits, Transport};
    ///
    /// let limits = Limits::default().total(Duration::from_secs(60));
    /// let transport = Transport::builder().limits(limits).build()?;
    /// # Ok::<(), restream_oauth_ureq::BuildError>(())
    /// ```
    pub fn builder() -> TransportBuilder {
        TransportBuilder { roots: Roots::default(), limits: Limits::default(), proxy_from_environment: false }
    }

    /// Builds a transport over your own agent. The [crate's documentation](crate#an-agent-of-your-own) lists which of
    /// its settings a call overrides.
    ///
    /// ```
    /// use restream_oauth_ureq::{Limits, Transport, ureq};
    ///
    /// let proxy = ureq::Proxy::new("http://proxy.example:3128")?;
    /// let agent = ureq::Agent::config_builder().proxy(Some(proxy)).build().new_agent();
    /// let transport = Transport::with_agent(agent, Limits::default());
    /// # Ok::<(), ureq::Error>(())
    /// ```
    pub fn with_agent(agent: Agent, limits: Limits) -> Self {
        Self::of(Agents::Given(agent), limits)
    }

    fn of(agents: Agents, limits: Limits) -> Self {
        let user_agent = HeaderValue::from_static(concat!("restream-oauth-ureq/", env!("CARGO_PKG_VERSION")));
        Self { agents, limits, user_agent }
    }

    /// Sets the `User-Agent`, which otherwise is this crate's name and version.
    #[must_use]
    pub fn user_agent(mut self, user_agent: HeaderValue) -> Self {
        self.user_agent = user_agent;
        self
    }

    /// Sends a call and interprets its answer. Blocks for as long as the limits allow.
    ///
    /// # Errors
    /// [`Error`] says what happened, whether the server may have acted, and what to do now.
    pub fn send<T>(&self, call: Call<T>) -> Result<T, Error> {
        self.receive(call).interpret()
    }

    /// Sends a call and returns its answer, not yet interpreted. Use it to save the raw answer
    /// ([`Answer::to_saved`]) before anything interprets it.
    pub fn receive<T>(&self, call: Call<T>) -> Answer<T> {
        let (request, mut reader) = call.into_parts(SystemTime::now());
        let has_body = !request.body().is_empty();
        let sent = SentFlag::default();
        let (agent, request) = self.prepare(request, &sent);
        let (head, body) = match agent.run(request) {
            Ok(response) => response.into_parts(),
            Err(error) => {
                let stage = sent.stage();
                return reader.fail(stage, failure::of_call(error, stage, has_body));
            }
        };
        if reader.head(head.status, &head.headers).is_break() {
            return reader.finish();
        }
        let mut body = body.into_reader();
        // One byte at a time: if a read meets a malformed chunk, ureq drops the bytes that this read has already
        // decoded, which may be a whole pair. ureq has a buffer, so this costs function calls and no system calls.
        let mut byte = [0];
        loop {
            match body.read(&mut byte) {
                Ok(0) => return reader.finish(),
                Ok(_) => {
                    if reader.chunk(&byte).is_break() {
                        return reader.finish();
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return reader.fail(Stage::ReadingBody, failure::of_body(error)),
            }
        }
    }

    /// Adds `Content-Length` and `User-Agent`. Returns the request with the agent that sends it, without any setting of the
    /// agent that could only do harm.
    fn prepare(&self, request: Request<Body>, sent: &SentFlag) -> (&Agent, Request<SendBody<'static>>) {
        let length = request.body().len();
        let mut request = request.map(|body| flagged(body, sent));
        if length > 0 {
            // Without this header, ureq would send the body in chunks.
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        request.headers_mut().insert(USER_AGENT, self.user_agent.clone());

        let to_loopback = is_loopback(request.uri());
        match &self.agents {
            Agents::Own { remote, loopback } => (if to_loopback { loopback } else { remote }, request),
            Agents::Given(agent) => {
                let config = agent.config();
                let input_buffer =
                    if config.input_buffer_size() == INPUT_BUFFER { OTHER_INPUT_BUFFER } else { INPUT_BUFFER };
                let request = agent.configure_request(request).input_buffer_size(input_buffer);
                (agent, settings!(request, self.limits, to_loopback, config.proxy().cloned()).build())
            }
        }
    }
}

/// The time limits of a call.
///
/// ```
/// use std::time::Duration;
/// use restream_oauth_ureq::Limits;
///
/// let limits = Limits::default().connect(Duration::from_secs(5)).total(Duration::from_secs(60));
/// assert_eq!((limits.connect.as_secs(), limits.total.as_secs()), (5, 60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The limit for name resolution, and once more the same for TCP and TLS together.
    pub connect: Duration,
    /// The limit for the whole call, with connecting. The default is long: to give up after a refresh was sent may cost
    /// the user a login.
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

    /// Returns the total limit, but at most thirty years: ureq adds the limit to the present time, which must not
    /// overflow.
    fn bounded_total(&self) -> Duration {
        const FAR: Duration = Duration::from_secs(30 * 31_536_000);
        self.total.min(FAR)
    }

    /// Returns the limit for each phase. It is a little shorter than the total limit, so that ureq reports which phase
    /// took too long.
    fn phase(&self) -> Duration {
        let total = self.bounded_total();
        let margin = Duration::from_millis(100).min(total.checked_div(8).unwrap_or_default());
        total.saturating_sub(margin)
    }
}

/// Builds a [`Transport`] with the default agent.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct TransportBuilder {
    roots: Roots,
    limits: Limits,
    proxy_from_environment: bool,
}

impl TransportBuilder {
    /// Sets the time limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Trusts these root certificates *instead of* the bundled ones. ureq cannot combine both.
    pub fn only_root_certificates(mut self, certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.roots = Roots::These(certificates.into_iter().collect());
        self
    }

    /// Trusts the operating system's root certificates instead of the bundled ones.
    #[cfg(feature = "system-roots")]
    pub fn system_roots(mut self) -> Self {
        self.roots = Roots::System;
        self
    }

    /// Connects through the proxy in the environment, if there is one. [`build`](Self::build) reads the environment.
    /// See [A proxy](crate#a-proxy).
    ///
    /// ```
    /// use restream_oauth_ureq::Transport;
    ///
    /// let transport = Transport::builder().proxy_from_environment().build()?;
    /// # Ok::<(), restream_oauth_ureq::BuildError>(())
    /// ```
    pub fn proxy_from_environment(mut self) -> Self {
        self.proxy_from_environment = true;
        self
    }

    /// Sets up TLS, and reads the environment if [`proxy_from_environment`](Self::proxy_from_environment) was called.
    ///
    /// # Errors
    /// [`BuildError`] if a root certificate is not a certificate, or if the proxy in the environment cannot be used.
    pub fn build(self) -> Result<Transport, BuildError> {
        let proxy = if self.proxy_from_environment { proxy::from_environment()? } else { None };
        let tls = tls::config(self.roots.try_into()?);
        let agent = |to_loopback: bool| {
            // A connection is used once.
            let config = Agent::config_builder().tls_config(tls.clone()).max_idle_connections(0);
            let config = settings!(config, self.limits, to_loopback, proxy.clone()).build();
            Agent::with_parts(config, DefaultConnector::default(), Ipv4First::<DefaultResolver>::default())
        };
        Ok(Transport::of(Agents::Own { remote: agent(false), loopback: agent(true) }, self.limits))
    }
}

/// Whether the host is a literal loopback address or `localhost`.
fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_decides_what_is_loopback() {
        for (uri, expected) in [
            ("http://127.0.0.1:8000/oauth/token", true),
            ("http://[::1]:8000/oauth/token", true),
            ("https://LocalHost/oauth/token", true),
            ("https://api.restream.io/oauth/token", false),
            ("https://localhost.evil.example/oauth/token", false),
            ("https://127.0.0.1.evil.example/", false),
            ("https://10.0.0.1/", false),
        ] {
            assert_eq!(is_loopback(&uri.parse().unwrap()), expected, "{uri}");
        }
    }

    #[test]
    fn a_limit_of_any_length_can_be_added_to_the_present_time() {
        let endless = Limits::default().connect(Duration::MAX).total(Duration::MAX);
        assert!(std::time::Instant::now().checked_add(endless.bounded_total()).is_some());
        assert!(endless.phase() < endless.bounded_total());
        assert_eq!(Limits::default().total(Duration::ZERO).phase(), Duration::ZERO);
    }
}
