//! Times and dates as files write them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// An instant: ISO 8601 with `Z` or an offset; without either it is UTC, and a date alone is its 00:00Z. Also the Unix
/// time in seconds, milliseconds or microseconds, told apart by 10, 13 or 16 digits.
pub(super) fn parse_instant(text: &str) -> Option<Timestamp> {
    if let Some(second) = utc_second(text.as_bytes()) {
        return Timestamp::from_second(second).ok();
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let number: i64 = text.parse().ok()?;
        return match text.len() {
            10 => Timestamp::from_second(number).ok(),
            13 => Timestamp::from_millisecond(number).ok(),
            16 => Timestamp::from_microsecond(number).ok(),
            _ => None,
        };
    }
    let instant = match text.parse::<Timestamp>() {
        Ok(instant) => instant,
        Err(_) => {
            let civil = text.parse::<DateTime>().ok()?;
            TimeZone::UTC.to_timestamp(civil).ok()?
        }
    };
    // What is stored is whole microseconds; a finer stamp would not survive it.
    (instant.subsec_nanosecond() % 1000 == 0).then_some(instant)
}

/// A date: `YYYY-MM-DD`, or a time of which only 00:00 of that date is meant.
pub(super) fn parse_date(text: &str) -> Option<Date> {
    if let Some(date) = calendar_date(text.as_bytes()) {
        return Some(date);
    }
    if text.len() < 10 {
        return None;
    }
    date_of(parse_instant(text)?)
}

/// The UTC date of an instant at 00:00Z; `None` for any other instant.
pub(super) fn date_of(instant: Timestamp) -> Option<Date> {
    let day = SignedDuration::from_hours(24).as_micros() as i64;
    (instant.as_microsecond().rem_euclid(day) == 0).then(|| TimeZone::UTC.to_datetime(instant).date())
}

/// Seconds since 1970 of `YYYY-MM-DDTHH:MM:SSZ`, the spelling nearly every file has; `None` for all others.
fn utc_second(text: &[u8]) -> Option<i64> {
    let &[.., b'T', h1, h0, b':', m1, m0, b':', s1, s0, b'Z'] = text else { return None };
    if text.len() != 20 {
        return None;
    }
    let date = calendar_date(&text[..10])?;
    let (hour, minute, second) = (two(h1, h0)?, two(m1, m0)?, two(s1, s0)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days_since_1970(date) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn calendar_date(text: &[u8]) -> Option<Date> {
    let &[c1, c0, y1, y0, b'-', m1, m0, b'-', d1, d0] = text else { return None };
    let year = two(c1, c0)? * 100 + two(y1, y0)?;
    Date::new(year as i16, two(m1, m0)? as i8, two(d1, d0)? as i8).ok()
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar: whole 400-year eras of 146,097 days, years counted from
/// March so that the leap day ends them.
fn days_since_1970(date: Date) -> i64 {
    let (year, month, day) = (i64::from(date.year()), i64::from(date.month()), i64::from(date.day()));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Option<&str>) {
        let parsed = parse_instant(text).map(|t| t.to_string());
        assert_eq!(parsed.as_deref(), expected, "{text:?}");
    }

    #[test]
    fn instants_are_read_as_files_write_them() {
        check("2020-02-29T14:30:00Z", Some("2020-02-29T14:30:00Z"));
        check("2020-02-29T14:30:00.5Z", Some("2020-02-29T14:30:00.5Z"));
        check("2020-01-02 09:30:00-05:00", Some("2020-01-02T14:30:00Z"));
        check("2020-01-02 09:30:00", Some("2020-01-02T09:30:00Z"));
        check("2020-01-02", Some("2020-01-02T00:00:00Z"));
        check("1577975400", Some("2020-01-02T14:30:00Z"));
        check("1577975400000", Some("2020-01-02T14:30:00Z"));
        check("1577975400000000", Some("2020-01-02T14:30:00Z"));
        for bad in ["", "soon", "2021-02-29T00:00:00Z", "2020-13-01", "2020-01-02T24:00:00Z", "20", "2020-01-02T1:2:3Z"]
        {
            check(bad, None);
        }
        check("2020-01-02T00:00:00.0000001Z", None);
    }

    #[test]
    fn a_date_is_a_date_or_its_midnight() {
        let day = Some(jiff::civil::date(2020, 1, 2));
        for (text, expected) in
            [("2020-01-02", day), ("2020-01-02T00:00:00Z", day), ("2020-01-02T01:00:00Z", None), ("2020", None)]
        {
            assert_eq!(parse_date(text), expected, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn the_short_way_agrees_with_the_long_one(second in -62_000_000_000_i64..250_000_000_000) {
            let text = Timestamp::from_second(second).unwrap().to_string();
            prop_assert_eq!(utc_second(text.as_bytes()), Some(second));
        }
    }
}
