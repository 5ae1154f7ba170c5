//! Runs the example `worker`, whose handlers must be `Send`, over this runtime's `fetch`.

#[path = "../../examples/worker.rs"]
mod example;

use example::{App, router};
use http::{Request, StatusCode};
use restream_oauth_core::Tokens;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::sandbox::{Sandbox, refresh_token, transport};

#[wasm_bindgen_test]
async fn handlers_that_must_be_send_make_calls() {
    let sandbox = Sandbox::fresh().await;
    let granted = sandbox.grant().await;
    let router = router(App { client: sandbox.client(), transport: transport() });
    let post =
        |path: &str, body: &str| Request::post(format!("https://edge.example{path}")).body(body.to_owned()).unwrap();
    let old = refresh_token(&granted).expose_secret();

    let refreshed = router.call(post("/refresh", old)).await;
    assert_eq!(refreshed.status(), StatusCode::OK);
    let new = Tokens::from_saved(refreshed.body()).unwrap();
    assert_ne!(new.refresh_token(), granted.refresh_token());

    let dead = router.call(post("/refresh", old)).await;
    assert_eq!((dead.status(), dead.body().as_str()), (StatusCode::UNAUTHORIZED, "log in again"));

    let revoked = router.call(post("/revoke", refresh_token(&new).expose_secret())).await;
    assert_eq!(revoked.status(), StatusCode::NO_CONTENT);
    assert_eq!(router.call(post("/", "")).await.status(), StatusCode::NOT_FOUND);
    let ledger = sandbox.ledger().await;
    assert_eq!([ledger.count("refreshes"), ledger.count("revocations")], [1, 1]);
}
