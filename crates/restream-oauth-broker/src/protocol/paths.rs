//! The paths of the plain door and of Restream's way back.

pub(super) const METADATA: &str = "/.well-known/oauth-authorization-server";
pub(super) const AUTHORIZE: &str = "/authorize";
pub(super) const CONTINUE: &str = "/authorize/continue";
pub(super) const CALLBACK: &str = "/callback";
pub(super) const TOKEN: &str = "/token";
pub(super) const REVOKE: &str = "/revoke";
