//! A call whose future is dropped: sent whole, or not at all; never twice; and its connection goes away.

use std::collections::HashSet;
use std::time::Duration;

use crate::support::Setup;
use http::HeaderValue;
use restream_oauth_core::RefreshToken;

#[tokio::test]
async fn a_dropped_call_is_seen_at_most_once() {
    let setup = Setup::new();
    let rounds: u64 = 100;
    for round in 0..rounds {
        // So that a request that is seen twice is not taken for that of another round.
        let name = HeaderValue::from_str(&format!("round-{round}")).unwrap();
        let transport = setup.transport.clone().user_agent(name);
        let call = setup.client.refresh(&RefreshToken::new("r0"));
        // From before connecting to well after the answer.
        let _dropped = tokio::time::timeout(Duration::from_micros(round * round), transport.send(call)).await;
    }
    let ledger = setup.sandbox.ledger();
    let mut seen = HashSet::new();
    assert!(ledger.connections <= rounds, "at most one connection for each call");
    for request in ledger.requests_to("/oauth/token") {
        assert_eq!(request.form_parameters, ["grant_type", "refresh_token"], "whole, or not at all");
        let round = request.user_agent.as_deref().unwrap();
        assert!(seen.insert(round.to_owned()), "{round} is seen twice");
    }
    assert!(!seen.is_empty(), "no call was dropped late enough");
    // The transport is as good as new.
    assert!(setup.tokens().await.refresh_token().is_some());
}
