//! Bar lengths by this vendor's names, how far back each reaches, and the windows one can ask for.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use market::{Calendar, Timeframe};

use super::listing::Listing;

/// A bar length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    /// As it is echoed.
    pub(super) name: &'static str,
    /// The tape's bars it is made of.
    pub(super) base: Timeframe,
    /// How they are grouped.
    pub(super) step: Step,
    /// From how many days back there are bars; `None` when from the beginning.
    pub(super) reach_days: Option<i64>,
}

/// How bars are grouped into longer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So many minutes, counted from the open of the session.
    Minutes(i64),
    /// So many days of trading, counted from the first of the answer.
    Days(u32),
    /// A week, a month or a quarter of the venue's calendar.
    Period(Timeframe),
}

/// What can be asked for, in the order in which a refusal lists it.
const NAMES: [&str; 14] = ["1m", "2m", "5m", "15m", "30m", "60m", "90m", "1h", "4h", "1d", "5d", "1wk", "1mo", "3mo"];

/// The most days of minutes in one answer.
pub(super) const MINUTE_DAYS: i64 = 8;

impl Interval {
    /// The interval of a name. A wrong one gives the text of the refusal.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        use Timeframe::{D1, H1, M1, M5, M15, M30, Mo1, Q1, W1};
        let Some(&name) = NAMES.iter().find(|name| **name == text) else {
            let valid = NAMES.join(", ");
            return Err(format!("Invalid input - interval={text} is not supported. Valid intervals: [{valid}]"));
        };
        let (name, base, step, reach_days) = match name {
            "1m" => (name, M1, Step::Minutes(1), Some(30)),
            "2m" => (name, M1, Step::Minutes(2), Some(60)),
            "5m" => (name, M5, Step::Minutes(5), Some(60)),
            "15m" => (name, M15, Step::Minutes(15), Some(60)),
            "30m" => (name, M30, Step::Minutes(30), Some(60)),
            "90m" => (name, M30, Step::Minutes(90), Some(60)),
            "60m" | "1h" => ("1h", H1, Step::Minutes(60), Some(730)),
            "4h" => (name, H1, Step::Minutes(240), Some(730)),
            "5d" => (name, D1, Step::Days(5), None),
            "1wk" => (name, D1, Step::Period(W1), None),
            "1mo" => (name, D1, Step::Period(Mo1), None),
            "3mo" => (name, D1, Step::Period(Q1), None),
            _ => (name, D1, Step::Days(1), None),
        };
        Ok(Self { name, base, step, reach_days })
    }

    /// Whether it is shorter than a day.
    pub(super) fn is_intraday(self) -> bool {
        matches!(self.step, Step::Minutes(_))
    }

    /// Seconds of an intraday bar; a day otherwise.
    pub(super) fn seconds(self) -> i64 {
        if let Step::Minutes(minutes) = self.step { minutes * 60 } else { 86_400 }
    }

    /// The stamp of the row a bar belongs to, where it is not the first of several days.
    pub(super) fn stamp(self, listing: &Listing, open_time: Timestamp) -> i64 {
        let open = open_time.as_second();
        match self.step {
            Step::Days(_) => open,
            Step::Minutes(minutes) => {
                let calendar = listing.calendar();
                let day = calendar.day(calendar.trading_date(open_time));
                let start = day.map_or(open, |day| day.open_time.as_second());
                start + (open - start).div_euclid(minutes * 60) * (minutes * 60)
            }
            Step::Period(timeframe) => {
                let date = listing.calendar().trading_date(open_time);
                first_of(timeframe, date).map_or(open, |first| midnight(&listing.zone(), first).as_second())
            }
        }
    }
}

fn first_of(timeframe: Timeframe, date: Date) -> Option<Date> {
    match timeframe {
        Timeframe::W1 => date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()).ok(),
        Timeframe::Q1 => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).ok(),
        _ => Some(date.first_of_month()),
    }
}

/// The first instant of a date in a zone.
pub(super) fn midnight(zone: &TimeZone, date: Date) -> Timestamp {
    zone.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or_else(|_| market::calendar::midnight(date))
}

/// What is asked for: `[start, end]` in seconds, both inclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    /// The first second.
    pub(super) start: i64,
    /// The last second.
    pub(super) end: i64,
    /// The range it was asked by; empty when it was asked by its ends.
    pub(super) range: String,
    /// How many days it counts as when its reach is judged; `None`: those between its ends.
    pub(super) nominal_days: Option<i64>,
}

/// A stretch of time that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// So many sessions.
    Days(i32),
    /// So many months.
    Months(i32),
    /// From the first of January.
    YearToDate,
    /// Everything.
    Max,
}

/// The ranges a mature listing names as valid, with the days each needs.
const RANGES: [(&str, i64); 11] = [
    ("1d", 0),
    ("5d", 0),
    ("1mo", 0),
    ("3mo", 30),
    ("6mo", 90),
    ("1y", 182),
    ("2y", 365),
    ("5y", 2 * 365),
    ("10y", 5 * 365),
    ("ytd", 0),
    ("max", 0),
];

/// The ranges a listing of this age names as valid: the first that covers it all is the last of the years.
pub(super) fn valid_ranges(age_days: i64) -> Vec<&'static str> {
    RANGES.iter().filter(|(_, needed)| age_days >= *needed).map(|(name, _)| *name).collect()
}

impl Range {
    /// The range of a name. A wrong one gives the text of the refusal.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refuse = || {
            let valid = RANGES.map(|(name, _)| name).join(", ");
            format!("Invalid input - range={text} is not supported. Valid ranges: [{valid}]")
        };
        match text {
            "ytd" => return Ok(Self::YearToDate),
            "max" => return Ok(Self::Max),
            _ => {}
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = text.split_at(digits);
        let count: i32 = count.parse().ok().filter(|count| (1..=36_600).contains(count)).ok_or_else(refuse)?;
        match unit {
            "d" => Ok(Self::Days(count)),
            "wk" if count <= 5200 => Ok(Self::Days(count * 5)),
            "mo" if count <= 1200 => Ok(Self::Months(count)),
            "y" if count <= 100 => Ok(Self::Months(count * 12)),
            _ => Err(refuse()),
        }
    }

    /// The window of the range: sessions are counted, months reach back to the same day of the month.
    pub(super) fn window(self, listing: &Listing, text: &str, first_trade: Timestamp, now: Timestamp) -> Window {
        let zone = listing.zone();
        let today = zone.to_datetime(now).date();
        let first = match self {
            Self::Days(count) => nth_day_back(listing.calendar(), count, now),
            Self::Months(count) => today.checked_sub(count.months()).ok().map(|date| midnight(&zone, date)),
            Self::YearToDate => Date::new(today.year(), 1, 1).ok().map(|date| midnight(&zone, date)),
            Self::Max => None,
        };
        let nominal_days = match self {
            Self::Days(count) => Some(i64::from(count)),
            Self::Months(count) => Some(i64::from(count) * 365 / 12),
            Self::YearToDate | Self::Max => None,
        };
        let start = first.map_or(first_trade, |first| first.max(first_trade)).as_second();
        Window { start, end: now.as_second(), range: text.to_owned(), nominal_days }
    }
}

/// The open of the `count`-th last session to have opened.
fn nth_day_back(calendar: Calendar, count: i32, now: Timestamp) -> Option<Timestamp> {
    let running = calendar.bar_closing_after(Timeframe::D1, now)?;
    let mut left = if running.open_time <= now { count - 1 } else { count };
    let mut day = running;
    while left > 0 {
        day = calendar.last_closed_bar(Timeframe::D1, day.open_time)?;
        left -= 1;
    }
    Some(day.open_time)
}
