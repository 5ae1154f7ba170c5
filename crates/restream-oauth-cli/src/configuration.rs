//! Builds a client and a transport from the options and the environment.

use std::error::Error as _;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use restream_oauth_core::login::LoginOptions;
use restream_oauth_core::{Client, Endpoints, Entropy, Scope};
use restream_oauth_hyper::Limits;
use restream_oauth_hyper::rustls::pki_types::CertificateDer;
use restream_oauth_hyper::rustls::pki_types::pem::{self, PemObject as _};
use zeroize::Zeroizing;

use crate::arguments::{AuthorizationOptions, ClientAuthentication, ClientOptions, scopes};
use crate::failure::Failure;
use crate::files;
use crate::terminal::say;
use crate::transport::Transport;

/// Where `login` listens by default.
pub(crate) const DEFAULT_REDIRECT_URI: &str = "http://127.0.0.1:8976/callback";
pub(crate) const SECRET_VARIABLE: &str = "RESTREAM_CLIENT_SECRET";
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// Builds a client that can authenticate: for exchange and refresh, and for a revocation with client authentication.
pub(crate) fn client(options: &ClientOptions) -> Result<Client, Failure> {
    build(options, client_id(options)?, options.client_auth.unwrap_or(ClientAuthentication::Basic))
}

/// Builds a client that does not authenticate: for the authorization URL.
pub(crate) fn client_without_secret(options: &ClientOptions) -> Result<Client, Failure> {
    build(options, client_id(options)?, ClientAuthentication::None)
}

/// Builds a client for requests that do not name the client: revocation and profile.
pub(crate) fn anonymous_client(options: &ClientOptions) -> Result<Client, Failure> {
    let client_id = options.client_id.as_deref().filter(|id| !id.is_empty()).unwrap_or("restream-oauth");
    build(options, client_id, ClientAuthentication::None)
}

pub(crate) fn transport(options: &ClientOptions) -> Result<Transport, Failure> {
    let limits = Limits::default().connect(options.timeout.min(LONGEST_CONNECT)).total(options.timeout);
    let mut builder = restream_oauth_hyper::Transport::builder().limits(limits).proxy_from_environment();
    if let Some(path) = &options.ca_file {
        let roots: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
        let roots = roots.map_err(|error| {
            let reason = match error {
                // The library prints these two as lists of numbers.
                pem::Error::MissingSectionEnd { .. } => "a section has no END line".to_owned(),
                pem::Error::IllegalSectionStart { .. } => "a BEGIN line is broken".to_owned(),
                error => error.to_string(),
            };
            Failure::usage(format!("cannot read {}: {reason}", path.display()))
        })?;
        if roots.is_empty() {
            return Err(Failure::usage(format!("{} holds no certificate in PEM form", path.display())));
        }
        builder = builder.root_certificates(roots);
    }
    builder.build().map(Transport::over).map_err(|error| {
        let failure = Failure::usage(error.to_string()).because_of(&error);
        match &options.ca_file {
            // An error with a source is about TLS, so the file is the cause. An error about a proxy names its variable.
            Some(path) if error.source().is_some() => failure.about(&path.display()),
            _ => failure,
        }
    })
}

pub(crate) fn login_options(options: &AuthorizationOptions) -> Result<LoginOptions, Failure> {
    let scopes: Result<Vec<_>, _> = scopes(&options.scope).map(Scope::new).collect();
    let scopes = scopes.map_err(|error| Failure::usage(format!("--scope: {error}")))?;
    let mut login = LoginOptions::new().scopes(scopes);
    for (name, value) in &options.param {
        login = login.parameter(name, value).map_err(|error| Failure::usage(format!("--param: {error}")))?;
    }
    Ok(login)
}

/// Draws random bytes from the operating system, which is the only source.
pub(crate) fn entropy() -> Result<Entropy, Failure> {
    let mut bytes = [0; 64];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::other(format!("the operating system gives no random bytes: {error}")))?;
    Ok(Entropy::from(bytes))
}

/// Reads the client secret from a file or the environment.
pub(crate) fn secret(file: Option<&Path>) -> Result<Option<Zeroizing<String>>, Failure> {
    if let Some(path) = file {
        // A pipe is allowed here: a password manager may write to it.
        let text = File::open(path).and_then(files::read_text);
        let text = text.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
        if files::others_have_rights(path) {
            say(&format!("warning: others can read {}: chmod 600 it", path.display()));
        }
        return Ok(Some(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())));
    }
    match std::env::var(SECRET_VARIABLE) {
        Ok(secret) => Ok(Some(Zeroizing::new(secret)).filter(|secret| !secret.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Failure::usage(format!("{SECRET_VARIABLE} is not UTF-8"))),
    }
}

fn client_id(options: &ClientOptions) -> Result<&str, Failure> {
    let missing = || Failure::usage("no client identifier: give --client-id or set RESTREAM_CLIENT_ID");
    options.client_id.as_deref().ok_or_else(missing)
}

fn build(options: &ClientOptions, client_id: &str, authentication: ClientAuthentication) -> Result<Client, Failure> {
    let builder = Client::builder(client_id)
        .redirect_uri(options.redirect_uri.as_deref().unwrap_or(DEFAULT_REDIRECT_URI))
        .endpoints(endpoints(options)?);
    let needed = || -> Result<String, Failure> {
        let secret = secret(options.client_secret_file.as_deref())?.ok_or_else(|| {
            Failure::usage(format!(
                "no client secret: set {SECRET_VARIABLE} or give --client-secret-file; a public client needs --client-auth none"
            ))
        })?;
        Ok(secret.to_string())
    };
    let builder = match authentication {
        ClientAuthentication::Basic => builder.secret(needed()?),
        ClientAuthentication::Body => builder.secret_in_body(needed()?),
        ClientAuthentication::None => builder,
    };
    Ok(builder.build()?)
}

fn endpoints(options: &ClientOptions) -> Result<Endpoints, Failure> {
    // An empty variable counts as unset.
    let base = Some(options.base_url.as_str()).filter(|base| !base.is_empty());
    // `Endpoints::at` appends paths to the base URL, and would append them to its query or fragment.
    if base.is_some_and(|base| base.contains(['?', '#'])) {
        return Err(Failure::usage(
            "the base URL (--base-url or RESTREAM_BASE_URL) cannot be used: expected none with a query or a fragment",
        ));
    }
    let base = base.map_or_else(Endpoints::restream, Endpoints::at);
    let over = |given: &Option<String>, base: String| given.clone().unwrap_or(base);
    Ok(Endpoints {
        authorization: over(&options.authorize_url, base.authorization),
        token: over(&options.token_url, base.token),
        revocation: over(&options.revoke_url, base.revocation),
        profile: over(&options.profile_url, base.profile),
    })
}
