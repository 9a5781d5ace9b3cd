//! Macro series: their releases, vintages and next values.

use std::collections::BTreeMap;

use forecast::release::{MIN_CHANGES, naive_release};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use market::calendar::{end_of_day_new_york, midnight};
use market::{Asset, Bar, Calendar, Forecast, Hash, HorizonForecast, Observation, Timeframe, Unit};

use crate::error::{EngineError, Result};
use crate::issue::baseline_ref;
use crate::views::{ChangeBasis, Quote};

/// How many releases the publication lag is taken from.
const LAG_WINDOW: usize = 12;

/// A macro series as it is known: every vintage, in order.
#[derive(Debug, Clone)]
pub(crate) struct Releases {
    asset: Asset,
    timeframe: Timeframe,
    /// By period: its vintages, ascending by `known_at`.
    periods: BTreeMap<Date, Vec<Observation>>,
}

impl Releases {
    /// A series from its vintages; `None` without any.
    pub(crate) fn new(asset: Asset, observations: Vec<Observation>) -> Option<Self> {
        let mut periods: BTreeMap<Date, Vec<Observation>> = BTreeMap::new();
        for observation in observations {
            periods.entry(observation.ref_period).or_default().push(observation);
        }
        for vintages in periods.values_mut() {
            vintages.sort_by_key(|vintage| vintage.known_at);
        }
        // The usual spacing of late: one period may never have been published.
        let starts: Vec<Date> = periods.keys().rev().take(LAG_WINDOW).copied().collect();
        let mut days: Vec<i32> = starts.windows(2).map(|pair| (pair[0] - pair[1]).get_days()).collect();
        days.sort_unstable();
        periods.last_key_value()?;
        let timeframe = match days.get(days.len() / 2) {
            Some(46..) => Timeframe::Q1,
            _ => Timeframe::Mo1,
        };
        Some(Self { asset, timeframe, periods })
    }

    /// The release period.
    pub(crate) const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// Whether there is enough history for the baseline at the longest horizon.
    pub(crate) fn is_ready(&self) -> bool {
        let longest = self.timeframe.horizons().last().map_or(0, |h| *h as usize);
        self.periods.len() >= MIN_CHANGES + longest
    }

    /// The newest release: the first vintage of the last period.
    fn last_release(&self) -> (Date, &Observation) {
        let (period, vintages) = self.periods.last_key_value().expect("a series has a period");
        (*period, vintages.first().expect("a period has a vintage"))
    }

    /// When the newest period was first released: the information cut of the forecast that follows it.
    pub(crate) fn as_of(&self) -> Timestamp {
        self.last_release().1.known_at
    }

    /// The release that is to be followed by a forecast and has none: it is open until the next one is expected.
    pub(crate) fn due_slot(&self, covered: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let as_of = self.as_of();
        let next = self.expected_release(self.last_release().0, 1)?;
        (covered < as_of && as_of <= now && now < next).then_some(as_of)
    }

    /// The release that got no forecast before the next one was expected.
    pub(crate) fn missed_slot(&self, covered: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let as_of = self.as_of();
        let next = self.expected_release(self.last_release().0, 1)?;
        (covered < as_of && next <= now).then_some(as_of)
    }

    /// Whether a later period than the one forecast `steps` ahead of `as_of` was released.
    pub(crate) fn has_gone_on(&self, as_of: Timestamp, steps: u32) -> bool {
        let at = self.periods.iter().rev().find(|(_, vintages)| vintages[0].known_at <= as_of);
        let target = at.and_then(|(period, _)| shift(*period, self.timeframe, steps));
        target.is_some_and(|target| self.last_release().0 > target)
    }

    /// When the release `steps` periods after `period` is expected: its start plus the usual lag of late, at the end of
    /// that day in New York.
    fn expected_release(&self, period: Date, steps: u32) -> Option<Timestamp> {
        let mut lags: Vec<i32> = self
            .periods
            .iter()
            .rev()
            .take(LAG_WINDOW)
            .map(|(period, vintages)| (vintages[0].realtime_start - *period).get_days())
            .collect();
        lags.sort_unstable();
        let lag = *lags.get(lags.len() / 2)?;
        let target = shift(period, self.timeframe, steps)?;
        Some(end_of_day_new_york(target.checked_add(lag.days()).ok()?))
    }

    /// The values in force at `as_of`, one a period, ascending.
    fn values(&self, as_of: Timestamp) -> Vec<f64> {
        let known = |vintages: &Vec<Observation>| vintages.iter().rev().find(|v| v.known_at <= as_of).map(|v| v.value);
        self.periods.values().filter_map(known).collect()
    }

    /// The forecast that follows the release at `as_of`.
    pub(crate) fn forecast(&self, as_of: Timestamp, now: Timestamp, code_version: &str) -> Result<Forecast> {
        let missing = || EngineError::NoBars { symbol: self.asset.symbol.clone(), timeframe: self.timeframe };
        let released = |vintages: &Vec<Observation>| vintages[0].known_at <= as_of;
        let (period, _) = self.periods.iter().rev().find(|(_, vintages)| released(vintages)).ok_or_else(missing)?;
        let values = self.values(as_of);
        let unit = unit(&self.asset.source_symbol);
        let horizon = |&horizon: &u32| {
            let naive = naive_release(&values, unit, horizon as usize).map_err(EngineError::forecast("forecast"))?;
            Ok(HorizonForecast {
                horizon,
                target_time: self.expected_release(*period, horizon).ok_or_else(missing)?,
                quantiles: naive.quantiles,
                prob_up: naive.prob_up,
                baseline: naive.quantiles,
                baseline_prob_up: naive.prob_up,
            })
        };
        Ok(Forecast {
            symbol: self.asset.symbol.clone(),
            asset_class: self.asset.class(),
            timeframe: self.timeframe,
            as_of,
            issued_at: now,
            reference_price: *values.last().ok_or_else(missing)?,
            unit,
            adjustment: market::Adjustment::Raw,
            data_source: "vintages".to_owned(),
            model: baseline_ref(code_version),
            data_hash: self.data_hash(as_of),
            horizons: self.timeframe.horizons().iter().map(horizon).collect::<Result<_>>()?,
        })
    }

    /// SHA-256 over the vintages known at `as_of`, ascending by period: days since 1970 of period and vintage, value;
    /// little-endian.
    fn data_hash(&self, as_of: Timestamp) -> Hash {
        let mut bytes = Vec::new();
        for observation in self.periods.values().flatten().filter(|o| o.known_at <= as_of) {
            bytes.extend(midnight(observation.ref_period).as_microsecond().to_le_bytes());
            bytes.extend(midnight(observation.realtime_start).as_microsecond().to_le_bytes());
            bytes.extend(observation.value.to_le_bytes());
        }
        Hash::of(&bytes)
    }

    /// The first release, known at `now`, of the period `steps` after the one that was the last at `as_of`; and its hash.
    pub(crate) fn first_release(&self, as_of: Timestamp, steps: u32, now: Timestamp) -> Option<(f64, Hash)> {
        let (period, _) = self.periods.iter().rev().find(|(_, vintages)| vintages[0].known_at <= as_of)?;
        let target = shift(*period, self.timeframe, steps)?;
        let first = self.periods.get(&target)?.first().filter(|first| first.known_at <= now)?;
        let mut bytes = Vec::with_capacity(24);
        bytes.extend(midnight(first.ref_period).as_microsecond().to_le_bytes());
        bytes.extend(midnight(first.realtime_start).as_microsecond().to_le_bytes());
        bytes.extend(first.value.to_le_bytes());
        Some((first.value, Hash::of(&bytes)))
    }

    /// The newest value.
    pub(crate) fn quote(&self, now: Timestamp) -> Option<Quote> {
        let values = self.values(now);
        let (period, release) = self.last_release();
        let price = *values.last()?;
        let before = values.len().checked_sub(2).map(|at| values[at]);
        let next = self.expected_release(period, 1);
        Some(Quote {
            price,
            event_time: release.known_at,
            change_24h: before.filter(|before| *before != 0.0).map(|before| 100.0 * (price / before - 1.0)),
            change_basis: ChangeBasis::PreviousRelease,
            volume: None,
            data_source: "vintages".to_owned(),
            // A week after the next release was expected.
            stale: next.is_none_or(|next| now > next + jiff::SignedDuration::from_hours(7 * 24)),
        })
    }

    /// The newest vintage of each of the last `n` periods as a flat bar, ascending.
    pub(crate) fn bars(&self, n: usize) -> Vec<Bar> {
        let skip = self.periods.len().saturating_sub(n);
        let bar = |(period, vintages): (&Date, &Vec<Observation>)| {
            let newest = vintages.last()?;
            let open_time = midnight(*period);
            let span = Calendar::Continuous.bar_closing_after(self.timeframe, open_time)?;
            let value = newest.value;
            Some(Bar {
                open_time,
                close_time: span.close_time,
                open: value,
                high: value,
                low: value,
                close: value,
                volume: 0.0,
                adj_close: None,
                known_at: newest.known_at,
            })
        };
        self.periods.iter().skip(skip).filter_map(bar).collect()
    }
}

/// Which change of a series is forecast: growth of output and prices, else the difference.
fn unit(source_symbol: &str) -> Unit {
    match source_symbol {
        "GDP" | "CPIAUCSL" => Unit::LogReturn,
        _ => Unit::Change,
    }
}

fn shift(period: Date, timeframe: Timeframe, steps: u32) -> Option<Date> {
    let months = if timeframe == Timeframe::Q1 { 3 } else { 1 };
    period.checked_add((i64::from(steps) * months).months()).ok()
}
