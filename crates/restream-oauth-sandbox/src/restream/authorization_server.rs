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

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::restream::authorization_request::AuthorizationRequest;
use crate::restream::error_response::ErrorResponse;
use crate::restream::form::Form;
use crate::restream::issued_tokens::{Grant, IssuedTokens, Token, TokenKind};
use crate::restream::reuse::Reuse;
use crate::restream::rules::{GrantedScope, RefreshScope, RefreshTokens, Rotation, Rules};
use crate::restream::settings::Settings;

/// The largest number of reuses that are kept. Older ones are only counted.
const REUSES_KEPT: usize = 10_000;

/// All codes and tokens. Dead ones are kept, so that their reuse is noticed.
#[derive(Default)]
pub(crate) struct AuthorizationServer {
    codes: HashMap<String, Code>,
    tokens: IssuedTokens,
    grants: u64,
    tally: Tally,
    /// The newest uses of dead refresh tokens.
    reuses: VecDeque<Reuse>,
}

struct Code {
    redirect_uri: String,
    challenge: Option<String>,
    scopes: Arc<[String]>,
    expires_at: Duration,
    /// The grant that the exchange of this code created.
    used_for: Option<Grant>,
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
    pub(crate) scopes: Arc<[String]>,
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
    pub(crate) refreshes_after_expiry: u64,
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
        let (scope, scopes) = (scopes.join(" "), scopes.into());
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
            self.tokens.kill(grant);
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
        let scopes = Arc::clone(&code.scopes);
        self.tally.exchanges += 1;
        let grant = self.grants;
        let with_refresh_token = context.rules.refresh_token != RefreshTokens::Never;
        Ok(self.issue(context, grant, &scopes, fresh, with_refresh_token))
    }

    fn refresh(&mut self, context: Context<'_>, form: &Form, fresh: FreshPair) -> Result<Issued, ErrorResponse> {
        let presented = required(form, "refresh_token")?;
        let invalid = || ErrorResponse::invalid_grant("Invalid grant: refresh token is invalid");
        let token = self.tokens.get(presented).ok_or_else(invalid)?;
        if token.kind != TokenKind::Refresh {
            return Err(invalid());
        }
        let (grant, expires_at, spent_at) = (token.grant, token.expires_at, token.replaced_at);
        let (alive, in_grace) =
            (self.tokens.is_alive(token), self.tokens.is_in_grace(token, context.rules.rotation, context.now));
        if !alive && !in_grace {
            self.note_reuse(Reuse { grant, spent_at, used_at: context.now });
            if context.rules.rotation == Rotation::Family {
                self.tokens.kill(grant);
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
        if rotates {
            // "The previous access and refresh token are dead from that moment."
            let had_expired = self.tokens.replace_pair(presented, repeats, context.now);
            self.tally.refreshes_after_expiry += u64::from(had_expired);
        }
        if rotates && repeats {
            return Ok(self.issue(context, grant, &scopes, fresh, true));
        }
        // The refresh token stays as it is.
        let refresh_token = repeats.then(|| RefreshToken { token: presented.to_owned(), expires_at });
        let access_token = fresh.access_token;
        let access_expires_at = context.now.saturating_add(context.settings.access_token_lifetime);
        let access = Token::new(grant, TokenKind::Access, Arc::clone(&scopes), access_expires_at);
        self.tokens.insert_access_token(presented, &access_token, access);
        Ok(Issued { access_token, refresh_token, scopes })
    }

    fn note_reuse(&mut self, reuse: Reuse) {
        self.tally.dead_refresh_tokens_used += 1;
        if self.reuses.len() == REUSES_KEPT {
            self.reuses.pop_front();
        }
        self.reuses.push_back(reuse);
    }

    /// Issues a pair to a new grant, as if the code of a login had been exchanged at the time of the context.
    pub(crate) fn mint(&mut self, context: Context<'_>, scopes: &Arc<[String]>, fresh: FreshPair) -> (Grant, Issued) {
        self.grants += 1;
        let grant = self.grants;
        (grant, self.issue(context, grant, scopes, fresh, true))
    }

    /// Revokes the pair that this token belongs to. An unknown token is no error (RFC 7009 section 2.2).
    pub(crate) fn revoke(&mut self, token: &str) {
        let found = self.tokens.get(token).filter(|found| self.tokens.is_alive(found));
        if let Some(grant) = found.map(|found| found.grant) {
            self.tally.revocations += 1;
            self.tokens.kill(grant);
        }
    }

    /// The grants that have a living token, in the order of their exchange.
    pub(crate) fn living_grants(&self, now: Duration) -> Vec<LivingGrant> {
        let mut grants = BTreeMap::<Grant, LivingGrant>::new();
        for token in self.tokens.alive().filter(|token| now < token.expires_at) {
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
                self.tokens.kill(number);
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

    /// The access tokens that have expired, and that no refresh has replaced.
    pub(crate) fn expired_access_tokens(&self, now: Duration) -> usize {
        self.tokens.alive().filter(|token| token.kind == TokenKind::Access && token.expires_at <= now).count()
    }

    /// The newest uses of dead refresh tokens, from the oldest on.
    pub(crate) fn reuses(&self) -> Vec<Reuse> {
        self.reuses.iter().copied().collect()
    }

    /// Fails unless this access token is valid at the API.
    pub(crate) fn check_access_token(&mut self, token: &str, now: Duration) -> Result<(), ErrorResponse> {
        match self.tokens.get(token) {
            Some(found) if found.kind == TokenKind::Access && !self.tokens.is_alive(found) => {
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
        scopes: &Arc<[String]>,
        fresh: FreshPair,
        with_refresh_token: bool,
    ) -> Issued {
        let token = |kind, lifetime| Token::new(grant, kind, Arc::clone(scopes), now.saturating_add(lifetime));
        let access = token(TokenKind::Access, settings.access_token_lifetime);
        let refresh = token(TokenKind::Refresh, settings.refresh_token_lifetime);
        let FreshPair { access_token, refresh_token } = fresh;
        let refresh_token =
            with_refresh_token.then_some(RefreshToken { token: refresh_token, expires_at: refresh.expires_at });
        let with_refresh = refresh_token.as_ref().map(|issued| (&*issued.token, refresh));
        self.tokens.insert_pair((&access_token, access), with_refresh);
        Issued { access_token, refresh_token, scopes: Arc::clone(scopes) }
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
fn refreshed_scopes(
    granted: &Arc<[String]>,
    asked: Option<&str>,
    rule: RefreshScope,
) -> Result<Arc<[String]>, ErrorResponse> {
    let asked: Vec<String> =
        asked.unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    if asked.is_empty() {
        return Ok(Arc::clone(granted));
    }
    match (asked.iter().all(|scope| granted.contains(scope)), rule) {
        (true, _) => Ok(asked.into()),
        (false, RefreshScope::Ignore) => Ok(Arc::clone(granted)),
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
