//! The smallest program that does an exchange with `oauth2` over reqwest.

use std::env;
use std::error::Error;

use oauth2::basic::BasicClient;
use oauth2::{AuthorizationCode, ClientId, ClientSecret, RedirectUrl, TokenResponse as _, TokenUrl, reqwest};

fn main() -> Result<(), Box<dyn Error>> {
    let client = BasicClient::new(ClientId::new("client-id".to_owned()))
        .set_client_secret(ClientSecret::new(env::var("SECRET")?))
        .set_token_uri(TokenUrl::new("https://api.restream.io/oauth/token".to_owned())?)
        .set_redirect_uri(RedirectUrl::new("https://app.example/callback".to_owned())?);
    let exchange = client.exchange_code(AuthorizationCode::new(env::var("CODE")?));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let tokens = runtime.block_on(exchange.request_async(&http))?;
    println!("{}", tokens.access_token().secret().len());
    Ok(())
}
