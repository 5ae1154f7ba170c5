//! A registered application, and a method for each step of the flow.

use std::time::Duration;

use js_sys::Promise;
use restream_oauth_core::config::RevocationOptions;
use restream_oauth_core::login::LoginOptions;
use restream_oauth_core::{AccessToken, Endpoints, RefreshToken, Scope};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::login::{AuthorizationCode, Login};
use super::options::{Members, text};
use super::{errors, objects, promise};
use crate::platform::entropy;
use crate::transport::Transport;

/// A registered application: one method for each step of the flow.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Client {
    client: restream_oauth_core::Client,
    transport: Transport,
}

#[wasm_bindgen]
impl Client {
    /// Creates a client and checks all options.
    ///
    /// # Errors
    /// `ConfigurationError` names the value that cannot be used, and the reason.
    #[wasm_bindgen(constructor)]
    pub fn new(#[wasm_bindgen(unchecked_param_type = "ClientOptions")] options: &JsValue) -> Result<Client, JsValue> {
        let mut options = Members::of("options", options)?;
        let mut builder = restream_oauth_core::Client::builder(options.text("clientId")?.unwrap_or_default());
        builder = builder.redirect_uri(options.text("redirectUri")?.unwrap_or_default());
        let in_body = options.choice("clientAuthentication", ["basic", "body"])? == Some("body");
        if let Some(secret) = options.text("clientSecret")? {
            builder = if in_body { builder.secret_in_body(secret) } else { builder.secret(secret) };
        }
        if let Some(base_url) = options.text("baseUrl")? {
            builder = builder.endpoints(Endpoints::at(&base_url));
        }
        if let Some(bytes) = options.number("bodyLimit")? {
            builder = builder.body_limit(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        let mut transport = Transport::new();
        if let Some(milliseconds) = options.number("timeLimit")? {
            transport = transport.time_limit(Duration::from_millis(milliseconds));
        }
        options.finish()?;
        let client = builder.build().map_err(|error| errors::configuration(&error))?;
        Ok(Self { client, transport })
    }

    /// Steps 1 and 2: begins a login, with a fresh `state` and PKCE verifier.
    ///
    /// # Errors
    /// `ConfigurationError` if a scope or parameter cannot be used, or the platform has no randomness.
    pub fn login(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "LoginOptions")] options: &JsValue,
    ) -> Result<Login, JsValue> {
        let mut chosen = LoginOptions::new();
        if !options.is_undefined() {
            let mut options = Members::of("options", options)?;
            for scope in options.texts("scopes")? {
                chosen = chosen.scopes([Scope::new(scope).map_err(|error| errors::configuration(&error))?]);
            }
            for (name, value) in options.pairs("parameters")? {
                chosen = chosen.parameter(&name, &value).map_err(|error| errors::configuration(&error))?;
            }
            options.finish()?;
        }
        let entropy = entropy().map_err(|error| errors::configuration(&error))?;
        let login = self.client.login_with(entropy, &chosen).map_err(|error| errors::configuration(&error))?;
        Ok(Login::new(login))
    }

    /// Restores a login that `login.save()` wrote. Delete the saved login when a callback was accepted: another
    /// restored copy of the login cannot know about it.
    ///
    /// # Errors
    /// `ConfigurationError` if the text is not a saved login, is damaged, or belongs to another client.
    #[wasm_bindgen(js_name = restoreLogin)]
    pub fn restore_login(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] saved: &JsValue,
    ) -> Result<Login, JsValue> {
        let login = self.client.restore_login(&text("saved", saved)?);
        login.map(Login::new).map_err(|error| errors::configuration(&error))
    }

    /// Step 3: exchanges a code for tokens. Use a code for one exchange only.
    #[wasm_bindgen(unchecked_return_type = "Promise<Tokens>")]
    pub fn exchange(&self, code: &AuthorizationCode) -> Promise {
        promise(&self.transport, Ok(self.client.exchange(code.as_ref())), objects::tokens)
    }

    /// Step 4: exchanges a refresh token for a new pair. The server ends the old pair when it issues the new one. Let
    /// only one caller refresh at a time, and keep the refresh token until the new pair is saved.
    #[wasm_bindgen(unchecked_return_type = "Promise<Tokens>")]
    pub fn refresh(
        &self,
        #[wasm_bindgen(js_name = refreshToken, unchecked_param_type = "string")] refresh_token: &JsValue,
    ) -> Promise {
        let call = text("refreshToken", refresh_token).map(|token| self.client.refresh(&RefreshToken::new(token)));
        promise(&self.transport, call, objects::tokens)
    }

    /// Step 5: revokes a token, and with it the other token of the pair. The hint says which of the two tokens it is.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn revoke(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] token: &JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "TokenTypeHint")] hint: &JsValue,
    ) -> Promise {
        let call = text("token", token).and_then(|token| match hint.as_string().as_deref() {
            Some("access_token") => Ok(self.client.revoke(&AccessToken::new(token))),
            Some("refresh_token") => Ok(self.client.revoke(&RefreshToken::new(token))),
            None if hint.is_undefined() => {
                Ok(self.client.revoke_with(&AccessToken::new(token), RevocationOptions::new().without_hint()))
            }
            _ => Err(errors::wrong_type("hint", "\"access_token\" or \"refresh_token\"")),
        });
        promise(&self.transport, call, |_| JsValue::UNDEFINED)
    }

    /// Returns the profile of the user to whom the access token belongs. Use it to check whether the token is valid.
    #[wasm_bindgen(unchecked_return_type = "Promise<Profile>")]
    pub fn profile(
        &self,
        #[wasm_bindgen(js_name = accessToken, unchecked_param_type = "string")] access_token: &JsValue,
    ) -> Promise {
        let call = text("accessToken", access_token).and_then(|token| {
            self.client.profile(&AccessToken::new(token)).map_err(|error| errors::configuration(&error))
        });
        promise(&self.transport, call, objects::profile)
    }
}
