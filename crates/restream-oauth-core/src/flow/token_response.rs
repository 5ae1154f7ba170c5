//! Parses the response to a code exchange or a refresh: the members of RFC 6749 §5.1, and Restream's camelCase twins.
//!
//! If both tokens arrive whole, they are the result, whatever else is strange in the response: a rotated pair must
//! never be lost.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::encoding::json::{self, Reading, Shape, Value};
use crate::encoding::text::Text;
use crate::error::{Error, Malformed, Operation, Salvaged};
use crate::round_trip::{Question, Received};
use crate::secret::{CleanText, SecretText};
use crate::token::{
    AccessToken, MOST_FROM_SERVER, Oddities, Oddity, RefreshToken, Scopes, TokenType, Tokens, is_scope, words,
};

/// The lifetime that Restream documents for access tokens: an hour.
const DOCUMENTED_LIFETIME: Duration = Duration::from_secs(3600);
/// The lifetime that Restream documents for refresh tokens: a year.
const DOCUMENTED_REFRESH_LIFETIME: Duration = Duration::from_secs(31_536_000);
/// The plausible lifetimes, in seconds: up to ten years.
const LIFETIMES: RangeInclusive<u64> = 1..=10 * 31_536_000;

pub(crate) fn read(received: Received<'_>) -> Result<Tokens, Error> {
    match received.status() {
        Some(status) if status.is_success() => {}
        _ => return Err(received.into_refusal()),
    }
    let text = received.text();
    let mut members = Members::default();
    let reading = json::read_object(text.as_bytes(), |key, value| members.take(key, value));
    let shape = reading.shape;
    let follows = match shape {
        Shape::Followed => true,
        // Text after a syntax error is read only if a token before the error shows that this is a token response.
        Shape::Broken => members.has_token(),
        Shape::Complete | Shape::Cut => false,
    };
    if follows && !members.has_pair() {
        members.take_what_follows(reading.rest);
    }
    let access_token = members.access_token.choose(&mut members.oddities).and_then(owned);
    let refresh_token = members.refresh_token.choose(&mut members.oddities).and_then(owned);
    let is_refresh = received.question().operation == Operation::Refresh;
    let is_whole = matches!(shape, Shape::Complete | Shape::Followed);
    let salvaged = match (access_token, refresh_token) {
        (Some(access), Some(refresh)) => {
            return Ok(members.into_tokens(&received, &text, &reading, access, Some(refresh)));
        }
        // A response without a refresh token means that the server did not rotate. A response to a refresh with an
        // unusable refresh token means that it did.
        (Some(access), None) if is_whole && !(is_refresh && members.unusable_refresh_token) => {
            let sent = match received.question().operation {
                Operation::Refresh => received.question().parameter("refresh_token").map(CleanText::into_owned),
                _ => None,
            };
            members.oddities.add_if(sent.is_some(), Oddity::RefreshTokenKept);
            return Ok(members.into_tokens(&received, &text, &reading, access, sent));
        }
        (Some(access), None) => {
            let (token_type, _) = members.token_type(received.question());
            Some(Salvaged::AccessToken(AccessToken::of_type(access, token_type)))
        }
        (None, Some(refresh)) => Some(Salvaged::RefreshToken(RefreshToken(refresh))),
        (None, None) => None,
    };
    let reason = match salvaged {
        Some(Salvaged::AccessToken(_)) => Malformed::UnusableRefreshToken,
        _ => Malformed::NoAccessToken,
    };
    drop(text);
    // The missing part of a truncated response may have held the pair, which counts more than an error next to it.
    if salvaged.is_none() && is_whole && !received.is_cut() && received.read_refusal().is_error() {
        return Err(received.into_refusal());
    }
    Err(received.into_unusable(reason, salvaged, shape))
}

/// The members that are read, if their values are usable. Tokens, scopes and type stay raw until the end.
#[derive(Default)]
struct Members<'a> {
    access_token: Twins<Value<'a>>,
    refresh_token: Twins<Value<'a>>,
    lifetime: Twins<u64>,
    refresh_lifetime: Twins<u64>,
    scope: Twins<Value<'a>>,
    token_type: Twins<Value<'a>>,
    server_expires: Twins<u64>,
    server_refresh_expires: Twins<u64>,
    error: bool,
    /// The response has a refresh token that is not usable text.
    unusable_refresh_token: bool,
    oddities: Oddities,
}

impl<'a> Members<'a> {
    fn has_token(&self) -> bool {
        self.access_token.any().is_some() || self.refresh_token.any().is_some()
    }

    fn has_pair(&self) -> bool {
        self.access_token.any().is_some() && self.refresh_token.any().is_some()
    }

    /// Reads tokens that follow the object: a server or a proxy may have closed the object too early. Tokens inside the
    /// object take precedence.
    fn take_what_follows(&mut self, rest: &'a [u8]) {
        let (mut access_token, mut refresh_token) = (None, None);
        json::loose_strings(rest, |key, value| {
            let token = match key {
                b"access_token" | b"accessToken" => &mut access_token,
                b"refresh_token" | b"refreshToken" => &mut refresh_token,
                _ => return,
            };
            *token = value.filter(|value| value.is_text()).or(*token);
        });
        // If the object has no token, it may be something else. Then one token after it proves too little.
        if !self.has_token() && (access_token.is_none() || refresh_token.is_none()) {
            return;
        }
        if self.access_token.any().is_none() {
            self.access_token.snake = access_token;
        }
        if self.refresh_token.any().is_none() {
            self.refresh_token.snake = refresh_token;
        }
        // The name alone shows that the server sent a refresh token.
        let is_named = |name: &[u8]| rest.windows(name.len()).any(|bytes| bytes.eq_ignore_ascii_case(name));
        self.unusable_refresh_token |= is_named(b"refresh_token") || is_named(b"refreshToken");
    }

    fn take(&mut self, key: &[u8], value: Value<'a>) {
        let oddities = &mut self.oddities;
        let mut token = |value: Value<'a>| {
            let usable = value.is_text().then_some(value);
            oddities.add_if(usable.is_none() && value.holds_something(), Oddity::UnusableToken);
            usable
        };
        let mut refresh_token = |value: Value<'a>| {
            let usable = token(value);
            // `false` means that there is no refresh token.
            if usable.is_none() && value.holds_something() && value.boolean() != Some(false) {
                self.unusable_refresh_token = true;
            }
            usable
        };
        match key {
            b"access_token" => self.access_token.set_snake(token(value), oddities),
            b"accessToken" => self.access_token.set_camel(token(value), oddities),
            b"refresh_token" => self.refresh_token.set_snake(refresh_token(value), oddities),
            b"refreshToken" => self.refresh_token.set_camel(refresh_token(value), oddities),
            b"expires_in" => self.lifetime.set_snake(seconds(value, oddities), oddities),
            b"accessTokenExpiresIn" => self.lifetime.set_camel(seconds(value, oddities), oddities),
            b"refreshTokenExpiresIn" => self.refresh_lifetime.set_camel(seconds(value, oddities), oddities),
            b"scope" => self.scope.set_snake(usable_scopes(value, oddities), oddities),
            b"scopeJson" => self.scope.set_camel(usable_scopes(value, oddities), oddities),
            b"token_type" => self.token_type.set_snake(holding(value), oddities),
            b"tokenType" => self.token_type.set_camel(holding(value), oddities),
            // Times by the server's clock only inform people, so a strange value does no harm.
            b"expires" => self.server_expires.snake = value.integer(),
            b"accessTokenExpiresEpoch" => self.server_expires.camel = value.integer(),
            b"refreshTokenExpiresEpoch" => self.server_refresh_expires.camel = value.integer(),
            b"error" => self.error = value.holds_something(),
            _ => {}
        }
    }

    fn into_tokens(
        mut self,
        received: &Received<'_>,
        text: &Text<'_>,
        reading: &Reading<'_>,
        access_token: SecretText,
        refresh_token: Option<SecretText>,
    ) -> Tokens {
        let (token_type, type_oddity) = self.token_type(received.question());
        let scopes = self.scopes();
        let lifetime = self.lifetime.choose(&mut self.oddities);
        let refresh_lifetime = self.refresh_lifetime.choose(&mut self.oddities);
        let mut oddities = self.oddities;
        oddities.add_if(received.status() != Some(http::StatusCode::OK), Oddity::Status);
        oddities.add_if(received.has_odd_content_type(), Oddity::ContentType);
        oddities.add_if(text.is_oddly_encoded(reading.is_ascii), Oddity::Encoding);
        oddities.add_if(received.is_cut() || reading.shape == Shape::Cut, Oddity::Truncated);
        oddities.add_if(matches!(reading.shape, Shape::Broken | Shape::Followed), Oddity::BrokenJson);
        oddities.add_if(self.error, Oddity::ErrorBesideTokens);
        oddities.add_if(lifetime.is_none(), Oddity::LifetimeAssumed);
        oddities.add_if(refresh_lifetime.is_none() && refresh_token.is_some(), Oddity::RefreshLifetimeAssumed);
        if let Some(oddity) = type_oddity {
            oddities.add(oddity);
        }
        Tokens {
            binding: Some(Arc::clone(&received.question().registration.binding)),
            access_token: AccessToken::of_type(access_token, token_type),
            refresh_token: refresh_token.map(RefreshToken),
            sent_at: received.sent_at(),
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
        let is_bearer = |value: Value<'_>| value.is_plain_string() && value.written().eq_ignore_ascii_case(b"bearer");
        if snake.is_some_and(is_bearer) && camel.is_none_or(is_bearer) {
            return (TokenType::Bearer, None);
        }
        let text = |value: Option<Value<'a>>| value?.string().filter(|text| !text.trim().is_empty());
        let (snake_text, camel_text) = (text(snake), text(camel));
        let differ = match (&snake_text, &camel_text) {
            (Some(snake), Some(camel)) => !snake.eq_ignore_ascii_case(camel),
            // Both twins are present, but only one is text.
            (Some(_), None) | (None, Some(_)) => snake.is_some() && camel.is_some(),
            (None, None) => false,
        };
        self.oddities.add_if(differ, Oddity::TwinsDiffer);
        match snake_text.or(camel_text) {
            None if self.token_type.any().is_none() => (TokenType::Bearer, Some(Oddity::TokenTypeMissing)),
            // A type that is not text is not `Bearer`.
            None => (TokenType::Other(Box::default()), Some(Oddity::TokenTypeUnknown)),
            Some(text) if text.eq_ignore_ascii_case("bearer") => (TokenType::Bearer, None),
            Some(text) => {
                let mut secrets: Vec<_> = self.tokens().filter_map(Value::string).collect();
                secrets.extend(question.secrets());
                (TokenType::read(&text, &secrets), Some(Oddity::TokenTypeUnknown))
            }
        }
    }

    /// The tokens, including their twins.
    fn tokens(&self) -> impl Iterator<Item = Value<'a>> {
        [self.access_token, self.refresh_token].into_iter().flat_map(|twins| [twins.snake, twins.camel]).flatten()
    }

    /// The scopes. `scope` is a string and `scopeJson` an array, so their scopes are compared, not their spelling.
    fn scopes(&mut self) -> Option<Scopes> {
        let value = self.scope.any()?;
        let plain = if value.is_plain_string() { Scopes::from_plain_list(value.written()) } else { None };
        let scopes = plain.unwrap_or_else(|| {
            let mut scopes = Scopes::with_capacity(value.written().len());
            let mut usable = true;
            each_scope(value, &mut |scope| {
                usable &= scope.is_some_and(|scope| scopes.add(scope));
                true
            });
            self.oddities.add_if(!usable, Oddity::ScopeUnusable);
            scopes
        });
        if let Twins { snake: Some(_), camel: Some(camel) } = self.scope {
            self.oddities.add_if(!says_the_same(camel, &scopes), Oddity::TwinsDiffer);
        }
        self.oddities.add_if(self.scope.snake.is_some_and(spelled_oddly), Oddity::ScopeSpelling);
        (!scopes.is_empty()).then_some(scopes)
    }
}

/// A member and its camelCase twin.
#[derive(Clone, Copy)]
struct Twins<T> {
    snake: Option<T>,
    camel: Option<T>,
}

/// Not derived, because deriving would require `T: Default`.
impl<T> Default for Twins<T> {
    fn default() -> Self {
        Self { snake: None, camel: None }
    }
}

impl<T: Copy + Same> Twins<T> {
    fn set_snake(&mut self, value: Option<T>, oddities: &mut Oddities) {
        replace(&mut self.snake, value, oddities);
    }

    fn set_camel(&mut self, value: Option<T>, oddities: &mut Oddities) {
        replace(&mut self.camel, value, oddities);
    }

    /// The value of the `snake_case` member, or else of its camelCase twin.
    fn any(self) -> Option<T> {
        self.snake.or(self.camel)
    }

    /// Like [`any`](Self::any), and records an oddity if the two differ.
    fn choose(self, oddities: &mut Oddities) -> Option<T> {
        if let (Some(snake), Some(camel)) = (self.snake, self.camel) {
            oddities.add_if(!snake.same(camel), Oddity::TwinsDiffer);
        }
        self.any()
    }
}

/// The last usable value wins. A value that is not usable (`None`) never replaces a usable one.
fn replace<T: Copy + Same>(slot: &mut Option<T>, value: Option<T>, oddities: &mut Oddities) {
    let Some(value) = value else { return };
    if let Some(earlier) = slot.replace(value) {
        oddities.add_if(!earlier.same(value), Oddity::DoubledMember);
    }
}

/// Equality of meaning, not of spelling.
trait Same {
    fn same(self, other: Self) -> bool;
}

impl Same for u64 {
    fn same(self, other: Self) -> bool {
        self == other
    }
}

/// Compares strings by their text, and anything else as written.
impl Same for Value<'_> {
    fn same(self, other: Self) -> bool {
        self == other || self.string().is_some_and(|text| other.string().as_deref() == Some(&*text))
    }
}

fn owned(value: Value<'_>) -> Option<SecretText> {
    value.string().map(CleanText::into_owned)
}

fn holding(value: Value<'_>) -> Option<Value<'_>> {
    value.holds_something().then_some(value)
}

/// Returns the value if at least one of its scopes is valid.
fn usable_scopes<'a>(value: Value<'a>, oddities: &mut Oddities) -> Option<Value<'a>> {
    let mut usable = false;
    each_scope(value, &mut |scope| {
        usable = scope.is_some_and(is_scope);
        !usable
    });
    oddities.add_if(!usable && value.holds_something(), Oddity::ScopeUnusable);
    usable.then_some(value)
}

/// A lifetime in seconds, from one second to ten years: an integer, or a spelling that [`whole_part`] reads.
fn seconds(value: Value<'_>, oddities: &mut Oddities) -> Option<u64> {
    let plain = value.integer();
    let usable = plain
        .or_else(|| whole_part(std::str::from_utf8(value.written()).ok()?.trim()))
        .filter(|seconds| LIFETIMES.contains(seconds));
    oddities.add_if(usable.is_some() && plain.is_none(), Oddity::LifetimeSpelling);
    oddities.add_if(usable.is_none(), Oddity::LifetimeUnusable);
    usable
}

/// The whole part of a number in JSON's notation (`1800`, `1800.0`, `1.8e3`). `None` if the text is not a number, or
/// the number is negative or does not fit 64 bits. Reads digit by digit: parsing as a float would round, and would add
/// much code to the binary.
fn whole_part(text: &str) -> Option<u64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || !digits().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The position of the decimal point after the exponent has moved it. A large exponent does not make the loop long:
    // a value other than 0 overflows after 20 digits, and a value of 0 ends the loop.
    let exponent: i64 = exponent.parse().ok()?;
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let mut value = 0_u64;
    let mut digits = digits();
    for _ in 0..point {
        let digit = digits.next();
        if digit.is_none() && value == 0 {
            break;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit.unwrap_or(b'0') & 0x0F))?;
    }
    Some(value)
}

fn unix_time(seconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Calls `go_on` with each scope of a string (separated by spaces or commas) or of an array of strings, until `go_on`
/// returns false. A value that is not a string gives `None`.
///
/// Not generic, because a page would download one copy for each caller.
fn each_scope(value: Value<'_>, go_on: &mut dyn FnMut(Option<&[u8]>) -> bool) {
    let mut left = MOST_FROM_SERVER;
    let mut take = |scope: Option<&[u8]>| {
        left = left.saturating_sub(1);
        go_on(scope) && left > 0
    };
    // A string without escapes is split as bytes, so that invalid UTF-8 costs only the word that contains it.
    let mut split = |value: Value<'_>| {
        if value.is_plain_string() {
            return words(value.written()).all(|word| take(Some(word)));
        }
        match value.string() {
            Some(text) => words(text.as_bytes()).all(|word| take(Some(word))),
            None => take(None),
        }
    };
    if value.is_array() {
        value.elements().all(split);
    } else {
        split(value);
    }
}

/// True if `value` lists these scopes and no others.
fn says_the_same(value: Value<'_>, scopes: &Scopes) -> bool {
    if lists_in_order(value.written(), scopes.as_str().as_bytes()) {
        return true;
    }
    let mut count = 0_usize;
    let mut same = true;
    each_scope(value, &mut |scope| {
        count = count.saturating_add(1);
        same = scope.is_some_and(|scope| scopes.iter().any(|one| one.as_bytes() == scope));
        same
    });
    same && count == scopes.iter().count()
}

/// True for the documented form: an array of the same scopes in the same order. Compares the text as written, because
/// it nearly always has this form.
fn lists_in_order(array: &[u8], scopes: &[u8]) -> bool {
    let mut rest = array;
    let mut before = b'[';
    for scope in words(scopes) {
        let quoted = rest.strip_prefix(&[before]).map(<[u8]>::trim_ascii_start);
        let Some(after) = quoted.and_then(|rest| rest.strip_prefix(b"\"")?.strip_prefix(scope)?.strip_prefix(b"\""))
        else {
            return false;
        };
        rest = after.trim_ascii_start();
        before = b',';
    }
    rest == b"]"
}

fn spelled_oddly(value: Value<'_>) -> bool {
    value.is_array() || value.written().contains(&b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_the_documented_order_is_compared_as_written() {
        for array in [r#"["a","b.c"]"#, r#"[ "a" , "b.c" ]"#, "[\n  \"a\",\r\n\t\"b.c\"\n]"] {
            assert!(lists_in_order(array.as_bytes(), b"a b.c"), "{array}");
        }
        for array in [
            r#"["a","b.c","d"]"#,
            r#"["b.c","a"]"#,
            r#"["a"]"#,
            r#"["a" "b.c"]"#,
            r#"["a","b.c",]"#,
            r#"["a","b.cd"]"#,
            "",
        ] {
            assert!(!lists_in_order(array.as_bytes(), b"a b.c"), "{array}");
        }
    }

    #[test]
    fn the_whole_part_of_a_number_is_read_digit_by_digit() {
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
