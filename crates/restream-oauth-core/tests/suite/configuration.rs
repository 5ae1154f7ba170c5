//! Building a client refuses every invalid value. The error names the value and the reason, and does not print the
//! value.

use crate::support::{CLIENT_ID, REDIRECT_URI, SECRET, builder, entropy, form, sent_at};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use restream_oauth_core::config::{BasicEncoding, ConfigError, TextProblem, UriProblem};
use restream_oauth_core::token::InvalidScope;
use restream_oauth_core::{Client, ClientBuilder, Endpoints, RefreshToken, Scope};

/// Hosts that look like loopback but are not.
const HOSTILE_HOSTS: [&str; 20] = [
    "localhost.attacker.com",
    "localhost.evil",
    "127.0.0.1.attacker.com",
    "127.1",
    "0x7f.1",
    "0177.0.0.1",
    "2130706433",
    "[::ffff:127.0.0.1]",
    "[::]",
    "0.0.0.0",
    "localhost.",
    "127.0.0.1.",
    "127.0.0.256",
    "10.0.0.1",
    "169.254.169.254",
    "xlocalhost",
    "127.0.0.1-evil.com",
    "[::2]",
    "evil.com",
    "api.restream.io",
];

/// For each endpoint: its name, and a set of endpoints in which only this one is changed.
fn with_each(url: &str) -> [(&'static str, Endpoints); 4] {
    let good = Endpoints::restream();
    [
        ("authorization", Endpoints { authorization: url.into(), ..good.clone() }),
        ("token", Endpoints { token: url.into(), ..good.clone() }),
        ("revocation", Endpoints { revocation: url.into(), ..good.clone() }),
        ("profile", Endpoints { profile: url.into(), ..good }),
    ]
}

fn refused_endpoint(url: &str, problem: UriProblem) {
    for (name, endpoints) in with_each(url) {
        let error = builder().secret(SECRET).endpoints(endpoints).build().expect_err(url);
        assert_eq!(error, ConfigError::Endpoint { name, problem }, "{url}");
    }
}

/// RFC 6749 §10.3.
#[test]
fn rfc_6749_3_2_and_rfc_7009_2_secrets_never_go_to_plain_http_off_loopback() {
    for host in HOSTILE_HOSTS {
        for rest in ["", "/", ":80/oauth/token", "/127.0.0.1", "?http://127.0.0.1"] {
            refused_endpoint(&format!("http://{host}{rest}"), UriProblem::PlainHttp);
            refused_endpoint(&format!("HTTP://{host}{rest}"), UriProblem::PlainHttp);
        }
        let redirect_uri = format!("http://{host}/callback");
        let error = Client::builder(CLIENT_ID).redirect_uri(redirect_uri).build().unwrap_err();
        assert_eq!(error, ConfigError::RedirectUri(UriProblem::PlainHttp), "{host}");
    }
    for host in ["127.0.0.1", "127.0.0.1:8080", "127.255.255.254", "[::1]", "[::1]:1", "[0:0:0:0:0:0:0:1]:65535"] {
        assert!(builder().endpoints(Endpoints::at(&format!("http://{host}"))).build().is_ok(), "{host}");
    }
    assert!(builder().endpoints(Endpoints::at("https://proxy.example:8443/base/")).build().is_ok());
}

#[test]
fn an_invalid_endpoint_is_refused_with_the_reason() {
    let cases = [
        ("", UriProblem::Empty),
        ("api.restream.io", UriProblem::NotAbsolute),
        ("/oauth/token", UriProblem::NotAbsolute),
        ("//api.restream.io/", UriProblem::NotAbsolute),
        ("javascript:alert(1)", UriProblem::NotAbsolute),
        ("file:///etc/passwd", UriProblem::Scheme),
        ("ftp://api.restream.io/", UriProblem::Scheme),
        ("httpss://api.restream.io/", UriProblem::Scheme),
        ("https://api.restream.io/#f", UriProblem::Fragment),
        ("https://api.restream.io#", UriProblem::Fragment),
        ("https://user@api.restream.io/", UriProblem::UserInformation),
        ("https://user:password@api.restream.io/", UriProblem::UserInformation),
        ("http://127.0.0.1:x@evil.example/", UriProblem::UserInformation),
        ("http://127.0.0.1@evil.example/", UriProblem::UserInformation),
        ("https://api.restream.io/a b", UriProblem::Character),
        ("https://api.restream.io/\"", UriProblem::Character),
        ("https://api.restream.io/\\", UriProblem::Character),
        ("https://api.restream.io/\r\nHost: evil", UriProblem::Character),
        ("https://api.restream.io/\0", UriProblem::Character),
        ("https://api.restream.io/é", UriProblem::Character),
        ("https://api.restream.io/%", UriProblem::Character),
        ("https://api.restream.io/%4g", UriProblem::Character),
        ("https://", UriProblem::Host),
        ("https:///oauth", UriProblem::Host),
        ("https://:443/", UriProblem::Host),
        ("https://[::1/", UriProblem::Host),
        ("https://[localhost]/", UriProblem::Host),
        ("https://api.restream.io:99999/", UriProblem::Port),
        ("https://api.restream.io:0/", UriProblem::Port),
        ("https://api.restream.io:-1/", UriProblem::Port),
        ("https://api.restream.io:/", UriProblem::Port),
    ];
    for (url, problem) in cases {
        refused_endpoint(url, problem);
    }
    let long = format!("https://api.restream.io/{}", "x".repeat(100_000));
    refused_endpoint(&long, UriProblem::TooLong);
}

/// RFC 6749 appendix A.1.
#[test]
fn a_client_identifier_with_a_space_is_encoded_in_every_place() {
    let built = |builder: ClientBuilder| builder.redirect_uri(REDIRECT_URI).build().unwrap();
    let basic = built(Client::builder("my app").secret(SECRET));
    assert_eq!(basic.client_id(), "my app");
    let login = basic.login(entropy(1));
    assert!(login.url().as_str().contains("&client_id=my%20app&"), "{}", login.url().as_str());

    let decoded = |client: &Client| {
        let call = client.refresh(&RefreshToken::new("r"));
        let header = call.request().headers()[AUTHORIZATION].to_str().unwrap();
        String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap()).unwrap()
    };
    assert_eq!(decoded(&basic), format!("my%20app:{SECRET}"));
    assert_eq!(decoded(&built(Client::builder("my app").secret_encoded("s", BasicEncoding::Raw))), "my app:s");

    for client in [built(Client::builder("my app")), built(Client::builder("my app").secret_in_body("s"))] {
        let (request, _) = client.refresh(&RefreshToken::new("r")).into_parts(sent_at());
        assert!(form(&request).contains(&("client_id".to_owned(), "my app".to_owned())), "{client:?}");
    }
    let saved = login.to_saved();
    assert!(basic.restore_login(saved.expose_secret()).is_ok());
}

#[test]
fn identifiers_and_secrets_with_accidentally_copied_characters_are_refused() {
    let cases = [
        ("", TextProblem::Empty),
        ("c4nary\n", TextProblem::Control),
        ("c4nary\r\nX-Evil: 1", TextProblem::Control),
        ("\0c4nary", TextProblem::Control),
        (" c4nary", TextProblem::Space),
        ("c4nary ", TextProblem::Space),
    ];
    for (text, problem) in cases {
        let id = Client::builder(text).redirect_uri(REDIRECT_URI).build().unwrap_err();
        assert_eq!(id, ConfigError::ClientId(problem), "{text:?}");
        for secret in
            [builder().secret(text), builder().secret_in_body(text), builder().secret_encoded(text, BasicEncoding::Raw)]
        {
            let error = secret.build().unwrap_err();
            assert_eq!(error, ConfigError::ClientSecret(problem), "{text:?}");
            assert!(!format!("{error} {error:?}").contains("c4nary"), "{error}");
        }
    }
    for id in ["\"id\"", "'id'", "`id`"] {
        let error = Client::builder(id).redirect_uri(REDIRECT_URI).build().unwrap_err();
        assert_eq!(error, ConfigError::ClientId(TextProblem::Quote), "{id}");
    }
    // RFC 7617 §2: the server splits at the first colon, so a colon in the identifier must be encoded.
    let with_colon = |encoding| Client::builder("a:b").secret_encoded("s", encoding).redirect_uri(REDIRECT_URI).build();
    assert!(with_colon(BasicEncoding::Form).is_ok());
    assert_eq!(with_colon(BasicEncoding::Raw).unwrap_err(), ConfigError::ClientId(TextProblem::Colon));
}

#[test]
fn rfc_6749_3_3_a_scope_is_one_word_of_visible_ascii() {
    for text in ["", " ", "a b", "a\"", "\\", "a\n", "\u{7F}", "é", "a\t", "\u{A0}", "a\0"] {
        assert_eq!(Scope::new(text), Err(InvalidScope), "{text:?}");
    }
    for byte in 0..=255_u8 {
        // scope-token = 1*NQCHAR; NQCHAR = %x21 / %x23-5B / %x5D-7E
        let allowed = matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        assert_eq!(Scope::new(char::from(byte)).is_ok(), allowed, "{byte:#x}");
    }
}

#[test]
fn without_a_redirect_uri_there_is_no_client() {
    assert_eq!(Client::builder(CLIENT_ID).build().unwrap_err(), ConfigError::RedirectUri(UriProblem::Empty));
}

#[test]
fn the_defaults_are_restreams_documented_urls() {
    let client = builder().build().unwrap();
    let endpoints = client.endpoints();
    assert_eq!(endpoints.authorization, "https://api.restream.io/login");
    assert_eq!(endpoints.token, "https://api.restream.io/oauth/token");
    assert_eq!(endpoints.revocation, "https://api.restream.io/oauth/revoke");
    assert_eq!(endpoints.profile, "https://api.restream.io/v2/user/profile");
    assert_eq!(endpoints, &Endpoints::default());
}
