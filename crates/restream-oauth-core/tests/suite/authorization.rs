//! Step 1: the URL that the browser opens, with `state`, PKCE, scopes and added parameters.

use crate::support::{CLIENT_ID, REDIRECT_URI, builder, client, entropy, form, sent_at};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use restream_oauth_core::config::{ConfigError, UriProblem};
use restream_oauth_core::login::{CodeVerifier, InvalidCodeVerifier, LoginOptions};
use restream_oauth_core::{Client, Endpoints, Login, Scope};
use sha2::{Digest as _, Sha256};

fn state(login: &Login) -> String {
    login.state().expose_secret().to_owned()
}

/// The parameters of the URL that the browser opens, read by an independent decoder.
fn asked(login: &Login) -> Vec<(String, String)> {
    let (place, query) = login.url().as_str().split_once('?').unwrap();
    assert_eq!(place, "https://api.restream.io/login");
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn value<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    assert!(parameters.iter().filter(|(one, _)| one == name).count() <= 1, "{name} comes twice");
    parameters.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
}

/// RFC 7636 §5.
#[test]
fn rfc_6749_4_1_1_the_browser_is_sent_to_the_documented_url() {
    let login = client().login(entropy(1));
    let asked = asked(&login);
    assert_eq!(value(&asked, "response_type"), Some("code"));
    assert_eq!(value(&asked, "client_id"), Some(CLIENT_ID));
    assert_eq!(value(&asked, "redirect_uri"), Some(REDIRECT_URI));
    assert_eq!(value(&asked, "state"), Some(state(&login).as_str()));
    // The program asks for no scope, so there is no `scope` parameter, not even an empty one (RFC 6749 §3.1).
    assert_eq!(value(&asked, "scope"), None);
    let names: Vec<_> = asked.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method"]
    );
}

/// CVE-2020-7692, OAuth 2.1 draft §4.1.1, RFC 9700 §2.1.1.
#[test]
fn rfc_7636_4_2_the_challenge_belongs_to_the_verifier_of_the_exchange() {
    for seed in 0..50 {
        let mut login = client().login(entropy(seed));
        let asked = asked(&login);
        assert_eq!(value(&asked, "code_challenge_method"), Some("S256"));
        let code = login.read_callback(&format!("code=c&state={}", state(&login))).unwrap();
        let (request, _) = client().exchange(&code).into_parts(sent_at());
        let sent = form(&request);
        let verifier = value(&sent, "code_verifier").unwrap();
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        assert_eq!(value(&asked, "code_challenge"), Some(challenge.as_str()));
        // RFC 7636 §4.1: 43 to 128 unreserved characters, and other characters than those of `state`.
        assert!((43..=128).contains(&verifier.len()));
        assert!(verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)));
        assert_ne!(Some(verifier), value(&asked, "state"));
        assert!(!login.url().as_str().contains(verifier));
    }
}

/// OAuth 2.1 draft §4.1.3, RFC 7636 §4.5, RFC 9700 §2.1.
#[test]
fn rfc_9700_4_8_a_login_without_a_challenge_sends_no_verifier() {
    let mut login = client().login_with(entropy(1), &LoginOptions::new().without_pkce()).unwrap();
    let asked = asked(&login);
    assert_eq!((value(&asked, "code_challenge"), value(&asked, "code_challenge_method")), (None, None));
    assert!(value(&asked, "state").is_some());
    let code = login.read_callback(&format!("code=c&state={}", state(&login))).unwrap();
    let (request, _) = client().exchange(&code).into_parts(sent_at());
    assert_eq!(value(&form(&request), "code_verifier"), None);
}

/// RFC 7636 §4.1, RFC 7636 §7.1, RUSTSEC-2024-0343.
#[test]
fn rfc_6749_10_10_state_and_verifier_are_256_bits_of_the_given_entropy() {
    let entropy: [u8; 64] = std::array::from_fn(|n| u8::try_from(n * 3).unwrap());
    let mut login = client().login(entropy.into());
    let code = login.read_callback(&format!("code=c&state={}", state(&login))).unwrap();
    let (request, _) = client().exchange(&code).into_parts(sent_at());
    let mut decoded = URL_SAFE_NO_PAD.decode(state(&login)).unwrap();
    decoded.extend(URL_SAFE_NO_PAD.decode(value(&form(&request), "code_verifier").unwrap()).unwrap());
    assert_eq!(decoded, entropy);
}

/// RFC 6749 §10.3, RFC 6749 §3.1.
#[test]
fn rfc_6749_3_3_scopes_are_joined_by_spaces_and_an_empty_list_is_left_out() {
    let with =
        |scopes: Vec<Scope>| asked(&client().login_with(entropy(1), &LoginOptions::new().scopes(scopes)).unwrap());
    assert_eq!(value(&with(vec![]), "scope"), None);
    let both = with(vec![Scope::PROFILE_READ, Scope::new("a!#$%&'()*+,-./:;<=>?@[]^_`{|}~").unwrap()]);
    assert_eq!(value(&both, "scope"), Some("profile.read a!#$%&'()*+,-./:;<=>?@[]^_`{|}~"));
}

/// RFC 9700 §2.1.2.
#[test]
fn rfc_6749_3_1_an_added_parameter_is_sent_once_and_never_replaces_one_of_the_flow() {
    let options = LoginOptions::new().parameter("prompt", "a b&c=d").unwrap().parameter("ui locales", "é").unwrap();
    let asked = asked(&client().login_with(entropy(1), &options).unwrap());
    assert_eq!((value(&asked, "prompt"), value(&asked, "ui locales")), (Some("a b&c=d"), Some("é")));
    let own =
        ["response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method"];
    for name in own.into_iter().chain(["", "prompt"]) {
        assert!(options.clone().parameter(name, "x").is_err(), "{name}");
    }
}

#[test]
fn rfc_6749_3_1_a_query_of_the_authorization_endpoint_is_kept_and_a_fragment_is_refused() {
    let with = |authorization: &str| {
        let endpoints = Endpoints { authorization: authorization.into(), ..Endpoints::restream() };
        builder().endpoints(endpoints).build()
    };
    for (endpoint, kept) in [
        ("https://a.example/login?x=1&y=%20", &[("x", "1"), ("y", " ")][..]),
        ("https://a.example/login?x=1&", &[("x", "1")]),
        ("https://a.example/login?", &[]),
        ("https://a.example", &[]),
        ("https://a.example/oauth/authorize", &[]),
    ] {
        let login = with(endpoint).unwrap().login(entropy(1));
        assert!(login.url().as_str().starts_with(endpoint), "{endpoint}");
        let (_, query) = login.url().as_str().split_once('?').unwrap();
        let asked: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        for (name, expected) in kept.iter().copied().chain([("response_type", "code"), ("client_id", CLIENT_ID)]) {
            assert_eq!(value(&asked, name), Some(expected), "{endpoint}");
        }
        assert_eq!(asked.len(), kept.len() + 6, "{endpoint}");
    }
    let refused = |endpoint: &str| with(endpoint).unwrap_err();
    let problem = |problem| ConfigError::Endpoint { name: "authorization", problem };
    assert_eq!(refused("https://a.example/login#f"), problem(UriProblem::Fragment));
    for own in ["state=x", "client_id=x", "a=1&scope=", "response%5Ftype=token"] {
        assert_eq!(refused(&format!("https://a.example/login?{own}")), problem(UriProblem::ReservedParameter), "{own}");
    }
}

#[test]
fn form_decoders_and_percent_decoders_read_every_value_of_the_query() {
    let redirect_uri = "https://app.example/c%20b?x=a+b&y=1";
    let client = Client::builder("id+&=é~").redirect_uri(redirect_uri).build().unwrap();
    let options = LoginOptions::new().parameter("p q", "a b+c").unwrap();
    let login = client.login_with(entropy(1), &options).unwrap();
    let asked = asked(&login);
    assert_eq!(value(&asked, "client_id"), Some("id+&=é~"));
    assert_eq!(value(&asked, "redirect_uri"), Some(redirect_uri));
    assert_eq!(value(&asked, "p q"), Some("a b+c"));
    // A percent decoder reads `+` as a plus, not as a space.
    assert!(!login.url().as_str().contains('+'));
    assert!(login.url().as_str().bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'`<>\\^{|}".contains(&byte)));
}

#[test]
fn rfc_6749_3_1_2_the_redirect_uri_is_absolute_without_a_fragment_and_safe() {
    let cases = [
        ("", UriProblem::Empty),
        ("/callback", UriProblem::NotAbsolute),
        ("https://app.example/#f", UriProblem::Fragment),
        ("https://app.example/callback#", UriProblem::Fragment),
        // RFC 9700 §2.6
        ("http://app.example/callback", UriProblem::PlainHttp),
        ("http://localhost.evil/callback", UriProblem::PlainHttp),
        ("http://127.1/callback", UriProblem::PlainHttp),
        ("http://[::ffff:127.0.0.1]/callback", UriProblem::PlainHttp),
        ("https://user:password@app.example/", UriProblem::UserInformation),
        ("http://localhost:x@evil.example/", UriProblem::UserInformation),
        ("javascript:alert(1)", UriProblem::NotAbsolute),
        ("https://app.example/a b", UriProblem::Character),
        ("https://app.example/\r\nX: y", UriProblem::Character),
        ("https:///callback", UriProblem::Host),
    ];
    for (redirect_uri, problem) in cases {
        let refused = Client::builder(CLIENT_ID).redirect_uri(redirect_uri).build().unwrap_err();
        assert_eq!(refused, ConfigError::RedirectUri(problem), "{redirect_uri}");
    }
    // RFC 8252 §7.3
    for redirect_uri in ["http://127.0.0.1:49152/cb", "http://[::1]:49152/cb", "http://localhost:3000"] {
        let client = Client::builder(CLIENT_ID).redirect_uri(redirect_uri).build().unwrap();
        assert_eq!(client.redirect_uri(), redirect_uri);
        assert_eq!(value(&asked(&client.login(entropy(1))), "redirect_uri"), Some(redirect_uri));
    }
}

/// RFC 7636 §4.1.
#[test]
fn a_code_verifier_is_43_to_128_unreserved_characters() {
    let unreserved = "ABCxyz0189-._~";
    for length in [43, 44, 127, 128] {
        let text: String = unreserved.chars().cycle().take(length).collect();
        assert_eq!(CodeVerifier::new(text.as_str()).unwrap().expose_secret(), text);
    }
    let too_many = "a".repeat(129);
    let with = |odd: &str| "a".repeat(43) + odd;
    for text in
        ["", "a", &too_many[..42], &too_many, &with(" "), &with("+"), &with("/"), &with("="), &with("é"), &with("\0")]
    {
        assert_eq!(CodeVerifier::new(text), Err(InvalidCodeVerifier), "{text:?}");
    }
    assert!(InvalidCodeVerifier.to_string().contains("43 to 128"));
}
