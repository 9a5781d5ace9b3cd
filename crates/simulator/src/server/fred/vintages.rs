//! The vintages of a series: which value was the current one on which days.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use jiff::{Timestamp, ToSpan};
use market::{Asset, AssetKind, Observation};

use super::catalogue::Facts;
use crate::server::Exchange;

/// The first day there can be.
pub(super) const FIRST_DAY: Date = date(1776, 7, 4);

/// The day that means "until further notice".
pub(super) const LAST_DAY: Date = date(9999, 12, 31);

/// One value, and the days on which it was current.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Vintage {
    /// First day of the period it describes.
    pub(super) period: Date,
    /// `None` where there is none: a lone dot.
    pub(super) value: Option<f64>,
    /// First day.
    pub(super) from: Date,
    /// Last day; [`LAST_DAY`] while it runs.
    pub(super) to: Date,
}

/// Days, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days {
    pub(super) start: Date,
    pub(super) end: Date,
}

impl Days {
    /// Whether a day is one of them.
    pub(super) fn contains(self, day: Date) -> bool {
        self.start <= day && day <= self.end
    }
}

impl Vintage {
    /// Its days within others; `None` when it has none there.
    pub(super) fn within(&self, days: Days) -> Option<Days> {
        let clipped = Days { start: self.from.max(days.start), end: self.to.min(days.end) };
        (clipped.start <= clipped.end).then_some(clipped)
    }
}

/// A series as it is known at one moment.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) facts: Facts,
    /// Ascending by period, then by first day.
    pub(super) vintages: Vec<Vintage>,
    /// When something was published last.
    pub(super) updated: Timestamp,
}

impl Archive {
    /// The series of an id; `None` when there is none, or nothing of it has been published.
    pub(super) fn open(exchange: &Exchange, id: &str, today: Date, now: Timestamp) -> Option<Self> {
        let assets = exchange.tape.assets();
        let is_it = |asset: &Asset| asset.kind == AssetKind::Series && asset.source_symbol.eq_ignore_ascii_case(id);
        let place = assets.iter().position(is_it)?;
        let observations = exchange.tape.observations(place, now);
        let updated = observations.iter().map(|row| row.known_at).max()?;
        let vintages = vintages(observations, today);
        let mut periods: Vec<Date> = vintages.iter().map(|vintage| vintage.period).collect();
        periods.dedup();
        Some(Self { facts: Facts::of(&assets[place], &periods), vintages, updated })
    }

    /// The days on which values began to be current, ascending.
    pub(super) fn vintage_dates(&self) -> Vec<Date> {
        let mut dates: Vec<Date> = self.vintages.iter().map(|vintage| vintage.from).collect();
        dates.sort_unstable();
        dates.dedup();
        dates
    }
}

/// Vintages from published rows. When a value ceased to be current is taken from what followed it: of what a row says
/// about its end only the past is known.
fn vintages(observations: Vec<Observation>, today: Date) -> Vec<Vintage> {
    let mut rows: BTreeMap<(Date, Date), Observation> = BTreeMap::new();
    for row in observations {
        rows.insert((row.ref_period, row.realtime_start), row);
    }
    let mut vintages: Vec<Vintage> = Vec::with_capacity(rows.len());
    for row in rows.into_values() {
        let ended = row.realtime_end.filter(|end| *end < today).and_then(day_before);
        if let Some(last) = vintages.last_mut().filter(|last| last.period == row.ref_period) {
            last.to = last.to.min(day_before(row.realtime_start).unwrap_or(row.realtime_start));
        }
        let value = row.value.is_finite().then_some(row.value);
        vintages.push(Vintage {
            period: row.ref_period,
            value,
            from: row.realtime_start,
            to: ended.unwrap_or(LAST_DAY),
        });
    }
    vintages.retain(|vintage| vintage.from <= vintage.to);
    vintages
}

fn day_before(day: Date) -> Option<Date> {
    day.checked_sub(1.day()).ok()
}
