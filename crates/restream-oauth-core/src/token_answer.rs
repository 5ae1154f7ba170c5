//! Reading the answer to a code exchange or a refresh: RFC 6749 §5.1 and Restream's camelCase twins.
//!
//! A rotated pair is never thrown away because something else is strange: whatever follows two whole tokens, or
//! stands beside them, they are the result.

use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use crate::answer::{Question, Received, Text};
use crate::bearer::{AccessToken, TokenType};
use crate::error::{Error, Malformed, Operation, Salvaged};
use crate::json::{self, CleanText, Shape};
use crate::scope::{MOST_FROM_SERVER, Scopes, is_scope};
use crate::token::{Oddities, Oddity, RefreshToken, Tokens};

/// What Restream documents for access tokens.
const DOCUMENTED_LIFETIME: Duration = Duration::from_secs(3600);
/// What Restream documents for refresh tokens.
const DOCUMENTED_REFRESH_LIFETIME: Duration = Duration::from_secs(31_536_000);
/// A longer lifetime is a mistake: ten years.
const LONGEST_LIFETIME: u64 = 10 * 31_536_000;

pub(crate) fn read(received: Received, sent_at: SystemTime) -> Result<Tokens, Error> {
    match received.status() {
        Some(status) if status.is_success() => {}
        _ => return Err(received.into_refusal(sent_at)),
    }
    let text = received.text();
    let mut members = Members { placeholder: text.placeholder, ..Members::default() };
    let shape = json::members(text.as_str(), |key, raw| members.take(key, raw));
    let access_token = members.access_token.choose(&mut members.oddities).and_then(owned);
    let refresh_token = members.refresh_token.choose(&mut members.oddities).and_then(owned);
    let salvaged = match (access_token, refresh_token) {
        (Some(access), Some(refresh)) => {
            return Ok(members.into_tokens(&received, &text, shape, access, Some(refresh), sent_at));
        }
        // What follows the object says nothing about it.
        (Some(access), None) if matches!(shape, Shape::Complete | Shape::Followed) => {
            let sent = match received.question.operation {
                Operation::Refresh => received.question.parameter("refresh_token"),
                _ => None,
            };
            members.oddities.add_if(sent.is_some(), Oddity::RefreshTokenKept);
            return Ok(members.into_tokens(&received, &text, shape, access, sent, sent_at));
        }
        (Some(access), None) => {
            let (token_type, _) = members.token_type(&received.question);
            Some(Salvaged::AccessToken(AccessToken::of_type(access.into(), token_type)))
        }
        (None, Some(refresh)) => Some(Salvaged::RefreshToken(RefreshToken(refresh.into()))),
        (None, None) => None,
    };
    let error = members.error;
    drop(text);
    if salvaged.is_none() && error && received.read_refusal().is_error() {
        return Err(received.into_refusal(sent_at));
    }
    Err(received.into_unusable(Malformed::NoAccessToken, salvaged, shape, sent_at))
}

/// The members that matter, as far as they are usable. Tokens, scopes and type stay raw until all is read.
#[derive(Default)]
struct Members<'a> {
    access_token: Twins<&'a str>,
    refresh_token: Twins<&'a str>,
    lifetime: Twins<u64>,
    refresh_lifetime: Twins<u64>,
    scope: Twins<&'a str>,
    token_type: Twins<&'a str>,
    server_expires: Twins<u64>,
    server_refresh_expires: Twins<u64>,
    error: bool,
    placeholder: Option<char>,
    oddities: Oddities,
}

impl<'a> Members<'a> {
    fn take(&mut self, key: &[u8], raw: &'a str) {
        let Self { oddities, placeholder, .. } = self;
        let mut token = |raw| {
            let usable = usable_token(raw, *placeholder);
            oddities.add_if(usable.is_none() && holds_something(raw), Oddity::UnusableToken);
            usable
        };
        match key {
            b"access_token" => self.access_token.set_snake(token(raw), oddities),
            b"accessToken" => self.access_token.set_camel(token(raw), oddities),
            b"refresh_token" => self.refresh_token.set_snake(token(raw), oddities),
            b"refreshToken" => self.refresh_token.set_camel(token(raw), oddities),
            b"expires_in" => self.lifetime.set_snake(seconds(raw, oddities), oddities),
            b"accessTokenExpiresIn" => self.lifetime.set_camel(seconds(raw, oddities), oddities),
            b"refreshTokenExpiresIn" => self.refresh_lifetime.set_camel(seconds(raw, oddities), oddities),
            b"scope" => self.scope.set_snake(usable_scopes(raw, oddities), oddities),
            b"scopeJson" => self.scope.set_camel(usable_scopes(raw, oddities), oddities),
            b"token_type" => self.token_type.set_snake(holding(raw), oddities),
            b"tokenType" => self.token_type.set_camel(holding(raw), oddities),
            // The server's clock: kept for people, so strange values are no matter.
            b"expires" => self.server_expires.snake = raw.parse().ok(),
            b"accessTokenExpiresEpoch" => self.server_expires.camel = raw.parse().ok(),
            b"refreshTokenExpiresEpoch" => self.server_refresh_expires.camel = raw.parse().ok(),
            b"error" => self.error = holds_something(raw),
            _ => {}
        }
    }

    fn into_tokens(
        mut self,
        received: &Received,
        text: &Text<'_>,
        shape: Shape,
        access_token: Zeroizing<String>,
        refresh_token: Option<Zeroizing<String>>,
        sent_at: SystemTime,
    ) -> Tokens {
        let (token_type, type_oddity) = self.token_type(&received.question);
        let scopes = self.scopes();
        let lifetime = self.lifetime.choose(&mut self.oddities);
        let refresh_lifetime = self.refresh_lifetime.choose(&mut self.oddities);
        let mut oddities = self.oddities;
        oddities.add_if(received.status() != Some(http::StatusCode::OK), Oddity::Status);
        oddities.add_if(received.has_odd_content_type(), Oddity::ContentType);
        oddities.add_if(text.oddly_encoded, Oddity::Encoding);
        oddities.add_if(received.is_cut() || shape == Shape::Cut, Oddity::Truncated);
        oddities.add_if(matches!(shape, Shape::Broken | Shape::Followed), Oddity::BrokenJson);
        oddities.add_if(self.error, Oddity::ErrorBesideTokens);
        oddities.add_if(lifetime.is_none(), Oddity::LifetimeAssumed);
        oddities.add_if(refresh_lifetime.is_none() && refresh_token.is_some(), Oddity::RefreshLifetimeAssumed);
        if let Some(oddity) = type_oddity {
            oddities.add(oddity);
        }
        Tokens {
            access_token: AccessToken::of_type(access_token.into(), token_type),
            refresh_token: refresh_token.map(|text| RefreshToken(text.into())),
            sent_at,
            lifetime: lifetime.map_or(DOCUMENTED_LIFETIME, Duration::from_secs),
            refresh_lifetime: refresh_lifetime.map_or(DOCUMENTED_REFRESH_LIFETIME, Duration::from_secs),
            scopes,
            server_expires_at: self.server_expires.any().and_then(unix_time),
            server_refresh_expires_at: self.server_refresh_expires.any().and_then(unix_time),
            oddities,
        }
    }

    fn token_type(&mut self, question: &Question) -> (TokenType, Option<Oddity>) {
        let Twins { snake, camel } = self.token_type;
        let texts = [snake, camel].map(|raw| raw.and_then(json::string).filter(|text| !text.trim().is_empty()));
        if let [Some(snake), Some(camel)] = &texts {
            self.oddities.add_if(!snake.eq_ignore_ascii_case(camel), Oddity::TwinsDiffer);
        }
        match texts.into_iter().flatten().next() {
            None if self.token_type.any().is_none() => (TokenType::Bearer, Some(Oddity::TokenTypeMissing)),
            // Not even text: it is not `Bearer`, whatever it is.
            None => (TokenType::Other(Box::default()), Some(Oddity::TokenTypeUnknown)),
            Some(text) if text.eq_ignore_ascii_case("bearer") => (TokenType::Bearer, None),
            Some(text) => {
                let mut secrets: Vec<_> = self.tokens().filter_map(owned).collect();
                secrets.extend(question.secrets());
                (TokenType::read(&text, &secrets), Some(Oddity::TokenTypeUnknown))
            }
        }
    }

    /// The raw tokens, twins included.
    fn tokens(&self) -> impl Iterator<Item = &'a str> {
        [self.access_token, self.refresh_token].into_iter().flat_map(|twins| [twins.snake, twins.camel]).flatten()
    }

    /// `scope` and `scopeJson` are spelled differently by design, so what they say is compared.
    fn scopes(&mut self) -> Option<Scopes> {
        let raw = self.scope.any()?;
        let mut scopes = Scopes::with_capacity(raw.len());
        let mut usable = true;
        each_scope(raw, |scope| {
            usable &= scope.is_some_and(|scope| scopes.add(scope));
        });
        if let Twins { snake: Some(snake), camel: Some(camel) } = self.scope {
            let mut same = true;
            let mut count = 0_usize;
            each_scope(camel, |scope| {
                same &= scope.is_some_and(|scope| scopes.contains(scope));
                count = count.saturating_add(1);
            });
            self.oddities.add_if(!same || count != scopes.iter().count(), Oddity::TwinsDiffer);
            self.oddities.add_if(spelled_oddly(snake), Oddity::ScopeSpelling);
        } else if let Some(snake) = self.scope.snake {
            self.oddities.add_if(spelled_oddly(snake), Oddity::ScopeSpelling);
        }
        self.oddities.add_if(!usable, Oddity::ScopeUnusable);
        (!scopes.is_empty()).then_some(scopes)
    }
}

/// A member and its camelCase twin.
#[derive(Clone, Copy, Default)]
struct Twins<T> {
    snake: Option<T>,
    camel: Option<T>,
}

impl<T: Copy + Same> Twins<T> {
    fn set_snake(&mut self, value: Option<T>, oddities: &mut Oddities) {
        replace(&mut self.snake, value, oddities);
    }

    fn set_camel(&mut self, value: Option<T>, oddities: &mut Oddities) {
        replace(&mut self.camel, value, oddities);
    }

    /// The `snake_case` one, else its twin.
    fn any(self) -> Option<T> {
        self.snake.or(self.camel)
    }

    /// As [`any`](Self::any), and takes notice if they differ.
    fn choose(self, oddities: &mut Oddities) -> Option<T> {
        if let (Some(snake), Some(camel)) = (self.snake, self.camel) {
            oddities.add_if(!snake.same(camel), Oddity::TwinsDiffer);
        }
        self.any()
    }
}

/// The last value that holds something wins; one that holds nothing never replaces it.
fn replace<T: Copy + Same>(slot: &mut Option<T>, value: Option<T>, oddities: &mut Oddities) {
    let Some(value) = value else { return };
    if let Some(earlier) = slot.replace(value) {
        oddities.add_if(!earlier.same(value), Oddity::DoubledMember);
    }
}

/// Equal in meaning.
trait Same {
    fn same(self, other: Self) -> bool;
}

impl Same for u64 {
    fn same(self, other: Self) -> bool {
        self == other
    }
}

/// Raw JSON text.
impl Same for &str {
    fn same(self, other: Self) -> bool {
        self == other
            || (self.contains('\\') || other.contains('\\'))
                && json::string(self).as_deref() == json::string(other).as_deref()
    }
}

/// A token is any text but none, and all of it must have been text.
fn usable_token(raw: &str, placeholder: Option<char>) -> Option<&str> {
    let inner = json::inside_quotes(raw).filter(|inner| !inner.is_empty())?;
    if placeholder.is_some_and(|placeholder| inner.contains(placeholder)) {
        return None;
    }
    if inner.contains('\\') { json::string(raw).map(|_| raw) } else { Some(raw) }
}

fn owned(raw: &str) -> Option<Zeroizing<String>> {
    json::string(raw).map(CleanText::into_owned)
}

fn holding(raw: &str) -> Option<&str> {
    holds_something(raw).then_some(raw)
}

fn holds_something(raw: &str) -> bool {
    !matches!(raw, "null" | "\"\"" | "[]")
}

/// Scopes of which at least one is one.
fn usable_scopes<'a>(raw: &'a str, oddities: &mut Oddities) -> Option<&'a str> {
    let mut usable = false;
    each_scope(raw, |scope| usable |= scope.is_some_and(is_scope));
    oddities.add_if(!usable && holds_something(raw), Oddity::ScopeUnusable);
    usable.then_some(raw)
}

/// A lifetime in seconds, from 1 to ten years, however it is spelled.
fn seconds(raw: &str, oddities: &mut Oddities) -> Option<u64> {
    let text = json::inside_quotes(raw).unwrap_or(raw).trim();
    let usable = whole_part(text).filter(|seconds| (1..=LONGEST_LIFETIME).contains(seconds));
    let plain = raw.bytes().all(|byte| byte.is_ascii_digit());
    oddities.add_if(usable.is_some() && !plain, Oddity::LifetimeSpelling);
    oddities.add_if(usable.is_none() && raw != "null", Oddity::LifetimeUnusable);
    usable
}

/// The whole part of a number as JSON writes it (`1800`, `1800.0`, `1.8e3`); `None` if it is negative, no number, or
/// beyond 64 bits. By digits: a float would be rounded, and reading one takes more code than all the rest of this.
fn whole_part(text: &str) -> Option<u64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || !digits().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Where the point stands once the exponent has moved it. Within 20 digits of it a number fits 64 bits, or is 0.
    let exponent: i64 = exponent.parse().ok()?;
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let mut value = 0_u64;
    let mut place = 0_i64;
    for digit in digits().map(|byte| byte & 0x0F).chain(std::iter::repeat(0)) {
        let ended = place >= i64::try_from(mantissa.len()).ok()?;
        if place >= point || (ended && value == 0) {
            break;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        place = place.checked_add(1)?;
    }
    Some(value)
}

fn unix_time(seconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Scopes as a string (separated by spaces, or by commas) or as an array of strings; `None` for what is neither.
fn each_scope(raw: &str, mut on_scope: impl FnMut(Option<&str>)) {
    let mut left = MOST_FROM_SERVER;
    let mut take = |scope: Option<&str>| {
        match left.checked_sub(1) {
            Some(fewer) => left = fewer,
            None => return,
        }
        on_scope(scope);
    };
    let mut words = |raw: &str| match json::string(raw) {
        Some(text) => text.split([' ', ',']).filter(|word| !word.is_empty()).for_each(|word| take(Some(word))),
        None => take(None),
    };
    if raw.starts_with('[') {
        json::elements(raw, words);
    } else {
        words(raw);
    }
}

fn spelled_oddly(raw: &str) -> bool {
    raw.starts_with('[') || raw.contains(',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_part_of_a_number_is_read_by_its_digits() {
        let cases = [
            ("3600", Some(3600)),
            ("0", Some(0)),
            ("1800.0", Some(1800)),
            ("1800.999", Some(1800)),
            ("0.5", Some(0)),
            ("1.8e3", Some(1800)),
            ("1.8E+3", Some(1800)),
            ("36000e-1", Some(3600)),
            ("1e-400", Some(0)),
            ("0e999999999", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("1e400", None),
            ("1e9223372036854775807", None),
            ("1e99999999999999999999", None),
            ("-1", None),
            ("-0.5", None),
            ("", None),
            (".5", None),
            ("e3", None),
            ("1 000", None),
            ("0x10", None),
            ("inf", None),
            ("NaN", None),
        ];
        for (text, expected) in cases {
            assert_eq!(whole_part(text), expected, "{text}");
        }
    }
}
