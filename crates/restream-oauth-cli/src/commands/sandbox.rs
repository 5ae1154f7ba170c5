//! `sandbox`: runs a local Restream as a server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use restream_oauth_sandbox::rules::Rules;
use restream_oauth_sandbox::{Sandbox, StartError};

use crate::arguments::Sandbox as Options;
use crate::configuration;
use crate::failure::{Exit, Failure};
use crate::files::{self, Replacement};
use crate::terminal::{print, say};

pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let address = options.port.map_or(options.listen, |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let mut rules = Rules::default();
    for rule in options.rules.given() {
        rules.set(&rule.name, &rule.word).map_err(|error| Failure::usage(error.to_string()))?;
    }
    let mut builder = Sandbox::builder().address(address).rules(rules);
    if options.allow_non_loopback {
        builder = builder.allow_non_loopback();
    }
    if let Some(client_id) = options.client_id {
        builder = builder.client_id(client_id);
    }
    if options.public {
        builder = builder.public_client();
    } else if let Some(secret) = configuration::secret(options.client_secret_file.as_deref())? {
        builder = builder.client_secret(secret.as_str());
    }
    for uri in options.redirect_uri {
        builder = builder.redirect_uri(uri);
    }
    if !options.scope.is_empty() {
        builder = builder.scopes(options.scope);
    }
    if let Some(lifetime) = options.access_token_lifetime {
        builder = builder.access_token_lifetime(lifetime);
    }
    if let Some(lifetime) = options.refresh_token_lifetime {
        builder = builder.refresh_token_lifetime(lifetime);
    }
    let ready_file = options.ready_file.as_deref();
    let replacement = ready_file.map(prepare).transpose()?;
    let sandbox = builder.start().map_err(|error| {
        let usage = matches!(error, StartError::NotLoopback(_) | StartError::Setting(_));
        Failure::new(if usage { Exit::Usage } else { Exit::Other }, error.to_string()).because_of(&error)
    })?;
    let line = format!("{}\n", sandbox.ready_line());
    if let Some((path, replacement)) = ready_file.zip(replacement) {
        replacement.commit(line.as_bytes()).map_err(|error| Failure::cannot("write", path, &error))?;
    }
    print(&line)?;
    say(&format!("a local Restream is at {}; it forgets everything when it ends", sandbox.base_url()));
    say(&format!("a page that shows what it sees: {}/_sandbox/", sandbox.base_url()));
    sandbox.wait();
    Ok(())
}

/// Removes the file of an earlier run, which a waiting program would take for the new one, and proves that a new one can
/// be written.
fn prepare(path: &Path) -> Result<Replacement, Failure> {
    let removed = files::refuse_what_must_not_be_replaced(path).and_then(|()| files::remove(path));
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Replacement::prepare(path, 0),
    }
    .map_err(|error| Failure::cannot("write", path, &error))
}
