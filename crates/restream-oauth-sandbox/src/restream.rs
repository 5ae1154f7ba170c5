//! What Restream decides: codes, grants, rotation, revocation, client authentication, and the bodies of its responses.
//!
//! Nothing here knows HTTP, looks at a clock or draws random strings.

pub(crate) mod authorization_request;
pub(crate) mod authorization_server;
pub(crate) mod client_authentication;
pub(crate) mod error_response;
pub(crate) mod form;
pub(crate) mod issued_tokens;
pub(crate) mod json;
pub(crate) mod reuse;
pub mod rules;
pub(crate) mod settings;
pub(crate) mod token_format;
pub(crate) mod token_response;
