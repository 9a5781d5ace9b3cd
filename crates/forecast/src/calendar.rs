//! What the calendar says about the bars ahead: known long before, so never a leak.

mod fomc;

use std::sync::OnceLock;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use market::{AssetClass, Calendar, Timeframe};

use crate::panel::instant;

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// Sessions of the New York Stock Exchange with running counts of special days.
pub(crate) struct Sessions {
    open_us: Vec<i64>,
    close_us: Vec<i64>,
    date: Vec<Date>,
    /// Days since the epoch.
    day: Vec<i32>,
    /// For each kind of day, how many such sessions there were before this one; one longer than the sessions.
    payrolls: Vec<i32>,
    expiries: Vec<i32>,
    month_ends: Vec<i32>,
    announcements: Vec<i32>,
    /// The sessions whose announcements are known: the table of meetings covers their years.
    scheduled: std::ops::Range<usize>,
}

/// Counts over the sessions ahead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SessionsAhead {
    /// First Fridays of a month: the day of the employment report.
    pub(crate) payrolls: i32,
    /// Third Fridays: options and futures expire.
    pub(crate) expiries: i32,
    /// Last sessions of a month.
    pub(crate) month_ends: i32,
    /// Announcements of the Federal Open Market Committee; `None` where its schedule is not known.
    pub(crate) announcements: Option<i32>,
    /// Calendar days from this session to the last one ahead.
    pub(crate) days: i32,
    /// Whether a session ahead lies between 23 December and 1 January.
    pub(crate) christmas: bool,
    /// Month of the first session ahead, 1 to 12.
    pub(crate) month: i8,
    /// Weekday of the first session ahead, Monday 0.
    pub(crate) weekday: i8,
}

impl Sessions {
    /// The table; built once.
    pub(crate) fn table() -> &'static Self {
        static TABLE: OnceLock<Sessions> = OnceLock::new();
        TABLE.get_or_init(Self::build)
    }

    fn build() -> Self {
        let first = instant(0);
        let last = Calendar::Nyse;
        let mut table = Self {
            open_us: Vec::new(),
            close_us: Vec::new(),
            date: Vec::new(),
            day: Vec::new(),
            payrolls: vec![0],
            expiries: vec![0],
            month_ends: vec![0],
            announcements: vec![0],
            scheduled: 0..0,
        };
        let mut span = last.bar_closing_after(Timeframe::D1, first);
        while let Some(session) = span {
            let date = Calendar::Nyse.trading_date(session.open_time);
            table.open_us.push(session.open_time.as_microsecond());
            table.close_us.push(session.close_time.as_microsecond());
            table.date.push(date);
            table.day.push(i32::try_from(session.open_time.as_microsecond().div_euclid(DAY_US)).expect("days fit"));
            span = Calendar::Nyse.bar_closing_after(Timeframe::D1, session.close_time);
        }
        for at in 0..table.date.len() {
            let date = table.date[at];
            let friday = |nth: i8| date.weekday() == Weekday::Friday && (date.day() - 1) / 7 == nth - 1;
            let month_end = table.date.get(at + 1).is_some_and(|next| next.month() != date.month());
            table.payrolls.push(table.payrolls[at] + i32::from(friday(1)));
            table.expiries.push(table.expiries[at] + i32::from(friday(3)));
            table.month_ends.push(table.month_ends[at] + i32::from(month_end));
            let announcement = fomc::is_announcement(date);
            table.announcements.push(table.announcements[at] + i32::from(announcement == Some(true)));
        }
        let scheduled = |date: &Date| fomc::is_announcement(*date).is_some();
        let first = table.date.iter().position(scheduled).unwrap_or(0);
        let last = table.date.iter().rposition(scheduled).map_or(0, |at| at + 1);
        table.scheduled = first..last;
        table
    }

    /// The last session that had closed at an instant.
    pub(crate) fn closed_at(&self, close_us: i64) -> Option<usize> {
        self.close_us.partition_point(|c| *c <= close_us).checked_sub(1)
    }

    /// What lies in the `n` sessions after session `at`; `None` past the end of the table.
    pub(crate) fn ahead(&self, at: usize, n: usize) -> Option<SessionsAhead> {
        let (first, last) = (at + 1, at + n);
        let count = |cumulated: &[i32]| cumulated[last + 1] - cumulated[first];
        let end = *self.date.get(last)?;
        let start = self.date[first];
        // A window of a year or more holds a Christmas; shorter ones hold it when they cross or touch its days.
        let in_christmas = |d: Date| (d.month() == 12 && d.day() >= 23) || (d.month() == 1 && d.day() == 1);
        let christmas = in_christmas(start) || in_christmas(end) || start.year() != end.year();
        Some(SessionsAhead {
            payrolls: count(&self.payrolls),
            expiries: count(&self.expiries),
            month_ends: count(&self.month_ends),
            announcements: (self.scheduled.contains(&first) && self.scheduled.contains(&last))
                .then(|| count(&self.announcements)),
            days: self.day[last] - self.day[at],
            christmas,
            month: start.month(),
            weekday: start.weekday().to_monday_zero_offset(),
        })
    }

    /// Slots of the week of the next `n` hourly bars after one that closed at `close_us`.
    fn slots_ahead(&self, close_us: i64, n: usize, mut each: impl FnMut(u16)) {
        // The session that is running, or the next one when this bar closed its session.
        let mut at = self.close_us.partition_point(|c| *c <= close_us);
        let mut hour = if at < self.open_us.len() && close_us > self.open_us[at] {
            (close_us - self.open_us[at] + HOUR_US - 1) / HOUR_US
        } else {
            0
        };
        for _ in 0..n {
            let Some(open) = self.open_us.get(at).copied() else { return };
            each(self.slot(at, hour));
            hour += 1;
            if open + hour * HOUR_US >= self.close_us[at] {
                (at, hour) = (at + 1, 0);
            }
        }
    }

    fn slot(&self, at: usize, hour: i64) -> u16 {
        let weekday = self.date[at].weekday().to_monday_zero_offset();
        u16::try_from(i64::from(weekday) * 7 + hour.clamp(0, 6)).expect("35 slots a week")
    }
}

/// The slot of the week of a bar: hour of the week from Monday 00:00Z for coins; weekday and bar of the session for stocks.
pub(crate) fn slot_of(class: AssetClass, base: Timeframe, open_us: i64) -> u16 {
    debug_assert_eq!(base, Timeframe::H1);
    match class {
        AssetClass::Stocks => {
            let table = Sessions::table();
            let at = table.close_us.partition_point(|c| *c <= open_us).min(table.date.len() - 1);
            table.slot(at, (open_us - table.open_us[at]).max(0) / HOUR_US)
        }
        AssetClass::Crypto | AssetClass::Macro => hour_of_week(open_us),
    }
}

/// Slots of the week of the next `n` bars after one that closed at `close_us`, in order.
pub(crate) fn slots_ahead(class: AssetClass, close_us: i64, n: usize, mut each: impl FnMut(u16)) {
    match class {
        AssetClass::Stocks => Sessions::table().slots_ahead(close_us, n, each),
        AssetClass::Crypto | AssetClass::Macro => {
            let first = usize::from(hour_of_week(close_us));
            for ahead in 0..n {
                each(u16::try_from((first + ahead) % 168).expect("168 slots a week"));
            }
        }
    }
}

/// Hour of the week of an instant, 0 to 167, from Monday 00:00Z.
fn hour_of_week(us: i64) -> u16 {
    // The epoch was a Thursday.
    let hours = us.div_euclid(HOUR_US) + 3 * 24;
    u16::try_from(hours.rem_euclid(168)).expect("168 slots a week")
}

/// Weekday of the UTC day an instant lies in, Monday 0.
pub(crate) fn utc_weekday(us: i64) -> usize {
    usize::try_from((us.div_euclid(DAY_US) + 3).rem_euclid(7)).expect("seven weekdays")
}

/// Saturdays and Sundays among `n` days in a row, the first of which is the given weekday.
pub(crate) fn weekend_days(first: usize, n: usize) -> usize {
    n / 7 * 2 + (0..n % 7).filter(|ahead| (first + ahead) % 7 >= 5).count()
}

/// Hour of the UTC day, 0 to 23.
pub(crate) fn hour_of_day(us: i64) -> f64 {
    us.div_euclid(HOUR_US).rem_euclid(24) as f64
}

/// Month of the UTC day an instant lies in, 1 to 12.
pub(crate) fn utc_month(us: i64) -> i8 {
    TimeZone::UTC.to_datetime(instant(us)).date().month()
}

#[cfg(test)]
mod tests;
