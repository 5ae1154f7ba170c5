//! The two formats for a time, in JSON and in HTTP headers.

use std::time::Duration;

/// RFC 3339 with milliseconds, as in the documented body: `2018-03-05T20:01:07.215Z`.
pub(crate) fn rfc3339(since_epoch: Duration) -> String {
    let Civil { year, month, day, .. } = Civil::from_days(since_epoch.as_secs() / 86_400);
    let (hour, minute, second) = time_of_day(since_epoch);
    let millis = since_epoch.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The date of HTTP headers (RFC 9110 section 5.6.7): `Mon, 05 Mar 2018 20:01:07 GMT`.
pub(crate) fn http_date(since_epoch: Duration) -> String {
    let Civil { year, month, day, weekday } = Civil::from_days(since_epoch.as_secs() / 86_400);
    let (hour, minute, second) = time_of_day(since_epoch);
    let month = match month {
        1 => "Jan",
        2 => "Feb",
        3 => "Mar",
        4 => "Apr",
        5 => "May",
        6 => "Jun",
        7 => "Jul",
        8 => "Aug",
        9 => "Sep",
        10 => "Oct",
        11 => "Nov",
        _ => "Dec",
    };
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

fn time_of_day(since_epoch: Duration) -> (u64, u64, u64) {
    let seconds = since_epoch.as_secs() % 86_400;
    (seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A day of the Gregorian calendar.
struct Civil {
    year: u64,
    month: u64,
    day: u64,
    weekday: &'static str,
}

impl Civil {
    /// Howard Hinnant's `civil_from_days`, for days from 1970 on. A year is counted from March, so that
    /// the leap day is its last.
    fn from_days(days_since_epoch: u64) -> Self {
        let days = days_since_epoch + 719_468; // from 0000-03-01
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            weekday: match days_since_epoch % 7 {
                0 => "Thu", // 1970-01-01
                1 => "Fri",
                2 => "Sat",
                3 => "Sun",
                4 => "Mon",
                5 => "Tue",
                _ => "Wed",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_format_of_the_documented_body() {
        // `accessTokenExpiresEpoch` and `refreshTokenExpiresEpoch` beside their `…ExpiresAt`.
        assert_eq!(rfc3339(Duration::from_millis(1_520_280_067_215)), "2018-03-05T20:01:07.215Z");
        assert_eq!(rfc3339(Duration::from_millis(1_551_812_467_215)), "2019-03-05T19:01:07.215Z");
    }

    #[test]
    fn leap_days_and_the_turn_of_the_year_are_right() {
        for (seconds, written) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(Duration::from_secs(seconds)), written);
        }
    }

    #[test]
    fn header_dates_have_the_format_of_rfc_9110() {
        assert_eq!(http_date(Duration::from_secs(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
