//! The documented flow.

use crate::support::{self, Setup};
use restream_oauth_core::error::{ErrorCode, ErrorKind};
use restream_oauth_core::{Advice, Delivery};

#[tokio::test]
async fn the_whole_flow_works_and_refresh_and_revocation_end_the_old_pair() {
    let setup = Setup::new();
    let Setup { sandbox, client, transport } = &setup;
    let first = setup.tokens().await;
    assert_eq!(first.oddities().count(), 0);

    let profile = transport.send(client.profile(first.access_token()).unwrap()).await.unwrap();
    assert!(!profile.id().is_empty());

    let refresh_token = first.refresh_token().unwrap();
    let second = transport.send(client.refresh(refresh_token)).await.unwrap();
    assert_ne!(second.access_token(), first.access_token());
    assert_ne!(second.refresh_token(), first.refresh_token());

    let error = transport.send(client.refresh(refresh_token)).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Refused(ErrorCode::InvalidGrant));
    assert_eq!((error.delivery(), error.advice()), (Delivery::Refused, Advice::Reauthorize));
    let error = transport.send(client.profile(first.access_token()).unwrap()).await.unwrap_err();
    assert_eq!(error.advice(), Advice::Refresh);

    transport.send(client.revoke(second.access_token())).await.unwrap();
    let error = transport.send(client.refresh(second.refresh_token().unwrap())).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Refused(ErrorCode::InvalidGrant));

    let ledger = sandbox.ledger();
    assert_eq!((ledger.exchanges, ledger.refreshes, ledger.revocations), (1, 1, 1));
}

/// CVE-2025-66418.
#[tokio::test]
async fn a_request_has_only_the_headers_that_http_needs_and_a_user_agent() {
    let setup = Setup::new();
    setup.tokens().await;
    let ledger = setup.sandbox.ledger();
    let request = ledger.requests_to("/oauth/token").next().unwrap();
    let mut headers = request.headers.clone();
    headers.sort();
    assert_eq!(headers, ["accept", "authorization", "content-length", "content-type", "host", "user-agent"]);
    assert!(request.user_agent.as_deref().unwrap().starts_with("restream-oauth-hyper/"));
    // The sandbox accepts some requests that no client should send. It notes them as oddities.
    assert!(ledger.requests.iter().all(|request| request.oddities.is_empty()), "{ledger:?}");
}

#[tokio::test]
async fn every_call_has_a_connection_of_its_own() {
    let setup = Setup::new();
    let tokens = setup.tokens().await;
    for _ in 0..3 {
        setup.transport.send(setup.client.profile(tokens.access_token()).unwrap()).await.unwrap();
    }
    assert_eq!(setup.sandbox.ledger().connections, 4);
}

#[tokio::test]
async fn a_connector_from_the_caller_is_used() {
    use hyper_util::client::legacy::connect::HttpConnector;
    use restream_oauth_hyper::Transport;

    let setup = Setup::new();
    let transport = Transport::with_connector(HttpConnector::new(), support::limits());
    let tokens = transport.send(setup.client.exchange(&setup.code())).await.unwrap();
    assert!(tokens.refresh_token().is_some());
}
