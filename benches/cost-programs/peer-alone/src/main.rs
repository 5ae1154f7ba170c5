//! The smallest program that does an exchange with `oauth2` alone: the request goes to stdout, the response comes from
//! stdin.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::{env, io};

use oauth2::basic::BasicClient;
use oauth2::{
    AuthorizationCode, ClientId, ClientSecret, HttpRequest, HttpResponse, RedirectUrl, TokenResponse as _, TokenUrl,
};

fn main() -> Result<(), Box<dyn Error>> {
    let client = BasicClient::new(ClientId::new("client-id".to_owned()))
        .set_client_secret(ClientSecret::new(env::var("SECRET")?))
        .set_token_uri(TokenUrl::new("https://api.restream.io/oauth/token".to_owned())?)
        .set_redirect_uri(RedirectUrl::new("https://app.example/callback".to_owned())?);
    let exchange = client.exchange_code(AuthorizationCode::new(env::var("CODE")?));
    let send = |request: HttpRequest| -> io::Result<HttpResponse> {
        io::stdout().write_all(request.body())?;
        let mut body = Vec::new();
        io::stdin().read_to_end(&mut body)?;
        Ok(HttpResponse::new(body))
    };
    let tokens = exchange.request(&send)?;
    println!("{}", tokens.access_token().secret().len());
    Ok(())
}
