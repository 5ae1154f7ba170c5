//! The smallest module that does an exchange with `oauth2` over reqwest, which is `fetch` there.

use oauth2::basic::BasicClient;
use oauth2::{AuthorizationCode, ClientId, ClientSecret, RedirectUrl, TokenResponse as _, TokenUrl, reqwest};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// The access token for a code.
#[wasm_bindgen]
pub async fn exchange(secret: String, code: String) -> Result<String, JsError> {
    let client = BasicClient::new(ClientId::new("client-id".to_owned()))
        .set_client_secret(ClientSecret::new(secret))
        .set_token_uri(TokenUrl::new("https://api.restream.io/oauth/token".to_owned())?)
        .set_redirect_uri(RedirectUrl::new("https://app.example/callback".to_owned())?);
    let http = reqwest::Client::new();
    let tokens = client.exchange_code(AuthorizationCode::new(code)).request_async(&http).await?;
    Ok(tokens.access_token().secret().clone())
}
