//! What a relay does for a device.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use restream_oauth_core::{AccessToken, Advice, Error, RefreshToken, Scopes, Tokens};
use tokio::sync::OwnedSemaphorePermit;

use super::broker::{Broker, too_many};
use super::endings::LOGOUT_LIMIT;
use super::relay::{NoPlace, Place, Relay, Unredeemed};
use crate::devices::{Hash, Login};
use crate::metrics::{Bound, LoginStep, UpstreamCall};
use crate::protocol::{
    Door, Granted, Redeem, Refusal, Relayed, Revoke, failed_login, granted, granted_again, refused, returned,
    unavailable,
};

/// When a device is to come again if nothing says more.
const SOON: Duration = Duration::from_secs(5);
/// When it is to come again if a person has to mend something, or the memory is full.
const A_MINUTE: Duration = Duration::from_secs(60);

impl Broker {
    /// Remembers a pair for the minute of its code.
    pub(super) async fn welcome_to_relay(
        &self,
        relay: &Relay,
        login: &Login,
        tokens: Tokens,
        room: OwnedSemaphorePermit,
    ) -> Response<Bytes> {
        let rules = self.protocol.rules();
        let Some((device, code)) = self.new_device(login, &tokens) else {
            self.revoke_at_once(&tokens).await;
            return failed_login(rules, login, "server_error", "the operating system gives no random bytes");
        };
        relay.keep(device, tokens, room);
        self.step(LoginStep::Granted);
        returned(rules, login, &code)
    }

    /// Gives out the pair of a code. A code that comes a second time gets nothing, and ends nothing: the relay does not have
    /// the pair any more.
    pub(super) fn redeem_pair(&self, relay: &Relay, redeem: &Redeem) -> Response<Bytes> {
        if let Err(over) = self.admit_device(redeem.code.hash()) {
            return too_many(over, false);
        }
        let now = self.clock.now();
        let Some(Unredeemed { tokens, device, .. }) = relay.redeem(redeem, now) else {
            return refused(Door::Plain, Refusal::Code);
        };
        self.step(LoginStep::Redeemed);
        let expires_in = tokens.expires_at().duration_since(now).unwrap_or_default();
        granted(&Granted {
            access_token: tokens.access_token().expose_secret(),
            expires_in: expires_in.max(Duration::from_secs(1)),
            refresh_token: tokens.refresh_token().map(RefreshToken::expose_secret),
            scope: device.scope.as_deref(),
        })
    }

    /// Sends a refresh on, with the credentials. One request a refresh token at a time: those that wait get the answer of
    /// the one that was sent.
    pub(super) async fn relay(&self, relay: &Relay, relayed: Relayed) -> Response<Bytes> {
        let token = relayed.expose_token();
        let mut place = match self.place(relay, token).await {
            Ok(place) => place,
            Err(answer) => return answer,
        };
        if let Some(body) = place.answer(token, self.clock.now()) {
            return granted_again(body);
        }
        let old = RefreshToken::new(token);
        match self.send(UpstreamCall::Refresh, self.client.refresh(&old)).await {
            Ok(tokens) => {
                // A server that leaves the refresh token out goes on accepting the old one (RFC 6749 §6).
                let refresh_token = tokens.refresh_token().unwrap_or(&old);
                let answer = granted(&Granted {
                    access_token: tokens.access_token().expose_secret(),
                    expires_in: tokens.lifetime().max(Duration::from_secs(1)),
                    refresh_token: Some(refresh_token.expose_secret()),
                    scope: tokens.scopes().map(Scopes::as_str),
                });
                place.remember(token, answer.body(), self.clock.now());
                answer
            }
            Err(error) => refused(Door::Plain, refusal(&error)),
        }
    }

    /// Sends a revocation on (RFC 7009), after a refresh with the same token.
    pub(super) async fn relay_revocation(&self, relay: &Relay, revoke: &Revoke) -> Response<Bytes> {
        let token = revoke.expose_token();
        let mut place = match self.place(relay, token).await {
            Ok(place) => place,
            Err(answer) => return answer,
        };
        let call = if revoke.is_access_token() {
            self.client.revoke(&AccessToken::new(token))
        } else {
            self.client.revoke(&RefreshToken::new(token))
        };
        match self.send(UpstreamCall::Revoke, call).await {
            Ok(_) => {
                place.forget();
                Revoke::done()
            }
            // RFC 7009 §2.2.1: the client must assume that the token still exists.
            Err(error) => refused(Door::Plain, Refusal::Later(wait(&error))),
        }
    }

    /// Forgets what is too old, and revokes the pairs whose codes nobody redeemed. Called each second.
    pub(super) fn sweep_relay(self: &Arc<Self>, relay: &Relay) {
        let now = self.clock.now();
        relay.memory.forget(now);
        for pair in relay.abandoned(now) {
            self.step(LoginStep::Abandoned);
            let (broker, begun) = (Arc::clone(self), self.work.begin());
            tokio::spawn(async move {
                broker.revoke_at_once(&pair.tokens).await;
                drop(broker);
                drop(begun);
            });
        }
    }

    /// Revokes the pairs whose codes were not redeemed yet: nobody will have them once the process has ended.
    pub(super) async fn end_unredeemed(&self, relay: &Relay) {
        let pairs: Vec<_> = relay.unredeemed().drain().collect();
        let revoked = async {
            for (_, pair) in &pairs {
                self.revoke_at_once(&pair.tokens).await;
            }
        };
        let _ = tokio::time::timeout(LOGOUT_LIMIT, revoked).await;
    }

    /// The place of a token, once no other request has it; otherwise the answer for the device.
    async fn place<'a>(&self, relay: &'a Relay, token: &str) -> Result<Place<'a>, Response<Bytes>> {
        let key = Hash::of(token);
        self.admit_device(key).map_err(|over| too_many(over, false))?;
        relay.memory.place(key).await.map_err(|reason| match reason {
            NoPlace::Full => {
                self.observer().metrics.turned_away(Bound::RelayMemory);
                unavailable(A_MINUTE, "the broker has no room to remember the answer: wait for Retry-After")
            }
            NoPlace::Busy => {
                self.observer().metrics.turned_away(Bound::Device);
                unavailable(SOON, "another request with this token is under way: wait for Retry-After")
            }
        })
    }
}

/// Only a grant that is gone makes a device ask its user to log in. What is in doubt passes, perhaps: the device sends the
/// same token again.
fn refusal(error: &Error) -> Refusal {
    match error.advice() {
        Advice::Reauthorize => Refusal::Grant,
        _ => Refusal::Later(wait(error)),
    }
}

fn wait(error: &Error) -> Duration {
    match error.advice() {
        Advice::Retry { after } => after.unwrap_or(SOON).clamp(SOON, A_MINUTE),
        Advice::Replay => SOON,
        _ => A_MINUTE,
    }
}
