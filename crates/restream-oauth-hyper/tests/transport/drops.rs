//! A call whose future is dropped: sent whole, or not at all; never twice; and its connection goes away.

use std::time::Duration;

use crate::support::Setup;
use restream_oauth_core::RefreshToken;

#[tokio::test]
async fn a_dropped_call_is_seen_at_most_once() {
    let setup = Setup::new();
    let rounds: u64 = 100;
    for round in 0..rounds {
        let call = setup.client.refresh(&RefreshToken::new("r0"));
        // From before connecting to well after the answer.
        let _dropped = tokio::time::timeout(Duration::from_micros(round * 20), setup.transport.send(call)).await;
    }
    let ledger = setup.sandbox.ledger();
    assert!(ledger.requests_to("/oauth/token").count() <= usize::try_from(rounds).unwrap());
    assert!(ledger.connections <= rounds, "at most one connection for each call");
    for request in ledger.requests_to("/oauth/token") {
        assert_eq!(request.form_parameters, ["grant_type", "refresh_token"], "whole, or not at all");
    }
    // The transport is as good as new.
    assert!(setup.tokens().await.refresh_token().is_some());
}
