//! The client of all targets, and one call for each step, with the secrets of [`canary`](crate::canary).

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use restream_oauth_core::login::CodeVerifier;
use restream_oauth_core::{
    AccessToken, AuthorizationCode, Call, Client, ClientBuilder, Profile, RefreshToken, Revoked, Tokens,
};

use crate::canary::{ACCESS, CLIENT_ID, CODE, REFRESH, SECRET, VERIFIER};

pub(crate) const REDIRECT_URI: &str = "https://app.example/callback";

pub(crate) fn builder() -> ClientBuilder {
    Client::builder(CLIENT_ID).secret(SECRET).redirect_uri(REDIRECT_URI)
}

pub(crate) fn client() -> &'static Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| builder().build().expect("the configuration is right"));
    &CLIENT
}

pub(crate) fn exchange(client: &Client) -> Call<Tokens> {
    client.exchange(&AuthorizationCode::without_state_check(CODE, REDIRECT_URI, CodeVerifier::new(VERIFIER).ok()))
}

pub(crate) fn refresh(client: &Client) -> Call<Tokens> {
    client.refresh(&RefreshToken::new(REFRESH))
}

pub(crate) fn revoke(client: &Client) -> Call<Revoked> {
    client.revoke(&AccessToken::new(ACCESS))
}

pub(crate) fn profile(client: &Client) -> Call<Profile> {
    client.profile(&AccessToken::new(ACCESS)).expect("a header can hold the token")
}

/// The time at which every request is sent.
pub(crate) fn sent_at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}
