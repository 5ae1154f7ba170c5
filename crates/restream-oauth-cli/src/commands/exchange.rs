//! `exchange`: step 3. Reads the URL that the browser came back with, or a code, from standard input.

use restream_oauth_core::login::redirect_uri_of;
use restream_oauth_core::{Advice, AuthorizationCode, Client};

use crate::arguments::{ClientOptions, Exchange};
use crate::configuration;
use crate::failure::Failure;
use crate::login::code_in_doubt;
use crate::login::file::LoginFile;
use crate::signals::{GivenUp, Interruptions};
use crate::terminal::say;
use crate::tokens::handover::{Handover, Means};
use crate::tokens::place::{Place, TokensPath};
use crate::tokens::source::{NO_CREDENTIAL, is_one_credential, standard_input};

pub(crate) async fn run(options: &Exchange) -> Result<(), Failure> {
    let place = Place::of(&options.tokens)?;
    let file = place.file();
    if file.is_some() && file.map(TokensPath::path) == options.login.as_deref() {
        return Err(Failure::usage("--login and --tokens are the same file"));
    }
    let login = options.login.as_deref().map(LoginFile::lock).transpose()?;
    let saved = login.as_ref().map(LoginFile::text);
    let client = configuration::client(&with_redirect_uri_of(saved, &options.client))?;
    let transport = configuration::transport(&options.client)?;
    let code = code(options, saved, &client)?;
    let means = Means { client: &client, transport: &transport, options: &options.client, output: &options.output };
    let handover = Handover { place: &place, means };
    handover.prove()?;

    let mut interruptions = Interruptions::watch();
    let outcome = interruptions.put_off(transport.send(client.exchange(&code))).await;
    // The code is used up, unless the server certainly did not act.
    let open = matches!(&outcome, Ok(Err(error))
        if matches!(error.advice(), Advice::Retry { .. } | Advice::FixConfiguration));
    if let Some(login) = login.filter(|_| !open) {
        login.remove();
    }
    let tokens = outcome.map_err(|GivenUp| code_in_doubt())??;
    handover.store(tokens, interruptions).await?.complete().await
}

/// Takes the redirect URI of the saved login, unless one is given. Damage is reported when the login is
/// restored.
fn with_redirect_uri_of(saved: Option<&str>, options: &ClientOptions) -> ClientOptions {
    let mut options = options.clone();
    if options.redirect_uri.is_none() {
        options.redirect_uri = saved.and_then(|saved| redirect_uri_of(saved).ok());
    }
    options
}

fn code(options: &Exchange, saved: Option<&str>, client: &Client) -> Result<AuthorizationCode, Failure> {
    let given = standard_input("expected the URL that came back, or a code")?;
    let is_url =
        given.starts_with(['/', '?']) || ["://", "code=", "state=", "error="].iter().any(|part| given.contains(part));
    if let Some(saved) = saved {
        if !is_url {
            return Err(Failure::usage("expected the whole URL that came back on standard input, got something else"));
        }
        return Ok(client.restore_login(saved)?.read_callback(&given)?);
    }
    if is_url {
        return Err(Failure::usage(
            "a URL on standard input is checked against the login that it belongs to: give --login FILE",
        ));
    }
    let Some(redirect_uri) = &options.client.redirect_uri else {
        return Err(Failure::usage("a bare code needs --redirect-uri, the same as in the authorization URL"));
    };
    if !is_one_credential(&given) {
        return Err(Failure::usage(format!("expected a URL or a code on standard input; {NO_CREDENTIAL}")));
    }
    say("warning: a bare code skips state and PKCE: whoever gave it to you may log you into their account");
    Ok(AuthorizationCode::without_state_check(given.as_str(), redirect_uri, None))
}
