//! The proxy in the environment, and a tunnel through it: `CONNECT` (RFC 9110 §9.3.6), then TLS with the server itself.

use std::env;
use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tower_service::Service;

use crate::build_error::BuildError;
use crate::connector::TcpConnector;

/// The first variable that is set and not empty has precedence. `HTTP_PROXY` is not read: it is for plain http, which
/// is allowed on loopback only, where no proxy is used.
const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// A proxy, and the exceptions to it. `Debug` prints no credentials.
#[derive(Clone, Debug)]
pub(crate) struct Proxy(Arc<Matcher>);

impl Proxy {
    /// Reads the environment. Returns `None` if it names no proxy.
    pub(crate) fn from_environment() -> Result<Option<Self>, BuildError> {
        let Some((variable, url)) = first_set(&PROXY) else { return Ok(None) };
        // A matcher silently ignores a URL that it cannot read: calls would go out without the proxy. To a proxy with
        // another scheme, the tunnel would send plain text, with the credentials.
        let read = Matcher::builder().https(url.clone()).build().intercept(&Uri::from_static("https://any.example"));
        if read.is_none_or(|proxy| proxy.uri().scheme_str() != Some("http")) {
            return Err(BuildError::unusable_proxy(variable));
        }
        let exceptions = first_set(&EXCEPTIONS).map(|(_, list)| list).unwrap_or_default();
        Ok(Some(Self(Arc::new(Matcher::builder().https(url).no(exceptions).build()))))
    }

    /// Opens a tunnel. Returns `None` for a server to connect to directly.
    pub(crate) fn tunnel(&self, tcp: &HttpConnector, server: &Uri) -> Option<<TcpConnector as Service<Uri>>::Future> {
        let proxy = if is_loopback(server) { None } else { self.0.intercept(server) }?;
        let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp.clone());
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        let connecting = tunnel.call(server.clone());
        Some(Box::pin(async move { connecting.await.map_err(|error| NoTunnel::new(&proxy, error).into()) }))
    }
}

fn first_set(variables: &[&'static str]) -> Option<(&'static str, String)> {
    let value = |name| env::var_os(name).map(|value| (name, value.to_string_lossy().into_owned()));
    variables.iter().copied().filter_map(value).find(|(_, value)| !value.is_empty())
}

/// Whether the host is a literal loopback address or `localhost`.
fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The proxy could not be reached, or opened no tunnel to the server. Nothing was sent to the server.
#[derive(Debug)]
struct NoTunnel {
    /// The proxy's host and port, without credentials.
    proxy: String,
    source: Box<dyn Error + Send + Sync>,
}

impl NoTunnel {
    fn new(proxy: &Intercept, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { proxy: proxy.uri().authority().map(ToString::to_string).unwrap_or_default(), source: source.into() }
    }
}

impl fmt::Display for NoTunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} opened no tunnel to the server", self.proxy)
    }
}

impl Error for NoTunnel {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_decides_what_is_loopback() {
        for (uri, expected) in [
            ("https://127.0.0.1:8000/oauth/token", true),
            ("https://[::1]:8000/oauth/token", true),
            ("https://LocalHost/oauth/token", true),
            ("https://api.restream.io/oauth/token", false),
            ("https://localhost.evil.example/oauth/token", false),
            ("https://127.0.0.1.evil.example/", false),
            ("https://10.0.0.1/", false),
        ] {
            assert_eq!(is_loopback(&uri.parse().unwrap()), expected, "{uri}");
        }
    }
}
