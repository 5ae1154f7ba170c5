//! The metadata of the authorization server (RFC 8414 §2), by which clients find everything.

use bytes::Bytes;
use serde::Serialize;

use super::paths::{AUTHORIZE, REVOKE, TOKEN};
use super::respond::to_json;
use super::rules::Rules;

#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    authorization_endpoint: String,
    token_endpoint: String,
    revocation_endpoint: String,
    response_types_supported: [&'a str; 1],
    response_modes_supported: [&'a str; 1],
    grant_types_supported: [&'a str; 2],
    token_endpoint_auth_methods_supported: [&'a str; 1],
    revocation_endpoint_auth_methods_supported: [&'a str; 1],
    code_challenge_methods_supported: [&'a str; 1],
    authorization_response_iss_parameter_supported: bool,
}

pub(super) fn document(rules: &Rules) -> Bytes {
    let at = |path| format!("{}{path}", rules.issuer);
    let metadata = Metadata {
        issuer: &rules.issuer,
        authorization_endpoint: at(AUTHORIZE),
        token_endpoint: at(TOKEN),
        revocation_endpoint: at(REVOKE),
        response_types_supported: ["code"],
        response_modes_supported: ["query"],
        grant_types_supported: ["authorization_code", "refresh_token"],
        token_endpoint_auth_methods_supported: ["none"],
        revocation_endpoint_auth_methods_supported: ["none"],
        code_challenge_methods_supported: ["S256"],
        authorization_response_iss_parameter_supported: true,
    };
    to_json(&metadata).into()
}
