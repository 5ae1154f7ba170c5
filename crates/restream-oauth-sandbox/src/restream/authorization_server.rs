//! What Restream remembers and decides: codes, grants, rotation, revocation (RFC 6749, 7009 and 7636).
//!
//! A pure state machine. The caller passes in the time and fresh random strings. Of HTTP it knows only the parameters
//! of a form.
//!
//! ```text
//! approve ──▶ code ──exchange──▶ pair ──refresh──▶ pair ──refresh──▶ …
//!               │                 │ revoke          │
//!               └─ used twice ─▶ dead ◀─────────────┘ a refresh kills the previous pair at once
//! ```

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::restream::authorization_request::AuthorizationRequest;
use crate::restream::error_response::ErrorResponse;
use crate::restream::form::Form;
use crate::restream::rules::{GrantedScope, RefreshScope, RefreshTokens, Rotation, Rules};
use crate::restream::settings::Settings;

/// All codes and tokens. Dead ones are kept, so that their reuse is noticed.
#[derive(Default)]
pub(crate) struct AuthorizationServer {
    codes: HashMap<String, Code>,
    tokens: HashMap<String, Token>,
    grants: u64,
    pairs: u64,
    tally: Tally,
}

struct Code {
    redirect_uri: String,
    challenge: Option<String>,
    scopes: Vec<String>,
    expires_at: Duration,
    /// The grant that the exchange of this code created.
    used_for: Option<Grant>,
}

/// One consent of the user. Each refresh replaces its pair with a new one.
pub(crate) type Grant = u64;
/// Tokens that are replaced together.
type Pair = u64;

struct Token {
    grant: Grant,
    pair: Pair,
    kind: TokenKind,
    scopes: Vec<String>,
    expires_at: Duration,
    alive: bool,
    /// When a refresh replaced this token. `None` if it did not.
    replaced_at: Option<Duration>,
    /// Whether the grant was revoked, which also ends the grace of a replaced token.
    revoked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    Access,
    Refresh,
}

/// What an action depends on, besides the state of the server.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) rules: Rules,
    /// The time since the Unix epoch.
    pub(crate) now: Duration,
}

/// Random strings for a new pair.
pub(crate) struct FreshPair {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

/// What a successful token request issued.
pub(crate) struct Issued {
    pub(crate) access_token: String,
    /// `None` if the response has no refresh token.
    pub(crate) refresh_token: Option<RefreshToken>,
    pub(crate) scopes: Vec<String>,
}

/// A refresh token, and the time since the Unix epoch at which it expires.
pub(crate) struct RefreshToken {
    pub(crate) token: String,
    pub(crate) expires_at: Duration,
}

/// A grant with living tokens.
pub(crate) struct LivingGrant {
    /// Which of all grants it is, counted from 1.
    pub(crate) number: Grant,
    pub(crate) access_tokens: usize,
    pub(crate) refresh_tokens: usize,
}

/// A refresh token that was issued.
pub(crate) struct KnownRefreshToken<'server> {
    /// Whether a refresh replaced it.
    pub(crate) replaced: bool,
    /// The scopes that it was issued with.
    pub(crate) scopes: &'server [String],
}

/// The counts of the authorization server. [`Ledger`](crate::Ledger) explains each.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) codes_issued: u64,
    pub(crate) exchanges: u64,
    pub(crate) refreshes: u64,
    pub(crate) refreshes_in_grace: u64,
    pub(crate) revocations: u64,
    pub(crate) grants_ended: u64,
    pub(crate) codes_replayed: u64,
    pub(crate) dead_refresh_tokens_used: u64,
    pub(crate) dead_access_tokens_used: u64,
}

impl AuthorizationServer {
    /// The counts so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// The user approves. Issues `code` and returns the address that the browser goes to.
    pub(crate) fn approve(
        &mut self,
        Context { settings, rules, now }: Context<'_>,
        asked: AuthorizationRequest,
        code: String,
    ) -> String {
        let scopes = match (rules.granted_scope, settings.scopes.split_last()) {
            (GrantedScope::Narrower, Some((_, others))) => others.to_vec(),
            _ => settings.scopes.clone(),
        };
        let scope = scopes.join(" ");
        let location = asked.location(&[("code", &code), ("scope", &scope)]);
        self.tally.codes_issued += 1;
        self.codes.insert(
            code,
            Code {
                redirect_uri: asked.redirect_uri,
                challenge: asked.code_challenge,
                scopes,
                expires_at: now.saturating_add(settings.code_lifetime),
                used_for: None,
            },
        );
        location
    }

    /// Handles a token request of an authenticated client (RFC 6749 sections 4.1.3 and 6).
    pub(crate) fn token(
        &mut self,
        context: Context<'_>,
        form: &Form,
        fresh: FreshPair,
    ) -> Result<Issued, ErrorResponse> {
        match required(form, "grant_type")? {
            "authorization_code" => self.exchange(context, form, fresh),
            "refresh_token" => self.refresh(context, form, fresh),
            _ => Err(ErrorResponse::unsupported_grant_type()),
        }
    }

    fn exchange(&mut self, context: Context<'_>, form: &Form, fresh: FreshPair) -> Result<Issued, ErrorResponse> {
        let presented = required(form, "code")?;
        let redirect_uri = required(form, "redirect_uri")?;
        let invalid = || ErrorResponse::invalid_grant("Invalid grant: authorization code is invalid");
        let code = self.codes.get_mut(presented).ok_or_else(invalid)?;

        // RFC 6749 section 4.1.2: a second use also revokes the tokens of the first.
        if let Some(grant) = code.used_for {
            self.tally.codes_replayed += 1;
            self.kill(grant);
            return Err(invalid());
        }
        if context.now >= code.expires_at {
            return Err(ErrorResponse::invalid_grant("Invalid grant: authorization code has expired"));
        }
        if code.redirect_uri != redirect_uri {
            return Err(ErrorResponse::invalid_grant(format!(
                "Invalid grant: `redirect_uri` is not the one of the code: `{}`",
                code.redirect_uri
            )));
        }
        check_code_verifier(code.challenge.as_deref(), form.value("code_verifier"))?;

        self.grants += 1;
        code.used_for = Some(self.grants);
        let scopes = code.scopes.clone();
        self.tally.exchanges += 1;
        let grant = self.grants;
        let with_refresh_token = context.rules.refresh_token != RefreshTokens::Never;
        Ok(self.issue(context, grant, scopes, fresh, with_refresh_token))
    }

    fn refresh(&mut self, context: Context<'_>, form: &Form, fresh: FreshPair) -> Result<Issued, ErrorResponse> {
        let presented = required(form, "refresh_token")?;
        let invalid = || ErrorResponse::invalid_grant("Invalid grant: refresh token is invalid");
        let token = self.tokens.get(presented).ok_or_else(invalid)?;
        if token.kind != TokenKind::Refresh {
            return Err(invalid());
        }
        let (grant, pair, expires_at) = (token.grant, token.pair, token.expires_at);
        let in_grace = !token.alive && token.is_in_grace(context);
        if !token.alive && !in_grace {
            self.tally.dead_refresh_tokens_used += 1;
            if context.rules.rotation == Rotation::Family {
                self.kill(grant);
            }
            return Err(invalid());
        }
        if context.now >= expires_at {
            return Err(ErrorResponse::invalid_grant("Invalid grant: refresh token has expired"));
        }
        let scopes = refreshed_scopes(&token.scopes, form.value("scope"), context.rules.refresh_scope)?;

        self.tally.refreshes += 1;
        self.tally.refreshes_in_grace += u64::from(in_grace);
        let rotates = context.rules.rotation != Rotation::None;
        let repeats = context.rules.refresh_token == RefreshTokens::Always;
        if rotates && repeats {
            // "The previous access and refresh token are dead from that moment."
            self.replace(pair, &[TokenKind::Access, TokenKind::Refresh], context.now);
            return Ok(self.issue(context, grant, scopes, fresh, true));
        }
        // The refresh token stays as it is.
        if rotates {
            self.replace(pair, &[TokenKind::Access], context.now);
        }
        let refresh_token = repeats.then(|| RefreshToken { token: presented.to_owned(), expires_at });
        let access_token = fresh.access_token;
        let access_expires_at = context.now.saturating_add(context.settings.access_token_lifetime);
        self.insert(&access_token, grant, pair, TokenKind::Access, &scopes, access_expires_at);
        Ok(Issued { access_token, refresh_token, scopes })
    }

    /// Revokes the pair that this token belongs to. An unknown token is no error (RFC 7009 section 2.2).
    pub(crate) fn revoke(&mut self, token: &str) {
        if let Some(Token { grant, alive: true, .. }) = self.tokens.get(token) {
            self.tally.revocations += 1;
            self.kill(*grant);
        }
    }

    /// The grants that have a living token, in the order of their exchange.
    pub(crate) fn living_grants(&self, now: Duration) -> Vec<LivingGrant> {
        let mut grants = BTreeMap::<Grant, LivingGrant>::new();
        for token in self.tokens.values().filter(|token| token.alive && now < token.expires_at) {
            let number = token.grant;
            let grant = grants.entry(number).or_insert(LivingGrant { number, access_tokens: 0, refresh_tokens: 0 });
            match token.kind {
                TokenKind::Access => grant.access_tokens += 1,
                TokenKind::Refresh => grant.refresh_tokens += 1,
            }
        }
        grants.into_values().collect()
    }

    /// Ends this grant, or all grants, as the user can in the settings of the account. Returns how many were alive.
    pub(crate) fn end_grants(&mut self, only: Option<Grant>, now: Duration) -> u64 {
        let mut ended = 0;
        for LivingGrant { number, .. } in self.living_grants(now) {
            if only.is_none_or(|only| only == number) {
                self.kill(number);
                ended += 1;
            }
        }
        self.tally.grants_ended += ended;
        ended
    }

    /// What is known of this refresh token, dead or alive. `None` if it was never issued.
    pub(crate) fn refresh_token(&self, token: &str) -> Option<KnownRefreshToken<'_>> {
        let found = self.tokens.get(token).filter(|found| found.kind == TokenKind::Refresh)?;
        Some(KnownRefreshToken { replaced: found.replaced_at.is_some(), scopes: &found.scopes })
    }

    /// Fails unless this access token is valid at the API.
    pub(crate) fn check_access_token(&mut self, token: &str, now: Duration) -> Result<(), ErrorResponse> {
        match self.tokens.get(token) {
            Some(Token { kind: TokenKind::Access, alive: false, .. }) => {
                self.tally.dead_access_tokens_used += 1;
                Err(ErrorResponse::invalid_token("Invalid token: access token is invalid"))
            }
            Some(found) if found.kind == TokenKind::Access => {
                if now < found.expires_at {
                    Ok(())
                } else {
                    Err(ErrorResponse::invalid_token("Invalid token: access token has expired"))
                }
            }
            _ => Err(ErrorResponse::invalid_token("Invalid token: access token is invalid")),
        }
    }

    fn issue(
        &mut self,
        Context { settings, now, .. }: Context<'_>,
        grant: Grant,
        scopes: Vec<String>,
        fresh: FreshPair,
        with_refresh_token: bool,
    ) -> Issued {
        self.pairs += 1;
        let pair = self.pairs;
        let FreshPair { access_token, refresh_token } = fresh;
        let expires_at = now.saturating_add(settings.access_token_lifetime);
        self.insert(&access_token, grant, pair, TokenKind::Access, &scopes, expires_at);
        let refresh_token = with_refresh_token.then(|| {
            let expires_at = now.saturating_add(settings.refresh_token_lifetime);
            self.insert(&refresh_token, grant, pair, TokenKind::Refresh, &scopes, expires_at);
            RefreshToken { token: refresh_token, expires_at }
        });
        Issued { access_token, refresh_token, scopes }
    }

    fn insert(
        &mut self,
        token: &str,
        grant: Grant,
        pair: Pair,
        kind: TokenKind,
        scopes: &[String],
        expires_at: Duration,
    ) {
        let scopes = scopes.to_vec();
        let token_data =
            Token { grant, pair, kind, scopes, expires_at, alive: true, replaced_at: None, revoked: false };
        self.tokens.insert(token.to_owned(), token_data);
    }

    /// Kills tokens of these kinds because a refresh replaces them.
    fn replace(&mut self, pair: Pair, kinds: &[TokenKind], now: Duration) {
        let replaced = |token: &&mut Token| token.alive && token.pair == pair && kinds.contains(&token.kind);
        for token in self.tokens.values_mut().filter(replaced) {
            token.alive = false;
            token.replaced_at = Some(now);
        }
    }

    /// Kills all tokens of a grant, those in grace included.
    fn kill(&mut self, grant: Grant) {
        for token in self.tokens.values_mut().filter(|token| token.grant == grant) {
            token.alive = false;
            token.revoked = true;
        }
    }
}

impl Token {
    /// Whether a refresh replaced this token so recently that it still works.
    fn is_in_grace(&self, Context { rules, now, .. }: Context<'_>) -> bool {
        match (rules.rotation, self.replaced_at) {
            (Rotation::Grace(grace), Some(replaced_at)) => !self.revoked && now < replaced_at.saturating_add(grace),
            _ => false,
        }
    }
}

fn required<'form>(form: &'form Form, name: &str) -> Result<&'form str, ErrorResponse> {
    form.value(name).ok_or_else(|| ErrorResponse::invalid_request(format!("Missing parameter: `{name}`")))
}

/// RFC 7636 section 4.6, and RFC 9700 section 2.1.1: a verifier without a challenge is a downgrade.
fn check_code_verifier(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), ErrorResponse> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(ErrorResponse::invalid_grant("Invalid grant: `code_verifier` without a challenge")),
        (Some(_), None) => Err(ErrorResponse::invalid_grant("Missing parameter: `code_verifier`")),
        (Some(challenge), Some(verifier)) => {
            let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            let well_formed = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
            if well_formed && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge {
                Ok(())
            } else {
                Err(ErrorResponse::invalid_grant("Invalid grant: code verifier is invalid"))
            }
        }
    }
}

/// RFC 6749 section 6: a refresh may ask for fewer scopes than were granted, never for more.
fn refreshed_scopes(granted: &[String], asked: Option<&str>, rule: RefreshScope) -> Result<Vec<String>, ErrorResponse> {
    let asked: Vec<String> =
        asked.unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    if asked.is_empty() {
        return Ok(granted.to_vec());
    }
    match (asked.iter().all(|scope| granted.contains(scope)), rule) {
        (true, _) => Ok(asked),
        (false, RefreshScope::Ignore) => Ok(granted.to_vec()),
        (false, RefreshScope::Refuse) => {
            let listed: Vec<_> = granted.iter().map(|scope| format!("`{scope}`")).collect();
            Err(ErrorResponse::invalid_scope(format!(
                "Invalid scope: a refresh cannot ask for more than was granted: {}",
                listed.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests;
