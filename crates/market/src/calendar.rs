//! Trading calendars: when bars open and close.
//!
//! Rules, not stored offsets: US sessions are computed with the time-zone database. The rules hold from 2000 on, with
//! one-off closures in a table; before 2000 they are the same rules without a promise. Sources: the exchange's published
//! holiday lists; see `docs/data-sources.md`.

mod nyse;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::symbol::AssetClass;
use crate::timeframe::Timeframe;

pub use nyse::Session;

/// When a class of assets trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Calendar {
    /// Around the clock; days, weeks and months turn at 00:00Z.
    Continuous,
    /// The US session of the New York Stock Exchange and Nasdaq, 09:30 to 16:00 New York.
    Nyse,
}

/// The interval of one bar, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// First instant.
    pub open_time: Timestamp,
    /// First instant after.
    pub close_time: Timestamp,
}

impl Calendar {
    /// The calendar of a class. Macro series have no bars; their periods turn with [`Calendar::Continuous`].
    #[must_use]
    pub const fn of(class: AssetClass) -> Self {
        match class {
            AssetClass::Stocks => Self::Nyse,
            AssetClass::Crypto | AssetClass::Macro => Self::Continuous,
        }
    }

    /// The first bar that closes after `instant`: the one running then, or the next to open. `None` past the year 2199.
    #[must_use]
    pub fn bar_closing_after(self, timeframe: Timeframe, instant: Timestamp) -> Option<Span> {
        match self {
            Self::Continuous => continuous_bar(timeframe, instant),
            Self::Nyse => nyse_bar(timeframe, instant),
        }
    }

    /// The last bar that had closed at `instant`. `None` before the calendar begins.
    #[must_use]
    pub fn last_closed_bar(self, timeframe: Timeframe, instant: Timestamp) -> Option<Span> {
        // The bar running (or next) at `instant` opens at or after the close of the one we look for.
        let running = self.bar_closing_after(timeframe, instant)?;
        self.bar_before(timeframe, running)
    }

    /// The bar that opens at exactly `open_time`.
    #[must_use]
    pub fn bar_opening_at(self, timeframe: Timeframe, open_time: Timestamp) -> Option<Span> {
        self.bar_closing_after(timeframe, open_time).filter(|span| span.open_time == open_time)
    }

    /// The `steps`-th bar to close after `as_of`; `steps` is 1-based. Steps of 0 and dates past the calendar give `None`.
    #[must_use]
    pub fn nth_bar_after(self, timeframe: Timeframe, as_of: Timestamp, steps: u32) -> Option<Span> {
        if steps == 0 {
            return None;
        }
        if self == Self::Nyse && timeframe == Timeframe::D1 {
            let sessions = nyse::sessions();
            let first = sessions.partition_point(|s| s.close <= as_of);
            return sessions.get(first + steps as usize - 1).map(Session::span);
        }
        let mut span = self.bar_closing_after(timeframe, as_of)?;
        for _ in 1..steps {
            span = self.bar_closing_after(timeframe, span.close_time)?;
        }
        Some(span)
    }

    /// The bars that close in `(after, through]`, in order.
    pub fn bars_closing_in(
        self,
        timeframe: Timeframe,
        after: Timestamp,
        through: Timestamp,
    ) -> impl Iterator<Item = Span> {
        let mut instant = after;
        std::iter::from_fn(move || {
            let span = self.bar_closing_after(timeframe, instant)?;
            instant = span.close_time;
            (span.close_time <= through).then_some(span)
        })
    }

    /// How many bars close in `(after, through]`.
    #[must_use]
    pub fn count_bars(self, timeframe: Timeframe, after: Timestamp, through: Timestamp) -> usize {
        if self == Self::Nyse && timeframe == Timeframe::D1 {
            let sessions = nyse::sessions();
            let upto = |t| sessions.partition_point(|s| s.close <= t);
            return upto(through).saturating_sub(upto(after));
        }
        self.bars_closing_in(timeframe, after, through).count()
    }

    /// The day a bar belongs to: the New York date of its open for sessions, the UTC date otherwise.
    #[must_use]
    pub fn trading_date(self, open_time: Timestamp) -> Date {
        match self {
            Self::Continuous => TimeZone::UTC.to_datetime(open_time).date(),
            Self::Nyse => nyse::zone().to_datetime(open_time).date(),
        }
    }

    /// The session or UTC day of a date; `None` on a closed day.
    #[must_use]
    pub fn day(self, date: Date) -> Option<Span> {
        match self {
            Self::Continuous => Some(Span { open_time: midnight(date), close_time: midnight(date.tomorrow().ok()?) }),
            Self::Nyse => {
                let sessions = nyse::sessions();
                let at = sessions.binary_search_by_key(&date, |s| s.date).ok()?;
                Some(sessions[at].span())
            }
        }
    }

    /// The bar just before `span`.
    fn bar_before(self, timeframe: Timeframe, span: Span) -> Option<Span> {
        match (self, timeframe.duration()) {
            (Self::Continuous, Some(length)) => {
                Some(Span { open_time: span.open_time - length, close_time: span.open_time })
            }
            (Self::Continuous, None) => continuous_bar(timeframe, span.open_time - SignedDuration::from_micros(1)),
            (Self::Nyse, Some(_)) => {
                let sessions = nyse::sessions();
                let at = sessions.partition_point(|s| s.open < span.open_time).checked_sub(1)?;
                let last = sessions[at].close.min(span.open_time) - SignedDuration::from_micros(1);
                nyse_bar(timeframe, last)
            }
            (Self::Nyse, None) => {
                let sessions = nyse::sessions();
                let at = sessions.partition_point(|s| s.close < span.open_time).checked_sub(1)?;
                nyse_bar(timeframe, sessions[at].open)
            }
        }
    }
}

/// 00:00Z of a date.
#[must_use]
pub fn midnight(date: Date) -> Timestamp {
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).expect("dates of the calendar are within jiff's range")
}

/// The end of a date in New York: when something dated by day alone counts as known.
#[must_use]
pub fn end_of_day_new_york(date: Date) -> Timestamp {
    let next = date.tomorrow().unwrap_or(date);
    nyse::zone().to_timestamp(next.at(0, 0, 0, 0)).expect("dates of the calendar are within jiff's range")
}

fn continuous_bar(timeframe: Timeframe, instant: Timestamp) -> Option<Span> {
    if let Some(length) = timeframe.duration() {
        let length = length.as_micros() as i64;
        let start = instant.as_microsecond().div_euclid(length) * length;
        return Some(Span {
            open_time: Timestamp::from_microsecond(start).ok()?,
            close_time: Timestamp::from_microsecond(start + length).ok()?,
        });
    }
    let date = TimeZone::UTC.to_datetime(instant).date();
    let (first, next) = period(timeframe, date)?;
    Some(Span { open_time: midnight(first), close_time: midnight(next) })
}

/// First day of the day, week, month or quarter of `date`, and of the next one.
fn period(timeframe: Timeframe, date: Date) -> Option<(Date, Date)> {
    let first = match timeframe {
        Timeframe::W1 => date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()).ok()?,
        Timeframe::Mo1 => date.first_of_month(),
        Timeframe::Q1 => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).ok()?,
        _ => date,
    };
    let step = match timeframe {
        Timeframe::W1 => 1.week(),
        Timeframe::Mo1 => 1.month(),
        Timeframe::Q1 => 3.months(),
        _ => 1.day(),
    };
    Some((first, first.checked_add(step).ok()?))
}

fn nyse_bar(timeframe: Timeframe, instant: Timestamp) -> Option<Span> {
    let sessions = nyse::sessions();
    let at = sessions.partition_point(|s| s.close <= instant);
    let session = sessions.get(at)?;
    if let Some(length) = timeframe.duration() {
        let into = instant.duration_since(session.open).max(SignedDuration::ZERO);
        let steps = into.as_micros() / length.as_micros();
        let open_time = session.open + length * i32::try_from(steps).ok()?;
        return Some(Span { open_time, close_time: (open_time + length).min(session.close) });
    }
    if timeframe == Timeframe::D1 {
        return Some(session.span());
    }
    let (first, next) = period(timeframe, session.date)?;
    let from = sessions.partition_point(|s| s.date < first);
    let to = sessions.partition_point(|s| s.date < next) - 1;
    Some(Span { open_time: sessions[from].open, close_time: sessions[to].close })
}

#[cfg(test)]
mod tests;
