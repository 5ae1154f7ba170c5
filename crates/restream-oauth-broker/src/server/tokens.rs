//! Tokens for devices.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::Response;
use restream_oauth_core::error::{ErrorCode, ErrorKind};
use restream_oauth_keeper::{Current, Gone, Grant, InvalidGrantName, Problem, Token, TokenError};

use super::broker::{Broker, random, too_many};
use super::endings::Ended;
use super::kept::Handles;
use crate::devices::{Device, DeviceId, DevicesError, Hash, Key, Owner, Redemption};
use crate::log::{Entry, Level};
use crate::metrics::{HandleEnd, LoginStep, UpstreamCall};
use crate::protocol::{Door, Granted, Redeem, Refresh, Refusal, Revoke, granted, refused};

/// How long the witness is waited for. A token whose witness is silent is given out.
const WITNESS_LIMIT: Duration = Duration::from_millis(1_500);
/// When a device is to come again if nothing says more.
const SOON: Duration = Duration::from_secs(5);
/// When it is to come again if a person has to mend something, or a refresh has to wait for its turn.
const A_MINUTE: Duration = Duration::from_secs(60);
/// A token that is no longer promised may still live. A device that gets it should ask again soon.
const UNPROMISED: Duration = Duration::from_secs(60);

impl Handles {
    /// The grant of a device.
    pub(super) fn grant(&self, id: DeviceId) -> Result<Grant, InvalidGrantName> {
        self.keeper.grant(&id.to_string())
    }
}

impl Broker {
    /// Redeems a code for a handle.
    pub(super) async fn redeem(self: &Arc<Self>, handles: &Arc<Handles>, redeem: Redeem) -> Response<Bytes> {
        let door = redeem.door;
        if let Err(over) = self.admit_device(redeem.code.hash()) {
            return too_many(over, door == Door::Obs);
        }
        match self.redeemed(handles, &redeem).await {
            Ok(answer) => answer,
            Err(refusal) => refused(door, refusal),
        }
    }

    async fn redeemed(&self, handles: &Handles, redeem: &Redeem) -> Result<Response<Bytes>, Refusal> {
        let id = redeem.code.id();
        let handle = Key::new(id, random().map_err(|_| Refusal::Later(A_MINUTE))?);
        let mut device = handles.storage.read(id).await.map_err(later)?.ok_or(Refusal::Code)?;
        // The token first: a code that is redeemed must not be lost to a store that is slow.
        let now = self.clock.now();
        let token = if device.can_redeem(&redeem.code, &redeem.owner, redeem.shown(), now) {
            Some(self.token_of(handles, &device, redeem.door).await?)
        } else {
            None
        };
        loop {
            let now = self.clock.now();
            match (device.redeem(&redeem.code, &redeem.owner, redeem.shown(), &handle, now), &token) {
                (Redemption::Granted, Some(token)) => {
                    device.note_use(hash_of(token), token.generation(), now);
                    let scope = device.scope.clone();
                    match handles.storage.replace(device).await.map_err(later)? {
                        Ok(()) => {
                            self.observer().metrics.login(LoginStep::Redeemed);
                            self.observer().handle_issued();
                            return Ok(self.answer_with(token, &handle, scope.as_deref()));
                        }
                        Err(stored) => device = stored.ok_or(Refusal::Code)?,
                    }
                }
                (Redemption::Twice, _) => match handles.storage.replace(device).await.map_err(later)? {
                    Ok(()) => {
                        let message = "a code came twice: it was stolen, or its device sent it again";
                        self.observer()
                            .log
                            .write(Entry::new(Level::Warn, "code_reused", message).with("device", &*id.to_string()));
                        self.observer().handle_ended(HandleEnd::CodeReused);
                        handles.end_soon(id);
                        return Err(Refusal::Code);
                    }
                    Err(stored) => device = stored.ok_or(Refusal::Code)?,
                },
                (Redemption::Granted | Redemption::Refused, _) => return Err(Refusal::Code),
            }
        }
    }

    /// Gives out the access token that is alive.
    pub(super) async fn refresh(
        self: &Arc<Self>,
        handles: &Arc<Handles>,
        refresh: Refresh,
        address: IpAddr,
    ) -> Response<Bytes> {
        let door = refresh.door;
        if let Err(over) = self.admit_device(refresh.handle.hash()) {
            return too_many(over, door == Door::Obs);
        }
        match self.refreshed(handles, &refresh, address).await {
            Ok(answer) => answer,
            Err(refusal) => refused(door, refusal),
        }
    }

    async fn refreshed(
        self: &Arc<Self>,
        handles: &Arc<Handles>,
        refresh: &Refresh,
        address: IpAddr,
    ) -> Result<Response<Bytes>, Refusal> {
        let device =
            self.device_with(handles, &refresh.handle, &refresh.owner).await.map_err(later)?.ok_or(Refusal::Handle)?;
        self.note_address(handles, device.id, address);
        let token = match self.token_of(handles, &device, refresh.door).await {
            Ok(token) => token,
            Err(refusal) => {
                self.end_if_dead(handles, device.id).await;
                return Err(refusal);
            }
        };
        let answer = self.answer_with(&token, &refresh.handle, device.scope.as_deref());
        self.note_use(handles, device, &token);
        Ok(answer)
    }

    /// Ends a device whose grant is dead at Restream: its handle will never get a token again.
    async fn end_if_dead(&self, handles: &Handles, id: DeviceId) {
        let current = handles.grant(id).map(|grant| grant.current());
        // A grant that is not in the store may come back with its files.
        let is_dead = matches!(current, Ok(Current::Gone(Gone::Dead(_))));
        if is_dead && handles.end(id).await == Ended::Now {
            self.observer().handle_ended(HandleEnd::GrantDead);
        }
    }

    /// Says so if a handle is used from two addresses at once.
    fn note_address(&self, handles: &Handles, id: DeviceId, address: IpAddr) {
        if let Some(other) = handles.sightings.note(id, address, self.clock.now()) {
            let message = "a handle is used from two addresses at once: if it was stolen, end it with `devices end`";
            let entry = Entry::new(Level::Warn, "two_addresses", message).with("device", &*id.to_string());
            self.observer().log.write(entry.with("address", address).with("other_address", other));
        }
    }

    /// Ends a device by its handle or by its access token.
    pub(super) async fn revoke(self: &Arc<Self>, handles: &Arc<Handles>, revoke: Revoke) -> Response<Bytes> {
        let token = revoke.expose_token();
        let found = match Key::parse(token) {
            Some(handle) => self.device_with(handles, &handle, &revoke.owner).await,
            None => handles.storage.find(Hash::of(token)).await,
        };
        match found {
            Ok(Some(device)) if device.owner == revoke.owner => {
                let ended = handles.end(device.id).await;
                if ended == Ended::Now {
                    self.observer().handle_ended(HandleEnd::Revoked);
                }
                if ended == Ended::Not { refused(Door::Plain, Refusal::Later(SOON)) } else { Revoke::done() }
            }
            Ok(_) => Revoke::done(),
            // RFC 7009 §2.2.1: the client must assume that the token still exists.
            Err(error) => refused(Door::Plain, later(error)),
        }
    }

    /// The device that has this handle, as it is stored now.
    async fn device_with(
        &self,
        handles: &Handles,
        handle: &Key,
        owner: &Owner,
    ) -> Result<Option<Device>, DevicesError> {
        let device = handles.storage.read(handle.id()).await?;
        Ok(device.filter(|device| device.accepts(handle, owner, self.clock.now())))
    }

    /// The access token of a device: the one that is promised, or the next one.
    ///
    /// A device that asks for a token that it has may have been refused with it. Then the API is asked first.
    async fn token_of(&self, handles: &Handles, device: &Device, door: Door) -> Result<Arc<Token>, Refusal> {
        let begun = Instant::now();
        let left = || door_limit(door).saturating_sub(begun.elapsed());
        let grant = handles.grant(device.id).map_err(|_| Refusal::Handle)?;
        let mut token = grant.token_within(left()).await.map_err(refusal)?;
        if device.generation.is_some_and(|given| given > token.generation()) {
            // Another instance rotated it before its time, because the API refused it. Its successor is in the store.
            grant.rejected(&token);
            token = grant.token_within(left()).await.map_err(refusal)?;
        }
        if device.given != Some(hash_of(&token)) {
            return Ok(token);
        }
        let mut testimony = handles.witnesses.of(device.id).await;
        if !testimony.counts(self.clock.now()) {
            let refused = self.is_refused(&token, WITNESS_LIMIT.min(left())).await;
            testimony.note(refused.then_some(token.generation()), self.clock.now());
            if refused {
                grant.rejected(&token);
            }
        }
        if !testimony.refuses(token.generation()) {
            return Ok(token);
        }
        let next = grant.token_within(left()).await.map_err(refusal)?;
        // The keeper waits before it replaces a token that is only minutes old.
        if testimony.refuses(next.generation()) { Err(Refusal::Later(A_MINUTE)) } else { Ok(next) }
    }

    /// Asks the API whether it refuses a token. Anything but a clear answer is none.
    async fn is_refused(&self, token: &Token, limit: Duration) -> bool {
        let Ok(call) = self.client.profile(token.access_token()) else { return false };
        match tokio::time::timeout(limit, self.send(UpstreamCall::Profile, call)).await {
            Ok(Err(error)) => {
                error.status() == Some(http::StatusCode::UNAUTHORIZED)
                    || *error.kind() == ErrorKind::Refused(ErrorCode::InvalidToken)
            }
            Ok(Ok(_)) | Err(_) => false,
        }
    }

    fn answer_with(&self, token: &Token, handle: &Key, scope: Option<&str>) -> Response<Bytes> {
        let now = self.clock.now();
        let left = |until: SystemTime| until.duration_since(now).unwrap_or_default();
        let promised = left(token.usable_until());
        let expires_in = if promised.is_zero() { left(token.expires_at()).min(UNPROMISED) } else { promised };
        let mut answer = granted(&Granted {
            access_token: token.access_token().expose_secret(),
            // A promise of less than a second is rounded up: 0 means to some that the token does not expire.
            expires_in: expires_in.max(Duration::from_secs(1)),
            refresh_token: Some(handle.expose_secret()),
            scope,
        });
        answer.extensions_mut().insert(handle.id());
        answer
    }

    /// Writes down the use of a handle, if that is worth a write. Nobody waits for it.
    fn note_use(self: &Arc<Self>, handles: &Arc<Handles>, mut device: Device, token: &Token) {
        if !device.note_use(hash_of(token), token.generation(), self.clock.now()) {
            return;
        }
        let (handles, begun) = (Arc::clone(handles), self.work.begin());
        tokio::spawn(async move {
            // Of two uses at once, one is written. If the device was ended, it stays ended.
            drop(handles.storage.replace(device).await);
            // In this order: a stop that has waited for it finds the folder free.
            drop(handles);
            drop(begun);
        });
    }
}

/// How long a device waits for a token at most. Then it is told to come again. OBS waits for five seconds in all.
fn door_limit(door: Door) -> Duration {
    match door {
        Door::Plain => Duration::from_secs(30),
        Door::Obs => Duration::from_secs(4),
    }
}

fn hash_of(token: &Token) -> Hash {
    Hash::of(token.access_token().expose_secret())
}

/// The devices cannot be read: that is no fault of the device that asks.
fn later(_: DevicesError) -> Refusal {
    Refusal::Later(SOON)
}

/// Only a grant that is gone makes a device ask its user to log in. Everything else passes.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn refusal(error: TokenError) -> Refusal {
    match error {
        TokenError::Gone(_) => Refusal::Grant,
        TokenError::TimedOut { last: Some(Problem::Paced { wait }) } => Refusal::Later(wait.clamp(SOON, A_MINUTE)),
        TokenError::TimedOut { .. } | TokenError::ShuttingDown | TokenError::NotRunning => Refusal::Later(SOON),
        _ => Refusal::Later(A_MINUTE),
    }
}
