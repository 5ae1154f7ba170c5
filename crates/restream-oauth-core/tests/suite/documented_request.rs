//! The requests: compared with the documented curl command, and with what RFC 6749, RFC 7009 and RFC 6750 require.

use crate::support::{
    CLIENT_ID, CODE, REDIRECT_URI, SECRET, SENT_ACCESS, SENT_REFRESH, VERIFIER, builder, client, code_of, entropy,
    form, header, known_code, sent_at,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{Method, Request};
use restream_oauth_core::config::{BasicEncoding, RevocationOptions};
use restream_oauth_core::login::LoginOptions;
use restream_oauth_core::{AccessToken, Body, Client, RefreshToken};

/// The documented command, with its placeholders.
const CURL: &str = include_str!("documents/code-exchange.curl");

/// The request that the documented command makes curl send.
struct Documented {
    method: String,
    uri: String,
    content_type: String,
    authorization: String,
    form: Vec<(String, String)>,
}

impl Documented {
    fn read() -> Self {
        let command = [
            ("[your client id]", CLIENT_ID),
            ("[your client secret]", SECRET),
            ("[your redirect URI]", REDIRECT_URI),
            ("[code]", CODE),
        ]
        .into_iter()
        .fold(CURL.replace("\\\n", " "), |command, (placeholder, value)| {
            assert!(command.contains(placeholder), "{placeholder}");
            command.replace(placeholder, value)
        });
        let mut words = words(&command).into_iter();
        assert_eq!(words.next().as_deref(), Some("curl"));
        let (mut method, mut content_type, mut user, mut data, mut uri) = Default::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-X" => method = words.next(),
                "-H" => content_type = words.next(),
                "--user" => user = words.next(),
                "--data" => data = words.next(),
                _ => uri = Some(word),
            }
        }
        let content_type = content_type.unwrap();
        let data = data.unwrap();
        Self {
            method: method.unwrap(),
            uri: uri.unwrap(),
            content_type: content_type.strip_prefix("Content-Type: ").unwrap().to_owned(),
            // curl(1): `--user` sends the text in base64, without another encoding.
            authorization: format!("Basic {}", STANDARD.encode(user.unwrap())),
            form: form_urlencoded::parse(data.as_bytes()).into_owned().collect(),
        }
    }
}

/// Splits a command as a shell does, with double quotes and without escapes.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in command.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn code_request(client: &Client) -> Request<Body> {
    client.exchange(&known_code()).into_parts(sent_at()).0
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The identifier and the secret of a Basic header, read by an independent decoder: split at the first colon, then
/// form-decoded.
fn basic_pair(request: &Request<Body>) -> (String, String) {
    let value = std::str::from_utf8(header(request, AUTHORIZATION).unwrap()).unwrap();
    let pair = STANDARD.decode(value.strip_prefix("Basic ").unwrap()).unwrap();
    let pair = String::from_utf8(pair).unwrap();
    let (id, secret) = pair.split_once(':').unwrap();
    let decoded = |text: &str| {
        let form = format!("x={text}");
        form_urlencoded::parse(form.as_bytes()).next().unwrap().1.into_owned()
    };
    (decoded(id), decoded(secret))
}

/// OAuth 2.1 draft §2.4.1, RFC 6749 §3.2, RFC 9700 §2.4.
#[test]
fn our_code_exchange_sends_what_the_documented_curl_command_sends() {
    let documented = Documented::read();
    let mut login = client().login_with(entropy(1), &LoginOptions::new().without_pkce()).unwrap();
    let (request, _) = client().exchange(&code_of(&mut login)).into_parts(sent_at());
    assert_eq!(request.method().as_str(), documented.method);
    assert_eq!(request.uri().to_string(), documented.uri);
    assert_eq!(header(&request, CONTENT_TYPE), Some(documented.content_type.as_bytes()));
    assert_eq!(header(&request, AUTHORIZATION), Some(documented.authorization.as_bytes()));
    assert_eq!(form(&request), documented.form);
}

#[test]
fn a_code_of_another_redirect_uri_is_exchanged_with_that_redirect_uri() {
    let elsewhere = "http://127.0.0.1:8976/callback?a=b";
    let code = restream_oauth_core::AuthorizationCode::without_state_check("c0de", elsewhere, None);
    let form = form(client().exchange(&code).request());
    let sent: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(sent, [("grant_type", "authorization_code"), ("redirect_uri", elsewhere), ("code", "c0de")]);
}

#[test]
fn pkce_adds_only_the_verifier_to_the_documented_form() {
    let mut documented = Documented::read();
    let (request, _) = client().exchange(&known_code()).into_parts(sent_at());
    documented.form.push(("code_verifier".to_owned(), VERIFIER.to_owned()));
    assert_eq!(form(&request), documented.form);
    assert_eq!(header(&request, AUTHORIZATION), Some(documented.authorization.as_bytes()));
}

/// OAuth 2.1 draft §2.4.1.
#[test]
fn a_secret_in_the_body_gives_the_five_documented_parameters_and_no_header() {
    let client = builder().secret_in_body(SECRET).build().unwrap();
    let mut login = client.login_with(entropy(1), &LoginOptions::new().without_pkce()).unwrap();
    let (request, _) = client.exchange(&code_of(&mut login)).into_parts(sent_at());
    let mut sent = form(&request);
    sent.sort();
    let mut documented = owned(&[
        ("grant_type", "authorization_code"),
        ("redirect_uri", REDIRECT_URI),
        ("code", CODE),
        ("client_id", CLIENT_ID),
        ("client_secret", SECRET),
    ]);
    documented.sort();
    assert_eq!(sent, documented);
    assert_eq!(header(&request, AUTHORIZATION), None);
}

/// OAuth 2.1 draft §4.1.1.
#[test]
fn rfc_6749_4_1_3_a_public_client_sends_its_identifier_and_no_secret() {
    let (request, _) = builder().build().unwrap().exchange(&known_code()).into_parts(sent_at());
    let sent = form(&request);
    assert_eq!(sent.iter().filter(|(name, _)| name == "client_id").count(), 1);
    assert!(sent.contains(&("client_id".to_owned(), CLIENT_ID.to_owned())));
    assert!(sent.iter().all(|(name, _)| name != "client_secret"));
    assert_eq!(header(&request, AUTHORIZATION), None);
}

#[test]
fn rfc_6749_6_a_refresh_sends_the_token_with_the_same_client_authentication_and_asks_for_no_scope() {
    let refresh_token = RefreshToken::new(SENT_REFRESH);
    let plain = owned(&[("grant_type", "refresh_token"), ("refresh_token", SENT_REFRESH)]);
    let with = |more: &[(&str, &str)]| [plain.clone(), owned(more)].concat();
    let basic = Documented::read().authorization;
    let cases = [
        (client(), with(&[]), Some(basic.as_bytes())),
        (
            builder().secret_in_body(SECRET).build().unwrap(),
            with(&[("client_id", CLIENT_ID), ("client_secret", SECRET)]),
            None,
        ),
        (builder().build().unwrap(), with(&[("client_id", CLIENT_ID)]), None),
    ];
    for (client, expected, authorization) in cases {
        let (request, _) = client.refresh(&refresh_token).into_parts(sent_at());
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri().to_string(), "https://api.restream.io/oauth/token");
        assert_eq!(header(&request, CONTENT_TYPE), Some(&b"application/x-www-form-urlencoded"[..]));
        assert_eq!(header(&request, AUTHORIZATION), authorization);
        assert_eq!(form(&request), expected);
    }
}

#[test]
fn rfc_7009_2_1_a_revocation_sends_the_token_and_the_hint_and_no_client_authentication() {
    let access = AccessToken::new(SENT_ACCESS);
    let refresh = RefreshToken::new(SENT_REFRESH);
    let clients = [client(), builder().secret_in_body(SECRET).build().unwrap(), builder().build().unwrap()];
    for client in clients {
        let cases = [
            (client.revoke(&access), owned(&[("token", SENT_ACCESS), ("token_type_hint", "access_token")])),
            (client.revoke(&refresh), owned(&[("token", SENT_REFRESH), ("token_type_hint", "refresh_token")])),
            (client.revoke_with(&access, RevocationOptions::new().without_hint()), owned(&[("token", SENT_ACCESS)])),
            (client.revoke_with(&refresh, RevocationOptions::new().without_hint()), owned(&[("token", SENT_REFRESH)])),
        ];
        for (call, expected) in cases {
            let (request, _) = call.into_parts(sent_at());
            assert_eq!(request.method(), Method::POST);
            assert_eq!(request.uri().to_string(), "https://api.restream.io/oauth/revoke");
            assert_eq!(header(&request, CONTENT_TYPE), Some(&b"application/x-www-form-urlencoded"[..]));
            assert_eq!(header(&request, AUTHORIZATION), None);
            assert_eq!(form(&request), expected);
        }
    }
}

/// RFC 7009 §2.1.
#[test]
fn a_revocation_can_carry_the_client_authentication_of_the_token_requests() {
    let token = RefreshToken::new(SENT_REFRESH);
    let sent = [("token", SENT_REFRESH), ("token_type_hint", "refresh_token")];
    let basic = client().refresh(&token).request().headers()[AUTHORIZATION].clone();
    let cases = [
        (client(), Some(basic.as_bytes()), owned(&sent)),
        (
            builder().secret_in_body(SECRET).build().unwrap(),
            None,
            owned(&[sent[0], sent[1], ("client_id", CLIENT_ID), ("client_secret", SECRET)]),
        ),
        (builder().build().unwrap(), None, owned(&[sent[0], sent[1], ("client_id", CLIENT_ID)])),
    ];
    for (client, authorization, expected) in cases {
        let (request, _) =
            client.revoke_with(&token, RevocationOptions::new().client_authentication()).into_parts(sent_at());
        assert_eq!(request.uri().to_string(), "https://api.restream.io/oauth/revoke");
        assert_eq!(header(&request, AUTHORIZATION), authorization);
        assert_eq!(form(&request), expected);
        let (request, _) = client
            .revoke_with(&token, RevocationOptions::new().client_authentication().without_hint())
            .into_parts(sent_at());
        assert_eq!(header(&request, AUTHORIZATION), authorization);
        let unhinted: Vec<_> = expected.into_iter().filter(|(name, _)| *name != "token_type_hint").collect();
        assert_eq!(form(&request), unhinted);
    }
}

/// OAuth 2.1 draft §5.1, RFC 6750 §2.
#[test]
fn rfc_6750_2_1_the_profile_call_sends_the_token_only_in_the_header() {
    let (request, _) = client().profile(&AccessToken::new(SENT_ACCESS)).unwrap().into_parts(sent_at());
    assert_eq!(request.method(), Method::GET);
    assert_eq!(request.uri().to_string(), "https://api.restream.io/v2/user/profile");
    assert_eq!(header(&request, AUTHORIZATION), Some(format!("Bearer {SENT_ACCESS}").as_bytes()));
    assert!(request.headers()[AUTHORIZATION].is_sensitive());
    assert_eq!(request.headers().get_all(AUTHORIZATION).iter().count(), 1);
    assert!(request.body().is_empty());
    assert_eq!(header(&request, CONTENT_TYPE), None);
}

#[test]
fn rfc_6749_2_3_1_an_independent_decoder_reads_basic_credentials() {
    let all_of_ascii: String = (b'!'..=b'~').map(char::from).collect();
    let cases = [
        ("a:b", "p%+ é"),
        ("id", "s"),
        ("client-id", all_of_ascii.as_str()),
        ("id+with/slash=", "a b  c"),
        ("ünïcödé", "пароль 密码 😀"),
        ("%41", "%2B%zz"),
    ];
    for (id, secret) in cases {
        let client = Client::builder(id).secret(secret).redirect_uri(REDIRECT_URI).build().unwrap();
        let request = code_request(&client);
        assert_eq!(basic_pair(&request), (id.to_owned(), secret.to_owned()));
        assert!(request.headers()[AUTHORIZATION].is_sensitive());
        // A space is encoded so that a percent decoder reads it too.
        let encoded = header(&request, AUTHORIZATION).unwrap().strip_prefix(b"Basic ").unwrap();
        assert!(!STANDARD.decode(encoded).unwrap().contains(&b'+'), "{id} {secret}");
    }
    // A fixed example, byte for byte.
    let client = Client::builder("a:b").secret("p%+ é").redirect_uri(REDIRECT_URI).build().unwrap();
    let expected = format!("Basic {}", STANDARD.encode("a%3Ab:p%25%2B%20%C3%A9"));
    assert_eq!(header(&code_request(&client), AUTHORIZATION), Some(expected.as_bytes()));
}

/// RFC 6749 §2.3.1.
#[test]
fn raw_basic_is_what_curl_sends_and_the_same_for_restreams_credentials() {
    let raw = |secret: &str| builder().secret_encoded(secret, BasicEncoding::Raw).build().unwrap();
    let expected = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:p%+ é:x")));
    assert_eq!(header(&code_request(&raw("p%+ é:x")), AUTHORIZATION), Some(expected.as_bytes()));
    let secret = "AZaz09._-";
    let form = builder().secret(secret).build().unwrap();
    let [form, raw] = [form, raw(secret)].map(|client| code_request(&client));
    assert_eq!(header(&form, AUTHORIZATION), header(&raw, AUTHORIZATION));
}

#[test]
fn rfc_6749_appendix_b_an_independent_decoder_reads_every_value_of_the_form() {
    let secret = "%&+£€= ;\"'\\/?#~*!😀";
    let token = format!(" {secret}\u{7F}\r\n\0");
    let client = builder().secret_in_body(secret).build().unwrap();
    let (request, _) = client.refresh(&RefreshToken::new(token.as_str())).into_parts(sent_at());
    assert_eq!(
        form(&request),
        owned(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &token),
            ("client_id", CLIENT_ID),
            ("client_secret", secret),
        ])
    );
    // The example of the RFC: U+0020 U+0025 U+0026 U+002B U+00A3 U+20AC.
    let (request, _) =
        client.revoke_with(&RefreshToken::new(" %&+£€"), RevocationOptions::new().without_hint()).into_parts(sent_at());
    assert_eq!(request.body().as_ref(), b"token=+%25%26%2B%C2%A3%E2%82%AC");
}

#[test]
fn rfc_6749_2_3_at_most_one_client_authentication_and_no_secret_in_any_uri() {
    let clients = [client(), builder().secret_in_body(SECRET).build().unwrap(), builder().build().unwrap()];
    for client in clients {
        let access = AccessToken::new(SENT_ACCESS);
        let requests = [
            client.exchange(&known_code()).into_parts(sent_at()).0,
            client.refresh(&RefreshToken::new(SENT_REFRESH)).into_parts(sent_at()).0,
            client.revoke(&access).into_parts(sent_at()).0,
            client.profile(&access).unwrap().into_parts(sent_at()).0,
        ];
        for request in requests {
            let basic = header(&request, AUTHORIZATION).is_some_and(|value| value.starts_with(b"Basic "));
            let body = form(&request).iter().filter(|(name, _)| name == "client_secret").count();
            assert!(usize::from(basic) + body <= 1, "{request:?}");
            assert_eq!(request.uri().query(), None);
            assert!(!request.uri().to_string().contains("c4nary"));
            // No request asks for compression.
            assert_eq!((header(&request, ACCEPT_ENCODING), header(&request, CONTENT_ENCODING)), (None, None));
            // `Debug` shows no secret.
            assert!(!format!("{request:?}").contains("c4nary"));
        }
    }
}

#[test]
fn rfc_6749_4_1_3_the_redirect_uri_of_the_exchange_is_that_of_the_authorization_byte_for_byte() {
    for redirect_uri in ["https://app.example/a%2Fb?x=1&y=%20", "http://127.0.0.1:8080", "HTTPS://App.example:443/%c3"]
    {
        let client = Client::builder(CLIENT_ID).secret(SECRET).redirect_uri(redirect_uri).build().unwrap();
        let mut login = client.login(entropy(3));
        let (_, query) = login.url().as_str().split_once('?').unwrap();
        let asked = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "redirect_uri").unwrap().1;
        assert_eq!(asked, redirect_uri);
        let (request, _) = client.exchange(&code_of(&mut login)).into_parts(sent_at());
        assert!(form(&request).contains(&("redirect_uri".to_owned(), redirect_uri.to_owned())));
    }
}
