//! The messages of errors, and the output of `Debug`.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::time::Duration;

use http::StatusCode;
use restream_oauth_core::config::{ConfigError, TextProblem, UriPart, UriProblem};
use restream_oauth_core::error::{ErrorCode, ErrorKind, Malformed, Operation};
use restream_oauth_core::login::CallbackError;
use restream_oauth_core::token::{BearerError, InvalidScope};
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{Advice, Delivery, SavedError};

use crate::support::{Reply, client, code_of, entropy, error_of, exchange, known_code, refresh, sent_at, tokens};

const URI_PROBLEMS: [UriProblem; 11] = [
    UriProblem::Empty,
    UriProblem::NotAbsolute,
    UriProblem::Scheme,
    UriProblem::PlainHttp,
    UriProblem::UserInformation,
    UriProblem::Fragment,
    UriProblem::Character,
    UriProblem::Host,
    UriProblem::Port,
    UriProblem::ReservedParameter,
    UriProblem::TooLong,
];

const TEXT_PROBLEMS: [TextProblem; 7] = [
    TextProblem::Empty,
    TextProblem::Control,
    TextProblem::Space,
    TextProblem::Quote,
    TextProblem::Colon,
    TextProblem::Invisible,
    TextProblem::TooLong,
];

/// No message is empty, and no two messages are the same.
fn are_all_different(all: &[&dyn Display]) -> Vec<String> {
    let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
    for text in &texts {
        assert!(text.len() >= "refresh".len() && !text.ends_with(['.', ' ', ':']), "{text:?}");
    }
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), texts.len(), "{texts:?}");
    texts
}

fn displays<T: Display>(all: &[T]) -> Vec<&dyn Display> {
    all.iter().map(|one| one as &dyn Display).collect()
}

#[test]
fn a_configuration_error_names_the_value_and_the_reason() {
    are_all_different(&displays(&URI_PROBLEMS));
    are_all_different(&displays(&TEXT_PROBLEMS));
    let problem = UriProblem::Port;
    let all = [
        ConfigError::ClientId(TextProblem::Quote),
        ConfigError::ClientSecret(TextProblem::Quote),
        ConfigError::RedirectUri(problem),
        ConfigError::Endpoint { name: "token", problem },
        ConfigError::BodyLimit,
        ConfigError::StateData,
        ConfigError::Parameter { name: "state".to_owned() },
    ];
    let said = ["identifier", "secret", "redirect URI", "token URL", "16 MiB", "1,024", "\"state\""];
    for (text, said) in are_all_different(&displays(&all)).iter().zip(said) {
        assert!(text.contains(said), "{text}");
    }
    assert!(all[2].to_string().contains(&problem.to_string()));
    assert!(InvalidScope.to_string().contains("one word"));
}

#[test]
fn errors_of_callbacks_saved_forms_and_tokens_say_what_is_wrong() {
    let refused = |message: Option<&str>| CallbackError::Refused {
        code: ErrorCode::AccessDenied,
        message: message.map(Into::into),
    };
    let texts = are_all_different(&displays(&[
        CallbackError::WrongPlace { part: None },
        CallbackError::WrongPlace { part: Some(UriPart::Port) },
        CallbackError::NoParameters,
        CallbackError::Doubled("code"),
        CallbackError::Unreadable("code"),
        CallbackError::StateMissing,
        CallbackError::StateMismatch,
        CallbackError::AlreadyUsed,
        CallbackError::CodeAndError,
        CallbackError::CodeMissing,
        refused(None),
    ]));
    assert!(
        texts[1].contains("port")
            && texts[3].contains("code")
            && texts[4].contains("code")
            && texts[10].contains("access_denied"),
        "{texts:?}"
    );
    // The server's message is not part of the error's message.
    assert!(!refused(Some("words")).to_string().contains("words"));

    let texts = are_all_different(&displays(&[
        SavedError::NotJson,
        SavedError::OtherKind { expected: "login" },
        SavedError::UnknownVersion,
        SavedError::Damaged("sent_at"),
        SavedError::OtherClient("sent_at"),
        SavedError::Utf16,
        SavedError::OtherCall,
        SavedError::TokensOfOtherClient { client_id: "sent_at".into() },
        SavedError::TokensOfOtherServer { token_endpoint: "https://a.example/token".into() },
    ]));
    assert!(texts[1].contains("login") && texts[3].contains("sent_at") && texts[4].contains("sent_at"), "{texts:?}");
    are_all_different(&displays(&[BearerError::UnsupportedTokenType, BearerError::InvalidCharacter]));
}

#[test]
fn an_error_says_what_happened_whether_the_server_acted_and_what_to_do_next() {
    let status = StatusCode::BAD_GATEWAY;
    let kinds = [
        ErrorKind::Refused(ErrorCode::InvalidGrant),
        ErrorKind::Status(status),
        ErrorKind::Redirected(status),
        ErrorKind::Malformed(Malformed::Empty),
        ErrorKind::TooLarge { limit: 4711 },
        ErrorKind::Transport(FailureKind::Timeout),
    ];
    for (text, said) in
        are_all_different(&displays(&kinds)).iter().zip(["invalid_grant", "502", "502", "empty", "4711", "time"])
    {
        assert!(text.contains(said), "{text}");
    }
    are_all_different(&displays(&[
        Malformed::Empty,
        Malformed::NotJson,
        Malformed::Compressed,
        Malformed::NoAccessToken,
        Malformed::NoId,
        Malformed::Page,
        Malformed::UnusableRefreshToken,
    ]));
    are_all_different(&displays(&[
        FailureKind::Connect,
        FailureKind::Tls,
        FailureKind::Timeout,
        FailureKind::Interrupted,
        FailureKind::Protocol,
        FailureKind::Other,
    ]));
    are_all_different(&displays(&[Delivery::NotSent, Delivery::Unknown, Delivery::Refused, Delivery::Completed]));
    are_all_different(&displays(&[Operation::Exchange, Operation::Refresh, Operation::Revoke, Operation::Profile]));
    let texts = are_all_different(&displays(&[
        Advice::Retry { after: None },
        Advice::Retry { after: Some(Duration::from_secs(90)) },
        Advice::Replay,
        Advice::Refresh,
        Advice::Reauthorize,
        Advice::FixConfiguration,
        Advice::Abort,
    ]));
    assert!(texts[1].contains("90 s"), "{texts:?}");

    let error = error_of(Operation::Refresh, &Reply::of(400, r#"{"error":"invalid_grant"}"#));
    let text = error.to_string();
    for part in [
        error.operation().to_string(),
        error.kind().to_string(),
        "(HTTP status 400)".to_owned(),
        error.delivery().to_string(),
        error.advice().to_string(),
    ] {
        assert!(text.contains(&part), "{part} in {text}");
    }
    // A status in the kind is not repeated.
    let error = error_of(Operation::Refresh, &Reply::of(502, ""));
    assert_eq!(error.to_string().matches("502").count(), 1, "{error}");
}

#[test]
fn debug_shows_the_type_and_no_secret() {
    fn shows(value: &dyn Debug, parts: &[&str]) {
        let text = format!("{value:?}");
        for part in parts {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
    let mut login = client().login(entropy(1));
    shows(&client(), &["Client", "client-id", "Basic(redacted)", "https://app.example/callback", "262144"]);
    shows(&login, &["Login", "client-id", "https://app.example/callback", "pkce: true", "accepted: false"]);
    shows(login.url(), &["AuthorizationUrl(redacted)"]);
    shows(&code_of(&mut login), &["AuthorizationCode", "https://app.example/callback"]);
    shows(&entropy(1), &["Entropy(redacted)"]);
    shows(&exchange(), &["Call", "POST", "oauth/token"]);
    shows(exchange().request().body(), &["Body(", " bytes, redacted)"]);
    let (_, reader) = refresh().into_parts(sent_at());
    shows(&reader, &["Reader", "Collected", "Refresh"]);
    shows(&reader.finish(), &["Answer", "Collected", "Interrupted"]);
    let error = error_of(Operation::Refresh, &Reply::of(400, r#"{"error":"invalid_grant","message":"why"}"#));
    shows(&error, &["Error", "Refresh", "InvalidGrant", "Refused", "Reauthorize", "400", "why"]);
    shows(&known_code(), &["AuthorizationCode"]);
    let read = tokens(r#"{"access_token":"a1","refresh_token":"r1","expires_in":60,"scope":"a b"}"#);
    shows(&read, &["Tokens", "60s", "scopes: Some(2)", "oddities: {RefreshLifetimeAssumed, TokenTypeMissing}"]);
}

#[test]
fn the_debug_of_a_client_shows_its_configuration() {
    let client = client();
    assert_eq!((client.client_id(), client.redirect_uri()), ("client-id", "https://app.example/callback"));
    assert_eq!(client.endpoints(), &restream_oauth_core::Endpoints::restream());
    assert!(exchange().request().body().len() > 60 && !exchange().request().body().is_empty());
    assert!(client.profile(&restream_oauth_core::AccessToken::new("a")).unwrap().request().body().is_empty());
}
