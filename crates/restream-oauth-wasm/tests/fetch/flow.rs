//! The documented flow, and error responses.

use std::time::Duration;

use restream_oauth_core::error::{ErrorCode, ErrorKind};
use restream_oauth_core::{AccessToken, Advice, Delivery, RefreshToken, Revoked};
use restream_oauth_wasm::{entropy, now};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::sandbox::{Sandbox, approve, refresh_token, transport};

/// Browser-based apps draft §6.3.
#[wasm_bindgen_test]
async fn the_whole_flow_works() {
    let sandbox = Sandbox::fresh().await;
    let (client, transport) = (sandbox.client(), transport());

    let mut login = client.login(entropy().unwrap());
    let code = login.read_callback(&approve(login.url().as_str()).await).unwrap();
    let first = transport.send(client.exchange(&code)).await.unwrap();
    assert!(first.is_fresh(now(), Duration::from_secs(3500)));
    assert_eq!(first.oddities().count(), 0);

    let profile = transport.send(client.profile(first.access_token()).unwrap()).await.unwrap();
    assert_eq!(profile.id(), "1000001");

    let second = transport.send(client.refresh(refresh_token(&first))).await.unwrap();
    assert_ne!(second.access_token(), first.access_token());
    assert_ne!(second.refresh_token(), first.refresh_token());

    let Revoked { .. } = transport.send(client.revoke(second.access_token())).await.unwrap();
    let ledger = sandbox.ledger().await;
    assert_eq!([ledger.count("exchanges"), ledger.count("refreshes"), ledger.count("revocations")], [1, 1, 1]);
    assert_eq!(ledger.requests_to("/oauth/token").len(), 2);
}

#[wasm_bindgen_test]
async fn a_dead_refresh_token_is_an_invalid_grant() {
    let sandbox = Sandbox::fresh().await;
    let refused = transport().send(sandbox.client().refresh(&RefreshToken::new("dead"))).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Refused(ErrorCode::InvalidGrant));
    assert_eq!((refused.delivery(), refused.advice()), (Delivery::Refused, Advice::Reauthorize));
    assert_eq!(refused.server_message(), Some("Invalid grant: refresh token is invalid"));
}

#[wasm_bindgen_test]
async fn a_wrong_secret_asks_for_another_configuration() {
    let sandbox = Sandbox::fresh().await;
    let call = sandbox.client_with_wrong_secret().refresh(&RefreshToken::new("any"));
    let refused = transport().send(call).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Refused(ErrorCode::InvalidClient));
    assert_eq!(refused.advice(), Advice::FixConfiguration);
}

#[wasm_bindgen_test]
async fn a_dead_access_token_asks_for_a_refresh() {
    let sandbox = Sandbox::fresh().await;
    let call = sandbox.client().profile(&AccessToken::new("dead")).unwrap();
    let refused = transport().send(call).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Refused(ErrorCode::InvalidToken));
    assert_eq!(refused.advice(), Advice::Refresh);
}

#[wasm_bindgen_test]
async fn rfc_9110_10_2_3_the_time_to_wait_is_read_across_origins() {
    let sandbox = Sandbox::fresh().await;
    sandbox.inject(r#"{"what":"status","status":429,"headers":{"Retry-After":"7"},"endpoint":"token"}"#).await;
    let refused = transport().send(sandbox.client().refresh(&RefreshToken::new("any"))).await.unwrap_err();
    assert_eq!(refused.advice(), Advice::Retry { after: Some(Duration::from_secs(7)) });
}

#[wasm_bindgen_test]
async fn a_received_answer_gives_its_bytes_before_it_is_interpreted() {
    let sandbox = Sandbox::fresh().await;
    let granted = sandbox.grant().await;
    let answer = transport().receive(sandbox.client().refresh(refresh_token(&granted))).await;
    assert!(answer.is_whole());
    let text = String::from_utf8(answer.expose_body().to_vec()).unwrap();
    let tokens = answer.interpret().unwrap();
    assert!(text.contains(refresh_token(&tokens).expose_secret()));
}
