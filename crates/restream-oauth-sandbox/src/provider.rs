//! [`Provider`]: the one Restream that all connections share.
//!
//! It locks the authorization server, passes in the time and fresh random strings, and copies the counts into the ledger.

use std::sync::Mutex;

use crate::ledger::Book;
use crate::restream::authorization_request::AuthorizationRequest;
use crate::restream::authorization_server::{AuthorizationServer, Context, FreshPair, KnownRefreshToken, LivingGrant};
use crate::restream::error_response::ErrorResponse;
use crate::restream::form::Form;
use crate::restream::issued_tokens::Grant;
use crate::restream::reuse::Reuse;
use crate::restream::rules::{Rules, TokenFormat};
use crate::restream::settings::Settings;
use crate::restream::token_format::formatted;
use crate::restream::token_response::token_response;
use crate::system::clock::Clock;
use crate::system::random;
use crate::system::sync::lock;

/// An authorization server with its settings, its clock and its ledger.
pub(crate) struct Provider {
    pub(crate) settings: Settings,
    rules: Mutex<Rules>,
    rules_at_start: Rules,
    pub(crate) clock: Clock,
    pub(crate) book: Book,
    authorization_server: Mutex<AuthorizationServer>,
}

impl Provider {
    pub(crate) fn new(settings: Settings, rules: Rules) -> Self {
        Self {
            settings,
            rules: Mutex::new(rules),
            rules_at_start: rules,
            clock: Clock::default(),
            book: Book::default(),
            authorization_server: Mutex::default(),
        }
    }

    /// The rules at this moment.
    pub(crate) fn rules(&self) -> Rules {
        *lock(&self.rules)
    }

    /// Changes the rules. If the change fails, they stay as they were.
    pub(crate) fn change_rules<E>(&self, change: impl FnOnce(&mut Rules) -> Result<(), E>) -> Result<(), E> {
        let mut current = lock(&self.rules);
        let mut changed = *current;
        change(&mut changed)?;
        *current = changed;
        Ok(())
    }

    pub(crate) fn set_rules(&self, rules: Rules) {
        *lock(&self.rules) = rules;
    }

    /// Carries out the user's decision. Returns the address that the browser goes to.
    pub(crate) fn settle(&self, asked: AuthorizationRequest, approved: bool) -> Result<String, ErrorResponse> {
        if !approved {
            return Ok(asked.deny(self.rules().denial));
        }
        let code = self.fresh(TokenFormat::Hex)?;
        Ok(self.act(|server, context| server.approve(context, asked, code)))
    }

    /// Handles a token request of an authenticated client. Returns the body of the response.
    pub(crate) fn token(&self, form: &Form) -> Result<String, ErrorResponse> {
        let format = self.rules().token_format;
        let pair = FreshPair { access_token: self.fresh(format)?, refresh_token: self.fresh(format)? };
        self.act(|server, context| server.token(context, form, pair).map(|issued| token_response(&issued, context)))
    }

    /// Revokes the pair that this token belongs to, if there is one.
    pub(crate) fn revoke(&self, token: &str) {
        self.act(|server, _| server.revoke(token));
    }

    /// The grants that have a living token.
    pub(crate) fn living_grants(&self) -> Vec<LivingGrant> {
        lock(&self.authorization_server).living_grants(self.clock.now())
    }

    /// The access tokens that have expired, and that no refresh has replaced.
    pub(crate) fn expired_access_tokens(&self) -> usize {
        lock(&self.authorization_server).expired_access_tokens(self.clock.now())
    }

    /// The newest uses of dead refresh tokens.
    pub(crate) fn reuses(&self) -> Vec<Reuse> {
        lock(&self.authorization_server).reuses()
    }

    /// Ends one grant, or all grants. Returns how many were alive.
    pub(crate) fn end_grants(&self, only: Option<Grant>) -> u64 {
        self.act(|server, context| server.end_grants(only, context.now))
    }

    /// Looks at what is known of this refresh token.
    pub(crate) fn look_at<T>(&self, token: &str, look: impl FnOnce(Option<KnownRefreshToken<'_>>) -> T) -> T {
        look(lock(&self.authorization_server).refresh_token(token))
    }

    /// Fails unless this access token is valid at the API.
    pub(crate) fn check_access_token(&self, token: &str) -> Result<(), ErrorResponse> {
        self.act(|server, context| server.check_access_token(token, context.now))
    }

    /// Forgets codes, tokens and the ledger, and returns to the system's time and to the rules of the start.
    pub(crate) fn reset(&self) {
        self.set_rules(self.rules_at_start);
        *lock(&self.authorization_server) = AuthorizationServer::default();
        self.clock.reset();
        self.book.reset();
    }

    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut AuthorizationServer, Context<'_>) -> T) -> T {
        let mut server = lock(&self.authorization_server);
        let context = Context { settings: &self.settings, rules: self.rules(), now: self.clock.now() };
        let outcome = act(&mut server, context);
        // The counts are copied while the server is locked, so that older counts never replace newer ones.
        self.book.count(server.tally());
        outcome
    }

    /// Draws a new code or token.
    fn fresh(&self, format: TokenFormat) -> Result<String, ErrorResponse> {
        let random = random::hex_40().map_err(|_| ErrorResponse::server_error("Server error: no randomness"))?;
        Ok(formatted(format, &self.settings.token_prefix, &random))
    }
}
