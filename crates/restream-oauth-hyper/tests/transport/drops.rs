//! Calls whose future is dropped. Such a call is sent whole or not at all, never twice, and its connection is closed.

use std::collections::HashSet;
use std::time::Duration;

use crate::support::Setup;
use http::HeaderValue;
use restream_oauth_core::RefreshToken;

#[tokio::test]
async fn the_server_sees_a_dropped_call_at_most_once() {
    let setup = Setup::new();
    let rounds: u64 = 100;
    for round in 0..rounds {
        // Each round has a name, so that the ledger shows which requests belong to one round.
        let name = HeaderValue::from_str(&format!("round-{round}")).unwrap();
        let transport = setup.transport.clone().user_agent(name);
        let call = setup.client.refresh(&RefreshToken::new("r0"));
        // The first round is dropped before it connects, the last one long after its answer.
        let _dropped = tokio::time::timeout(Duration::from_micros(round * round), transport.send(call)).await;
    }
    let ledger = setup.sandbox.ledger();
    let mut seen = HashSet::new();
    assert!(ledger.connections <= rounds, "each call opens at most one connection");
    for request in ledger.requests_to("/oauth/token") {
        assert_eq!(request.form_parameters, ["grant_type", "refresh_token"], "whole, or not at all");
        let round = request.user_agent.as_deref().unwrap();
        assert!(seen.insert(round.to_owned()), "{round} is seen twice");
    }
    assert!(!seen.is_empty(), "no call was dropped late enough");
    // The transport still works.
    assert!(setup.tokens().await.refresh_token().is_some());
}
