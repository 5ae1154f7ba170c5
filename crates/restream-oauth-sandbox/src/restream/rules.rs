//! What authorization servers do differently, to be chosen by a word.
//!
//! A sandbox starts with the rules that Restream documents, or that harm the fewest clients. A test changes them before the
//! start with [`Builder::rules`](crate::Builder::rules), later with [`Sandbox::set_rules`](crate::Sandbox::set_rules),
//! and over HTTP with `POST /_sandbox/rules`, which takes an object of rules and words: `{"basic":"raw"}`. [`Rules::set`]
//! takes the same names and words.
//!
//! | rule | word | meaning |
//! |---|---|---|
//! | `basic` | `either` (default) | Basic credentials may be raw, form-encoded, or raw with only the colons escaped |
//! | | `raw` | the server compares Basic credentials without decoding them |
//! | | `decoded` | the server form-decodes Basic credentials (RFC 6749 section 2.3.1) |
//! | `refresh_scope` | `ignore` (default) | a refresh that asks for more scopes than were granted gets the granted ones |
//! | | `refuse` | such a refresh gets `invalid_scope` (RFC 6749 section 6) |

use std::fmt;

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
    const ALL: [(&str, &[&str]); 2] =
        [("basic", &["either", "raw", "decoded"]), ("refresh_scope", &["ignore", "refuse"])];

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
        assert!(rules.set("bsaic", "raw").unwrap_err().to_string().starts_with("unknown rule `bsaic`: expected basic"));
        assert_eq!(rules, Rules::default());
    }
}
