//! The core over reqwest: a login, a profile and a logout, against a local Restream.
//!
//!     cargo run -p restream-oauth-conformance --example over_reqwest
//!
//! The glue is `glue/reqwest.rs`: copy it into your program.
#![cfg_attr(target_arch = "wasm32", no_main)]
#![cfg(not(target_arch = "wasm32"))]

#[path = "../glue/reqwest.rs"]
mod glue;

use std::error::Error;
use std::time::Duration;

use restream_oauth_core::{Client, Endpoints, Entropy};
use restream_oauth_sandbox::Sandbox;

const LIMIT: Duration = Duration::from_secs(75);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&Sandbox::start()?).await
}

pub(crate) async fn run(sandbox: &Sandbox) -> Result<(), Box<dyn Error>> {
    let client = Client::builder(sandbox.client_id())
        .secret(sandbox.client_secret().unwrap_or_default())
        .redirect_uri(&sandbox.redirect_uris()[0])
        .endpoints(Endpoints::at(sandbox.base_url())) // leave this out for the real Restream
        .build()?;
    // Only where reqwest is built without a TLS provider of its own, as it is here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stack = glue::configure(reqwest::Client::builder(), LIMIT).build()?;

    let mut random = [0; 64];
    getrandom::fill(&mut random)?;
    let mut login = client.login(Entropy::from(random));
    let callback = sandbox.approve(login.url().as_str())?; // a person clicks "Approve"
    let code = login.read_callback(&callback)?;

    let tokens = glue::receive(&stack, client.exchange(&code)).await.interpret()?;
    let profile = glue::receive(&stack, client.profile(tokens.access_token())?).await.interpret()?;
    println!("logged in as user {}", profile.id());
    let revoked = glue::receive(&stack, client.revoke(tokens.access_token())).await.interpret()?;
    println!("logged out: {revoked:?}");
    Ok(())
}
