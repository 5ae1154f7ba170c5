//! `login`: steps 1 to 3 with a browser. It comes back to a port of this machine, or its URL is pasted.

use restream_oauth_core::AuthorizationCode;

use crate::arguments::Login;
use crate::configuration;
use crate::failure::Failure;
use crate::login::waiting::Waiting;
use crate::login::{code_in_doubt, guidance, show, show_qr_code};
use crate::signals::{GivenUp, Interruptions};
use crate::tokens::handover::{Handover, LoggedIn, Means};
use crate::tokens::place::Place;

pub(crate) async fn run(options: &Login) -> Result<(), Failure> {
    let client = configuration::client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    let login_options = configuration::login_options(&options.authorization)?;
    let place = Place::of(&options.tokens)?;
    let means = Means { client: &client, transport: &transport, options: &options.client, output: &options.output };
    let handover = Handover { place: &place, means };
    // Everything that can fail is tried before a person is asked to log in.
    handover.prove()?;
    handover.announce();
    let redirect_uri = client.redirect_uri();
    let waiting =
        if options.no_listen { Waiting::for_paste() } else { Waiting::for_browser_or_paste(redirect_uri).await? };

    let mut login = client.login_with(configuration::entropy()?, &login_options)?;
    guidance::before_the_url(&waiting, redirect_uri);
    show(&client, login.url().as_str(), options.no_browser);
    if options.qr {
        show_qr_code(login.url().as_str());
    }
    guidance::after_the_url(&waiting);
    let (code, last_page) = waiting.end(&mut login, options.wait).await?;
    let outcome = exchange(handover, &code).await;
    if let Some(last_page) = last_page {
        last_page.show(outcome.is_ok()).await;
    }
    outcome?.complete().await
}

/// Step 3. From here on a signal could lose the login, so it is put off.
async fn exchange<'a>(handover: Handover<'a>, code: &AuthorizationCode) -> Result<LoggedIn<'a>, Failure> {
    let mut interruptions = Interruptions::watch();
    let outcome = interruptions.put_off(handover.means.transport.send(handover.means.client.exchange(code))).await;
    let tokens = outcome.map_err(|GivenUp| code_in_doubt())??;
    handover.store(tokens, interruptions).await
}
