//! The feature `serde`: values without a secret, and the wrapper types for saved forms.

use crate::support::{DOCUMENTED, Reply, client, entropy, error_of, tokens};
use restream_oauth_core::error::{ErrorCode, ErrorKind, Operation};
use restream_oauth_core::serializable::{SavedLogin, SavedTokens};
use restream_oauth_core::token::Oddity;
use restream_oauth_core::{Profile, Scope, Scopes};
use serde_core::Serialize;
use serde_core::de::DeserializeOwned;

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) -> String {
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), value, "{json}");
    json
}

#[test]
fn scopes_codes_and_oddities_are_strings() {
    assert_eq!(round_trip(&Scope::CHAT_READ), r#""chat.read""#);
    assert_eq!(round_trip(&Scopes::from_iter([Scope::CHAT_READ, Scope::CHAT_WRITE])), r#""chat.read chat.write""#);
    assert_eq!(round_trip(&Scopes::default()), r#""""#);
    assert_eq!(round_trip(&ErrorCode::InvalidGrant), r#""invalid_grant""#);
    assert_eq!(round_trip(&Oddity::RefreshTokenKept), r#""refresh_token_kept""#);
    for odd in ["odd \u{202e}\\ \"thing\"", &"x".repeat(500), "Bad Request"] {
        let body = serde_json::json!({ "error": odd }).to_string();
        let error = error_of(Operation::Refresh, &Reply::of(400, body));
        let ErrorKind::Refused(code) = error.kind() else { panic!("{error:?}") };
        round_trip(code);
    }
    for refused in [r#""two scopes""#, r#""""#, "7", r#""\u00e9""#] {
        assert!(serde_json::from_str::<Scope>(refused).is_err(), "{refused}");
    }
    assert!(serde_json::from_str::<Scopes>(r#""a \u00e9""#).is_err());
    assert!(serde_json::from_str::<ErrorCode>(r#""\u00e9""#).is_err());
    assert!(serde_json::from_str::<ErrorCode>(&format!("\"{}\"", "x".repeat(68))).is_err());
    assert!(serde_json::from_str::<Oddity>(r#""of_tomorrow""#).is_err());
}

#[test]
fn a_profile_is_a_struct() {
    let read = |body: &str| serde_json::from_str::<Profile>(body);
    let profile = read(r#"{"id":"7","username":"streamer","email":null,"later":[1]}"#).unwrap();
    assert_eq!((profile.id(), profile.username(), profile.email()), ("7", Some("streamer"), None));
    assert_eq!(round_trip(&profile), r#"{"id":"7","username":"streamer","email":null}"#);
    for refused in ["{}", r#"{"id":null}"#, r#"{"id":"7","id":"8"}"#, r#"{"id":7}"#, "[]"] {
        assert!(read(refused).is_err(), "{refused}");
    }
}

#[test]
fn a_value_of_another_type_is_refused_with_what_was_expected() {
    let profile = serde_json::from_str::<Profile>("[]").unwrap_err().to_string();
    assert!(profile.contains("expected a profile with an id"), "{profile}");
    let scope = serde_json::from_str::<Scope>("7").unwrap_err().to_string();
    assert!(scope.starts_with("invalid type: integer `7`, expected "), "{scope}");
}

#[test]
fn the_saved_forms_are_strings_and_print_no_secret() {
    let tokens = SavedTokens(tokens(DOCUMENTED));
    let json = round_trip(&tokens);
    assert_eq!(serde_json::from_str::<String>(&json).unwrap(), tokens.0.to_saved().expose_secret());
    let mut login = client().login(entropy(5));
    let saved = SavedLogin::from(&login);
    round_trip(&saved);
    let SavedLogin(document) = serde_json::from_str(&serde_json::to_string(&saved).unwrap()).unwrap();
    assert_eq!(client().restore_login(document.expose_secret()).unwrap().to_saved(), login.to_saved());

    let access_token = tokens.0.access_token().expose_secret();
    let state = login.state().expose_secret().to_owned();
    let printed = format!("{tokens:?} {saved:?}");
    assert!(!printed.contains(access_token) && !printed.contains(&state), "{printed}");
    assert!(login.read_callback(&format!("code=c&state={state}")).is_ok());

    let cut = serde_json::to_string(&json[..json.len() / 2]).unwrap();
    let error = serde_json::from_str::<SavedTokens>(&cut).unwrap_err().to_string();
    assert!(error.contains("not whole JSON") && !error.contains(access_token), "{error}");
}
