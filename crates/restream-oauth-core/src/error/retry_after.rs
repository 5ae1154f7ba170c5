//! `Retry-After` (RFC 9110 §10.2.3): seconds or a date.

use std::time::{Duration, SystemTime};

use http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use super::http_date;

/// A longer wait is shortened to this.
const LONGEST: Duration = Duration::from_secs(3600);

/// How long the server asks to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    Seconds(u64),
    /// A date, and the server's own time if it sent a `Date` header. Their difference does not depend on our clock.
    At {
        date: SystemTime,
        server_now: Option<SystemTime>,
    },
}

impl RetryAfter {
    /// Reads the header; `None` if it is absent, or is neither a number of seconds nor a date. If there are several
    /// numbers, the largest counts: proxies join several header lines into one (RFC 9110 §5.3). A date decides as soon
    /// as it is found.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let mut longest = None;
        for line in headers.get_all(RETRY_AFTER) {
            let Ok(line) = std::str::from_utf8(line.as_bytes()) else { continue };
            if let Some(date) = http_date::read(line) {
                return Some(Self::At { date, server_now: read_date(headers, &DATE) });
            }
            for value in line.split(',') {
                longest = longest.max(whole_seconds(value.trim()));
            }
        }
        longest.map(Self::Seconds)
    }

    /// The time to wait: at most an hour. A date is compared with the server's own time, or with `sent_at` if the
    /// server did not send its time.
    pub(crate) fn delay(self, sent_at: SystemTime) -> Duration {
        let delay = match self {
            Self::Seconds(seconds) => Duration::from_secs(seconds),
            Self::At { date, server_now } => date.duration_since(server_now.unwrap_or(sent_at)).unwrap_or_default(),
        };
        delay.min(LONGEST)
    }
}

/// Reads a number of seconds as servers write it: a `+` is allowed, and a fraction is rounded up.
fn whole_seconds(text: &str) -> Option<u64> {
    let number = text.strip_prefix('+').unwrap_or(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let begun = fraction.bytes().any(|digit| digit != b'0');
    // A number that does not fit 64 bits counts as the largest number.
    Some(whole.parse().unwrap_or(u64::MAX).saturating_add(u64::from(begun)))
}

fn read_date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    http_date::read(headers.get(name)?.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT_AT: SystemTime = SystemTime::UNIX_EPOCH;

    fn delay(headers: &[(HeaderName, &'static str)]) -> Option<u64> {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.clone(), http::HeaderValue::from_static(value))).collect();
        RetryAfter::read(&headers).map(|after| after.delay(SENT_AT).as_secs())
    }

    #[test]
    fn seconds_are_taken_up_to_an_hour() {
        let cases = [("0", 0), ("120", 120), (" 7 ", 7), ("3601", 3600), ("99999999999999999999999", 3600)];
        for (text, seconds) in cases {
            assert_eq!(delay(&[(RETRY_AFTER, text)]), Some(seconds), "{text}");
        }
    }

    #[test]
    fn seconds_are_read_as_servers_and_proxies_spell_them() {
        let cases = [("+60", 60), ("1.5", 2), ("1.0", 1), ("60, 60", 60), ("5,120 , 30", 120), ("soon, 7", 7)];
        for (text, seconds) in cases {
            assert_eq!(delay(&[(RETRY_AFTER, text)]), Some(seconds), "{text}");
        }
        let mut lines = HeaderMap::new();
        for line in ["5", "90", "7"] {
            lines.append(RETRY_AFTER, http::HeaderValue::from_static(line));
        }
        assert_eq!(RetryAfter::read(&lines), Some(RetryAfter::Seconds(90)));
        let beyond_ascii = http::HeaderValue::from_bytes("später, 7".as_bytes()).unwrap();
        let headers = HeaderMap::from_iter([(RETRY_AFTER, beyond_ascii)]);
        assert_eq!(RetryAfter::read(&headers), Some(RetryAfter::Seconds(7)));
    }

    #[test]
    fn a_date_is_compared_with_the_servers_clock_or_else_with_the_time_of_sending() {
        let date = (RETRY_AFTER, "Thu, 01 Jan 1970 00:01:30 GMT");
        assert_eq!(delay(std::slice::from_ref(&date)), Some(90));
        assert_eq!(delay(&[date.clone(), (DATE, "Thu, 01 Jan 1970 00:01:00 GMT")]), Some(30));
        assert_eq!(delay(&[date, (DATE, "Thu, 01 Jan 1970 00:02:00 GMT")]), Some(0));
        assert_eq!(delay(&[(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:37 GMT")]), Some(3600));
    }

    #[test]
    fn any_other_value_is_ignored() {
        for text in ["", "-1", "1.", ".5", "+", "1.5.5", "soon", "1e3", "60s", "Thu, 99 Foo 1970", ","] {
            assert_eq!(delay(&[(RETRY_AFTER, text)]), None, "{text}");
        }
        assert_eq!(delay(&[]), None);
    }
}
