//! All tokens that were ever issued, the dead ones included, so that their reuse is noticed.
//!
//! A sandbox under load issues millions of them. So a token is kept as a digest, in about a hundred bytes, and a refresh
//! looks at the tokens of its own pair only.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::restream::rules::Rotation;

/// One consent of the user. Each refresh replaces its pair with a new one.
pub(crate) type Grant = u64;

/// Every token, by its digest.
#[derive(Default)]
pub(crate) struct IssuedTokens {
    tokens: HashMap<Key, Token>,
    /// Grants whose tokens are all dead. They never get another token.
    killed: HashSet<Grant>,
}

/// A token that was issued.
pub(crate) struct Token {
    pub(crate) grant: Grant,
    pub(crate) kind: TokenKind,
    /// Tokens of one grant share these.
    pub(crate) scopes: Arc<[String]>,
    pub(crate) expires_at: Duration,
    /// When a refresh replaced this token. `None` if it did not.
    pub(crate) replaced_at: Option<Duration>,
    /// The next token of the same pair. A pair is a list: first its refresh token, then its access tokens that no refresh
    /// has replaced.
    next: Option<Key>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Access,
    Refresh,
}

/// Recognises a token. Digests of 16 bytes do not collide by chance.
type Key = [u8; 16];

impl IssuedTokens {
    pub(crate) fn get(&self, token: &str) -> Option<&Token> {
        self.tokens.get(&key(token))
    }

    /// Adds the pair of a login or of a rotation.
    pub(crate) fn insert_pair(&mut self, access: (&str, Token), refresh: Option<(&str, Token)>) {
        let access_key = key(access.0);
        self.tokens.insert(access_key, access.1);
        if let Some((token, refresh)) = refresh {
            self.tokens.insert(key(token), Token { next: Some(access_key), ..refresh });
        }
    }

    /// Adds an access token to the pair of a refresh token that stays as it is.
    pub(crate) fn insert_access_token(&mut self, refresh_token: &str, access_token: &str, token: Token) {
        let access_key = key(access_token);
        let next = self.tokens.get_mut(&key(refresh_token)).and_then(|refresh| refresh.next.replace(access_key));
        self.tokens.insert(access_key, Token { next, ..token });
    }

    /// Marks tokens of the pair as replaced by a refresh: all of them, or all but the refresh token. Returns true if one of
    /// the access tokens had expired.
    pub(crate) fn replace_pair(&mut self, refresh_token: &str, with_refresh_token: bool, now: Duration) -> bool {
        let Some(refresh) = self.tokens.get_mut(&key(refresh_token)) else { return false };
        if with_refresh_token {
            refresh.replaced_at.get_or_insert(now);
        }
        let (mut next, mut had_expired) = (refresh.next.take(), false);
        while let Some(access) = next.and_then(|next| self.tokens.get_mut(&next)) {
            access.replaced_at.get_or_insert(now);
            had_expired |= access.expires_at <= now;
            next = access.next.take();
        }
        had_expired
    }

    /// Kills all tokens of a grant, those in grace included.
    pub(crate) fn kill(&mut self, grant: Grant) {
        self.killed.insert(grant);
    }

    pub(crate) fn is_alive(&self, token: &Token) -> bool {
        token.replaced_at.is_none() && !self.killed.contains(&token.grant)
    }

    /// Whether a refresh replaced this token so recently that it still works.
    pub(crate) fn is_in_grace(&self, token: &Token, rotation: Rotation, now: Duration) -> bool {
        match (rotation, token.replaced_at) {
            (Rotation::Grace(grace), Some(replaced_at)) => {
                now < replaced_at.saturating_add(grace) && !self.killed.contains(&token.grant)
            }
            _ => false,
        }
    }

    /// Tokens that neither a refresh nor the end of their grant has killed. They may have expired.
    pub(crate) fn alive(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values().filter(|token| self.is_alive(token))
    }
}

impl Token {
    pub(crate) fn new(grant: Grant, kind: TokenKind, scopes: Arc<[String]>, expires_at: Duration) -> Self {
        Self { grant, kind, scopes, expires_at, replaced_at: None, next: None }
    }
}

fn key(token: &str) -> Key {
    let digest: [u8; 32] = Sha256::digest(token).into();
    digest.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Duration = Duration::from_secs(100);

    fn token(kind: TokenKind) -> Token {
        Token::new(1, kind, Arc::new([]), LATER)
    }

    fn alive(tokens: &IssuedTokens, names: &[&str]) -> Vec<bool> {
        names.iter().map(|name| tokens.is_alive(tokens.get(name).unwrap())).collect()
    }

    #[test]
    fn a_refresh_replaces_the_tokens_of_its_own_pair_alone() {
        let mut tokens = IssuedTokens::default();
        for (access, refresh) in [("a1", "r1"), ("a2", "r2")] {
            tokens.insert_pair((access, token(TokenKind::Access)), Some((refresh, token(TokenKind::Refresh))));
        }
        tokens.insert_access_token("r1", "a1b", token(TokenKind::Access));
        assert!(!tokens.replace_pair("r1", false, Duration::ZERO));
        assert_eq!(alive(&tokens, &["a1", "a1b", "r1", "a2", "r2"]), [false, false, true, true, true]);
        tokens.insert_access_token("r1", "a1c", token(TokenKind::Access));
        assert!(tokens.replace_pair("r1", true, LATER), "it expired in this moment");
        assert_eq!(alive(&tokens, &["a1c", "r1", "a2", "r2"]), [false, false, true, true]);
        assert_eq!(tokens.get("a1b").unwrap().replaced_at, Some(Duration::ZERO), "as at first");
    }

    #[test]
    fn a_token_takes_about_a_hundred_bytes() {
        assert!(size_of::<(Key, Token)>() <= 96, "{}", size_of::<(Key, Token)>());
    }
}
