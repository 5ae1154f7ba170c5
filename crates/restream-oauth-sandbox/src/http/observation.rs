//! What the ledger records of a request: its shape, and what is odd about it.

use crate::http::request::{Head, Request};
use crate::http::state::State;
use crate::ledger::oddity::Oddity;
use crate::ledger::seen_request::SeenRequest;
use crate::ledger::uses::Fingerprint;
use crate::orders::fault::Fault;
use crate::restream::authorization_request::{differs_in_query, registration_of};
use crate::restream::client_authentication::{BasicEncoding, ClientAuthentication};
use crate::restream::form::Form;
use crate::restream::rules::BasicCredentials;
use crate::restream::settings::Settings;

/// Describes a request without any secret.
pub(crate) fn observe(state: &State, request: &Request, fault: Option<&Fault>) -> SeenRequest {
    let head = &request.head;
    let query = Form::parse(head.query().as_bytes());
    let form = request.form().unwrap_or_else(|| Form::parse(b""));
    let names = |form: &Form| form.names().map(shortened).collect();
    let authorization = head.header("authorization");
    let client_authentication = ClientAuthentication::of(authorization, &form);
    SeenRequest {
        arrived_at: state.provider.clock.now(),
        method: head.method().to_owned(),
        path: head.path().to_owned(),
        query_parameters: names(&query),
        form_parameters: names(&form),
        client_authentication,
        basic_encoding: BasicEncoding::of(&state.provider.settings, authorization),
        oddities: oddities(state, request, &query, &form),
        // The ledger fills it in, because it knows the earlier uses.
        refresh_token_use: None,
        headers: head.header_names().map(str::to_owned).collect(),
        content_type: head.header("content-type").map(str::to_owned),
        user_agent: head.header("user-agent").map(str::to_owned),
        fault: fault.map(|fault| fault.what.name()),
        answered: false,
        status: None,
    }
}

/// Hides a parameter name that is longer than any real one. It might be a secret in the wrong place.
fn shortened(name: &str) -> String {
    if name.len() <= 32 { name.to_owned() } else { "(too long)".to_owned() }
}

/// The refresh token that a refresh presents, in a form that cannot be turned back into it.
pub(crate) fn refresh_token_of(request: &Request) -> Option<Fingerprint> {
    let head = &request.head;
    let form = request.form().filter(|_| (head.method(), head.path()) == ("POST", "/oauth/token"))?;
    form.value("grant_type").filter(|grant_type| *grant_type == "refresh_token")?;
    form.value("refresh_token").map(Fingerprint::of)
}

fn oddities(state: &State, request: &Request, query: &Form, form: &Form) -> Vec<Oddity> {
    let (head, settings) = (&request.head, &state.provider.settings);
    let Some((known, parameters, encoded)) = (match (head.method(), head.path()) {
        ("GET", "/login" | "/oauth/authorize") => Some((&AUTHORIZE[..], query, head.query().as_bytes())),
        ("POST", "/oauth/token") => Some((&TOKEN[..], form, &request.body[..])),
        ("POST", "/oauth/revoke") => Some((&REVOKE[..], form, &request.body[..])),
        _ => None,
    }) else {
        return Vec::new();
    };
    let authentication = ClientAuthentication::of(head.header("authorization"), form);
    let without_secret = matches!(authentication, ClientAuthentication::None | ClientAuthentication::Public);
    let refreshes = known == TOKEN && parameters.value("grant_type") == Some("refresh_token");
    let refresh_token = parameters.value("refresh_token").filter(|_| refreshes).unwrap_or_default();
    let replaced = state.provider.look_at(refresh_token, |known| known.is_some_and(|known| known.replaced));
    let granted = state.provider.look_at(refresh_token, |known| {
        let granted = known.map_or(&settings.scopes[..], |known| known.scopes);
        let is_granted = |scope: &str| scope.is_empty() || granted.iter().any(|granted| granted == scope);
        parameters.value("scope").is_none_or(|scope| scope.split(' ').all(is_granted))
    });
    let pieces = || encoded.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty());
    let redirect_uri = parameters.value("redirect_uri");
    let differs = redirect_uri.is_some_and(|uri| differs_in_query(uri, settings));
    let plus = pieces().any(|piece| lost_a_plus(piece, settings)) || decoding_loses_a_plus(state, head);
    [
        (Oddity::HostWithoutPort, lacks_port(head.header("host"), state.port)),
        (Oddity::ParameterWithoutEqualsSign, pieces().any(|piece| !piece.contains(&b'='))),
        (Oddity::UnescapedSpace, encoded.contains(&b' ')),
        (Oddity::UnknownParameter, parameters.names().any(|name| !known.contains(&name))),
        (Oddity::NoState, known == AUTHORIZE && parameters.value("state").is_none()),
        (Oddity::RedirectUriDiffersInQuery, differs),
        (Oddity::EmptyPathOfRedirectUri, known == AUTHORIZE && lacks_slash(settings, parameters)),
        (Oddity::RedirectUriInRefresh, refreshes && redirect_uri.is_some()),
        (Oddity::ScopeNotGranted, !granted),
        (Oddity::RefreshWithoutSecret, refreshes && without_secret && settings.client_secret.is_some()),
        (Oddity::OldRefreshToken, replaced),
        (Oddity::PlusBecameSpace, plus),
        (Oddity::SecretInHeaderAndForm, authentication == ClientAuthentication::Both),
    ]
    .into_iter()
    .filter_map(|(oddity, found)| found.then_some(oddity))
    .collect()
}

const AUTHORIZE: [&str; 7] =
    ["response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method"];
const TOKEN: [&str; 8] =
    ["grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "client_id", "client_secret"];
const REVOKE: [&str; 4] = ["token", "token_type_hint", "client_id", "client_secret"];

fn lacks_slash(settings: &Settings, query: &Form) -> bool {
    let uri = query.value("redirect_uri");
    uri.and_then(|uri| registration_of(uri, settings)).is_some_and(|registered| Some(registered) != uri)
}

/// Whether a `+` in this parameter was meant as a plus: codes and tokens have no space, and for the other parameters the
/// registered value says so.
fn lost_a_plus(piece: &[u8], settings: &Settings) -> bool {
    if !piece.contains(&b'+') {
        return false;
    }
    let form = Form::parse(piece);
    let Some((name, value)) = form.names().next().and_then(|name| Some((name, form.value(name)?))) else {
        return false;
    };
    let lost_from = |registered: &str| registered != value && registered.replace('+', " ") == value;
    match name {
        "code" | "code_verifier" | "refresh_token" | "token" => true,
        "client_id" => lost_from(&settings.client_id),
        "client_secret" => settings.client_secret.as_deref().is_some_and(lost_from),
        "redirect_uri" => settings.redirect_uris.iter().any(|registered| lost_from(registered)),
        _ => false,
    }
}

/// Whether the server decodes Basic credentials that hold a `+` and were not encoded.
fn decoding_loses_a_plus(state: &State, head: &Head) -> bool {
    let settings = &state.provider.settings;
    state.provider.rules().basic == BasicCredentials::Decoded
        && BasicEncoding::of(settings, head.header("authorization")) == Some(BasicEncoding::Raw)
        && [Some(&settings.client_id), settings.client_secret.as_ref()].into_iter().flatten().any(|it| it.contains('+'))
}

/// Whether `Host` lacks the port, which it needs unless the port is the scheme's own (RFC 9110 section 7.2).
fn lacks_port(host: Option<&str>, own_port: u16) -> bool {
    let sent = host.and_then(|host| host.rsplit_once(':')).map(|(_, port)| port);
    let has_port = sent.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    !has_port && !matches!(own_port, 80 | 443)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_needs_its_port_unless_it_is_the_one_of_the_scheme() {
        for (host, own_port, lacks) in [
            (Some("127.0.0.1:3000"), 3000, false),
            (Some("[::1]:3000"), 3000, false),
            (Some("127.0.0.1"), 3000, true),
            (Some("127.0.0.1:"), 3000, true),
            (Some("[::1]"), 3000, true),
            (None, 3000, true),
            (Some("localhost"), 80, false),
            (Some("localhost"), 443, false),
        ] {
            assert_eq!(lacks_port(host, own_port), lacks, "{host:?} {own_port}");
        }
    }
}
