//! A sandbox, a client of it, and a transport with short limits.

use std::time::Duration;

use restream_oauth_core::{AuthorizationCode, Client, Endpoints, Entropy, Tokens};
use restream_oauth_hyper::{Limits, Transport};
use restream_oauth_sandbox::Sandbox;

pub(crate) struct Setup {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
    pub(crate) transport: Transport,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::with(Sandbox::start().unwrap(), short())
    }

    pub(crate) fn with(sandbox: Sandbox, transport: Transport) -> Self {
        let client = client(&sandbox);
        Self { sandbox, client, transport }
    }

    /// A new code, which the user has approved.
    pub(crate) fn code(&self) -> AuthorizationCode {
        let mut login = self.client.login(Entropy::from([7; 64]));
        let callback = self.sandbox.approve(login.url().as_str()).unwrap();
        login.read_callback(&callback).unwrap()
    }

    /// A new pair. Call it before a fault is injected.
    pub(crate) async fn tokens(&self) -> Tokens {
        self.transport.send(self.client.exchange(&self.code())).await.unwrap()
    }

    pub(crate) fn token_requests(&self) -> usize {
        self.sandbox.ledger().requests_to("/oauth/token").count()
    }
}

pub(crate) fn client(sandbox: &Sandbox) -> Client {
    Client::builder(sandbox.client_id())
        .secret(sandbox.client_secret().unwrap())
        .redirect_uri(&sandbox.redirect_uris()[0])
        .endpoints(Endpoints::at(sandbox.base_url()))
        .build()
        .unwrap()
}

/// Half a second to connect, one second in total.
pub(crate) fn limits() -> Limits {
    Limits::default().connect(Duration::from_millis(500)).total(Duration::from_secs(1))
}

pub(crate) fn short() -> Transport {
    Transport::builder().limits(limits()).build().unwrap()
}
