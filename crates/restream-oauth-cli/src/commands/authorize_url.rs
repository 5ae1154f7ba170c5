//! `authorize-url`: step 1 for programs that receive the redirect themselves.

use serde_json::json;

use crate::arguments::AuthorizeUrl;
use crate::failure::{Failure, say};
use crate::files::Replacement;
use crate::token_file::line;
use crate::token_source::print_json;
use crate::{configuration, files};

pub(crate) fn run(options: &AuthorizeUrl) -> Result<(), Failure> {
    let client = configuration::client_without_secret(&options.client)?;
    let login_options = configuration::login_options(&options.authorization)?;
    // Nobody could send the verifier, so a challenge would make the exchange fail.
    let login_options = if options.save.is_some() { login_options } else { login_options.without_pkce() };
    let login = client.login_with(configuration::entropy()?, &login_options)?;
    if let Some(path) = &options.save {
        // No other file is overwritten by a slip of the keyboard.
        let occupied = files::read(path).is_ok_and(|text| !text.is_empty() && !text.contains(r#""kind":"login""#));
        if occupied {
            return Err(Failure::other(format!("{} exists, and is no saved login", path.display())));
        }
        let saved = line(&login.to_saved());
        Replacement::prepare(path, saved.len())
            .and_then(|replacement| replacement.commit(saved.as_bytes()))
            .map_err(|error| Failure::other(format!("cannot write {}: {error}", path.display())))?;
    } else {
        say("state is not kept: compare it yourself when the browser comes back, or use --save");
    }
    print_json(&json!({ "url": login.url().as_str(), "state": login.state().expose_secret() }))
}
