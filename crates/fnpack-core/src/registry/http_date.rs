//! Dates in HTTP (RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers may send.

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: u64 = 24 * 60 * 60;
/// The end of the year 9999.
const LAST: u64 = 253_402_300_799;

/// Seconds since 1970. `None` if it is no date, or one before.
pub(super) fn parse(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [_weekday, day, month, year, time, "GMT"] = words[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let days = days_before(number(year, 1970..10_000)?, month, number(day, 1..32)?);
    let [hours, minutes, seconds] = time.split(':').collect::<Vec<_>>()[..] else { return None };
    // A leap second is one of the next minute.
    Some(days * DAY + number(hours, 0..24)? * 3600 + number(minutes, 0..60)? * 60 + number(seconds, 0..61)?)
}

/// The day as `YYYY-MM-DD`.
pub(super) fn day(seconds: u64) -> String {
    let days = seconds.min(LAST) / DAY;
    // Never more than the year; a few steps away at most.
    let mut year = 1970 + days / 366;
    while days_before(year + 1, 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| days_before(year, *month, 1) <= days).unwrap_or(1);
    format!("{year:04}-{month:02}-{:02}", days - days_before(year, month, 1) + 1)
}

fn number(text: &str, range: std::ops::Range<u64>) -> Option<u64> {
    text.parse().ok().filter(|number| range.contains(number))
}

/// Days since 1970 of a day in the Gregorian calendar.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    const BEFORE_MONTH: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let in_months = usize::try_from(month).ok().and_then(|month| BEFORE_MONTH.get(month.wrapping_sub(1))).copied().unwrap_or_default();
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969) + in_months + u64::from(is_leap && month > 2) + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_shown() {
        for (text, seconds, shown) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0, "1970-01-01"),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777, "1994-11-06"),
            ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799, "2000-02-29"),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 1_445_412_480, "2015-10-21"),
            ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800, "2017-01-01"),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400, "2100-03-01"),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799, "9999-12-31"),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
            assert_eq!(day(seconds), shown);
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "120",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nox 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
