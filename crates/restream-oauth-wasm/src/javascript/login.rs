//! Steps 1 and 2: a login, and the code at its end.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::options::text;
use super::{errors, objects};

/// One login attempt, from the moment when the browser leaves to its return. Bind the login to the browser that you
/// sent away, and keep it for ten minutes at most.
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
    /// The URL to open in the user's browser. It contains `state`: do not log it.
    #[wasm_bindgen(getter, unchecked_return_type = "string")]
    pub fn url(&self) -> JsValue {
        self.0.url().as_str().into()
    }

    /// The `state` of this attempt. A web application saves the login under it.
    #[wasm_bindgen(getter, unchecked_return_type = "string")]
    pub fn state(&self) -> JsValue {
        self.0.state().expose_secret().into()
    }

    /// One line of text that `client.restoreLogin` reads. It contains secrets: keep it on the server.
    #[wasm_bindgen(unchecked_return_type = "string")]
    pub fn save(&self) -> JsValue {
        self.0.to_saved().expose_secret().into()
    }

    /// Reads the callback: an absolute URI, the part that a server sees (`/callback?…`), or a bare query. The login
    /// accepts one callback. A stray or forged callback does not end it.
    ///
    /// # Errors
    /// `CallbackError` says why the callback gives no code.
    #[wasm_bindgen(js_name = readCallback)]
    pub fn read_callback(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "string")] uri: &JsValue,
    ) -> Result<AuthorizationCode, JsValue> {
        let code = self.0.read_callback(&text("uri", uri)?);
        code.map(AuthorizationCode).map_err(|error| errors::callback(&error))
    }
}

/// A code from a checked callback, with everything that its exchange needs.
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
    /// The scopes that the user granted, if the callback names them.
    #[wasm_bindgen(getter, unchecked_return_type = "string[] | undefined")]
    pub fn scopes(&self) -> JsValue {
        self.0.scopes().map(objects::scopes).into()
    }
}

/// Returns the `state` of a callback, unchecked. Use it to find the saved login to which the callback belongs.
///
/// # Errors
/// `CallbackError` if the callback has no parameters, no `state`, or more than one.
#[wasm_bindgen(js_name = stateOf, unchecked_return_type = "string")]
pub fn state_of(#[wasm_bindgen(unchecked_param_type = "string")] uri: &JsValue) -> Result<JsValue, JsValue> {
    let state = restream_oauth_core::login::state_of(&text("uri", uri)?);
    state.map(|state| state.expose_secret().into()).map_err(|error| errors::callback(&error))
}
