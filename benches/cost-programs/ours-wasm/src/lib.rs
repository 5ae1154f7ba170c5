//! The smallest module that does an exchange over our fetch adapter.

use restream_oauth_core::{AuthorizationCode, Client};
use restream_oauth_wasm::Transport;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// The access token for a code.
#[wasm_bindgen]
pub async fn exchange(secret: String, code: String) -> Result<String, JsError> {
    let redirect_uri = "https://app.example/callback";
    let client = Client::builder("client-id").secret(secret).redirect_uri(redirect_uri).build()?;
    let code = AuthorizationCode::without_state_check(code, redirect_uri, None);
    let tokens = Transport::new().send(client.exchange(&code)).await?;
    Ok(tokens.access_token().expose_secret().to_owned())
}
