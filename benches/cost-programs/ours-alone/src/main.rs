//! The smallest program that does an exchange with our core: the request goes to stdout, the response comes from stdin.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::time::SystemTime;
use std::{env, io};

use restream_oauth_core::{AuthorizationCode, Client};

fn main() -> Result<(), Box<dyn Error>> {
    let redirect_uri = "https://app.example/callback";
    let client = Client::builder("client-id").secret(env::var("SECRET")?).redirect_uri(redirect_uri).build()?;
    let code = AuthorizationCode::without_state_check(env::var("CODE")?, redirect_uri, None);
    let (request, reader) = client.exchange(&code).into_parts(SystemTime::now());
    io::stdout().write_all(request.body().as_ref())?;
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body)?;
    let tokens = reader.read(http::Response::new(body))?;
    println!("{}", tokens.access_token().expose_secret().len());
    Ok(())
}
