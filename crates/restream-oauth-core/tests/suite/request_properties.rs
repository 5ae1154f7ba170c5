//! Properties of every request and every callback, for any input. `serde_urlencoded` decides whether the encoding is
//! right.

use crate::cases::config;
use crate::support::{CLIENT_ID, REDIRECT_URI, client, form, sent_at};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http::header::AUTHORIZATION;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use restream_oauth_core::config::{BasicEncoding, ConfigError};
use restream_oauth_core::generators::{self, client_id, redirect_uri, text};
use restream_oauth_core::login::{CallbackError, CodeVerifier, LoginOptions};
use restream_oauth_core::{AccessToken, AuthorizationCode, Body, Client, Endpoints, RefreshToken, Scope};

/// A secret with a word that the tests search for.
fn secret() -> impl Strategy<Value = String> {
    generators::secret("c4nary")
}

/// The identifier and the secret of a Basic header, read by an independent decoder.
fn basic(request: &Request<Body>) -> Option<(String, String)> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().unwrap().strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(header).unwrap()).unwrap();
    let (id, secret) = text.split_once(':').unwrap();
    let decode =
        |text: &str| serde_urlencoded::from_str::<Vec<(String, String)>>(&format!("={text}")).unwrap().remove(0).1;
    Some((decode(id), decode(secret)))
}

/// All values of a parameter.
fn sent(form: &[(String, String)], name: &str) -> Vec<String> {
    form.iter().filter(|(one, _)| one == name).map(|(_, value)| value.clone()).collect()
}

proptest! {
    #![proptest_config(config())]

    /// RFC 6749 §2.3, RFC 6749 §2.3.1, RFC 6749 §3.2.1, RFC 6750 §2.3, RFC 9700 §4.3.2.
    #[test]
    fn every_credential_is_sent_once_and_never_in_a_uri(
        id in client_id(), secret in secret(), token in secret(), verifier in proptest::option::of("[A-Za-z0-9._~-]{43,128}"),
        way in 0..3,
    ) {
        let builder = Client::builder(id.as_str()).redirect_uri(REDIRECT_URI);
        let builder = match way {
            0 => builder.secret(secret.as_str()),
            1 => builder.secret_in_body(secret.as_str()),
            _ => builder,
        };
        let client = builder.build().unwrap();
        let verifier_text = verifier.clone().map(|text| CodeVerifier::new(text).unwrap());
        let code = AuthorizationCode::without_state_check(token.as_str(), REDIRECT_URI, verifier_text);
        let access = AccessToken::new(token.as_str());
        let refresh_token = RefreshToken::new(token.as_str());
        let authenticated = [client.exchange(&code), client.refresh(&refresh_token)].map(|call| call.into_parts(sent_at()).0);
        for request in &authenticated {
            let form = form(request);
            let expected = (way == 0).then(|| (id.clone(), secret.clone()));
            prop_assert_eq!(basic(request), expected);
            prop_assert_eq!(sent(&form, "client_secret"), if way == 1 { vec![secret.clone()] } else { vec![] });
            prop_assert_eq!(sent(&form, "client_id"), if way == 0 { vec![] } else { vec![id.clone()] });
        }
        let [exchange, refresh] = &authenticated;
        prop_assert_eq!(sent(&form(exchange), "code"), [token.as_str()]);
        prop_assert_eq!(sent(&form(exchange), "code_verifier"), verifier.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(sent(&form(exchange), "redirect_uri"), [REDIRECT_URI]);
        prop_assert_eq!(sent(&form(refresh), "refresh_token"), [token.as_str()]);
        let (revocation, _) = client.revoke(&access).into_parts(sent_at());
        prop_assert_eq!(sent(&form(&revocation), "token"), [token.as_str()]);
        let profile = client.profile(&access).ok().map(|call| call.into_parts(sent_at()).0);
        let login = client.login([7; 64].into());
        prop_assert!(!login.url().as_str().contains("c4nary"));
        for request in authenticated.iter().chain([&revocation]).chain(&profile) {
            prop_assert!(!request.uri().to_string().contains("c4nary"));
            let printed = format!("{request:?}");
            prop_assert!(!printed.contains("c4nary"));
        }
        let printed = format!("{client:?}{code:?}{access:?}{refresh_token:?}{login:?}");
        prop_assert!(!printed.contains("c4nary"));
    }

    /// RFC 6749 §2.3.1.
    #[test]
    fn raw_and_form_encoding_agree_on_plain_credentials(id in "[A-Za-z0-9._-]{1,40}", secret in "[A-Za-z0-9._-]{1,60}") {
        let headers = [BasicEncoding::Form, BasicEncoding::Raw].map(|encoding| {
            let builder = Client::builder(id.as_str()).secret_encoded(secret.as_str(), encoding);
            let client = builder.redirect_uri(REDIRECT_URI).build().unwrap();
            client.refresh(&RefreshToken::new("r")).request().headers()[AUTHORIZATION].clone()
        });
        prop_assert_eq!(&headers[0], &headers[1]);
        let curl = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        prop_assert_eq!(headers[0].as_bytes(), curl.as_bytes());
    }

    /// RFC 6749 §3.1.2, RFC 6749 §3.1.2.3, openpubkey #375.
    #[test]
    fn a_redirect_uri_is_the_same_in_both_steps_and_an_invalid_one_is_refused(
        uri in redirect_uri(), refused in generators::refused_uri(), name in select(vec!["authorization", "token", "revocation", "profile"]),
    ) {
        let client = Client::builder(CLIENT_ID).redirect_uri(uri.as_str()).build();
        let client = client.map_err(|error| TestCaseError::fail(format!("{uri}: {error}")))?;
        let mut login = client.login([7; 64].into());
        let query = login.url().as_str().split_once('?').unwrap().1;
        let asked: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
        prop_assert_eq!(sent(&asked, "redirect_uri"), [uri.as_str()]);
        let separator = if uri.contains('?') { "&" } else { "?" };
        let callback = format!("{uri}{separator}code=c&state={}", login.state().expose_secret());
        let code = login.read_callback(&callback).map_err(|error| TestCaseError::fail(format!("{callback}: {error}")))?;
        prop_assert_eq!(sent(&form(client.exchange(&code).request()), "redirect_uri"), [uri.as_str()]);

        let error = Client::builder(CLIENT_ID).redirect_uri(refused.as_str()).build().err();
        prop_assert!(matches!(error, Some(ConfigError::RedirectUri(_))), "{:?}: {:?}", refused, error);
        let mut endpoints = Endpoints::restream();
        let endpoint = match name {
            "authorization" => &mut endpoints.authorization,
            "token" => &mut endpoints.token,
            "revocation" => &mut endpoints.revocation,
            _ => &mut endpoints.profile,
        };
        endpoint.clone_from(&refused);
        let error = Client::builder(CLIENT_ID).redirect_uri(uri.as_str()).endpoints(endpoints).build().err();
        let named = matches!(error, Some(ConfigError::Endpoint { name: blamed, .. }) if blamed == name);
        prop_assert!(named, "{:?} as {}: {:?}", refused, name, error);
    }

    /// RFC 6749 §3.3.
    #[test]
    fn scopes_are_sent_once_each_in_order_and_an_invalid_scope_is_refused(
        scopes in generators::scopes(), one in "[!#-\\[\\]-~]{1,12}", refused in generators::refused_scope(),
    ) {
        prop_assert_eq!(Scope::new(one.as_str()).map(|scope| scope.as_str() == one), Ok(true));
        let options = LoginOptions::new().scopes(scopes.clone());
        let login = client().login_with([7; 64].into(), &options).unwrap();
        let query = login.url().as_str().split_once('?').unwrap().1;
        let asked: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
        let mut expected: Vec<&str> = Vec::new();
        for scope in &scopes {
            if !expected.contains(&scope.as_str()) {
                expected.push(scope.as_str());
            }
        }
        let expected = if expected.is_empty() { vec![] } else { vec![expected.join(" ")] };
        prop_assert_eq!(sent(&asked, "scope"), expected);
        prop_assert!(Scope::new(refused).is_err());
    }

    /// CVE-2017-1000069, RFC 6749 §4.1.2.
    #[test]
    fn a_callback_is_accepted_iff_its_state_is_byte_equal_and_it_is_the_first(
        seed in any::<[u8; 32]>(),
        callbacks in vec(vec((select(vec!["code", "state", "state", "error", "scope", "x"]), text(0..4), 0..6_u8), 0..5), 1..6),
    ) {
        let mut entropy = [0; 64];
        entropy[..32].copy_from_slice(&seed);
        let mut login = client().login(entropy.into());
        let right = login.state().expose_secret().to_owned();
        let mut accepted = false;
        for parameters in callbacks {
            let parameters: Vec<(&str, String)> = parameters.into_iter().map(|(name, value, choice)| match (name, choice) {
                ("state", 0) => (name, right.to_ascii_lowercase()),
                ("state", 1) => (name, right[1..].to_owned()),
                ("state", 2..) => (name, right.clone()),
                _ => (name, value),
            }).collect();
            let query = serde_urlencoded::to_string(&parameters).unwrap();
            let of = |name: &str| parameters.iter().filter(|(one, _)| *one == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
            let (state, code, error) = (of("state"), of("code"), of("error"));
            let good = state == [right.as_str()]
                && matches!(code.as_slice(), [code] if !code.is_empty())
                && matches!(error.as_slice(), [] | [""]);
            let outcome = login.read_callback(&query);
            prop_assert_eq!(outcome.is_ok(), good && !accepted, "{}: {:?}", query, outcome);
            if let Ok(given) = &outcome {
                prop_assert_eq!(given.expose_secret(), code[0]);
            } else if good {
                prop_assert_eq!(outcome.unwrap_err(), CallbackError::AlreadyUsed);
            }
            accepted |= good;
        }
    }

    /// RFC 7636 §4.5, RFC 9700 §2.1.1, RFC 9700 §4.5.
    #[test]
    fn a_restored_login_behaves_like_the_saved_one(entropy in any::<[u8; 32]>(), value in text(0..8), pkce in any::<bool>()) {
        let options = LoginOptions::new().parameter("x", &value).unwrap();
        let options = if pkce { options } else { options.without_pkce() };
        let bytes: [u8; 64] = std::array::from_fn(|n| entropy[n / 2].wrapping_add(u8::try_from(n).unwrap()));
        let mut login = client().login_with(bytes.into(), &options).unwrap();
        let mut restored = client().restore_login(login.to_saved().expose_secret()).unwrap();
        prop_assert_eq!(restored.url().as_str(), login.url().as_str());
        prop_assert_eq!(restored.to_saved(), login.to_saved());
        let callback = format!("code=c&state={}", login.state().expose_secret());
        let forms = [&mut login, &mut restored].map(|login| {
            let code = login.read_callback(&callback).unwrap();
            form(client().exchange(&code).request())
        });
        prop_assert_eq!(&forms[0], &forms[1]);
        prop_assert_eq!(sent(&forms[0], "code_verifier").len(), usize::from(pkce));
        let query = login.url().as_str().split_once('?').unwrap().1.to_owned();
        let asked: Vec<(String, String)> = serde_urlencoded::from_str(&query).unwrap();
        prop_assert_eq!(sent(&asked, "x"), [value.as_str()]);
        prop_assert_eq!(sent(&asked, "client_id"), [CLIENT_ID]);
    }
}
