//! The steps of the flow, in their order: log in, read the callback, exchange the code, call the API, refresh, revoke.

mod callback;
mod entropy;
mod exchange;
mod login;
mod profile;
mod revocation;
mod token_response;

pub use callback::{AuthorizationCode, CallbackError, state_of};
pub use entropy::{CodeVerifier, Entropy, InvalidCodeVerifier, State};
pub(crate) use entropy::{LoginState, RandomText};
pub use login::{AuthorizationUrl, Login, LoginOptions};
pub use profile::Profile;
pub use revocation::{RevocationOptions, Revoked};
