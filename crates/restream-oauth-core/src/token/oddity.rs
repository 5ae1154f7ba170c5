//! Oddities: strange properties of a success response that are tolerated.

use std::fmt;

/// A strange property of a success response that is tolerated, so that the pair is not lost. See
/// [`Tokens::oddities`](crate::Tokens::oddities).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Oddity {
    /// The status is a success, but not 200.
    Status,
    /// The Content-Type is not JSON.
    ContentType,
    /// The body has a byte order mark, is UTF-16, or has bytes that are not UTF-8.
    Encoding,
    /// The response was truncated after the tokens had arrived.
    Truncated,
    /// The body is not one JSON object: it has a syntax error, or something follows the object.
    BrokenJson,
    /// The response has an `error` member next to the tokens.
    ErrorBesideTokens,
    /// A member is repeated with different values. The last usable value counts.
    DoubledMember,
    /// A member and its camelCase twin differ. The member of RFC 6749 counts.
    TwinsDiffer,
    /// A token member is not usable text. Its twin counts, if the twin is usable.
    UnusableToken,
    /// A lifetime is a number in an unusual spelling, such as `"1800"` or `1800.0`.
    LifetimeSpelling,
    /// A lifetime is null, 0, negative, not a number, or longer than ten years. Its twin counts, or else the
    /// lifetime that Restream documents.
    LifetimeUnusable,
    /// The response has no usable lifetime of the access token. An hour is assumed, as Restream documents.
    LifetimeAssumed,
    /// The response has no usable lifetime of the refresh token. A year is assumed, as Restream documents.
    RefreshLifetimeAssumed,
    /// The response has no token type. `Bearer` is assumed.
    TokenTypeMissing,
    /// The token type is not `Bearer`. The token is kept, but cannot be used as a bearer token.
    TokenTypeUnknown,
    /// `scope` is an array, or separates the scopes by commas.
    ScopeSpelling,
    /// Some scopes are not valid (RFC 6749 §3.3), and are left out.
    ScopeUnusable,
    /// The response to a refresh has no refresh token. The one that was sent stays valid and is kept (RFC 6749 §6).
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

    /// The name of the oddity in the saved form.
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

    /// Reads a name. A test checks that this `match` agrees with [`as_str`](Self::as_str).
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
    fn every_oddity_has_its_own_bit_and_its_own_name() {
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
