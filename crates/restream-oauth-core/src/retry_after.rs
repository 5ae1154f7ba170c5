//! `Retry-After` (RFC 9110 §10.2.3): seconds or a date.

use std::time::{Duration, SystemTime};

use http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// No server makes a client wait longer than this.
const LONGEST: Duration = Duration::from_secs(3600);

/// How long the server asks to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    Seconds(u64),
    /// A date, and the server's own clock when it sent one: their difference needs no clock of ours.
    At {
        date: SystemTime,
        server_now: Option<SystemTime>,
    },
}

impl RetryAfter {
    /// Reads the header; `None` if it is absent or neither seconds nor a date.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // More digits than 64 bits hold is as long as can be.
            return Some(Self::Seconds(text.parse().unwrap_or(u64::MAX)));
        }
        let date = httpdate::parse_http_date(text).ok()?;
        Some(Self::At { date, server_now: read_date(headers, &DATE) })
    }

    /// The time to wait, an hour at most; counted from `sent_at` when the server did not say its own time.
    pub(crate) fn delay(self, sent_at: SystemTime) -> Duration {
        let delay = match self {
            Self::Seconds(seconds) => Duration::from_secs(seconds),
            Self::At { date, server_now } => date.duration_since(server_now.unwrap_or(sent_at)).unwrap_or_default(),
        };
        delay.min(LONGEST)
    }
}

fn read_date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
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
    fn a_date_counts_from_the_servers_clock_or_else_from_sending() {
        let date = (RETRY_AFTER, "Thu, 01 Jan 1970 00:01:30 GMT");
        assert_eq!(delay(std::slice::from_ref(&date)), Some(90));
        assert_eq!(delay(&[date.clone(), (DATE, "Thu, 01 Jan 1970 00:01:00 GMT")]), Some(30));
        assert_eq!(delay(&[date, (DATE, "Thu, 01 Jan 1970 00:02:00 GMT")]), Some(0));
        assert_eq!(delay(&[(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:37 GMT")]), Some(3600));
    }

    #[test]
    fn anything_else_is_no_answer() {
        for text in ["", "-1", "1.5", "soon", "1e3", "Thu, 99 Foo 1970"] {
            assert_eq!(delay(&[(RETRY_AFTER, text)]), None, "{text}");
        }
        assert_eq!(delay(&[]), None);
    }
}
