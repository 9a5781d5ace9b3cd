//! Vintages as FRED tells them: closed intervals of days, cut to the window that was asked for.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use market::Observation;

/// The first real-time day FRED knows.
pub const FIRST_DAY: Date = date(1776, 7, 4);

/// The last one: the end of a vintage that is still the current one.
pub const LAST_DAY: Date = date(9999, 12, 31);

/// So many vintages are asked for in one window. 2000 are told at most; the rest is room for those that begin while we
/// ask.
pub const WINDOW_VINTAGES: usize = 1900;

/// One value and the days, both inclusive, on which it was the current one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// First day of the period the value describes.
    pub ref_period: Date,
    /// The value.
    pub value: f64,
    /// First day on which it was the current one.
    pub realtime_start: Date,
    /// Last day on which it was; [`LAST_DAY`] while it is.
    pub realtime_end: Date,
}

impl Row {
    /// The row in our terms: its end is exclusive, and open while it is current. `None` at the end of the calendar.
    #[must_use]
    pub fn into_observation(self, known_at: Timestamp) -> Option<Observation> {
        let Self { ref_period, value, realtime_start, realtime_end } = self;
        let realtime_end = if realtime_end == LAST_DAY { None } else { Some(realtime_end.tomorrow().ok()?) };
        Some(Observation { ref_period, value, realtime_start, realtime_end, known_at })
    }
}

/// Puts rows of several windows together: ascending by (`ref_period`, `realtime_start`), and rows of one period and value
/// whose days touch or overlap are one. A window cuts every vintage at its edges; this takes the cuts away.
///
/// A row that says another value of days another row has spoken for is refused; the texts beside the rows tell of them.
#[must_use]
pub fn merge(mut rows: Vec<Row>) -> (Vec<Row>, Vec<String>) {
    rows.sort_by_key(|row| (row.ref_period, row.realtime_start, row.realtime_end));
    let (mut merged, mut refused): (Vec<Row>, _) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        match merged.last_mut().filter(|last| last.ref_period == row.ref_period) {
            Some(last) if last.value == row.value && touches(last, &row) => {
                last.realtime_end = last.realtime_end.max(row.realtime_end);
            }
            Some(last) if row.realtime_start <= last.realtime_end => refused.push(format!(
                "{} of {} is said to be {} although it is {} until {}",
                row.ref_period, row.realtime_start, row.value, last.value, last.realtime_end
            )),
            _ => merged.push(row),
        }
    }
    (merged, refused)
}

fn touches(earlier: &Row, later: &Row) -> bool {
    earlier.realtime_end.tomorrow().map_or(true, |next| later.realtime_start <= next)
}

/// Windows of real-time days, both ends inclusive, without holes from `start` to [`LAST_DAY`], each with at most
/// `n_most` of the `vintages`, which ascend.
#[must_use]
pub fn windows(vintages: &[Date], start: Date, n_most: usize) -> Vec<(Date, Date)> {
    let within = vintages.iter().copied().filter(|day| *day >= start);
    // The first window begins before its first vintage, every other one with its first.
    let mut starts: Vec<Date> = within.step_by(n_most.max(1)).collect();
    match starts.first_mut() {
        Some(first) => *first = start,
        None => starts.push(start),
    }
    starts.dedup();
    let ends = starts.iter().skip(1).map(|next| next.yesterday().unwrap_or(*next)).chain([LAST_DAY]);
    starts.iter().copied().zip(ends).collect()
}
