//! No redirect is followed. Browsers hide its status, and other runtimes show it.

use http::StatusCode;
use restream_oauth_core::error::ErrorKind;
use restream_oauth_core::{Advice, Delivery};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::sandbox::{Sandbox, in_node, transport};

/// CVE-2026-54605, RFC 9700 §4.12.
#[wasm_bindgen_test]
async fn a_redirected_refresh_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let sandbox = Sandbox::fresh().await;
        let fault = format!(r#"{{"what":"redirect","status":{status},"endpoint":"token"}}"#);
        let refused = sandbox.refresh_with(&fault).await.unwrap_err();
        // A page cannot read the status. It may have been 303, which servers often send after they acted on the POST.
        let shown = if in_node() { status } else { 303 };
        assert_eq!(refused.kind(), &ErrorKind::Redirected(StatusCode::from_u16(shown).unwrap()));
        let expected = match shown {
            303 => (Delivery::Unknown, Advice::Replay),
            _ => (Delivery::Refused, Advice::FixConfiguration),
        };
        assert_eq!((refused.delivery(), refused.advice()), expected, "{status}");
        let ledger = sandbox.ledger().await;
        assert_eq!((ledger.count("canary_hits"), ledger.count("refreshes")), (0, 0));
    }
}

#[wasm_bindgen_test]
async fn a_redirected_profile_call_is_not_followed() {
    let sandbox = Sandbox::fresh().await;
    let granted = sandbox.grant().await;
    sandbox.inject(r#"{"what":"redirect","endpoint":"profile"}"#).await;
    let call = sandbox.client().profile(granted.access_token()).unwrap();
    let refused = transport().send(call).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Redirected(_)));
    assert_eq!(sandbox.ledger().await.count("canary_hits"), 0);
}
