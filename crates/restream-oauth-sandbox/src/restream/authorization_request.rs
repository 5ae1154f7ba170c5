//! Step 1: the authorization request in the browser's URL (RFC 6749 section 4.1.1, RFC 7636 section 4.3).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::restream::error_response::ErrorResponse;
use crate::restream::form::Form;
use crate::restream::rules::Denial;
use crate::restream::settings::Settings;

/// A valid authorization request: its client and its redirect URI are registered.
pub(crate) struct AuthorizationRequest {
    pub(super) redirect_uri: String,
    state: Option<String>,
    pub(super) code_challenge: Option<String>,
}

/// Why the sandbox does not show the consent page.
pub(crate) enum AuthorizationError {
    /// The client or the redirect URI is not registered. The browser shows this error and is not redirected (RFC 6749
    /// section 4.1.2.1).
    Page(ErrorResponse),
    /// The browser goes to this address, which carries the error to the client.
    Redirect(String),
}

impl AuthorizationRequest {
    /// Reads the query of step 1. Ignores `scope`, because Restream takes scopes from the application's settings.
    pub(crate) fn read(settings: &Settings, query: &Form) -> Result<Self, AuthorizationError> {
        Self::check_client(settings, query).map_err(AuthorizationError::Page)?;
        let asked = Self {
            redirect_uri: query.value("redirect_uri").unwrap_or_default().to_owned(),
            state: query.value("state").map(str::to_owned),
            code_challenge: query.value("code_challenge").map(str::to_owned),
        };
        let redirect = |error, description| {
            let parameters = [("error", error), ("error_description", description)];
            Err(AuthorizationError::Redirect(asked.location(&parameters)))
        };
        match query.value("response_type") {
            Some("code") => {}
            Some(_) => {
                return redirect("unsupported_response_type", "`response_type` is not `code`");
            }
            None => return redirect("invalid_request", "`response_type` is missing"),
        }
        // RFC 7636 section 4.3: the default method is `plain`, which would protect nothing here.
        match (&asked.code_challenge, query.value("code_challenge_method")) {
            (None, None) => {}
            (Some(challenge), Some("S256")) if is_sha256_base64url(challenge) => {}
            (Some(_), Some("S256")) => {
                return redirect("invalid_request", "`code_challenge` is malformed");
            }
            _ => return redirect("invalid_request", "transform algorithm not supported"),
        }
        Ok(asked)
    }

    fn check_client(settings: &Settings, query: &Form) -> Result<(), ErrorResponse> {
        if let Some(name) = query.repeated() {
            return Err(ErrorResponse::invalid_request(format!("Invalid request: `{name}` is repeated")));
        }
        let is_not_registered = |sent: Option<&str>| if sent.is_some() { "is not registered" } else { "is missing" };
        let client_id = query.value("client_id");
        if client_id != Some(&settings.client_id) {
            let reason = format!("`client_id` {}; registered: `{}`", is_not_registered(client_id), settings.client_id);
            return Err(ErrorResponse::invalid_client(false, &reason));
        }
        match query.value("redirect_uri") {
            Some(uri) if registration_of(uri, settings).is_some() => Ok(()),
            other => {
                let registered: Vec<_> = settings.redirect_uris.iter().map(|uri| format!("`{uri}`")).collect();
                Err(ErrorResponse::invalid_request(format!(
                    "Invalid request: `redirect_uri` {}; registered: {}",
                    is_not_registered(other),
                    registered.join(", ")
                )))
            }
        }
    }

    /// The registered address that receives the authorization response.
    pub(crate) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The user denies access. Returns the address that the browser goes to.
    pub(crate) fn deny(self, rule: Denial) -> String {
        match rule {
            Denial::WithoutParameters => self.redirect_uri,
            Denial::WithParameters => {
                self.location(&[("error", "access_denied"), ("error_description", "The user denied access")])
            }
        }
    }

    /// Appends parameters to the redirect URI, after its own query if it has one.
    pub(super) fn location(&self, parameters: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        format!("{}{separator}{}", self.redirect_uri, query.finish())
    }
}

/// Finds the registered redirect URI. Compares byte for byte, port included, because Restream registers fixed addresses. Only
/// an empty path equals `/` (RFC 3986 section 6.2.3).
pub(crate) fn registration_of<'settings>(uri: &str, settings: &'settings Settings) -> Option<&'settings str> {
    let registered = || settings.redirect_uris.iter().map(String::as_str);
    let same_but_for_slash = |registered: &str| {
        let (longer, shorter) = if registered.len() > uri.len() { (registered, uri) } else { (uri, registered) };
        let authority = shorter.split_once("://").map(|(_, authority)| authority);
        longer.strip_suffix('/') == Some(shorter) && authority.is_some_and(|it| !it.contains(['/', '?']))
    };
    registered().find(|registered| *registered == uri).or_else(|| registered().find(|it| same_but_for_slash(it)))
}

/// Whether this redirect URI is not registered, but would be if its query were another.
pub(crate) fn differs_in_query(uri: &str, settings: &Settings) -> bool {
    fn without_query(uri: &str) -> &str {
        uri.split_once('?').map_or(uri, |(uri, _)| uri)
    }
    registration_of(uri, settings).is_none()
        && settings.redirect_uris.iter().any(|registered| without_query(registered) == without_query(uri))
}

fn is_sha256_base64url(challenge: &str) -> bool {
    URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|digest| digest.len() == 32)
}
