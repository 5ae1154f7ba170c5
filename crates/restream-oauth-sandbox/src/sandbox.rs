//! [`Sandbox`]: starting one, driving it from a test, and stopping it.

use std::fmt;
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Duration;

use crate::builder::{Builder, StartError};
use crate::http::endpoints;
use crate::http::server::{Server, reachable};
use crate::http::state::State;
#[cfg(feature = "tls")]
use crate::http::tls::Authority;
use crate::ledger::Ledger;
use crate::orders::decision::{AuthorizeError, decide};
use crate::orders::fault::Fault;
use crate::provider::Provider;
use crate::restream::json::quoted;
use crate::system::sync::{Stop, lock};

/// A running local Restream. Dropping it ends its threads and closes its port.
pub struct Sandbox {
    server: Server,
    #[cfg(feature = "tls")]
    authority: Option<Authority>,
}

impl Sandbox {
    /// Starts one on 127.0.0.1, on a free port, for a confidential client with random credentials.
    ///
    /// # Errors
    ///
    /// When no port or no randomness is to be had.
    pub fn start() -> Result<Self, StartError> {
        Self::builder().start()
    }

    /// Starts with other settings than the usual ones.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Scheme, host and port: `http://127.0.0.1:49152`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.state().base_url
    }

    /// The id of the registered client.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.state().provider.settings.client_id
    }

    /// The secret of the registered client; `None` if it is a public one.
    #[must_use]
    pub fn client_secret(&self) -> Option<&str> {
        self.state().provider.settings.client_secret.as_deref()
    }

    /// The registered redirect URIs.
    #[must_use]
    pub fn redirect_uris(&self) -> &[String] {
        &self.state().provider.settings.redirect_uris
    }

    /// The address that counts who comes there: see [`Ledger::canary_hits`].
    #[must_use]
    pub fn canary_url(&self) -> String {
        format!("{}{}", self.base_url(), endpoints::CANARY)
    }

    /// Presses "Approve" on the page at `authorize_url`, without a browser: the address that a browser
    /// would be sent to.
    ///
    /// ```
    /// use restream_oauth_sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// let url = format!(
    ///     "{}/login?response_type=code&client_id={}&redirect_uri=http://127.0.0.1:8976/callback&state=s",
    ///     sandbox.base_url(),
    ///     sandbox.client_id(),
    /// );
    /// let callback = sandbox.approve(&url)?;
    /// assert!(callback.starts_with("http://127.0.0.1:8976/callback?code="));
    /// assert!(callback.ends_with("&state=s"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the page would not be shown.
    pub fn approve(&self, authorize_url: &str) -> Result<String, AuthorizeError> {
        decide(&self.state().provider, self.base_url(), authorize_url, true)
    }

    /// Presses "Deny" on the page at `authorize_url`: Restream redirects without any parameter.
    ///
    /// # Errors
    ///
    /// When the page would not be shown.
    pub fn deny(&self, authorize_url: &str) -> Result<String, AuthorizeError> {
        decide(&self.state().provider, self.base_url(), authorize_url, false)
    }

    /// Puts a fault at the end of the queue.
    pub fn inject(&self, fault: Fault) {
        lock(&self.state().faults).push(fault);
    }

    /// Takes all faults off the queue. Those that struck already run their course.
    pub fn clear_faults(&self) {
        lock(&self.state().faults).clear();
    }

    /// What has happened so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.state().provider.book.snapshot()
    }

    /// Waits until the ledger is as wanted; `false` if it was not within `limit`. For clients that have no
    /// answer to wait for.
    pub fn wait_until(&self, limit: Duration, wanted: impl FnMut(&Ledger) -> bool) -> bool {
        self.state().provider.book.wait_until(limit, wanted)
    }

    /// Moves the sandbox's clock forward, so that codes and tokens expire without waiting.
    pub fn advance(&self, by: Duration) {
        self.state().provider.clock.advance(by);
    }

    /// Forgets codes, tokens, faults and the ledger, and returns to the system's time. The credentials stay.
    pub fn reset(&self) {
        self.state().reset();
    }

    /// One line of JSON, secret included, for whoever starts this as a server:
    /// `{"base_url":…,"client_id":…,"client_secret":…,"redirect_uris":[…]}`, and `"ca_certificate_pem"`
    /// with TLS. The secret of a public client is `null`.
    #[must_use]
    pub fn ready_line(&self) -> String {
        let uris: Vec<_> = self.redirect_uris().iter().map(|uri| quoted(uri)).collect();
        #[cfg(feature = "tls")]
        let certificate =
            self.ca_certificate_pem().map(|pem| format!(",\"ca_certificate_pem\":{}", quoted(pem))).unwrap_or_default();
        #[cfg(not(feature = "tls"))]
        let certificate = "";
        format!(
            r#"{{"base_url":{},"client_id":{},"client_secret":{},"redirect_uris":[{}]{certificate}}}"#,
            quoted(self.base_url()),
            quoted(self.client_id()),
            self.client_secret().map_or_else(|| "null".to_owned(), quoted),
            uris.join(","),
        )
    }

    /// Blocks while the sandbox serves, which is until the process ends.
    pub fn wait(&self) {
        while !self.state().stop.sleep(Duration::MAX) {}
    }

    /// The certificate authority that a client must trust, as PEM; `None` without TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn ca_certificate_pem(&self) -> Option<&str> {
        self.authority.as_ref().map(Authority::pem)
    }

    /// The certificate authority that a client must trust, as DER; `None` without TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn ca_certificate_der(&self) -> Option<&[u8]> {
        self.authority.as_ref().map(Authority::der)
    }

    fn state(&self) -> &State {
        self.server.state()
    }
}

impl Builder {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When a setting cannot work or the port cannot be had.
    pub fn start(self) -> Result<Sandbox, StartError> {
        let plan = self.plan()?;
        let address = plan.address;
        let bind = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(bind)?;
        let reachable = reachable(listener.local_addr().map_err(bind)?);

        #[cfg(feature = "tls")]
        let (scheme, authority, tls) = match plan.certificate {
            None => ("http", None, None),
            Some(certificate) => {
                let authority = Authority::new().map_err(StartError::Tls)?;
                let config = authority.server_config(certificate, reachable.ip()).map_err(StartError::Tls)?;
                ("https", Some(authority), Some(config))
            }
        };
        #[cfg(not(feature = "tls"))]
        let scheme = "http";

        let state = State {
            provider: Provider::new(plan.settings),
            base_url: format!("{scheme}://{reachable}"),
            port: reachable.port(),
            public: plan.public,
            one_request_per_connection: plan.one_request_per_connection,
            faults: Mutex::default(),
            stop: Stop::default(),
        };
        let server = Server::start(
            listener,
            state,
            #[cfg(feature = "tls")]
            tls,
        )
        .map_err(bind)?;
        Ok(Sandbox {
            server,
            #[cfg(feature = "tls")]
            authority,
        })
    }
}

/// Without the secret.
impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sandbox").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_is_shared_between_threads() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<Sandbox>();
    }
}
