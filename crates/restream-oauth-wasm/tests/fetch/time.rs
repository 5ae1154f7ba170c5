//! Each call ends: at its time limit, or at the body limit.

use std::time::Duration;

use restream_oauth_core::error::ErrorKind;
use restream_oauth_core::token::Oddity;
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{Advice, Client, Delivery, Tokens};
use restream_oauth_wasm::now;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::sandbox::{Sandbox, refresh_token, transport};

#[wasm_bindgen_test]
async fn silence_at_any_point_ends_at_the_time_limit() {
    for point in ["before_head", "in_head", "after_head", "in_body"] {
        let sandbox = Sandbox::fresh().await;
        let granted = sandbox.grant().await;
        sandbox.inject(&format!(r#"{{"what":"hang","point":"{point}","endpoint":"token"}}"#)).await;
        assert_times_out(&sandbox.client(), &granted).await;
        // The server acted on the request, although no answer arrived.
        assert_eq!(sandbox.ledger().await.count("refreshes"), 1, "{point}");
    }
}

#[wasm_bindgen_test]
async fn a_pair_that_arrived_before_the_silence_is_kept() {
    let sandbox = Sandbox::fresh().await;
    let granted = sandbox.grant().await;
    sandbox.inject(r#"{"what":"hang","point":"in_body","after":250,"endpoint":"token"}"#).await;
    let call = sandbox.client().refresh(refresh_token(&granted));
    let tokens = transport().time_limit(Duration::from_millis(500)).send(call).await.unwrap();
    assert!(tokens.oddities().any(|oddity| oddity == Oddity::Truncated));
}

#[wasm_bindgen_test]
async fn a_slow_answer_does_not_extend_the_time_limit() {
    let sandbox = Sandbox::fresh().await;
    let granted = sandbox.grant().await;
    sandbox.inject(r#"{"what":"drip","ms":20,"endpoint":"token"}"#).await;
    assert_times_out(&sandbox.client(), &granted).await;
}

/// the oauth2 crate's adapters.
#[wasm_bindgen_test]
async fn an_endless_answer_ends_at_the_body_limit() {
    let sandbox = Sandbox::fresh().await;
    let too_large = sandbox.refresh_with(r#"{"what":"endless","endpoint":"token"}"#).await.unwrap_err();
    assert_eq!(too_large.kind(), &ErrorKind::TooLarge { limit: 256 * 1024 });
    assert_eq!((too_large.delivery(), too_large.advice()), (Delivery::Unknown, Advice::Replay));
}

#[wasm_bindgen_test]
async fn a_pair_before_an_endless_rest_is_kept() {
    let sandbox = Sandbox::fresh().await;
    let fault = r#"{"what":"endless","answer_first":true,"endpoint":"token"}"#;
    let tokens = sandbox.refresh_with(fault).await.unwrap();
    assert!(tokens.oddities().any(|oddity| oddity == Oddity::Truncated));
}

async fn assert_times_out(client: &Client, granted: &Tokens) {
    let limit = Duration::from_millis(500);
    let begun = now();
    let call = client.refresh(refresh_token(granted));
    let late = transport().time_limit(limit).send(call).await.unwrap_err();
    assert_eq!(late.kind(), &ErrorKind::Transport(FailureKind::Timeout));
    assert_eq!((late.delivery(), late.advice()), (Delivery::Unknown, Advice::Replay));
    let took = now().duration_since(begun).unwrap();
    assert!(took < limit + Duration::from_secs(1), "{took:?}");
}
