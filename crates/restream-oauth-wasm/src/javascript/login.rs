//! Steps 1 and 2: a login, and the code that it ends with.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::options::text;
use super::{errors, objects};

/// One login attempt, between the moment the browser leaves and the moment it comes back. Keep it bound to the browser
/// that was sent away, for ten minutes at most.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Login(restream_oauth_core::Login);

impl Login {
    pub(super) fn new(login: restream_oauth_core::Login) -> Self {
        Self(login)
    }
}

#[wasm_bindgen]
impl Login {
    /// The URL to open in the user's browser. It holds `state`: do not log it.
    #[wasm_bindgen(getter, unchecked_return_type = "string")]
    pub fn url(&self) -> JsValue {
        self.0.url().as_str().into()
    }

    /// The `state` of this attempt: under it a web application saves the login.
    #[wasm_bindgen(getter, unchecked_return_type = "string")]
    pub fn state(&self) -> JsValue {
        self.0.state().expose_secret().into()
    }

    /// One line of text that `client.restoreLogin` reads. It holds secrets: keep it on the server.
    #[wasm_bindgen(unchecked_return_type = "string")]
    pub fn save(&self) -> JsValue {
        self.0.to_saved().expose_secret().into()
    }

    /// Reads the redirect back: an absolute URI, what a server sees of it (`/callback?…`), or a bare query. It accepts
    /// once; a stray or forged callback does not end the login.
    ///
    /// # Errors
    /// `CallbackError` says why there is no code.
    #[wasm_bindgen(js_name = readCallback)]
    pub fn read_callback(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "string")] uri: &JsValue,
    ) -> Result<AuthorizationCode, JsValue> {
        let code = self.0.read_callback(&text("uri", uri)?);
        code.map(AuthorizationCode).map_err(|error| errors::callback(&error))
    }
}

/// A code that came back through a checked callback, with what its exchange needs.
#[wasm_bindgen]
#[derive(Debug)]
pub struct AuthorizationCode(restream_oauth_core::AuthorizationCode);

impl AsRef<restream_oauth_core::AuthorizationCode> for AuthorizationCode {
    fn as_ref(&self) -> &restream_oauth_core::AuthorizationCode {
        &self.0
    }
}

#[wasm_bindgen]
impl AuthorizationCode {
    /// The scopes that the redirect said were granted, if it said so.
    #[wasm_bindgen(getter, unchecked_return_type = "string[] | undefined")]
    pub fn scopes(&self) -> JsValue {
        self.0.scopes().map(objects::scopes).into()
    }
}

/// The `state` of a callback, unchecked: to find the saved login that it belongs to.
///
/// # Errors
/// `CallbackError` if there is none, or more than one, or no parameter at all.
#[wasm_bindgen(js_name = stateOf, unchecked_return_type = "string")]
pub fn state_of(#[wasm_bindgen(unchecked_param_type = "string")] uri: &JsValue) -> Result<JsValue, JsValue> {
    let state = restream_oauth_core::login::state_of(&text("uri", uri)?);
    state.map(|state| state.expose_secret().into()).map_err(|error| errors::callback(&error))
}
