//! What Restream decides: codes, grants, rotation, revocation, and who the client is.

pub(crate) mod authorization_request;
pub(crate) mod authorization_server;
pub(crate) mod client_authentication;
pub(crate) mod error_response;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod settings;
pub(crate) mod token_response;
