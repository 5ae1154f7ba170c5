//! `login`: steps 1 to 3 with a browser. It comes back to a port of this machine, or its URL is pasted.

mod database;

use restream_oauth_core::AuthorizationCode;

use crate::arguments::Login;
use crate::configuration;
use crate::database::chosen::Chosen;
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
    let means = Means { client: &client, transport: &transport, options: &options.client, output: &options.output };
    // Everything that can fail is tried before a person is asked to log in.
    let place;
    let handover = if let Some(chosen) = Chosen::of(&options.database, &options.tokens)? {
        Destination::Database(database::Handover::prepare(means, chosen, &options.tokens).await?)
    } else {
        place = Place::of(&options.tokens)?;
        let handover = Handover { place: &place, means };
        handover.prove()?;
        handover.announce();
        Destination::Files(handover)
    };
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
    let outcome = exchange(means, handover, &code).await;
    if let Some(last_page) = last_page {
        last_page.show(outcome.is_ok()).await;
    }
    match outcome? {
        Done::Files(logged_in) => logged_in.complete().await,
        Done::Database(logged_in) => logged_in.complete().await,
    }
}

/// Where the tokens of the login go.
enum Destination<'a> {
    Files(Handover<'a>),
    Database(database::Handover<'a>),
}

/// A login whose tokens are in place.
enum Done<'a> {
    Files(LoggedIn<'a>),
    Database(database::LoggedIn<'a>),
}

/// Step 3. From here on a signal could lose the login, so it is put off.
async fn exchange<'a>(
    means: Means<'a>,
    destination: Destination<'a>,
    code: &AuthorizationCode,
) -> Result<Done<'a>, Failure> {
    let mut interruptions = Interruptions::watch();
    let outcome = interruptions.put_off(means.transport.send(means.client.exchange(code))).await;
    let tokens = outcome.map_err(|GivenUp| code_in_doubt())??;
    Ok(match destination {
        Destination::Files(handover) => Done::Files(handover.store(tokens, interruptions).await?),
        Destination::Database(handover) => Done::Database(handover.store(tokens, interruptions).await?),
    })
}
