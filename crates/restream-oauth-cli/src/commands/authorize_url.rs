//! `authorize-url`: step 1 for programs that receive the redirect themselves.

use std::io;
use std::path::Path;

use restream_oauth_core::{Client, SavedError};
use restream_oauth_keeper::store::file::private_file;
use serde_json::json;

use crate::arguments::{AuthorizeUrl, ClientAuthentication};
use crate::failure::Failure;
use crate::terminal::{alert, print_json};
use crate::tokens::document::line;
use crate::{configuration, files};

pub(crate) fn run(options: &AuthorizeUrl) -> Result<(), Failure> {
    if options.client.client_auth == Some(ClientAuthentication::None) && options.save.is_none() {
        return Err(Failure::usage(
            "a public client needs PKCE (RFC 9700 section 2.1.1): give --save FILE to keep the verifier",
        ));
    }
    let client = configuration::client_without_secret(&options.client)?;
    let login_options = configuration::login_options(&options.authorization)?;
    // Without --save the verifier is lost, so the exchange would fail if the URL had a challenge.
    let login_options = if options.save.is_some() { login_options } else { login_options.without_pkce() };
    let login = client.login_with(configuration::entropy()?, &login_options)?;
    if let Some(path) = &options.save {
        refuse_other_files(&client, path)?;
        let saved = line(&login.to_saved());
        private_file::replace(path, saved.as_bytes())?;
    } else {
        alert("state is not kept: compare it yourself when the browser comes back, or use --save");
    }
    print_json(&json!({ "url": login.url().as_str(), "state": login.state().expose_secret() }))
}

/// Fails if `path` holds anything but a saved login, so that a typing error overwrites no other file. The login may be
/// of any client.
fn refuse_other_files(client: &Client, path: &Path) -> Result<(), Failure> {
    let replaceable = match files::read(path) {
        Ok(text) => {
            let login = client.restore_login(&text);
            text.is_empty() || matches!(login, Ok(_) | Err(SavedError::OtherClient(_)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge) => false,
        Err(error) => return Err(Failure::other(format!("cannot read {}: {error}", path.display()))),
    };
    if replaceable {
        return Ok(());
    }
    Err(Failure::other(format!("{} exists, and is no saved login", path.display())))
}
