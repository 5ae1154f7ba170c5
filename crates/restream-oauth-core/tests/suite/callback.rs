//! Step 2: a login gives a code only for a callback with the right `state`, and only once.

use std::fmt::Write as _;

use crate::support::{CLIENT_ID, CODE, REDIRECT_URI, builder, client, code_of, entropy, form};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use restream_oauth_core::config::{ConfigError, UriPart, UriProblem};
use restream_oauth_core::error::ErrorCode;
use restream_oauth_core::login::{CallbackError, LoginOptions, redirect_uri_of, state_of};
use restream_oauth_core::{AuthorizationCode, Client, Endpoints, Login, SavedError, Scope};
use sha2::{Digest as _, Sha256};

fn login() -> Login {
    client().login(entropy(1))
}

fn state(login: &Login) -> String {
    login.state().expose_secret().to_owned()
}

/// The login is still open: it accepts the right callback, and only once.
fn still_open(login: &mut Login) {
    let right = format!("/callback?code={CODE}&state={}", state(login));
    assert_eq!(login.read_callback(&right).unwrap().expose_secret(), CODE);
    assert_eq!(login.read_callback(&right).unwrap_err(), CallbackError::AlreadyUsed);
}

fn refused(query: &str) -> CallbackError {
    let mut login = login();
    let query = query.replace("STATE", &state(&login));
    let error = login.read_callback(&query).expect_err(&query);
    still_open(&mut login);
    error
}

fn accepted(uri: &str) -> AuthorizationCode {
    let mut login = login();
    let uri = uri.replace("STATE", &state(&login));
    login.read_callback(&uri).unwrap_or_else(|error| panic!("{error}: {uri}"))
}

#[test]
fn the_documented_callback_gives_the_code_in_every_form_that_a_program_receives() {
    let uris = [
        "https://app.example/callback?code=c4nary-code&scope=profile.read+chat.read&state=STATE",
        "https://app.example/callback?state=STATE&code=c4nary-code",
        "https://app.example:443/callback?code=c4nary-code&state=STATE",
        "HTTPS://APP.example/callback?code=c4nary-code&state=STATE",
        "https://app.example/callback?code=c4nary-code&state=STATE#",
        "https://app.example/callback?code=c4nary-code&state=STATE#_=_",
        "/callback?code=c4nary-code&state=STATE",
        "?code=c4nary-code&state=STATE",
        "code=c4nary-code&state=STATE",
        "&&code=c4nary%2dcode&&st%61te=STATE&",
    ];
    for uri in uris {
        assert_eq!(accepted(uri).expose_secret(), CODE, "{uri}");
    }
    assert_eq!(accepted(uris[0]).scopes().unwrap().as_str(), "profile.read chat.read");
    assert_eq!(accepted(uris[1]).scopes(), None);
    assert_eq!(accepted("code=%2B+%26%C3%A9%00&state=STATE").expose_secret(), "+ &é\0");
}

/// Browser-based apps draft §6.3, CVE-2017-1000069, RFC 6749 §4.1.2.
#[test]
fn rfc_6749_10_12_a_state_that_is_not_byte_equal_is_refused() {
    let right = state(&login());
    let swapped: String = right
        .chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect();
    assert_ne!(swapped, right);
    let mut wrong = vec![
        "x".to_owned(),
        swapped,
        right.to_ascii_uppercase(),
        right[1..].to_owned(),
        right[..right.len() - 1].to_owned(),
        format!("{right}x"),
        format!("{right}%00"),
        format!("{right}+"),
        format!("%20{right}"),
        format!("{right}%3D"),
        right.replace(['-', '_'], "%2B") + "x",
        state(&client().login(entropy(2))),
    ];
    for position in 0..right.len() {
        let mut bytes = right.clone().into_bytes();
        bytes[position] ^= 1;
        wrong.push(form_urlencoded::byte_serialize(&bytes).collect());
    }
    for state in wrong {
        assert_eq!(refused(&format!("/callback?code=c&state={state}")), CallbackError::StateMismatch, "{state}");
        let error = refused(&format!("/callback?error=access_denied&state={state}"));
        assert_eq!(error, CallbackError::StateMismatch, "{state}");
    }
}

/// RFC 6749 §3.1.
#[test]
fn an_invalid_callback_is_refused_with_the_reason_and_the_login_stays_open() {
    let cases = [
        ("code=c", CallbackError::StateMissing),
        ("code=c&state=", CallbackError::StateMissing),
        ("code=c&state", CallbackError::StateMissing),
        ("code=c&STATE=STATE&State=STATE", CallbackError::StateMissing),
        ("error=access_denied", CallbackError::StateMissing),
        ("code=c&state=STATE&state=STATE", CallbackError::Doubled("state")),
        ("code=c&state=STATE&state=x", CallbackError::Doubled("state")),
        ("code=c&state=x&st%61te=STATE", CallbackError::Doubled("state")),
        ("code=c&state=&state=STATE", CallbackError::Doubled("state")),
        ("code=c&code=c&state=STATE", CallbackError::Doubled("code")),
        ("code=c&code=d&state=STATE", CallbackError::Doubled("code")),
        ("error=a&error=b&state=STATE", CallbackError::Doubled("error")),
        ("code=c&error=access_denied&state=STATE", CallbackError::CodeAndError),
        ("state=STATE", CallbackError::CodeMissing),
        ("code=&state=STATE", CallbackError::CodeMissing),
        ("code&state=STATE", CallbackError::CodeMissing),
        ("CODE=c&state=STATE", CallbackError::CodeMissing),
        ("code=%ff&state=STATE", CallbackError::Unreadable("code")),
        ("code=c%2&state=STATE", CallbackError::Unreadable("code")),
        ("code=c&state=%FF%FE", CallbackError::Unreadable("state")),
    ];
    for (query, expected) in cases {
        for uri in [query.to_owned(), format!("/callback?{query}"), format!("{REDIRECT_URI}?{query}")] {
            assert_eq!(refused(&uri), expected, "{uri}");
        }
    }
}

#[test]
fn a_bare_query_may_hold_a_question_mark_or_no_equals_sign() {
    let mut login = login();
    let query = format!("code=c?d&state={}", login.state().expose_secret());
    assert_eq!(login.read_callback(&query).unwrap().expose_secret(), "c?d");
    assert_eq!(refused("code"), CallbackError::NoParameters);
    assert_eq!(refused("code&state=STATE"), CallbackError::CodeMissing);
}

/// RFC 6749 §4.1.2.1.
#[test]
fn a_denied_login_keeps_waiting_for_the_real_callback() {
    // Restream reports a denial without any parameter, and anyone can send such a callback.
    for uri in ["", "?", "/callback", "/callback?", REDIRECT_URI, "https://app.example/callback?", "/callback?utm=x"] {
        assert_eq!(refused(uri), CallbackError::NoParameters, "{uri}");
        assert_eq!(state_of(uri).unwrap_err(), CallbackError::NoParameters, "{uri}");
    }
    // A browser never sends a fragment to a server, so it is not read.
    assert_eq!(refused("/callback#code=c&state=STATE"), CallbackError::NoParameters);
}

#[test]
fn rfc_6749_4_1_2_1_an_error_response_with_the_right_state_is_reported() {
    let codes = [
        ("access_denied", ErrorCode::AccessDenied),
        ("invalid_request", ErrorCode::InvalidRequest),
        ("unauthorized_client", ErrorCode::UnauthorizedClient),
        ("unsupported_response_type", ErrorCode::UnsupportedResponseType),
        ("invalid_scope", ErrorCode::InvalidScope),
        ("server_error", ErrorCode::ServerError),
        ("temporarily_unavailable", ErrorCode::TemporarilyUnavailable),
        ("odd", ErrorCode::Other("odd".into())),
    ];
    for (name, code) in codes {
        let message = Some(r"no\u{1b}[31m\u{202e}".into());
        let error = refused(&format!("error={name}&error_description=no%1B[31m%E2%80%AE&state=STATE"));
        assert_eq!(error, CallbackError::Refused { code: code.clone(), message });
        assert_eq!(refused(&format!("error={name}&state=STATE")), CallbackError::Refused { code, message: None });
    }
}

/// Browser-based apps draft §6.3.
#[test]
fn a_callback_at_another_place_than_the_redirect_uri_is_refused() {
    use UriPart::{Host, Path, Port, Scheme};
    let places = [
        ("http://app.example/callback", Some(Scheme)),
        ("ftp://app.example/callback", None),
        ("com.example.app:/callback", Some(Scheme)),
        ("https://app.example:8443/callback", Some(Port)),
        ("https://app.example:80/callback", Some(Port)),
        ("https://app.example.evil/callback", Some(Host)),
        ("https://evil.example/callback", Some(Host)),
        ("https://app.example./callback", Some(Host)),
        ("https://app.example@evil.example/callback", None),
        ("https://evil@app.example/callback", None),
        ("https://app.example/callback/", Some(Path)),
        ("https://app.example/Callback", Some(Path)),
        ("https://app.example/", Some(Path)),
        ("https://app.example", Some(Path)),
        ("https://app.example/callback/..", Some(Path)),
        ("https://app.example/%63allback", Some(Path)),
        ("/", Some(Path)),
        ("/callback/", Some(Path)),
        ("/callback2", Some(Path)),
        ("//app.example/callback", Some(Path)),
        ("//evil.example/callback", Some(Path)),
    ];
    for (place, part) in places {
        let error = refused(&format!("{place}?code=c&state=STATE"));
        assert_eq!(error, CallbackError::WrongPlace { part }, "{place}");
        assert!(part.is_none_or(|part| error.to_string().contains(&part.to_string())), "{error}");
    }
}

/// RFC 8252 §7.1.
#[test]
fn a_redirect_uri_of_a_private_use_scheme_is_read_back() {
    for redirect_uri in ["com.example.app:/callback", "com.example.app://callback", "Com.Example-2.App+x:/a?b=c"] {
        let client = Client::builder("id").redirect_uri(redirect_uri).build().unwrap();
        let mut login = client.login(entropy(1));
        assert_eq!(asked_redirect_uri(&login), redirect_uri);
        let parameters = format!("code={CODE}&state={}", login.state().expose_secret());
        let place = redirect_uri.split('?').next().unwrap();
        for wrong in ["com.example.other:/callback", "com.example.app:/other", "https://app.example/callback"] {
            let error = login.read_callback(&format!("{wrong}?{parameters}")).unwrap_err();
            assert!(matches!(error, CallbackError::WrongPlace { part: Some(_) }), "{wrong}: {error:?}");
        }
        // A denial without parameters.
        assert_eq!(login.read_callback(place).unwrap_err(), CallbackError::NoParameters);
        let upper = place.replacen("com", "COM", 1);
        assert_eq!(login.read_callback(&format!("{upper}?{parameters}")).unwrap().expose_secret(), CODE);
    }
    for (refused, problem) in [
        ("myapp:/callback", UriProblem::NotAbsolute),
        ("myapp://callback", UriProblem::Scheme),
        ("com.example.app:callback", UriProblem::NotAbsolute),
        ("com..app:/callback", UriProblem::NotAbsolute),
        (".example.app:/callback", UriProblem::NotAbsolute),
        ("com.example.app:/a b", UriProblem::Character),
        ("com.example.app:/a#b", UriProblem::Fragment),
        ("com.example.app:/a?code=x", UriProblem::ReservedParameter),
    ] {
        let error = Client::builder("id").redirect_uri(refused).build().unwrap_err();
        assert_eq!(error, ConfigError::RedirectUri(problem), "{refused}");
    }
    // The client never sends a secret to the redirect URI.
    let endpoints = Endpoints { token: "com.example.app:/token".into(), ..Endpoints::restream() };
    assert!(builder().endpoints(endpoints).build().is_err());
}

fn asked_redirect_uri(login: &Login) -> String {
    let url = login.url().as_str();
    let mut asked = form_urlencoded::parse(url.split_once('?').unwrap().1.as_bytes());
    asked.find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned()
}

#[test]
fn data_in_state_comes_back_and_is_verified_with_state() {
    for data in ["/dashboard?tab=chat", "é \u{0} =&+%", "x", &"x".repeat(1024)] {
        let options = LoginOptions::new().state_data(data).unwrap();
        let login = client().login_with(entropy(3), &options).unwrap();
        let state = login.state().expose_secret().to_owned();
        // The random part is the whole `state` of a login without data.
        let random = client().login(entropy(3)).state().expose_secret().to_owned();
        assert_eq!(state.split_once('.').unwrap().0, random);
        assert!(state.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{state}");

        let mut restored = client().restore_login(login.to_saved().expose_secret()).unwrap();
        let forged = URL_SAFE_NO_PAD.encode("/elsewhere");
        for forged in [format!("{random}.{forged}"), random.clone(), format!("{random}."), format!("{state}x")] {
            let error = restored.read_callback(&format!("code=c&state={forged}")).unwrap_err();
            assert_eq!(error, CallbackError::StateMismatch, "{forged}");
        }
        let code = restored.read_callback(&format!("code=c&state={state}")).unwrap();
        assert_eq!(code.state_data(), Some(data));
        assert!(!format!("{code:?} {restored:?} {login:?}").contains("dashboard"));
    }
    let mut plain = client().login(entropy(3));
    assert_eq!(code_of(&mut plain).state_data(), None);
    for data in [String::new(), "x".repeat(1025)] {
        assert_eq!(LoginOptions::new().state_data(data).unwrap_err(), ConfigError::StateData);
    }
}

/// The `state` of a saved login must be the `state` in its URL.
#[test]
fn a_saved_login_whose_state_is_changed_is_damaged() {
    let options = LoginOptions::new().state_data("/dashboard").unwrap();
    let login = client().login_with(entropy(3), &options).unwrap();
    let saved = login.to_saved();
    let state = login.state().expose_secret().to_owned();
    let (random, data) = state.split_once('.').unwrap();
    for changed in [random, &format!("{random}."), &format!("{random}.!"), &format!("{random}.{}", &data[..4]), data] {
        let text =
            saved.expose_secret().replace(&format!("\"state\":\"{state}\""), &format!("\"state\":\"{changed}\""));
        let error = client().restore_login(&text).unwrap_err();
        assert!(matches!(error, SavedError::Damaged("state" | "url")), "{changed}: {error:?}");
    }
}

#[test]
fn the_redirect_uri_of_a_saved_login_can_be_read_without_a_client() {
    let saved = client().login(entropy(3)).to_saved();
    assert_eq!(redirect_uri_of(saved.expose_secret()).unwrap(), REDIRECT_URI);
    let tokens = crate::support::tokens(crate::support::DOCUMENTED).to_saved();
    assert_eq!(redirect_uri_of(tokens.expose_secret()), Err(SavedError::OtherKind { expected: "login" }));
}

#[test]
fn rfc_6749_4_1_2_five_hundred_unknown_parameters_change_nothing() {
    let mut query = String::new();
    for index in 0_u64..500 {
        // A small random generator with a fixed seed, so that every run has the same names.
        let hash = Sha256::digest(index.to_le_bytes());
        let name = URL_SAFE_NO_PAD.encode(&hash[..9]);
        let value: String = form_urlencoded::byte_serialize(&hash[9..]).collect();
        write!(query, "{name}={value}&x{index}&={index}&").unwrap();
        if index == 250 {
            query.push_str("code=c4nary-code&state=STATE&iss=%ff&scope=&");
        }
    }
    assert_eq!(accepted(&query).expose_secret(), CODE);
    assert_eq!(accepted(&format!("/callback?{query}")).expose_secret(), CODE);
}

/// RFC 6749 §4.1.2, RFC 9700 §2.1.1.
#[test]
fn rfc_9700_4_2_4_a_login_accepts_one_callback() {
    let mut login = login();
    let uri = format!("/callback?code=c&state={}", state(&login));
    assert!(login.read_callback(&uri).is_ok());
    for again in [uri.clone(), uri.replace("code=c", "code=other"), uri.replace("code=c", "error=access_denied")] {
        assert_eq!(login.read_callback(&again).unwrap_err(), CallbackError::AlreadyUsed, "{again}");
    }
    assert_eq!(login.read_callback("/callback?code=c&state=x").unwrap_err(), CallbackError::StateMismatch);
}

/// CVE-2023-27490, RFC 6749 §10.12, RFC 6749 §4.1.1.
#[test]
fn a_callback_of_one_login_is_refused_by_another() {
    let (mut first, mut second) = (client().login(entropy(1)), client().login(entropy(2)));
    let callback = |login: &Login, code: &str| format!("/callback?code={code}&state={}", state(login));
    let [of_first, of_second] = [callback(&first, "a"), callback(&second, "b")];
    assert_eq!(second.read_callback(&of_first).unwrap_err(), CallbackError::StateMismatch);
    assert_eq!(first.read_callback(&of_second).unwrap_err(), CallbackError::StateMismatch);
    assert_eq!(first.read_callback(&of_first).unwrap().expose_secret(), "a");
    assert_eq!(second.read_callback(&of_second).unwrap().expose_secret(), "b");
}

#[test]
fn the_state_of_a_callback_finds_its_login() {
    let login = login();
    for uri in ["code=c&state=STATE", "/any?state=STATE&error=x", "https://app.example/callback?state=STATE&code=c"] {
        let found = state_of(&uri.replace("STATE", &state(&login))).unwrap();
        assert_eq!(found, login.state(), "{uri}");
    }
    assert_eq!(state_of("code=c").unwrap_err(), CallbackError::StateMissing);
    assert_eq!(state_of("code=c&state=a&state=b").unwrap_err(), CallbackError::Doubled("state"));
}

#[test]
fn a_restored_login_equals_the_saved_one() {
    for options in [LoginOptions::new(), LoginOptions::new().without_pkce().scopes([Scope::CHAT_READ])] {
        let original = client().login_with(entropy(5), &options).unwrap();
        let saved = original.to_saved();
        let mut restored = client().restore_login(saved.expose_secret()).unwrap();
        assert_eq!(restored.url().as_str(), original.url().as_str());
        assert_eq!(restored.state(), original.state());
        let error = restored.read_callback("code=c&state=forged").unwrap_err();
        assert_eq!(error, CallbackError::StateMismatch);
        let [from_original, from_restored] = [original, restored].map(|mut login| {
            let code = login.read_callback(&format!("code=c&state={}", state(&login))).unwrap();
            form(client().exchange(&code).request())
        });
        assert_eq!(from_original, from_restored);
    }
}

/// CVE-2023-27490.
#[test]
fn rfc_9700_4_4_only_its_own_client_restores_a_login() {
    let saved = client().login(entropy(5)).to_saved();
    let other_endpoints = Endpoints::at("https://other.example");
    let others: [(&str, Client); 3] = [
        ("client_id", Client::builder("other").redirect_uri(REDIRECT_URI).build().unwrap()),
        ("redirect_uri", Client::builder(CLIENT_ID).redirect_uri("https://app.example/other").build().unwrap()),
        ("token_endpoint", builder().endpoints(other_endpoints).build().unwrap()),
    ];
    for (name, other) in others {
        let error = other.restore_login(saved.expose_secret()).unwrap_err();
        assert_eq!(error, SavedError::OtherClient(name));
    }
}
