//! Checks the configuration of an application, and computes once what is the same in every call: URIs, header values,
//! and the constant part of each body.

mod config_error;
mod credentials;
mod endpoints;
mod parameters;

use std::sync::Arc;

use http::Uri;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};

use endpoints::request_uri;
use parameters::CALLBACK_PARAMETERS;

use crate::encoding::form::{self, Piece, Space};
use crate::encoding::text::is_invisible;
use crate::encoding::uri;
use crate::secret::SecretText;
use crate::token::Binding;

pub use config_error::{ConfigError, TextProblem};
pub use credentials::BasicEncoding;
pub(crate) use credentials::Credentials;
pub use endpoints::Endpoints;
pub(crate) use parameters::is_reserved;

/// The longest client identifier and the longest client secret, in bytes. Servers commonly accept headers of 8 KiB.
const LONGEST_CREDENTIAL: usize = 4096;
/// The largest body limit, in bytes: 16 MiB. No response needs more.
pub(crate) const LARGEST_BODY_LIMIT: usize = 16 * 1024 * 1024;

/// A checked configuration, and the values computed from it.
pub(crate) struct Registration {
    /// The client and the server that the tokens of this client belong to.
    pub(crate) binding: Arc<Binding>,
    pub(crate) credentials: Credentials,
    pub(crate) redirect_uri: Arc<str>,
    pub(crate) endpoints: Endpoints,
    pub(crate) body_limit: usize,
    pub(crate) token_uri: Uri,
    pub(crate) revocation_uri: Uri,
    pub(crate) profile_uri: Uri,
    /// The authorization URL up to and including `&state=`.
    pub(crate) authorization_prefix: String,
    pub(crate) basic: Option<HeaderValue>,
    /// The form of the code exchange up to and including `&code=`.
    pub(crate) exchange_prefix: String,
    /// The client authentication in the form; empty if the form has none.
    pub(crate) form_suffix: SecretText,
    /// The headers of requests with client authentication.
    pub(crate) token_headers: HeaderMap,
    /// The headers of requests without client authentication.
    pub(crate) revocation_headers: HeaderMap,
}

impl Registration {
    /// Checks the configuration, and computes the values that are the same in every call.
    pub(crate) fn check(
        client_id: String,
        credentials: Credentials,
        redirect_uri: String,
        endpoints: Endpoints,
        body_limit: usize,
    ) -> Result<Self, ConfigError> {
        check_client_id(&client_id, &credentials).map_err(ConfigError::ClientId)?;
        credentials.secret().map_or(Ok(()), check_secret).map_err(ConfigError::ClientSecret)?;
        let redirect = uri::redirect(&redirect_uri).map_err(ConfigError::RedirectUri)?;
        uri::check_query(redirect.query, |name| CALLBACK_PARAMETERS.contains(&name))
            .map_err(ConfigError::RedirectUri)?;
        if !(1..=LARGEST_BODY_LIMIT).contains(&body_limit) {
            return Err(ConfigError::BodyLimit);
        }
        let token_uri = request_uri("token", &endpoints.token)?;
        let revocation_uri = request_uri("revocation", &endpoints.revocation)?;
        let profile_uri = request_uri("profile", &endpoints.profile)?;
        let authorization_prefix = authorization_prefix(&endpoints.authorization, &client_id, &redirect_uri)?;
        let basic = match &credentials {
            Credentials::Basic { .. } => {
                let header = credentials.header(&client_id);
                Some(header.ok_or(ConfigError::ClientSecret(TextProblem::TooLong))?)
            }
            Credentials::Body { .. } | Credentials::Public => None,
        };
        let exchange_prefix = form::assemble(
            [
                Piece::Encoded("grant_type=authorization_code&redirect_uri="),
                Piece::Plain(&redirect_uri),
                Piece::Encoded("&code="),
            ],
            Space::Plus,
        );
        let form_suffix = credentials.form_suffix(&client_id);
        Ok(Self {
            binding: Arc::new(Binding { client_id, token_endpoint: endpoints.token.clone() }),
            credentials,
            redirect_uri: redirect_uri.into(),
            endpoints,
            body_limit,
            token_uri,
            revocation_uri,
            profile_uri,
            authorization_prefix,
            token_headers: form_headers(basic.as_ref()),
            revocation_headers: form_headers(None),
            basic,
            exchange_prefix: exchange_prefix.expose().to_owned(),
            form_suffix,
        })
    }
}

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The headers of a form, with client authentication or without.
fn form_headers(authorization: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(ACCEPT, JSON);
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    headers
}

fn check_client_id(client_id: &str, credentials: &Credentials) -> Result<(), TextProblem> {
    let raw = matches!(credentials, Credentials::Basic { encoding: BasicEncoding::Raw, .. });
    match client_id {
        "" => Err(TextProblem::Empty),
        _ if client_id.len() > LONGEST_CREDENTIAL => Err(TextProblem::TooLong),
        _ if client_id.contains(char::is_control) => Err(TextProblem::Control),
        _ if client_id.contains(is_invisible) => Err(TextProblem::Invisible),
        // RFC 6749 appendix A.1 allows a space. A space at either end was copied by accident, and no identifier has a
        // space outside ASCII.
        _ if client_id.trim() != client_id || client_id.contains(is_other_space) => Err(TextProblem::Space),
        _ if client_id.contains(['"', '\'', '`']) => Err(TextProblem::Quote),
        _ if raw && client_id.as_bytes().contains(&b':') => Err(TextProblem::Colon),
        _ => Ok(()),
    }
}

fn check_secret(secret: &str) -> Result<(), TextProblem> {
    match secret {
        "" => Err(TextProblem::Empty),
        _ if secret.len() > LONGEST_CREDENTIAL => Err(TextProblem::TooLong),
        _ if secret.contains(char::is_control) => Err(TextProblem::Control),
        _ if secret.contains(is_invisible) => Err(TextProblem::Invisible),
        _ if secret.trim() != secret => Err(TextProblem::Space),
        _ => Ok(()),
    }
}

fn is_other_space(character: char) -> bool {
    character.is_whitespace() && character != ' '
}

fn authorization_prefix(endpoint: &str, client_id: &str, redirect_uri: &str) -> Result<String, ConfigError> {
    let refuse = |problem| ConfigError::Endpoint { name: "authorization", problem };
    let parts = uri::endpoint(endpoint).map_err(refuse)?;
    uri::check_query(parts.query, is_reserved).map_err(refuse)?;
    let separator = match parts.query {
        None => "?",
        Some(query) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let prefix = form::assemble(
        [
            Piece::Encoded(endpoint),
            Piece::Encoded(separator),
            Piece::Encoded("response_type=code&client_id="),
            Piece::Plain(client_id),
            Piece::Encoded("&redirect_uri="),
            Piece::Plain(redirect_uri),
            Piece::Encoded("&state="),
        ],
        Space::Percent,
    );
    Ok(prefix.expose().to_owned())
}
