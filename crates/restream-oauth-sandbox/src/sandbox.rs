//! [`Sandbox`]: starting one, driving it from a test, and stopping it.

use std::fmt;
use std::io;
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
use crate::mint::Mint;
use crate::orders::decision::{AuthorizeError, decide};
use crate::orders::fault::Fault;
use crate::provider::Provider;
use crate::restream::json::quoted;
use crate::restream::reuse::Reuse;
use crate::restream::rules::Rules;
use crate::system::sync::{Stop, lock};

/// A running local Restream. Dropping it stops its threads and closes its port.
pub struct Sandbox {
    server: Server,
    #[cfg(feature = "tls")]
    authority: Option<Authority>,
}

impl Sandbox {
    /// Starts a sandbox on a free port of 127.0.0.1, for a confidential client with random credentials.
    ///
    /// # Errors
    ///
    /// Fails if the operating system has no free port or no random bytes.
    pub fn start() -> Result<Self, StartError> {
        Self::builder().start()
    }

    /// Returns a builder, to change settings before the start.
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

    /// The URL of the canary, whose requests [`Ledger::canary_hits`] counts.
    #[must_use]
    pub fn canary_url(&self) -> String {
        format!("{}{}", self.base_url(), endpoints::CANARY)
    }

    /// Presses "Approve" on the page at `authorize_url`, without a browser. Returns the URL that a browser would be
    /// redirected to.
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
    /// Fails if the sandbox would not show the page.
    pub fn approve(&self, authorize_url: &str) -> Result<String, AuthorizeError> {
        decide(&self.state().provider, self.base_url(), authorize_url, true)
    }

    /// Presses "Deny" on the page at `authorize_url`. Returns the redirect URI without any parameter, as Restream does.
    ///
    /// # Errors
    ///
    /// Fails if the sandbox would not show the page.
    pub fn deny(&self, authorize_url: &str) -> Result<String, AuthorizeError> {
        decide(&self.state().provider, self.base_url(), authorize_url, false)
    }

    /// Orders a fault. Faults strike in the order in which they were ordered.
    pub fn inject(&self, fault: Fault) {
        lock(&self.state().faults).push(fault);
    }

    /// Clears all faults. A fault that has struck already runs to its end.
    pub fn clear_faults(&self) {
        lock(&self.state().faults).clear();
    }

    /// Ends all grants, as a user can in the settings of the account: every token is dead from now on. Returns how many grants
    /// were alive.
    pub fn end_grants(&self) -> u64 {
        self.state().provider.end_grants(None)
    }

    /// Mints this many grants, as if as many users had logged in. Their ages lie evenly between nothing and `oldest`, in an
    /// order that is the same each time and does not follow the age. The ledger counts neither codes nor exchanges for them.
    ///
    /// A grant is minted when the iterator is asked for it. The sandbox then keeps a hundred to two hundred bytes of each of
    /// its tokens, and as much of each token of a refresh.
    ///
    /// ```
    /// use std::time::Duration;
    /// use restream_oauth_sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// let grants: Vec<_> = sandbox.mint(1000, Duration::from_secs(2520))?.collect();
    /// assert!(grants.iter().all(|grant| grant.token_response.contains(&grant.access_token)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the operating system has no random bytes.
    pub fn mint(&self, grants: u64, oldest: Duration) -> io::Result<Mint<'_>> {
        Mint::new(&self.state().provider, grants, oldest).map_err(io::Error::from)
    }

    /// How many access tokens have expired although nothing revoked their grant and no refresh has replaced them. Looks at
    /// each token, which takes a tenth of a second where there are millions.
    #[must_use]
    pub fn expired_access_tokens(&self) -> usize {
        self.state().provider.expired_access_tokens()
    }

    /// The newest uses of dead refresh tokens, 10,000 at most and from the oldest on. [`Ledger::dead_refresh_tokens_used`]
    /// counts all of them.
    #[must_use]
    pub fn reuses(&self) -> Vec<Reuse> {
        self.state().provider.reuses()
    }

    /// The counts of the ledger, without any request: for a test under load.
    #[must_use]
    pub fn totals(&self) -> Ledger {
        self.state().provider.book.totals()
    }

    /// A snapshot of the ledger.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.state().provider.book.snapshot()
    }

    /// Waits until `wanted` accepts the ledger. Returns `false` after `limit`. Use it when the client
    /// receives no answer to wait for.
    pub fn wait_until(&self, limit: Duration, wanted: impl FnMut(&Ledger) -> bool) -> bool {
        self.state().provider.book.wait_until(limit, wanted)
    }

    /// Moves the sandbox's clock forward, so that codes and tokens expire without waiting.
    pub fn advance(&self, by: Duration) {
        self.state().provider.clock.advance(by);
    }

    /// The rules at this moment.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.state().provider.rules()
    }

    /// Changes the rules from now on. Codes and tokens keep the scopes and lifetimes with which they were issued.
    pub fn set_rules(&self, rules: Rules) {
        self.state().provider.set_rules(rules);
    }

    /// Forgets codes, tokens, faults and the ledger, and returns to the system's time and to the rules of the start. The
    /// credentials stay.
    pub fn reset(&self) {
        self.state().reset();
    }

    /// One line of JSON that a server prints when it is ready:
    /// `{"base_url":…,"client_id":…,"client_secret":…,"redirect_uris":[…]}`, and with TLS `"ca_certificate_pem"`. The
    /// line contains the secret, which is `null` for a public client.
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

    /// Blocks for ever, so that a server's `main` does not return.
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
    /// Starts the sandbox.
    ///
    /// # Errors
    ///
    /// Fails if a setting is invalid, or if the operating system does not provide the port or random bytes.
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
            provider: Provider::new(plan.settings, plan.rules),
            base_url: format!("{scheme}://{reachable}"),
            port: reachable.port(),
            public: plan.public,
            one_request_per_connection: plan.one_request_per_connection,
            most_connections: plan.most_connections,
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

/// Shows the address only, not the secret.
impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sandbox").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<Sandbox>();
    }
}
