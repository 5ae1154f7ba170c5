//! A client of a sandbox, and its tokens.

#![allow(dead_code, reason = "each test file uses a part of this module")]

use std::time::Duration;

use restream_oauth_core::{AuthorizationCode, Client, Endpoints, Entropy, Tokens};
use restream_oauth_sandbox::Sandbox;
use restream_oauth_ureq::{Limits, Transport};

pub(crate) fn client(sandbox: &Sandbox) -> Client {
    Client::builder(sandbox.client_id())
        .secret(sandbox.client_secret().unwrap())
        .redirect_uri(&sandbox.redirect_uris()[0])
        .endpoints(Endpoints::at(sandbox.base_url()))
        .build()
        .unwrap()
}

/// Runs steps 1 and 2, with the user's approval.
pub(crate) fn code(sandbox: &Sandbox, client: &Client) -> AuthorizationCode {
    let mut login = client.login(Entropy::from([7; 64]));
    let callback = sandbox.approve(login.url().as_str()).unwrap();
    login.read_callback(&callback).unwrap()
}

/// Runs steps 1 to 3.
pub(crate) fn tokens(sandbox: &Sandbox, transport: &Transport) -> Tokens {
    let client = client(sandbox);
    transport.send(client.exchange(&code(sandbox, &client))).unwrap()
}

/// Limits for a server that hangs.
pub(crate) fn short() -> Limits {
    Limits::default().connect(Duration::from_millis(300)).total(Duration::from_millis(500))
}
