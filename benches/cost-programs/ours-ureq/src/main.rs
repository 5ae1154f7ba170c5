//! The smallest program that does an exchange over our ureq adapter.

use std::env;
use std::error::Error;

use restream_oauth_core::{AuthorizationCode, Client};
use restream_oauth_ureq::Transport;

fn main() -> Result<(), Box<dyn Error>> {
    let redirect_uri = "https://app.example/callback";
    let client = Client::builder("client-id").secret(env::var("SECRET")?).redirect_uri(redirect_uri).build()?;
    let code = AuthorizationCode::without_state_check(env::var("CODE")?, redirect_uri, None);
    let tokens = Transport::new()?.send(client.exchange(&code))?;
    println!("{}", tokens.access_token().expose_secret().len());
    Ok(())
}
