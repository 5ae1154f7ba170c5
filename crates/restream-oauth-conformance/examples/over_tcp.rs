//! The core over `std::net::TcpStream`: a login, a profile and a logout, against a local Restream.
//!
//!     cargo run -p restream-oauth-conformance --example over_tcp
//!
//! The glue is `glue/tcp.rs`, with `glue/framing.rs` and `glue/http1.rs` for HTTP/1.1. It has no TLS: put yours around the
//! stream.
#![cfg_attr(target_arch = "wasm32", no_main)]
#![cfg(not(target_arch = "wasm32"))]

#[path = "../glue/framing.rs"]
mod framing;
#[path = "../glue/tcp.rs"]
mod glue;
#[path = "../glue/http1.rs"]
mod http1;

use std::error::Error;
use std::time::Duration;

use restream_oauth_core::{Client, Endpoints, Entropy};
use restream_oauth_sandbox::Sandbox;

const LIMIT: Duration = Duration::from_secs(75);

fn main() -> Result<(), Box<dyn Error>> {
    run(&Sandbox::start()?)
}

pub(crate) fn run(sandbox: &Sandbox) -> Result<(), Box<dyn Error>> {
    let client = Client::builder(sandbox.client_id())
        .secret(sandbox.client_secret().unwrap_or_default())
        .redirect_uri(&sandbox.redirect_uris()[0])
        .endpoints(Endpoints::at(sandbox.base_url())) // leave this out for the real Restream
        .build()?;

    let mut random = [0; 64];
    getrandom::fill(&mut random)?;
    let mut login = client.login(Entropy::from(random));
    let callback = sandbox.approve(login.url().as_str())?; // a person clicks "Approve"
    let code = login.read_callback(&callback)?;

    let tokens = glue::receive(client.exchange(&code), LIMIT).interpret()?;
    let profile = glue::receive(client.profile(tokens.access_token())?, LIMIT).interpret()?;
    println!("logged in as user {}", profile.id());
    let revoked = glue::receive(client.revoke(tokens.access_token()), LIMIT).interpret()?;
    println!("logged out: {revoked:?}");
    Ok(())
}
