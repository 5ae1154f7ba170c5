//! `login`: steps 1 to 3 with a browser on this machine.

use std::time::Duration;

use restream_oauth_core::Client;

use crate::arguments::Login;
use crate::callback_listener::CallbackListener;
use crate::failure::{Failure, say, show_url};
use crate::{browser, configuration, token_file, token_source};

/// A refresh of the same file may hold its lock for as long as a request takes.
pub(crate) const LOCK_PATIENCE: Duration = Duration::from_secs(100);

pub(crate) async fn run(options: &Login) -> Result<(), Failure> {
    let client = configuration::client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    let login_options = configuration::login_options(&options.authorization)?;
    let file = options.tokens.file.as_deref();
    // All that can fail does so before a person is asked anything.
    match file {
        Some(path) => token_file::prove_writable(path, options.client.timeout)?,
        None => token_source::prove_output()?,
    }
    let listener = CallbackListener::bind(client.redirect_uri()).await?;

    let mut login = client.login_with(configuration::entropy()?, &login_options)?;
    show(&client, login.url().as_str(), options.no_browser);
    let (code, last_page) = listener.wait(&mut login, options.wait).await?;
    let (outcome, ()) = tokio::join!(transport.send(client.exchange(&code)), last_page.show());
    let tokens = outcome?;
    match file {
        None => token_source::print_tokens(&tokens),
        Some(path) => {
            token_file::store(path, LOCK_PATIENCE, &tokens)?;
            say(&format!("logged in; the tokens are in {}", path.display()));
            Ok(())
        }
    }
}

/// Opens the browser, and shows the URL alone on a line: an opener that starts may still open nothing.
pub(crate) fn show(client: &Client, url: &str, no_browser: bool) {
    if !no_browser {
        let host = host_of(&client.endpoints().authorization);
        if browser::open(url) {
            say(&format!("opening the browser at {host}; if it does not open, use this URL:"));
        } else {
            say(&format!("no browser could be opened; open this URL at {host} yourself:"));
        }
    }
    show_url(url);
}

/// So that people see where they are being sent (RFC 8252 §8.7).
fn host_of(url: &str) -> String {
    let uri: Option<http::Uri> = url.parse().ok();
    uri.and_then(|uri| uri.authority().map(ToString::to_string)).unwrap_or_default()
}
