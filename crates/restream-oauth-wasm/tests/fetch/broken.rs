//! Answers that break off, connections that end, and a server that refuses connections.

use restream_oauth_core::error::{ErrorCode, ErrorKind, Malformed, Salvaged};
use restream_oauth_core::token::Oddity;
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{Advice, Delivery, Error, RefreshToken};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::sandbox::{Sandbox, client_of_nobody, in_node, transport};

#[wasm_bindgen_test]
async fn a_pair_that_arrived_before_the_answer_broke_off_is_kept() {
    for cut in [
        r#"{"what":"truncate","after":250,"endpoint":"token"}"#,
        r#"{"what":"truncate","after":250,"framing":"chunked","endpoint":"token"}"#,
        r#"{"what":"wrong_length","by":5,"endpoint":"token"}"#,
    ] {
        let outcome = Sandbox::fresh().await.refresh_with(cut).await;
        match outcome {
            Ok(tokens) => assert!(tokens.oddities().any(|oddity| oddity == Oddity::Truncated), "{cut}"),
            Err(error) => assert_bytes_were_dropped(&error),
        }
    }
}

#[wasm_bindgen_test]
async fn one_token_of_a_pair_is_salvaged() {
    let sandbox = Sandbox::fresh().await;
    let cut = sandbox.refresh_with(r#"{"what":"truncate","after":80,"endpoint":"token"}"#).await.unwrap_err();
    if cut.salvaged().is_none() {
        return assert_bytes_were_dropped(&cut);
    }
    assert_eq!(cut.kind(), &ErrorKind::Transport(FailureKind::Interrupted));
    assert_eq!((cut.delivery(), cut.advice()), (Delivery::Completed, Advice::Replay));
    assert!(matches!(cut.salvaged(), Some(Salvaged::AccessToken(_))));
}

#[wasm_bindgen_test]
async fn an_answer_truncated_before_any_token_leaves_the_refresh_in_doubt() {
    for framing in ["length", "chunked", "until_close"] {
        let sandbox = Sandbox::fresh().await;
        let fault = format!(r#"{{"what":"truncate","after":10,"framing":"{framing}","endpoint":"token"}}"#);
        assert_in_doubt(&sandbox.refresh_with(&fault).await.unwrap_err(), FailureKind::Interrupted);
    }
}

#[wasm_bindgen_test]
async fn a_truncated_answer_without_a_length_is_noticed() {
    let fault = r#"{"what":"truncate","after":250,"framing":"until_close","endpoint":"token"}"#;
    let tokens = Sandbox::fresh().await.refresh_with(fault).await.unwrap();
    assert!(tokens.oddities().any(|oddity| oddity == Oddity::Truncated));
}

#[wasm_bindgen_test]
async fn a_malformed_chunk_leaves_the_refresh_in_doubt_or_the_pair_whole() {
    let sandbox = Sandbox::fresh().await;
    match sandbox.refresh_with(r#"{"what":"bad_chunk","endpoint":"token"}"#).await {
        Ok(tokens) => assert!(tokens.oddities().any(|oddity| oddity == Oddity::Truncated)),
        // Even Node may drop the bytes before the malformed chunk.
        Err(error) => assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay)),
    }
}

#[wasm_bindgen_test]
async fn a_connection_that_ends_without_an_answer_leaves_the_refresh_in_doubt() {
    for ending in ["close", "reset"] {
        let sandbox = Sandbox::fresh().await;
        let fault = format!(r#"{{"what":"drop","point":"before_head","ending":"{ending}","endpoint":"token"}}"#);
        let lost = sandbox.refresh_with(&fault).await.unwrap_err();
        let ledger = sandbox.ledger().await;
        // One exchange and one refresh.
        match ledger.requests_to("/oauth/token").len() {
            2 => assert_in_doubt(&lost, if in_node() { FailureKind::Interrupted } else { FailureKind::Other }),
            // Chromium sent the refresh again by itself. The first request rotated, so the server refused the second
            // one.
            3 if !in_node() => assert_eq!(lost.kind(), &ErrorKind::Refused(ErrorCode::InvalidGrant)),
            sent => panic!("{ending}: {sent} requests"),
        }
        assert_eq!(ledger.count("refreshes"), 1, "{ending}");
    }
}

#[wasm_bindgen_test]
async fn a_refused_connection_leaves_the_refresh_in_doubt() {
    let call = client_of_nobody().refresh(&RefreshToken::new("any"));
    let gone = transport().send(call).await.unwrap_err();
    // Node's error says that the connection was refused; a browser's says nothing. Neither proves that nothing was
    // sent.
    assert_in_doubt(&gone, if in_node() { FailureKind::Connect } else { FailureKind::Other });
}

#[wasm_bindgen_test]
async fn a_compressed_answer_is_read() {
    let sandbox = Sandbox::fresh().await;
    assert_eq!(sandbox.refresh_with(r#"{"what":"gzip","endpoint":"token"}"#).await.unwrap().oddities().count(), 0);
}

#[wasm_bindgen_test]
async fn a_page_of_a_captive_portal_leaves_the_refresh_in_doubt() {
    let sandbox = Sandbox::fresh().await;
    let page = sandbox.refresh_with(r#"{"what":"html","endpoint":"token"}"#).await.unwrap_err();
    assert_eq!(page.kind(), &ErrorKind::Malformed(Malformed::NotJson));
    assert_eq!((page.delivery(), page.advice()), (Delivery::Unknown, Advice::Replay));
}

fn assert_in_doubt(error: &Error, kind: FailureKind) {
    assert_eq!(error.kind(), &ErrorKind::Transport(kind));
    assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay));
}

/// In a browser, a stream that fails drops the bytes that were not yet read. Timing decides how many these are.
fn assert_bytes_were_dropped(error: &Error) {
    assert!(!in_node(), "{error:?}");
    assert_in_doubt(error, FailureKind::Interrupted);
}
