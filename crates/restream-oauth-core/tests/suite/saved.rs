//! The saved forms of tokens, logins and answers: each reads back to an equal value, and a damaged document is refused
//! with the reason.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::support::{
    DOCUMENTED, Json, REFRESH, Reply, SENT_REFRESH, builder, client, entropy, exchange, oddities, pair, refresh,
    sent_at, tokens,
};
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use restream_oauth_core::token::Oddity;
use restream_oauth_core::transport::{Failure, FailureKind, Stage, Unread};
use restream_oauth_core::{Answer, Call, Client, Endpoints, RefreshToken, SavedError, Tokens};
use serde_json::value::RawValue;

fn round_trip(tokens: &Tokens) {
    let saved = tokens.to_saved();
    let loaded = Tokens::from_saved(saved.expose_secret()).unwrap();
    assert_eq!(&loaded, tokens);
    // Every method must return the same, in case `==` compares too little.
    assert_eq!(pair(&loaded), pair(tokens));
    assert_eq!(loaded.token_type(), tokens.token_type());
    assert_eq!(loaded.scopes(), tokens.scopes());
    assert_eq!((loaded.sent_at(), loaded.lifetime()), (tokens.sent_at(), tokens.lifetime()));
    assert_eq!((loaded.expires_at(), loaded.refresh_expires_at()), (tokens.expires_at(), tokens.refresh_expires_at()));
    assert_eq!(loaded.server_expires_at(), tokens.server_expires_at());
    assert_eq!(loaded.server_refresh_expires_at(), tokens.server_refresh_expires_at());
    assert_eq!(oddities(&loaded), oddities(tokens));
    // One line of JSON, for independent readers too.
    assert!(!saved.expose_secret().contains(['\n', '\r']));
    let document: serde_json::Value = serde_json::from_str(saved.expose_secret()).unwrap();
    assert_eq!(document["access_token"], tokens.access_token().expose_secret());
    assert_eq!(saved, loaded.to_saved());
}

/// A saved document, split by an independent reader. The values stay as written.
type Document = BTreeMap<String, Box<RawValue>>;

fn saved() -> Document {
    serde_json::from_str(tokens(DOCUMENTED).to_saved().expose_secret()).unwrap()
}

fn with(name: &str, raw: &str) -> Document {
    let mut document = saved();
    document.insert(name.to_owned(), RawValue::from_string(raw.to_owned()).unwrap());
    document
}

fn load(document: &Document) -> Result<Tokens, SavedError> {
    Tokens::from_saved(serde_json::to_string(document).unwrap())
}

#[test]
fn the_documented_tokens_come_back() {
    round_trip(&tokens(DOCUMENTED));
}

#[test]
fn a_pair_with_oddities_comes_back() {
    let body = format!(
        "\u{FEFF}{}",
        Json::documented()
            .set("access_token", r#""a\u0000\n\"\\\u202e🦀""#)
            .set("accessToken", "7")
            .set("refresh_token", r#""\ud83e\udd80 \u007f ' ""#)
            .set("expires_in", "\"60.5\"")
            .set("refreshTokenExpiresIn", "-1")
            .set("scope", "\"a,b,\\\"c\"")
            .set("token_type", "\"mac\"")
            .set("expires", "1")
            .push("error", "\"x\"")
            .push("scope", "[\"a\",\"b\"]")
            .text()
    );
    let reply = Reply::of(203, body).header(CONTENT_TYPE, "text/html");
    let tokens = reply.then_fail(refresh()).unwrap();
    assert!(oddities(&tokens).len() > 8, "{:?}", oddities(&tokens));
    round_trip(&tokens);
}

#[test]
fn the_saved_form_adds_nothing_to_the_response() {
    // No refresh token and no scopes: `None`, not empty.
    let read = Reply::ok(r#"{"access_token":"a"}"#).finish(exchange()).unwrap();
    assert_eq!((read.refresh_token(), read.scopes(), read.server_expires_at()), (None, None, None));
    round_trip(&read);
    // The refresh token that was kept.
    let read = tokens(r#"{"access_token":"a","expires_in":60}"#);
    assert_eq!(pair(&read), ("a", Some(SENT_REFRESH)));
    assert!(oddities(&read).contains(&Oddity::RefreshTokenKept));
    round_trip(&read);
}

#[test]
fn rfc_6749_5_1_tokens_of_any_size_come_back() {
    let long = "x".repeat(120 * 1024);
    for text in ["a", &long] {
        round_trip(&tokens(format!(r#"{{"access_token":"{text}","refresh_token":"{text}"}}"#)));
    }
}

#[test]
fn any_time_that_a_clock_shows_comes_back() {
    let epoch = SystemTime::UNIX_EPOCH;
    let times = [
        epoch,
        epoch + Duration::new(1, 1),
        epoch + Duration::new(1_700_000_000, 999_999_999),
        epoch + Duration::from_secs(1 << 40),
        epoch - Duration::from_nanos(1),
        epoch - Duration::new(1, 500_000_000),
        epoch - Duration::from_secs(1 << 40),
    ];
    for sent_at in times {
        let (_, reader) = refresh().into_parts(sent_at);
        let tokens = Reply::ok(DOCUMENTED).feed(reader, 100).finish().interpret().unwrap();
        assert_eq!(tokens.sent_at(), sent_at);
        round_trip(&tokens);
    }
}

#[test]
fn a_saved_form_truncated_at_any_byte_is_refused() {
    let saved = tokens(DOCUMENTED).to_saved();
    let text = saved.expose_secret();
    for cut in 0..text.len() {
        assert_eq!(Tokens::from_saved(&text[..cut]).unwrap_err(), SavedError::NotJson, "{cut}");
    }
    for text in [String::new(), "null".into(), "[]".into(), format!("{text}{text}"), format!("{text}x")] {
        assert_eq!(Tokens::from_saved(&text).unwrap_err(), SavedError::NotJson, "{text}");
    }
    // A line break at the end, as editors add it, is not damage.
    assert!(Tokens::from_saved(format!("{text}\n")).is_ok());
}

#[test]
fn another_kind_of_document_is_named() {
    let login = client().login(entropy(1)).to_saved();
    assert_eq!(Tokens::from_saved(login.expose_secret()).unwrap_err(), SavedError::OtherKind { expected: "tokens" });
    let error = client().restore_login(tokens(DOCUMENTED).to_saved().expose_secret()).unwrap_err();
    assert_eq!(error, SavedError::OtherKind { expected: "login" });
    // The server's response itself is not a saved form.
    assert_eq!(Tokens::from_saved(DOCUMENTED).unwrap_err(), SavedError::OtherKind { expected: "tokens" });
    assert_eq!(Tokens::from_saved("{}").unwrap_err(), SavedError::OtherKind { expected: "tokens" });
}

#[test]
fn an_unknown_version_is_refused() {
    for version in ["3", "10", "18446744073709551616"] {
        assert_eq!(load(&with("version", version)).unwrap_err(), SavedError::UnknownVersion, "{version}");
    }
    for version in ["0", "-1", "1.0", "\"1\"", "null", "[1]"] {
        assert_eq!(load(&with("version", version)).unwrap_err(), SavedError::Damaged("version"), "{version}");
    }
    let mut document = saved();
    document.remove("version");
    assert_eq!(load(&document).unwrap_err(), SavedError::Damaged("version"));
}

/// deepchat #2304.
#[test]
fn a_missing_or_damaged_member_is_named() {
    for name in ["access_token", "token_type", "sent_at", "expires_in", "refresh_expires_in", "oddities"] {
        let mut document = saved();
        assert!(document.remove(name).is_some(), "{name}");
        assert_eq!(load(&document).unwrap_err(), SavedError::Damaged(name));
    }
    for name in saved().into_keys().filter(|name| name != "version" && name != "kind") {
        for damage in ["{}", "[1]", "true", "null"] {
            let error = load(&with(&name, damage)).unwrap_err();
            assert!(matches!(error, SavedError::Damaged(damaged) if damaged == name), "{name} {damage}: {error:?}");
        }
    }
}

#[test]
fn values_that_this_library_never_writes_are_damage() {
    let cases = [
        ("sent_at", "1e400"),
        ("sent_at", "99999999999999999999999.000000000"),
        ("sent_at", "-18446744073709551615.999999999"),
        ("sent_at", "1.0000000000"),
        ("server_expires_at", "\"tomorrow\""),
        ("expires_in", "-1"),
        ("expires_in", "18446744073709551616"),
        ("refresh_expires_in", "1e400"),
        ("oddities", "[]"),
        ("sent_at", "\"+1.000000000\""),
        ("sent_at", "\"1.+00000000\""),
        ("scope", "\"a\\\"b\""),
        ("access_token", r#""\ud800""#),
        ("refresh_token", "5"),
        ("token_type", "\"caf\u{e9}\""),
    ];
    for (name, raw) in cases {
        let error = load(&with(name, raw)).unwrap_err();
        assert!(matches!(error, SavedError::Damaged(damaged) if damaged == name), "{name} {raw}: {error:?}");
    }
}

#[test]
fn the_longest_lifetime_that_can_be_written_counts_as_expired_and_does_not_panic() {
    let longest = load(&with("expires_in", "18446744073709551615")).unwrap();
    assert_eq!(longest.expires_at(), longest.sent_at());
    assert!(!longest.is_fresh(longest.sent_at(), Duration::from_nanos(1)));
    round_trip(&longest);
}

/// A client that differs from [`client`] in its identifier or in its server.
fn other_client(client_id: &str, endpoints: Endpoints) -> Client {
    let builder = Client::builder(client_id).secret("s").redirect_uri("https://app.example/callback");
    builder.endpoints(endpoints).build().unwrap()
}

/// spec-kitty #4755.
#[test]
fn only_their_own_client_restores_tokens_at_their_own_server() {
    let saved = tokens(DOCUMENTED).to_saved();
    let text = saved.expose_secret();
    let own = client();
    assert_eq!(own.restore_tokens(text).unwrap(), tokens(DOCUMENTED));
    let read = tokens(DOCUMENTED);
    let binding = read.binding().unwrap();
    assert_eq!((binding.client_id(), binding.token_endpoint()), (own.client_id(), own.endpoints().token.as_str()));

    let other = other_client("other", Endpoints::restream());
    let error = other.restore_tokens(text).unwrap_err();
    assert_eq!(error, SavedError::TokensOfOtherClient { client_id: own.client_id().into() });
    assert!(error.to_string().contains(own.client_id()), "{error}");
    // `Endpoints` compares only the token endpoint.
    assert!(Endpoints::restream().restore_tokens(text).is_ok());

    // If both differ, the error names the server: sending a token to another server reveals the token.
    let elsewhere = Endpoints::at("https://other.example");
    for error in [
        other_client(own.client_id(), elsewhere.clone()).restore_tokens(text).unwrap_err(),
        other_client("other", elsewhere.clone()).restore_tokens(text).unwrap_err(),
        elsewhere.restore_tokens(text).unwrap_err(),
    ] {
        assert_eq!(error, SavedError::TokensOfOtherServer { token_endpoint: own.endpoints().token.as_str().into() });
        assert!(error.to_string().contains("api.restream.io"), "{error}");
    }
}

#[test]
fn the_server_of_a_saved_document_is_printed_without_its_query() {
    let document = with("token_endpoint", r#""https://user:hunter2@a.example/token?secret=hunter2""#);
    let error = client().restore_tokens(serde_json::to_string(&document).unwrap()).unwrap_err();
    assert!(error.to_string().contains("a.example/token") && !error.to_string().contains("hunter2"), "{error}");
    let document = with("client_id", r#""a\u001b[31m\u202e""#);
    let error = client().restore_tokens(serde_json::to_string(&document).unwrap()).unwrap_err();
    assert!(error.to_string().is_ascii() && !error.to_string().contains('\u{1b}'), "{error}");
}

#[test]
fn any_client_restores_tokens_of_version_1_and_they_stay_unbound() {
    let mut document = with("version", "1");
    for name in ["client_id", "token_endpoint"] {
        assert!(document.remove(name).is_some(), "{name}");
    }
    let text = serde_json::to_string(&document).unwrap();
    for read in [
        Tokens::from_saved(&text),
        client().restore_tokens(&text),
        Endpoints::at("https://a.example").restore_tokens(&text),
    ] {
        let read = read.unwrap();
        assert_eq!(read.binding(), None);
        assert_eq!(pair(&read), pair(&tokens(DOCUMENTED)));
        round_trip(&read);
    }
    // A document of version 2 must have a binding.
    document.insert("version".to_owned(), RawValue::from_string("2".to_owned()).unwrap());
    assert_eq!(load(&document).unwrap_err(), SavedError::Damaged("client_id"));
}

/// pi #7499.
#[test]
fn a_byte_order_mark_before_a_saved_document_is_skipped() {
    let saved = tokens(DOCUMENTED).to_saved();
    assert_eq!(Tokens::from_saved(format!("\u{FEFF}{}", saved.expose_secret())).unwrap(), tokens(DOCUMENTED));
    let login = client().login(entropy(1));
    let restored = client().restore_login(format!("\u{FEFF}{}", login.to_saved().expose_secret())).unwrap();
    assert_eq!(restored.url().as_str(), login.url().as_str());
}

#[test]
fn a_saved_document_in_utf_16_is_reported_as_utf_16() {
    let saved = tokens(DOCUMENTED).to_saved();
    let units = || saved.expose_secret().encode_utf16();
    let [little, big] = [u16::to_le_bytes, u16::to_be_bytes].map(|bytes| units().flat_map(bytes).collect::<Vec<u8>>());
    for document in [little.clone(), big.clone(), [b"\xFF\xFE", &*little].concat(), [b"\xFE\xFF", &*big].concat()] {
        assert_eq!(Tokens::from_saved(&document).unwrap_err(), SavedError::Utf16);
        assert_eq!(client().restore_login(&document).unwrap_err(), SavedError::Utf16);
    }
    // A document that is merely broken is not UTF-16.
    for document in [&b"\xFF"[..], b"{", b"\0", b"\xFF{}"] {
        assert_eq!(Tokens::from_saved(document).unwrap_err(), SavedError::NotJson);
    }
}

#[test]
fn members_that_a_later_version_adds_are_ignored() {
    let loaded = load(&with("note", r#"{"a": [1, "x"]}"#)).unwrap();
    assert_eq!(loaded, tokens(DOCUMENTED));
    let loaded = load(&with("oddities", "\"encoding an_oddity_of_tomorrow\"")).unwrap();
    assert_eq!(loaded.oddities().collect::<Vec<_>>(), [Oddity::Encoding]);
}

#[test]
fn errors_of_a_saved_form_print_nothing_of_it() {
    let error = load(&with("sent_at", &format!("\"{REFRESH}\""))).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(REFRESH));
}

#[test]
fn a_damaged_saved_login_is_refused_with_the_reason() {
    let saved = client().login(entropy(1)).to_saved();
    let text = saved.expose_secret();
    for cut in 0..text.len() {
        assert_eq!(client().restore_login(&text[..cut]).unwrap_err(), SavedError::NotJson, "{cut}");
    }
    let document: Document = serde_json::from_str(text).unwrap();
    let restore = |document: &Document| client().restore_login(serde_json::to_string(document).unwrap());
    assert!(restore(&document).is_ok());
    for name in ["client_id", "redirect_uri", "token_endpoint", "url", "state"] {
        let mut document = document.clone();
        assert!(document.remove(name).is_some(), "{name}");
        assert_eq!(restore(&document).unwrap_err(), SavedError::Damaged(name));
    }
    for name in ["state", "code_verifier"] {
        // Too short, too long, other characters, or empty: such a state could be guessed.
        let long = "a".repeat(44);
        for damage in ["a", &long, &long[..42], &"a ".repeat(22)[..43], ""] {
            let mut document = document.clone();
            document.insert(name.to_owned(), RawValue::from_string(format!("\"{damage}\"")).unwrap());
            assert_eq!(restore(&document).unwrap_err(), SavedError::Damaged(name), "{damage}");
        }
    }
    let mut other = document.clone();
    other.insert("version".to_owned(), RawValue::from_string("2".to_owned()).unwrap());
    assert_eq!(restore(&other).unwrap_err(), SavedError::UnknownVersion);
}

/// The answer of a refresh that was truncated after both tokens, with every header that is saved.
fn truncated_answer() -> Answer<Tokens> {
    let cut = &DOCUMENTED[..DOCUMENTED.len() - 20];
    let reply = Reply::ok(cut)
        .header(RETRY_AFTER, "Thu, 01 Jan 2015 00:00:50 GMT")
        .header(DATE, "Thu, 01 Jan 2015 00:00:00 GMT")
        .header(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")
        .header(CONTENT_LENGTH, "770");
    let failure = Failure::new(FailureKind::Timeout);
    reply.feed(refresh().into_parts(sent_at()).1, 7).fail(Stage::ReadingBody, failure)
}

#[test]
fn a_call_that_is_built_later_restores_a_saved_answer() {
    let answer = truncated_answer();
    let saved = answer.to_saved();
    let restore = || {
        let (_, reader) = refresh().into_parts(sent_at() + Duration::from_secs(86_400));
        reader.restore_answer(saved.expose_secret()).unwrap()
    };
    let restored = restore();
    assert_eq!((restored.status(), restored.is_whole()), (answer.status(), false));
    assert_eq!((restored.sent_at(), restored.expose_body()), (sent_at(), answer.expose_body()));
    assert_eq!(restored.to_saved(), saved);
    assert_eq!(restore().interpret().unwrap(), answer.interpret().unwrap());
    // The document is one line, an independent reader reads it, and `Debug` prints no part of it.
    assert!(!saved.expose_secret().contains(['\n', '\r']));
    let document: serde_json::Value = serde_json::from_str(saved.expose_secret()).unwrap();
    assert_eq!((&document["status"], &document["stage"]), (&200.into(), &"reading_body".into()));
    assert!(!format!("{saved:?} {restored:?}").contains(REFRESH));
    assert!(!saved.expose_secret().contains(SENT_REFRESH), "the credential is there as a hash only");
}

/// A database that several machines share keeps all times by its own clock.
#[test]
fn the_time_of_sending_of_a_saved_answer_can_be_moved_to_another_clock() {
    let day = Duration::from_secs(86_400);
    let answer = truncated_answer();
    let moved = Answer::<Tokens>::saved_with_sent_at(answer.to_saved().expose_secret(), |time| time + day).unwrap();
    let (_, reader) = refresh().into_parts(sent_at());
    let restored = reader.restore_answer(moved.expose_secret()).unwrap();
    assert_eq!((restored.sent_at(), restored.expose_body()), (sent_at() + day, answer.expose_body()));
    let back = Answer::<Tokens>::saved_with_sent_at(moved.expose_secret(), |time| time - day).unwrap();
    assert_eq!(back, answer.to_saved());
    for document in ["", "{}", tokens(DOCUMENTED).to_saved().expose_secret()] {
        assert!(Answer::<Tokens>::saved_with_sent_at(document, |time| time).is_err(), "{document}");
    }
}

#[test]
fn restoring_an_answer_drops_what_was_fed_to_the_reader() {
    let answer = truncated_answer();
    let (_, mut reader) = refresh().into_parts(sent_at());
    assert!(reader.head(StatusCode::BAD_REQUEST, &HeaderMap::new()).is_continue());
    assert!(reader.chunk(br#"{"error":"invalid_grant"}"#).is_continue());
    let restored = reader.restore_answer(answer.to_saved().expose_secret()).unwrap();
    assert_eq!(restored.expose_body(), answer.expose_body());
    assert_eq!(restored.interpret().unwrap(), answer.interpret().unwrap());
}

#[test]
fn no_other_call_restores_a_saved_answer() {
    let saved = truncated_answer().to_saved();
    let refused = |call: Call<Unread>| call.into_parts(sent_at()).1.restore_answer(saved.expose_secret()).unwrap_err();
    let other_token = client().refresh(&RefreshToken::new("another-refresh-token")).unread().0;
    // The same token in another step.
    let revocation = client().revoke(&RefreshToken::new(SENT_REFRESH)).unread().0;
    for call in [other_token, revocation, exchange().unread().0] {
        assert_eq!(refused(call), SavedError::OtherCall);
    }
    // The client can restore it even if its secret has changed.
    let renewed = builder().secret_in_body("renewed").build().unwrap();
    let (_, reader) = renewed.refresh(&RefreshToken::new(SENT_REFRESH)).into_parts(sent_at());
    assert!(reader.restore_answer(saved.expose_secret()).is_ok());
}

#[test]
fn an_unread_answer_is_judged_by_its_status_alone() {
    for (status, is_success) in [(StatusCode::OK, true), (StatusCode::NO_CONTENT, true), (StatusCode::NOT_FOUND, false)]
    {
        let (_, mut reader) = refresh().unread().0.into_parts(sent_at());
        assert!(reader.head(status, &HeaderMap::new()).is_continue());
        assert_eq!(reader.finish().interpret().is_ok(), is_success, "{status}");
    }
}

#[test]
fn a_damaged_saved_answer_is_refused_with_the_reason() {
    let saved = truncated_answer().to_saved();
    let text = saved.expose_secret();
    let restore = |text: &str| refresh().into_parts(sent_at()).1.restore_answer(text).map(|_| ());
    for cut in 0..text.len() {
        assert_eq!(restore(&text[..cut]), Err(SavedError::NotJson), "{cut}");
    }
    let document: Document = serde_json::from_str(text).unwrap();
    let optional = ["version", "kind", "content_length", "retry_at", "server_now", "stage", "status"];
    for name in document.keys() {
        for damage in ["{}", "[1]", "null", "\"\u{e9}\""] {
            let mut damaged = document.clone();
            damaged.insert(name.clone(), RawValue::from_string(damage.to_owned()).unwrap());
            assert!(restore(&serde_json::to_string(&damaged).unwrap()).is_err(), "{name} {damage}");
        }
        let mut without = document.clone();
        without.remove(name);
        let outcome = restore(&serde_json::to_string(&without).unwrap());
        assert!(outcome.is_err() || optional.contains(&name.as_str()), "{name}");
    }
    assert_eq!(
        restore(tokens(DOCUMENTED).to_saved().expose_secret()),
        Err(SavedError::OtherKind { expected: "answer" })
    );
}
