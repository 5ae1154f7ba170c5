//! The names of parameters that belong to the flow.

/// The query parameters of the authorization URL that the flow sets itself.
const FLOW_PARAMETERS: [&str; 7] =
    ["response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method"];
/// Those of other requests, most of them secret: none belongs into a URL.
const FOREIGN_PARAMETERS: [&str; 7] =
    ["grant_type", "code", "code_verifier", "client_secret", "refresh_token", "access_token", "token"];
/// What a callback is read for: a redirect URI that has one of them already would have it twice.
pub(crate) const CALLBACK_PARAMETERS: [&str; 5] = ["code", "state", "error", "error_description", "scope"];

/// True for a parameter that nobody but the flow may put into the authorization URL.
pub(crate) fn is_reserved(name: &str) -> bool {
    FLOW_PARAMETERS.contains(&name) || FOREIGN_PARAMETERS.contains(&name)
}
