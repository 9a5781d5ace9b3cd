//! The lengths of bars the exchange knows, and zones of days.

use jiff::SignedDuration;
use jiff::tz::Offset;
use market::Timeframe;

use crate::tape::Grid;

/// One of the exchange's intervals, in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) name: &'static str,
    pub(crate) offset: Offset,
}

const NAMES: [&str; 16] =
    ["1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"];

impl Interval {
    /// An interval by its name; case counts.
    pub(crate) fn parse(name: &str, offset: Offset) -> Option<Self> {
        NAMES.iter().find(|known| **known == name).map(|name| Self { name, offset })
    }

    /// The edges of its bars.
    pub(crate) fn grid(self) -> Grid {
        let count = self.name[..self.name.len() - 1].parse().unwrap_or(1);
        match self.name.as_bytes().last() {
            Some(b's') => Grid::every(SignedDuration::from_secs(count), self.offset),
            Some(b'm') => Grid::every(SignedDuration::from_mins(count), self.offset),
            Some(b'h') => Grid::every(SignedDuration::from_hours(count), self.offset),
            Some(b'd') => Grid::days(count, self.offset),
            Some(b'w') => Grid::weeks(self.offset),
            _ => Grid::Months(self.offset),
        }
    }

    /// The timeframe it is, which may be recorded as such.
    pub(crate) fn timeframe(self) -> Option<Timeframe> {
        if self.offset != Offset::UTC {
            return None;
        }
        Timeframe::ALL.into_iter().find(|timeframe| match timeframe {
            Timeframe::D1 => self.name == "1d",
            Timeframe::W1 => self.name == "1w",
            other => self.name == other.as_str(),
        })
    }
}

/// A zone: `8`, `-1:00`, `05:45`, `+08:00`; from -12:00 to +14:00.
pub(crate) fn zone(text: &str) -> Option<Offset> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = text.split_once(':').unwrap_or((text, "0"));
    let number = |text: &str| -> Option<i32> {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
    let seconds = sign * (hours * 3600 + minutes * 60);
    (-12 * 3600..=14 * 3600).contains(&seconds).then(|| Offset::from_seconds(seconds).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, minutes: Option<i32>) {
        assert_eq!(zone(text).map(|offset| offset.seconds() / 60), minutes, "{text}");
    }

    #[test]
    fn zones_come_in_several_forms() {
        check("0", Some(0));
        check("8", Some(480));
        check("+08:00", Some(480));
        check("-1:00", Some(-60));
        check("05:45", Some(345));
        check("14", Some(840));
        check("-12:00", Some(-720));
        for wrong in ["", "15", "-13", "14:01", "1:60", "1:0:0", "x", "+-1", "008"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_month_is_not_a_minute() {
        let parse = |name| Interval::parse(name, Offset::UTC);
        assert_eq!(parse("1M").and_then(Interval::timeframe), Some(Timeframe::Mo1));
        assert_eq!(parse("1m").and_then(Interval::timeframe), Some(Timeframe::M1));
        assert_eq!(parse("3d").unwrap().timeframe(), None);
        assert!(parse("1D").is_none() && parse("7m").is_none());
    }
}
