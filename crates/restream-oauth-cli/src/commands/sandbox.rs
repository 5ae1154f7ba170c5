//! `sandbox`: runs a local Restream as a server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use restream_oauth_keeper::store::file::private_file;
use restream_oauth_sandbox::rules::Rules;
use restream_oauth_sandbox::{Certificate, Sandbox, StartError};

use crate::arguments::{Sandbox as Options, scopes};
use crate::configuration;
use crate::failure::{Exit, Failure};
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
        builder = builder.scopes(scopes(&options.scope));
    }
    if let Some(lifetime) = options.access_token_lifetime {
        builder = builder.access_token_lifetime(lifetime);
    }
    if let Some(lifetime) = options.refresh_token_lifetime {
        builder = builder.refresh_token_lifetime(lifetime);
    }
    if options.tls {
        builder = builder.tls(Certificate::Good);
    }
    let (ready_file, ca_file) = (options.ready_file.as_deref(), options.save_ca.as_deref());
    if ready_file.is_some() && ready_file == ca_file {
        return Err(Failure::usage("--ready-file and --save-ca are the same file"));
    }
    ready_file.map(prepare).transpose()?;
    ca_file.map(prepare).transpose()?;
    let sandbox = builder.start().map_err(|error| {
        let usage = matches!(error, StartError::NotLoopback(_) | StartError::Setting(_));
        Failure::new(if usage { Exit::Usage } else { Exit::Other }, error.to_string()).because_of(&error)
    })?;
    // The ready line comes last: a program that waits for it finds everything in place.
    if let (Some(path), Some(pem)) = (ca_file, sandbox.ca_certificate_pem()) {
        private_file::replace(path, pem.as_bytes())?;
    }
    let line = format!("{}\n", sandbox.ready_line());
    if let Some(path) = ready_file {
        private_file::replace(path, line.as_bytes())?;
    }
    print(&line)?;
    say(&format!("a local Restream is at {}; it forgets everything when it ends", sandbox.base_url()));
    say(&format!("a page that shows what it sees: {}/_sandbox/", sandbox.base_url()));
    sandbox.wait();
    Ok(())
}

/// Proves that the file can be written, and removes that of an earlier run, which a waiting program would take for the
/// new one.
fn prepare(path: &Path) -> Result<(), Failure> {
    private_file::prove(path)?;
    private_file::remove(path).map_err(|error| Failure::cannot("remove", path, &error))
}
