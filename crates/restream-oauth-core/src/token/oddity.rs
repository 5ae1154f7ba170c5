//! What was strange about a response, and tolerated.

use std::fmt;

/// Something strange about a success answer that was tolerated, so that the pair was not lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Oddity {
    /// A status of success that is not 200.
    Status,
    /// The Content-Type is not JSON.
    ContentType,
    /// A byte order mark, UTF-16, or bytes that are no UTF-8.
    Encoding,
    /// The answer broke off after the pair was whole.
    Truncated,
    /// The JSON breaks, or something follows it, after the pair was whole.
    BrokenJson,
    /// The answer carries an error beside the tokens.
    ErrorBesideTokens,
    /// A member came twice with different values; the last that holds something counts.
    DoubledMember,
    /// A member and its camelCase twin differ; the RFC 6749 name counts.
    TwinsDiffer,
    /// A token is not text; its twin counts.
    UnusableToken,
    /// A lifetime is spelled strangely, such as `"1800"` or `1800.0`.
    LifetimeSpelling,
    /// A lifetime is null, 0, negative, no number, or longer than ten years; its twin or the documented one counts.
    LifetimeUnusable,
    /// The answer does not say how long the access token lives: an hour is assumed.
    LifetimeAssumed,
    /// The answer does not say how long the refresh token lives: a year is assumed.
    RefreshLifetimeAssumed,
    /// There is no token type: `Bearer` is assumed.
    TokenTypeMissing,
    /// The token type is not `Bearer`: the token is kept, but cannot be used as a bearer token.
    TokenTypeUnknown,
    /// The scopes are an array or separated by commas.
    ScopeSpelling,
    /// Some of the scopes are no scopes, and left out.
    ScopeUnusable,
    /// A refresh gave no new refresh token: the one that was sent is kept.
    RefreshTokenKept,
}

impl Oddity {
    const ALL: [Self; 18] = [
        Self::Status,
        Self::ContentType,
        Self::Encoding,
        Self::Truncated,
        Self::BrokenJson,
        Self::ErrorBesideTokens,
        Self::DoubledMember,
        Self::TwinsDiffer,
        Self::UnusableToken,
        Self::LifetimeSpelling,
        Self::LifetimeUnusable,
        Self::LifetimeAssumed,
        Self::RefreshLifetimeAssumed,
        Self::TokenTypeMissing,
        Self::TokenTypeUnknown,
        Self::ScopeSpelling,
        Self::ScopeUnusable,
        Self::RefreshTokenKept,
    ];

    /// Its name in the saved form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::ContentType => "content_type",
            Self::Encoding => "encoding",
            Self::Truncated => "truncated",
            Self::BrokenJson => "broken_json",
            Self::ErrorBesideTokens => "error_beside_tokens",
            Self::DoubledMember => "doubled_member",
            Self::TwinsDiffer => "twins_differ",
            Self::UnusableToken => "unusable_token",
            Self::LifetimeSpelling => "lifetime_spelling",
            Self::LifetimeUnusable => "lifetime_unusable",
            Self::LifetimeAssumed => "lifetime_assumed",
            Self::RefreshLifetimeAssumed => "refresh_lifetime_assumed",
            Self::TokenTypeMissing => "token_type_missing",
            Self::TokenTypeUnknown => "token_type_unknown",
            Self::ScopeSpelling => "scope_spelling",
            Self::ScopeUnusable => "scope_unusable",
            Self::RefreshTokenKept => "refresh_token_kept",
        }
    }

    /// Reads a name. The `match` and [`as_str`](Self::as_str) are held together by a test.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "status" => Self::Status,
            "content_type" => Self::ContentType,
            "encoding" => Self::Encoding,
            "truncated" => Self::Truncated,
            "broken_json" => Self::BrokenJson,
            "error_beside_tokens" => Self::ErrorBesideTokens,
            "doubled_member" => Self::DoubledMember,
            "twins_differ" => Self::TwinsDiffer,
            "unusable_token" => Self::UnusableToken,
            "lifetime_spelling" => Self::LifetimeSpelling,
            "lifetime_unusable" => Self::LifetimeUnusable,
            "lifetime_assumed" => Self::LifetimeAssumed,
            "refresh_lifetime_assumed" => Self::RefreshLifetimeAssumed,
            "token_type_missing" => Self::TokenTypeMissing,
            "token_type_unknown" => Self::TokenTypeUnknown,
            "scope_spelling" => Self::ScopeSpelling,
            "scope_unusable" => Self::ScopeUnusable,
            "refresh_token_kept" => Self::RefreshTokenKept,
            _ => return None,
        })
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of oddities.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Oddities(u32);

impl Oddities {
    pub(crate) fn add(&mut self, oddity: Oddity) {
        self.0 |= oddity.bit();
    }

    pub(crate) fn add_if(&mut self, condition: bool, oddity: Oddity) {
        if condition {
            self.add(oddity);
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Oddity> {
        Oddity::ALL.into_iter().filter(move |oddity| self.0 & oddity.bit() != 0)
    }
}

impl fmt::Debug for Oddities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oddity_has_a_bit_and_a_name_of_its_own() {
        let mut all = Oddities::default();
        for (index, oddity) in Oddity::ALL.into_iter().enumerate() {
            assert_eq!(oddity as usize, index);
            assert_eq!(Oddity::from_name(oddity.as_str()), Some(oddity));
            assert!(all.iter().all(|known| known != oddity));
            all.add(oddity);
        }
        assert!(all.iter().eq(Oddity::ALL));
        assert_eq!(Oddity::from_name("other"), None);
    }
}
