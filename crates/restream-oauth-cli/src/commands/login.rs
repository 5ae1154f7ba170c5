//! `login`: steps 1 to 3 with a browser on this machine.

use std::path::Path;

use restream_oauth_core::{AuthorizationCode, Client};
use restream_oauth_hyper::Transport;

use crate::arguments::Login;
use crate::configuration;
use crate::failure::Failure;
use crate::login::callback_listener::CallbackListener;
use crate::login::{code_in_doubt, show};
use crate::signals::{GivenUp, Interruptions};
use crate::terminal::say;
use crate::tokens::file::{prove_writable, store_through};
use crate::tokens::source::{print_tokens, prove_output};

pub(crate) async fn run(options: &Login) -> Result<(), Failure> {
    let client = configuration::client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    let login_options = configuration::login_options(&options.authorization)?;
    let file = options.tokens.file.as_deref();
    // Everything that can fail is tried before a person is asked to log in.
    match file {
        Some(path) => prove_writable(path, options.client.timeout)?,
        None => prove_output()?,
    }
    let listener = CallbackListener::bind(client.redirect_uri()).await?;

    let mut login = client.login_with(configuration::entropy()?, &login_options)?;
    show(&client, login.url().as_str(), options.no_browser);
    let (code, last_page) = listener.wait(&mut login, options.wait).await?;
    let outcome = exchange(&client, &transport, &code, file).await;
    last_page.show(outcome.is_ok()).await;
    outcome
}

/// Step 3. From here on a signal could lose the login, so it is put off.
async fn exchange(
    client: &Client,
    transport: &Transport,
    code: &AuthorizationCode,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let mut interruptions = Interruptions::watch();
    let outcome = interruptions.put_off(transport.send(client.exchange(code))).await;
    let tokens = outcome.map_err(|GivenUp| code_in_doubt())??;
    let Some(path) = file else { return print_tokens(&tokens) };
    store_through(path, tokens, client, &mut interruptions).await?;
    say(&format!("logged in; the tokens are in {}", path.display()));
    Ok(())
}
