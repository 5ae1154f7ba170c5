//! Logins: the way to Restream, and the way back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use restream_oauth_core::login::CallbackError;
use restream_oauth_core::{Advice, AuthorizationCode, Error, Tokens};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::broker::{Broker, random};
use super::kept::{Handles, Kept};
use crate::devices::{Device, DeviceId, Hash, Key, Login};
use crate::log::{Entry, Level};
use crate::metrics::{Bound, LoginStep, UpstreamCall};
use crate::protocol::{Begin, CallBack, denials, denied, failed_login, returned, strange_callback, unavailable};

/// How often a code is sent to Restream, if it was certainly not taken before.
const TRIES: u32 = 3;
/// The pause before the next try, unless Restream asks for another one.
const PAUSE: Duration = Duration::from_secs(1);
/// A person waits in front of the page. A longer wait is told to the device.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long the way back may take. It is less than the time that a whole request has: until then its device can be told.
const LONGEST_LOGIN: Duration = Duration::from_secs(50);
/// When a person may try again while the store fails.
const SOON: Duration = Duration::from_secs(5);

impl Broker {
    /// Leads a browser to Restream.
    pub(super) async fn begin(&self, begin: Begin) -> Response<Bytes> {
        let later = |reason| unavailable(Duration::from_secs(60), reason);
        let browser = match random() {
            Ok(random) => begin.browser(random),
            Err(answer) => return *answer,
        };
        let Ok(entropy) = restream_oauth_hyper::entropy() else {
            return later("the operating system gives no random bytes");
        };
        let at_restream = begin.options().and_then(|options| self.client.login_with(entropy, &options));
        let Ok(at_restream) = at_restream else {
            return later("the authorization URL of the configuration has a parameter of its own that is in the way");
        };
        let now = self.clock.now();
        let answer = begin.leave(self.protocol.rules(), &browser, at_restream.url().as_str());
        let login = Login {
            state: Hash::of(at_restream.state().expose_secret()),
            browser: browser.hash(),
            owner: begin.target.owner,
            binding: begin.target.binding,
            device_state: begin.target.device_state,
            saved: Zeroizing::new(at_restream.to_saved().expose_secret().to_owned()),
            began_at: now,
        };
        if self.kept.begin_login(login, &browser, now).await.is_err() {
            return unavailable(SOON, "the broker cannot store the login: begin again");
        }
        self.step(LoginStep::Begun);
        answer
    }

    /// A browser comes back from Restream. The exchange is made here and now: OBS's embedded browser is closed before it
    /// asks for the next page.
    pub(super) async fn call_back(self: &Arc<Self>, back: CallBack) -> Response<Bytes> {
        let (rules, now) = (self.protocol.rules(), self.clock.now());
        let Some(state) = back.state else {
            let Ok(logins) = self.kept.declined(&back.browser, now).await else { return lost() };
            self.step(if logins.is_empty() { LoginStep::Forged } else { LoginStep::Denied });
            return denials(rules, &logins);
        };
        let Ok(login) = self.kept.take_login(state, &back.browser, now).await else { return lost() };
        let Some(login) = login else {
            self.step(LoginStep::Forged);
            return strange_callback();
        };
        let Ok(mut at_restream) = self.client.restore_login(&*login.saved) else { return strange_callback() };
        let code = match at_restream.read_callback(&format!("?{}", back.expose_query())) {
            Ok(code) => code,
            Err(CallbackError::Refused { code, .. }) => {
                self.step(LoginStep::Denied);
                return failed_login(rules, &login, denied(&code), "Restream refused the login");
            }
            Err(_) => return strange_callback(),
        };
        // What takes longer than a person waits goes on, and its code, which nobody gets, is revoked after a minute.
        let (broker, begun, begins) = (Arc::clone(self), self.work.begin(), login.clone());
        let finished = tokio::spawn(async move {
            let answer = broker.finish_login(&begins, &code).await;
            drop((broker, begun));
            answer
        });
        match timeout(LONGEST_LOGIN, finished).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => failed_login(rules, &login, "server_error", "the broker failed: begin again"),
            Err(_) => {
                self.step(LoginStep::Failed);
                failed_login(rules, &login, "temporarily_unavailable", "Restream takes too long: begin again")
            }
        }
    }

    /// Makes the exchange, and keeps what comes.
    async fn finish_login(&self, login: &Login, code: &AuthorizationCode) -> Response<Bytes> {
        match &self.kept {
            Kept::Handles(handles) => match self.exchange(code).await {
                Ok(tokens) => self.welcome(handles, login, &tokens).await,
                Err(error) => self.failed_exchange(login, &error),
            },
            Kept::Relay(relay) => {
                // A pair that there is no room for must not be asked for.
                let Some(room) = relay.room() else {
                    self.observer().metrics.turned_away(Bound::RelayMemory);
                    let reason = "the broker has no room now";
                    return failed_login(self.protocol.rules(), login, "temporarily_unavailable", reason);
                };
                match self.exchange(code).await {
                    Ok(tokens) => self.welcome_to_relay(relay, login, tokens, room).await,
                    Err(error) => self.failed_exchange(login, &error),
                }
            }
        }
    }

    fn failed_exchange(&self, login: &Login, error: &Error) -> Response<Bytes> {
        self.tell_failure(error);
        let (code, reason) = match error.advice() {
            Advice::Retry { .. } => ("temporarily_unavailable", "Restream does not answer now"),
            _ => ("server_error", "Restream did not accept the login, or its answer was lost: begin again"),
        };
        failed_login(self.protocol.rules(), login, code, reason)
    }

    fn tell_failure(&self, why: &dyn fmt::Display) {
        self.step(LoginStep::Failed);
        self.observer().log.write(Entry::new(Level::Warn, "login_failed", &why.to_string()));
    }

    pub(super) fn step(&self, step: LoginStep) {
        self.observer().metrics.login(step);
    }

    /// Exchanges Restream's code. It is sent again only if Restream has certainly not acted on it.
    async fn exchange(&self, code: &AuthorizationCode) -> Result<Tokens, Error> {
        let mut tries = 1;
        loop {
            let error = match self.send(UpstreamCall::Exchange, self.client.exchange(code)).await {
                Ok(tokens) => return Ok(tokens),
                Err(error) => error,
            };
            let pause = match error.advice() {
                Advice::Retry { after } if tries < TRIES => after.unwrap_or(PAUSE),
                _ => return Err(error),
            };
            if pause > LONGEST_PAUSE {
                return Err(error);
            }
            tries = tries.saturating_add(1);
            tokio::time::sleep(pause).await;
        }
    }

    /// Keeps a new grant, and gives its device a code.
    ///
    /// The device is written down first: whatever happens between the two writes, what is left of the login is found and
    /// ended.
    async fn welcome(&self, handles: &Handles, login: &Login, tokens: &Tokens) -> Response<Bytes> {
        let Some((device, code)) = self.new_device(login, tokens) else {
            return self.not_kept(login, tokens, &"the operating system gives no random bytes").await;
        };
        if let Err(error) = handles.storage.insert(device).await {
            return self.not_kept(login, tokens, &error).await;
        }
        handles.endings.expect(code.id());
        let kept = match handles.grant(code.id()) {
            Ok(grant) => grant.log_in(tokens).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = kept {
            handles.end(code.id()).await;
            return self.not_kept(login, tokens, &error).await;
        }
        self.step(LoginStep::Granted);
        returned(self.protocol.rules(), login, &code)
    }

    /// Ends a login that cannot be kept.
    async fn not_kept(&self, login: &Login, tokens: &Tokens, why: &(dyn fmt::Display + Sync)) -> Response<Bytes> {
        self.revoke_at_once(tokens).await;
        self.tell_failure(why);
        let reason = "the broker cannot store the login: begin again";
        failed_login(self.protocol.rules(), login, "server_error", reason)
    }

    /// The device of a login that has just come back, and its code. `None` without random bytes.
    pub(super) fn new_device(&self, login: &Login, tokens: &Tokens) -> Option<(Device, Key)> {
        let code = Key::new(DeviceId::from(random().ok()?), random().ok()?);
        let scope = tokens.scopes().map(|scopes| scopes.as_str().to_owned());
        let device = Device::new(&code, login.owner.clone(), login.binding.clone(), scope, self.clock.now());
        Some((device, code))
    }

    /// Revokes tokens that nobody will ever use. Returns whether that worked: if not, they end by themselves one day.
    pub(super) async fn revoke_at_once(&self, tokens: &Tokens) -> bool {
        let call = match tokens.refresh_token() {
            Some(token) => self.client.revoke(token),
            None => self.client.revoke(tokens.access_token()),
        };
        self.send(UpstreamCall::Revoke, call).await.is_ok()
    }
}

/// The store failed, and nobody knows whether the login is still there.
fn lost() -> Response<Bytes> {
    unavailable(SOON, "the broker cannot read the login: begin again in the program")
}
