//! `Retry-After` and the server's own clock.
//!
//! - Numbers are seconds, rounded up. Of several numbers the largest counts. The result is an hour at most.
//! - Dates in the three forms of RFC 9110 §5.6.7 are written here. Such a date counts from the server's `Date`, in any
//!   of the forms, or else from the time of sending.
//! - No secret of the call is printed, even if the headers repeat it (`$r` and so on).
//! - Any other value is ignored, and nothing overflows.

use std::time::{Duration, SystemTime};

use http::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use restream_oauth_core::error::Operation;
use restream_oauth_core::{Advice, Delivery};

use crate::allocation::bounded;
use crate::canary::{Silence, echo};
use crate::client::{client, refresh};

const MOST: u64 = 3600;

/// The oracle. The first line of `data` is the header's value, the second the value of `Date`. The bytes of `data` also
/// serve as two times.
pub fn retry_after(data: &[u8]) {
    let silence = Silence::after(data);
    let echoed = echo(data, Operation::Refresh);
    let mut lines = echoed.splitn(2, |&byte| byte == b'\n');
    check_text(lines.next().unwrap_or_default(), lines.next(), &silence);
    check_dates(data, &silence);
}

fn check_text(value: &[u8], date: Option<&[u8]>, silence: &Silence) {
    let Ok(retry_after) = HeaderValue::from_bytes(value) else { return };
    let mut headers = HeaderMap::from_iter([(RETRY_AFTER, retry_after)]);
    if let Some(date) = date.and_then(|date| HeaderValue::from_bytes(date).ok()) {
        headers.insert(DATE, date);
    }
    let asked = ask(&headers, SystemTime::UNIX_EPOCH, silence);
    assert!(asked.is_none_or(|seconds| seconds <= MOST));
    let text = std::str::from_utf8(value).unwrap_or_default().trim();
    let numbers = text.split(',').filter_map(|number| written_seconds(number.trim()));
    if let Some(seconds) = numbers.max() {
        assert_eq!(asked, Some(seconds), "{text:?}");
    } else if asked.is_some() {
        // A date names a day of the week and a time.
        assert!(text.contains(':') && text.as_bytes()[0].is_ascii_alphabetic(), "{text:?} is no date");
    }
}

/// A number as servers write it, in whole seconds up to an hour.
fn written_seconds(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.ends_with(|last: char| last.is_ascii_digit())
        && digits.matches('.').count() <= 1;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.parse().unwrap_or(u128::MAX).min(u128::from(MOST));
    let begun = u64::from(fraction.contains(|digit| digit != '0'));
    is_number.then(|| (u64::try_from(whole).unwrap_or(MOST) + begun).min(MOST))
}

/// Seconds of the years 1970 to 2069, which two digits of a year can tell apart.
const RANGE: u64 = 3_155_760_000;

fn check_dates(data: &[u8], silence: &Silence) {
    let number = |at: usize| data.iter().skip(at).take(8).fold(0, |number, &byte| number << 8 | u64::from(byte));
    let until = number(0) % RANGE;
    // Half of the time, the two times are close enough for the result to be less than an hour.
    let now = if data.len() % 2 == 0 { until.saturating_sub(number(8) % 5000) } else { number(8) % RANGE };
    let expected = Some(until.saturating_sub(now).min(MOST));
    let sent_at = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
    for write in [imf_fixdate, rfc850, asctime] {
        let value = |seconds| HeaderValue::from_str(&write(seconds)).expect("it is visible ASCII");
        let mut headers = HeaderMap::from_iter([(RETRY_AFTER, value(until))]);
        assert_eq!(ask(&headers, sent_at, silence), expected, "{headers:?} sent at {now}");
        headers.insert(DATE, value(now));
        assert_eq!(ask(&headers, SystemTime::UNIX_EPOCH, silence), expected, "{headers:?}");
    }
}

/// The seconds to wait that a refresh reads from a response with these headers.
fn ask(headers: &HeaderMap, sent_at: SystemTime, silence: &Silence) -> Option<u64> {
    let length = headers.values().map(HeaderValue::len).sum();
    let told = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].map(|status| {
        let mut response = Response::new(b"");
        *response.status_mut() = status;
        headers.clone_into(response.headers_mut());
        let reader = refresh(client()).into_parts(sent_at).1;
        let error = bounded(length, || reader.read(response)).expect_err("this is no success");
        silence.check_error(&error);
        let expected = match status {
            StatusCode::TOO_MANY_REQUESTS => (Delivery::Refused, Advice::Retry { after: error.retry_after() }),
            _ => (Delivery::Unknown, Advice::Replay),
        };
        assert_eq!((error.delivery(), error.advice()), expected);
        error.retry_after()
    });
    assert_eq!(told[0], told[1]);
    told[0].map(|after| after.as_secs())
}

struct Civil {
    year: u64,
    month: usize,
    day: u64,
    weekday: usize,
    time: String,
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// Subtracts the days of each year and of each month: slow, but easy to check.
fn civil(seconds: u64) -> Civil {
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let weekday = usize::try_from(days % 7).unwrap_or_default();
    let leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let time = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    Civil { year, month, day: days + 1, weekday, time }
}

fn imf_fixdate(seconds: u64) -> String {
    let Civil { year, month, day, weekday, time } = civil(seconds);
    format!("{}, {day:02} {} {year} {time} GMT", &WEEKDAYS[weekday][..3], MONTHS[month])
}

fn rfc850(seconds: u64) -> String {
    let Civil { year, month, day, weekday, time } = civil(seconds);
    format!("{}, {day:02}-{}-{:02} {time} GMT", WEEKDAYS[weekday], MONTHS[month], year % 100)
}

fn asctime(seconds: u64) -> String {
    let Civil { year, month, day, weekday, time } = civil(seconds);
    format!("{} {} {day:2} {time} {year}", &WEEKDAYS[weekday][..3], MONTHS[month])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9110_5_6_7_the_three_forms_of_the_example() {
        let seconds = 784_111_777;
        assert_eq!(imf_fixdate(seconds), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(rfc850(seconds), "Sunday, 06-Nov-94 08:49:37 GMT");
        assert_eq!(asctime(seconds), "Sun Nov  6 08:49:37 1994");
    }
}
