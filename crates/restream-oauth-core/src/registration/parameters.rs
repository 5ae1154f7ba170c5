//! The names of the parameters that belong to the flow.

/// The query parameters of the authorization URL that the flow sets itself.
const FLOW_PARAMETERS: [&str; 7] =
    ["response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method"];
/// The parameters of other requests. Most of them are secret, so no URL may contain them.
const FOREIGN_PARAMETERS: [&str; 7] =
    ["grant_type", "code", "code_verifier", "client_secret", "refresh_token", "access_token", "token"];
/// The parameters that a callback is read for. The query of a redirect URI must not have them, or the callback would
/// repeat them.
pub(crate) const CALLBACK_PARAMETERS: [&str; 5] = ["code", "state", "error", "error_description", "scope"];

/// True for a parameter that the program must not add to the authorization URL.
pub(crate) fn is_reserved(name: &str) -> bool {
    FLOW_PARAMETERS.contains(&name) || FOREIGN_PARAMETERS.contains(&name)
}
