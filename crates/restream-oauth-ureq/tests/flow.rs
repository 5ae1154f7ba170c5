//! The documented flow, and error responses.

mod sandboxed;

use restream_oauth_core::error::{ErrorCode, ErrorKind};
use restream_oauth_core::{AccessToken, Advice, Delivery, RefreshToken};
use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};
use restream_oauth_ureq::Transport;
use sandboxed::{client, code, tokens};

#[test]
fn the_whole_flow_works_and_rotates_once() {
    let sandbox = Sandbox::start().unwrap();
    let (client, transport) = (client(&sandbox), Transport::new().unwrap());
    let first = tokens(&sandbox, &transport);
    let second = transport.send(client.refresh(first.refresh_token().unwrap())).unwrap();
    assert_ne!(first.access_token(), second.access_token());
    assert_eq!(transport.send(client.profile(second.access_token()).unwrap()).unwrap().id(), "1000001");
    transport.send(client.revoke(second.access_token())).unwrap();

    let ledger = sandbox.ledger();
    assert_eq!((ledger.exchanges, ledger.refreshes, ledger.revocations), (1, 1, 1));
    assert_eq!(ledger.requests.len(), 4);
    assert_eq!(ledger.connections, 4, "each call has a connection of its own");
}

#[test]
fn a_request_has_only_the_headers_that_http_needs_and_a_user_agent() {
    let sandbox = Sandbox::start().unwrap();
    let (client, transport) = (client(&sandbox), Transport::new().unwrap());
    let tokens = tokens(&sandbox, &transport);
    transport.send(client.profile(tokens.access_token()).unwrap()).unwrap();

    let mut seen: Vec<_> = sandbox.ledger().requests;
    for request in &mut seen {
        request.headers.sort();
        // The sandbox accepts some requests that no client should send. It notes them as oddities.
        assert_eq!(request.oddities, []);
        assert_eq!(request.user_agent.as_deref(), Some(concat!("restream-oauth-ureq/", env!("CARGO_PKG_VERSION"))));
    }
    assert_eq!(seen[0].headers, ["accept", "authorization", "content-length", "content-type", "host", "user-agent"]);
    assert_eq!(seen[1].headers, ["accept", "authorization", "host", "user-agent"]);
}

#[test]
fn the_user_agent_can_be_set() {
    let sandbox = Sandbox::start().unwrap();
    let transport = Transport::new().unwrap().user_agent("mine/1".parse().unwrap());
    tokens(&sandbox, &transport);
    assert_eq!(sandbox.ledger().requests[0].user_agent.as_deref(), Some("mine/1"));
}

/// ureq's default.
#[test]
fn an_error_response_is_read_from_its_body() {
    let sandbox = Sandbox::start().unwrap();
    let call = client(&sandbox).refresh(&RefreshToken::new("unknown"));
    let error = Transport::new().unwrap().send(call).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Refused(ErrorCode::InvalidGrant));
    assert_eq!((error.delivery(), error.advice()), (Delivery::Refused, Advice::Reauthorize));
    assert_eq!(error.server_message(), Some("Invalid grant: refresh token is invalid"));
}

/// ureq's default.
#[test]
fn no_status_is_an_error_of_ureqs_own_and_none_is_retried() {
    let sandbox = Sandbox::start().unwrap();
    let (client, transport) = (client(&sandbox), Transport::new().unwrap());
    for (count, status) in (1..).zip([400_u16, 401, 404, 408, 425, 429, 500, 502, 503, 504, 520]) {
        sandbox.inject(Fault::new(What::status(status)).on(Endpoint::Token));
        let error = transport.send(client.refresh(&RefreshToken::new("r1"))).unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
        assert_eq!(sandbox.ledger().requests.len(), count, "{status}");
    }
}

/// CVE-2026-54605, RFC 9700 §4.12.
#[test]
fn no_redirect_is_followed() {
    let sandbox = Sandbox::start().unwrap();
    let (client, transport) = (client(&sandbox), Transport::new().unwrap());
    for status in [300_u16, 301, 302, 303, 304, 305, 307, 308] {
        sandbox.inject(Fault::new(What::redirect(status)));
        let error = transport.send(client.refresh(&RefreshToken::new("r1"))).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Redirected(status.try_into().unwrap()));
        // Servers often send 303 after they acted on the POST.
        assert_eq!(error.advice(), if status == 303 { Advice::Replay } else { Advice::FixConfiguration });

        sandbox.inject(Fault::new(What::redirect(status)));
        let error = transport.send(client.profile(&AccessToken::new("a1")).unwrap()).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Redirected(status.try_into().unwrap()));
    }
    assert_eq!(sandbox.ledger().canary_hits, 0);
}

#[test]
fn a_received_answer_gives_its_bytes_before_it_is_interpreted() {
    let sandbox = Sandbox::start().unwrap();
    let client = client(&sandbox);
    let answer = Transport::new().unwrap().receive(client.exchange(&code(&sandbox, &client)));
    assert!(answer.is_whole());
    let tokens = String::from_utf8(answer.expose_body().to_vec()).unwrap();
    let read = answer.interpret().unwrap();
    assert!(tokens.contains(read.access_token().expose_secret()));
}
