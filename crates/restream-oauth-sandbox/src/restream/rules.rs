//! The rules in which authorization servers differ. Each has a name and is set by a word.
//!
//! The default rules are what Restream documents. Where Restream documents nothing, they accept what most clients send.
//! A test sets rules before the start with [`Builder::rules`](crate::Builder::rules), and on a running sandbox with
//! [`Sandbox::set_rules`](crate::Sandbox::set_rules). Tests in other languages send an object of names and words to
//! `POST /_sandbox/rules`, such as `{"basic":"raw"}`. [`Rules::set`] takes the same names and words.
//!
//! | rule | word | meaning |
//! |---|---|---|
//! | `basic` | `either` (default) | Basic credentials may be raw, form-encoded, or raw with only the colons escaped |
//! | | `raw` | the server compares Basic credentials without decoding them |
//! | | `decoded` | the server form-decodes Basic credentials (RFC 6749 section 2.3.1) |
//! | `refresh_scope` | `ignore` (default) | a refresh that asks for more scopes than were granted gets the granted ones |
//! | | `refuse` | such a refresh gets `invalid_scope` (RFC 6749 section 6) |
//! | `rotation` | `strict` (default) | a refresh replaces both tokens, and the old ones are dead at once |
//! | | `grace=SECONDS` | the old refresh token works this much longer; each use issues a further pair |
//! | | `family` | as `strict`, and the use of a dead refresh token revokes the whole grant (RFC 9700 section 4.14.2) |
//! | | `none` | a refresh issues a further access token, and nothing dies |
//! | `refresh_token` | `always` (default) | every token response has a refresh token |
//! | | `exchange` | only the response to an exchange has one, and refreshes leave it valid |
//! | | `never` | no response has one |
//! | `granted_scope` | `all` (default) | an approval grants all scopes of the application |
//! | | `narrower` | an approval grants all but the last |
//! | `shape` | `documented` (default) | a token response has the members in `snake_case` and in camelCase |
//! | | `snake` | only those in `snake_case` |
//! | | `camel` | only those in camelCase |
//! | | `minimal` | only the five members of RFC 6749 section 5.1 |
//! | `lifetime` | `full` (default) | a token response says how long its tokens live, and when they expire |
//! | | `absolute` | it only says when they expire: `expires` without `expires_in` |
//! | | `none` | it says neither |
//! | `errors` | `nested` (default) | an error body is `{"error":{"name":…,"message":…,…}}`, as Restream documents |
//! | | `flat` | an error body is `{"error":…,"error_description":…}` (RFC 6749 section 5.2) |
//! | | `bare` | an error body is the inner object of `nested` |
//! | `token_format` | `hex` (default) | a token is 40 hexadecimal digits |
//! | | `base64` | a token contains `+`, `/` and `=` |
//! | | `jwt=BYTES` | a token looks like a JWT of this many bytes, 1024 to 4096 |
//! | `denial` | `without_parameters` (default) | a denial redirects without any parameter, as Restream documents |
//! | | `with_parameters` | a denial redirects with `error=access_denied` and `state` (RFC 6749 section 4.1.2.1) |

use std::fmt;
use std::time::Duration;

/// The rules that an authorization server follows.
///
/// ```
/// use restream_oauth_sandbox::Sandbox;
/// use restream_oauth_sandbox::rules::{BasicCredentials, Rules};
///
/// let mut rules = Rules::default();
/// rules.basic = BasicCredentials::Raw;
/// let sandbox = Sandbox::builder().rules(rules).start()?;
///
/// rules.set("basic", "decoded")?;
/// sandbox.set_rules(rules);
/// assert_eq!(sandbox.rules().basic, BasicCredentials::Decoded);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// How the server reads Basic credentials.
    pub basic: BasicCredentials,
    /// What happens to a refresh that asks for more scopes than were granted.
    pub refresh_scope: RefreshScope,
    /// What a refresh does to the old tokens.
    pub rotation: Rotation,
    /// Which token responses have a refresh token.
    pub refresh_token: RefreshTokens,
    /// Which scopes an approval grants.
    pub granted_scope: GrantedScope,
    /// Which members a token response has.
    pub shape: Shape,
    /// What a token response says about the lifetimes of its tokens.
    pub lifetime: Lifetime,
    /// The form of error bodies.
    pub errors: ErrorStyle,
    /// What tokens look like.
    pub token_format: TokenFormat,
    /// Which parameters a denial has.
    pub denial: Denial,
}

impl Rules {
    /// Sets a rule by its name and a word, as the [module's table](self) lists them.
    ///
    /// # Errors
    ///
    /// Fails if there is no such rule, or no such word for it.
    pub fn set(&mut self, rule: &str, word: &str) -> Result<(), RuleError> {
        match rule {
            "basic" => self.basic = choose(rule, &BasicCredentials::WORDS, word)?,
            "refresh_scope" => self.refresh_scope = choose(rule, &RefreshScope::WORDS, word)?,
            "rotation" => self.rotation = Rotation::read(rule, word)?,
            "refresh_token" => self.refresh_token = choose(rule, &RefreshTokens::WORDS, word)?,
            "granted_scope" => self.granted_scope = choose(rule, &GrantedScope::WORDS, word)?,
            "shape" => self.shape = choose(rule, &Shape::WORDS, word)?,
            "lifetime" => self.lifetime = choose(rule, &Lifetime::WORDS, word)?,
            "errors" => self.errors = choose(rule, &ErrorStyle::WORDS, word)?,
            "token_format" => self.token_format = TokenFormat::read(rule, word)?,
            "denial" => self.denial = choose(rule, &Denial::WORDS, word)?,
            _ => return Err(self.unknown(rule)),
        }
        Ok(())
    }

    /// The name and the current word of every rule.
    #[must_use]
    pub fn words(&self) -> Vec<(&'static str, String)> {
        vec![
            ("basic", spelled(&BasicCredentials::WORDS, self.basic)),
            ("refresh_scope", spelled(&RefreshScope::WORDS, self.refresh_scope)),
            ("rotation", self.rotation.word()),
            ("refresh_token", spelled(&RefreshTokens::WORDS, self.refresh_token)),
            ("granted_scope", spelled(&GrantedScope::WORDS, self.granted_scope)),
            ("shape", spelled(&Shape::WORDS, self.shape)),
            ("lifetime", spelled(&Lifetime::WORDS, self.lifetime)),
            ("errors", spelled(&ErrorStyle::WORDS, self.errors)),
            ("token_format", self.token_format.word()),
            ("denial", spelled(&Denial::WORDS, self.denial)),
        ]
    }

    fn unknown(self, rule: &str) -> RuleError {
        let names: Vec<_> = self.words().into_iter().map(|(name, _)| name).collect();
        RuleError(format!("unknown rule `{rule}`: expected {}", names.join(", ")))
    }
}

/// How the server reads the credentials of a Basic header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BasicCredentials {
    /// Raw, form-encoded, or raw with only the colons escaped.
    #[default]
    Either,
    /// Without decoding. A client that form-encodes special characters fails.
    Raw,
    /// Form-decoded (RFC 6749 section 2.3.1). A client that sends a raw `+` or `%` fails.
    Decoded,
}

impl BasicCredentials {
    const WORDS: [(&str, Self); 3] = [("either", Self::Either), ("raw", Self::Raw), ("decoded", Self::Decoded)];
}

/// What the server does with a refresh that asks for more scopes than were granted. A refresh may always ask for fewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshScope {
    /// Ignores `scope` and keeps the granted scopes. Some well-known clients repeat the scopes that they once asked for.
    #[default]
    Ignore,
    /// Answers with `invalid_scope` (RFC 6749 section 6). The refresh token stays valid.
    Refuse,
}

impl RefreshScope {
    const WORDS: [(&str, Self); 2] = [("ignore", Self::Ignore), ("refuse", Self::Refuse)];
}

/// What a refresh does to the old tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rotation {
    /// Replaces both tokens. The old ones are dead at once, as Restream documents.
    #[default]
    Strict,
    /// Replaces both tokens, but the old refresh token works for this much longer. Each use issues a further pair.
    Grace(Duration),
    /// Replaces both tokens. The use of a dead refresh token revokes the whole grant (RFC 9700 section 4.14.2).
    Family,
    /// Issues a further access token and repeats the refresh token. Older access tokens stay valid until they expire.
    None,
}

impl Rotation {
    const WORDS: [(&str, Self); 3] = [("strict", Self::Strict), ("family", Self::Family), ("none", Self::None)];

    fn read(rule: &str, word: &str) -> Result<Self, RuleError> {
        if let Some(seconds) = word.strip_prefix("grace=").and_then(|seconds| seconds.parse().ok()) {
            return Ok(Self::Grace(Duration::from_secs(seconds)));
        }
        choose(rule, &Self::WORDS, word).map_err(|RuleError(message)| RuleError(message + ", grace=SECONDS"))
    }

    fn word(self) -> String {
        match self {
            Self::Grace(duration) => format!("grace={}", duration.as_secs()),
            other => spelled(&Self::WORDS, other),
        }
    }
}

/// Which token responses have a refresh token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshTokens {
    /// Every token response.
    #[default]
    Always,
    /// Only the exchange's. A refresh leaves the refresh token valid (RFC 6749 section 6).
    Exchange,
    /// None, so that there is nothing to refresh with.
    Never,
}

impl RefreshTokens {
    const WORDS: [(&str, Self); 3] = [("always", Self::Always), ("exchange", Self::Exchange), ("never", Self::Never)];
}

/// Which scopes an approval grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantedScope {
    /// All scopes of the application.
    #[default]
    All,
    /// All scopes of the application but the last. The callback and the token response say so.
    Narrower,
}

impl GrantedScope {
    const WORDS: [(&str, Self); 2] = [("all", Self::All), ("narrower", Self::Narrower)];
}

/// Which members a token response has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Those in `snake_case` and those in camelCase, as Restream documents.
    #[default]
    Documented,
    /// Only those in `snake_case`: the names of RFC 6749, and `expires`.
    Snake,
    /// Only those in camelCase.
    Camel,
    /// Only the five members of RFC 6749 section 5.1.
    Minimal,
}

impl Shape {
    const WORDS: [(&str, Self); 4] =
        [("documented", Self::Documented), ("snake", Self::Snake), ("camel", Self::Camel), ("minimal", Self::Minimal)];
}

/// What a token response says about the lifetimes of its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lifetime {
    /// How long they live, and when they expire.
    #[default]
    Full,
    /// Only when they expire: `expires` without `expires_in`.
    Absolute,
    /// Nothing. RFC 6749 section 5.1 recommends `expires_in` but does not require it.
    None,
}

impl Lifetime {
    const WORDS: [(&str, Self); 3] = [("full", Self::Full), ("absolute", Self::Absolute), ("none", Self::None)];
}

/// The form of error bodies at the token endpoint, the revocation endpoint and the profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorStyle {
    /// `{"error":{"statusCode":…,"status":…,"code":…,"message":…,"name":…}}`, as Restream documents.
    #[default]
    Nested,
    /// `{"error":…,"error_description":…}` (RFC 6749 section 5.2), as gateways send it.
    Flat,
    /// The inner object of [`ErrorStyle::Nested`], as oauth2-server sends it.
    Bare,
}

impl ErrorStyle {
    const WORDS: [(&str, Self); 3] = [("nested", Self::Nested), ("flat", Self::Flat), ("bare", Self::Bare)];
}

/// What access tokens and refresh tokens look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenFormat {
    /// 40 hexadecimal digits.
    #[default]
    Hex,
    /// Base64 with `+`, `/` and `=`, which clients must percent-encode in a form.
    Base64,
    /// A JWT of this many bytes, from [`TokenFormat::MIN_JWT`] to [`TokenFormat::MAX_JWT`]; other numbers count as the
    /// nearer of the two. It has the three parts and can be decoded, but its signature is random.
    Jwt(u16),
}

impl TokenFormat {
    /// The smallest JWT.
    pub const MIN_JWT: u16 = 1024;
    /// The largest JWT.
    pub const MAX_JWT: u16 = 4096;
    const WORDS: [(&str, Self); 2] = [("hex", Self::Hex), ("base64", Self::Base64)];

    fn read(rule: &str, word: &str) -> Result<Self, RuleError> {
        let bytes = word.strip_prefix("jwt=").and_then(|bytes| bytes.parse().ok());
        if let Some(bytes) = bytes.filter(|bytes| (Self::MIN_JWT..=Self::MAX_JWT).contains(bytes)) {
            return Ok(Self::Jwt(bytes));
        }
        let with_jwt =
            |RuleError(message)| RuleError(format!("{message}, jwt=BYTES ({} to {})", Self::MIN_JWT, Self::MAX_JWT));
        choose(rule, &Self::WORDS, word).map_err(with_jwt)
    }

    fn word(self) -> String {
        match self {
            Self::Jwt(bytes) => format!("jwt={bytes}"),
            other => spelled(&Self::WORDS, other),
        }
    }
}

/// Which parameters a denial has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// None, as Restream documents.
    #[default]
    WithoutParameters,
    /// `error=access_denied`, a description, and `state` (RFC 6749 section 4.1.2.1).
    WithParameters,
}

impl Denial {
    const WORDS: [(&str, Self); 2] =
        [("without_parameters", Self::WithoutParameters), ("with_parameters", Self::WithParameters)];
}

/// Why a rule was not set. The message names the rule and the possible words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError(String);

impl fmt::Display for RuleError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for RuleError {}

fn choose<T: Copy>(rule: &str, words: &[(&str, T)], word: &str) -> Result<T, RuleError> {
    words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        RuleError(format!("`{rule}`: expected {}", words.join(", ")))
    })
}

fn spelled<T: Copy + PartialEq>(words: &[(&str, T)], value: T) -> String {
    words.iter().find(|(_, known)| *known == value).map(|(word, _)| (*word).to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every rule with every word.
    const ALL: [(&str, &[&str]); 10] = [
        ("basic", &["either", "raw", "decoded"]),
        ("refresh_scope", &["ignore", "refuse"]),
        ("rotation", &["strict", "grace=0", "grace=30", "family", "none"]),
        ("refresh_token", &["always", "exchange", "never"]),
        ("granted_scope", &["all", "narrower"]),
        ("shape", &["documented", "snake", "camel", "minimal"]),
        ("lifetime", &["full", "absolute", "none"]),
        ("errors", &["nested", "flat", "bare"]),
        ("token_format", &["hex", "base64", "jwt=1024", "jwt=4096"]),
        ("denial", &["without_parameters", "with_parameters"]),
    ];

    #[test]
    fn every_rule_is_set_by_its_words_and_spelled_with_the_same_words() {
        let defaults = Rules::default().words();
        for (rule, words) in ALL {
            assert!(defaults.contains(&(rule, words[0].to_owned())), "`{}` is the default of `{rule}`", words[0]);
            for word in words {
                let mut rules = Rules::default();
                rules.set(rule, word).unwrap();
                assert!(rules.words().contains(&(rule, (*word).to_owned())), "{rule} {word}");
            }
        }
        assert_eq!(defaults.len(), ALL.len());
    }

    #[test]
    fn an_unknown_rule_or_word_is_an_error_that_lists_the_known_ones() {
        let mut rules = Rules::default();
        assert_eq!(rules.set("basic", "Raw").unwrap_err().to_string(), "`basic`: expected either, raw, decoded");
        for word in ["grace", "grace=", "grace=-1", "grace=1.5", "grace=99999999999999999999", ""] {
            let message = rules.set("rotation", word).unwrap_err().to_string();
            assert_eq!(message, "`rotation`: expected strict, family, none, grace=SECONDS", "{word}");
        }
        for word in ["jwt", "jwt=1023", "jwt=4097", "jwt=x"] {
            let message = rules.set("token_format", word).unwrap_err().to_string();
            assert_eq!(message, "`token_format`: expected hex, base64, jwt=BYTES (1024 to 4096)", "{word}");
        }
        assert!(rules.set("bsaic", "raw").unwrap_err().to_string().starts_with("unknown rule `bsaic`: expected basic"));
        assert_eq!(rules, Rules::default());
    }
}
