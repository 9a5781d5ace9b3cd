//! Where bars of a length begin and end.

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};
use market::{Calendar, Span, Timeframe};

/// The edges of bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grid {
    /// Bars of a fixed length around the clock, one of which opens at `anchor`; both in microseconds.
    Fixed {
        /// The length, positive.
        length: i64,
        /// Since the epoch.
        anchor: i64,
    },
    /// Calendar months at an offset from UTC.
    Months(Offset),
    /// Bars of US sessions.
    Sessions(Timeframe),
}

const DAY: i64 = 86_400_000_000;

/// 1970-01-05 was a Monday.
const MONDAY: i64 = 4 * DAY;

impl Grid {
    /// The bars of a calendar.
    pub(crate) fn of(calendar: Calendar, timeframe: Timeframe) -> Option<Self> {
        match (calendar, timeframe) {
            (Calendar::Nyse, _) => Some(Self::Sessions(timeframe)),
            (Calendar::Continuous, Timeframe::D1) => Some(Self::days(1, Offset::UTC)),
            (Calendar::Continuous, Timeframe::W1) => Some(Self::weeks(Offset::UTC)),
            (Calendar::Continuous, Timeframe::Mo1) => Some(Self::Months(Offset::UTC)),
            (Calendar::Continuous, _) => Some(Self::every(timeframe.duration()?, Offset::UTC)),
        }
    }

    /// Bars that divide the days of an offset from UTC.
    pub(crate) fn every(length: SignedDuration, offset: Offset) -> Self {
        let length = i64::try_from(length.as_micros()).unwrap_or(i64::MAX).max(1);
        Self::Fixed { length, anchor: -micros(offset) }
    }

    /// So many days each, counted from the epoch's.
    pub(crate) fn days(n: i64, offset: Offset) -> Self {
        Self::Fixed { length: n * DAY, anchor: -micros(offset) }
    }

    /// Weeks from Monday.
    pub(crate) fn weeks(offset: Offset) -> Self {
        Self::Fixed { length: 7 * DAY, anchor: MONDAY - micros(offset) }
    }

    /// The first bar that closes after an instant: the one that runs then, or the next.
    pub(crate) fn span(self, instant: Timestamp) -> Option<Span> {
        match self {
            Self::Fixed { length, anchor } => {
                let open = (instant.as_microsecond() - anchor).div_euclid(length) * length + anchor;
                let at = |micros| Timestamp::from_microsecond(micros).ok();
                Some(Span { open_time: at(open)?, close_time: at(open.checked_add(length)?)? })
            }
            Self::Months(offset) => {
                let zone = TimeZone::fixed(offset);
                let first = zone.to_datetime(instant).date().first_of_month();
                let next = first.checked_add(1.month()).ok()?;
                let at = |date: jiff::civil::Date| zone.to_timestamp(date.at(0, 0, 0, 0)).ok();
                Some(Span { open_time: at(first)?, close_time: at(next)? })
            }
            Self::Sessions(timeframe) => Calendar::Nyse.bar_closing_after(timeframe, instant),
        }
    }

    /// Whether every bar is made of whole bars of a timeframe.
    pub(crate) fn is_made_of(self, timeframe: Timeframe) -> bool {
        if timeframe > Timeframe::D1 {
            return false;
        }
        let part = i64::try_from(timeframe.nominal().as_micros()).unwrap_or(i64::MAX);
        match self {
            Self::Fixed { length, anchor } => length % part == 0 && anchor % part == 0,
            Self::Months(offset) => micros(offset) % part == 0,
            Self::Sessions(whole) => timeframe <= whole,
        }
    }
}

fn micros(offset: Offset) -> i64 {
    i64::from(offset.seconds()) * 1_000_000
}
