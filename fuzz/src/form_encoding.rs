//! `application/x-www-form-urlencoded`, in bodies and in the authorization URL.
//!
//! - Each body is, byte for byte, what `form_urlencoded` writes. So is the query of the URL, except that a space is
//!   `%20`.
//! - `url` reads back what was put in, each parameter once.
//! - `$s` in secret, token and verifier stands for a canary. Neither client nor request prints it.
//! - The URL does not depend on the secret or on how it is sent. No other URI has a query.

use form_urlencoded::Serializer;
use http::Request;
use restream_oauth_core::config::RevocationOptions;
use restream_oauth_core::login::{CodeVerifier, LoginOptions};
use restream_oauth_core::{AccessToken, AuthorizationCode, Body, Client, RefreshToken, Scope};
use url::Url;

use crate::canary::{SECRET, Silence};
use crate::client::REDIRECT_URI;

type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// The oracle. `data` is text in lines: identifier, secret, token or code, verifier, another redirect URI, scopes, name
/// and value of a further parameter.
pub fn form_encoding(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let [id, secret, token, verifier, redirect_uri, scopes, name, value] =
        std::array::from_fn(|_| lines.next().unwrap_or_default());
    let [secret, token, verifier] = &[secret, token, verifier].map(|text| text.replace("$s", SECRET));
    let silence = Silence::after(data);
    let builder = || Client::builder(id).redirect_uri(REDIRECT_URI);
    let values = [token.as_str(), verifier, redirect_uri];
    let Ok(public) = builder().build() else { return };
    check_bodies(&public, &[("client_id", id)], values, &silence);
    let url = check_url(&public, scopes, name, value);
    let with_secret = [
        (builder().secret(secret.as_str()), vec![]),
        (builder().secret_in_body(secret.as_str()), vec![("client_id", id), ("client_secret", secret.as_str())]),
    ];
    for (builder, credentials) in with_secret {
        if let Ok(client) = builder.build() {
            check_bodies(&client, &credentials, values, &silence);
            assert_eq!(check_url(&client, scopes, name, value), url, "the secret changes the URL");
        }
    }
}

fn check_bodies(
    client: &Client,
    credentials: &[(&str, &str)],
    [token, verifier, redirect_uri]: [&str; 3],
    silence: &Silence,
) {
    silence.check_debug(client);
    let check_body = |request: &_, expected: &_| {
        silence.check_debug(request);
        check_body(request, expected);
    };
    for redirect_uri in [REDIRECT_URI, redirect_uri] {
        let with_verifier = CodeVerifier::new(verifier).ok();
        let code = AuthorizationCode::without_state_check(token, redirect_uri, with_verifier);
        let mut expected = vec![("grant_type", "authorization_code"), ("redirect_uri", redirect_uri), ("code", token)];
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let valid = matches!(verifier.len(), 43..=128) && verifier.bytes().all(unreserved);
        expected.extend(valid.then_some(("code_verifier", verifier)));
        expected.extend(credentials);
        check_body(client.exchange(&code).request(), &expected);
    }
    let mut expected = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    expected.extend(credentials);
    check_body(client.refresh(&RefreshToken::new(token)).request(), &expected);

    // A revocation names no client.
    let (access, refresh) = (AccessToken::new(token), RefreshToken::new(token));
    let hint = |hint| vec![("token", token), ("token_type_hint", hint)];
    check_body(client.revoke(&access).request(), &hint("access_token"));
    check_body(client.revoke(&refresh).request(), &hint("refresh_token"));
    check_body(client.revoke_with(&access, RevocationOptions::new().without_hint()).request(), &vec![("token", token)]);
}

fn check_body(request: &Request<Body>, expected: &Pairs<'_>) {
    let body = request.body().as_ref();
    let written = Serializer::new(String::new()).extend_pairs(expected).finish();
    assert_eq!(String::from_utf8_lossy(body), written);
    assert!(form_urlencoded::parse(body).eq(expected.iter().map(|&(name, value)| (name.into(), value.into()))));
    assert_eq!(request.uri().query(), None);
}

fn check_url(client: &Client, scopes: &str, name: &str, value: &str) -> Url {
    let scopes: Vec<Scope> = scopes.split(' ').filter_map(|scope| Scope::new(scope).ok()).collect();
    let joined = {
        let mut seen: Vec<&str> = Vec::new();
        for scope in &scopes {
            if !seen.contains(&scope.as_str()) {
                seen.push(scope.as_str());
            }
        }
        seen.join(" ")
    };
    let options = LoginOptions::new().scopes(scopes);
    let (options, has_parameter) = match options.clone().parameter(name, value) {
        Ok(options) => (options, true),
        Err(_) => (options, false),
    };
    let login = client.login_with([7; 64].into(), &options).expect("no parameter of the flow");
    let url = Url::parse(login.url().as_str()).expect("it is a URL");
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let of = |name: &str| pairs.iter().find(|(one, _)| one == name).map_or("", |(_, value)| value);
    let state = login.state();
    let mut expected = vec![
        ("response_type", "code"),
        ("client_id", client.client_id()),
        ("redirect_uri", REDIRECT_URI),
        ("state", state.expose_secret()),
        ("code_challenge", of("code_challenge")),
        ("code_challenge_method", "S256"),
    ];
    expected.extend((!joined.is_empty()).then_some(("scope", joined.as_str())));
    expected.extend(has_parameter.then_some((name, value)));
    assert!(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(expected.iter().copied()));
    let written = Serializer::new(String::new()).extend_pairs(&expected).finish().replace('+', "%20");
    assert_eq!(login.url().as_str().split_once('?').map(|(_, query)| query), Some(written.as_str()));
    // Each parameter of the flow is there once, whatever else was asked for.
    for (position, (name, _)) in pairs.iter().enumerate() {
        assert!(pairs.iter().skip(position + 1).all(|(other, _)| other != name), "{name} comes twice");
    }
    url
}
