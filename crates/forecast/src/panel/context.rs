//! Context beside the bars: the volatility index of stocks, the hours of a coin's day.

use market::Bar;

use super::digest::Digest;
use crate::error::ForecastError;
use crate::range::Range;

/// Fewest hours a day must have for its sums to count.
pub(crate) const MIN_HOURS: usize = 18;

/// Days of the volatility index (VIX), in annual percent.
#[derive(Debug, Clone, Default)]
pub(crate) struct VolatilityIndex {
    pub(crate) bars: Vec<Bar>,
    /// Latest `known_at` of all rows up to here, µs: a row is read only once all before it are known.
    known_us: Vec<i64>,
    /// Log of the variance per session the close stands for.
    pub(crate) ln_variance: Vec<f64>,
    /// Log of high over low.
    pub(crate) ln_range: Vec<f64>,
    pub(crate) digest: Digest,
}

impl VolatilityIndex {
    pub(crate) fn push(&mut self, bar: &Bar) -> Result<(), ForecastError> {
        if !(bar.close.is_finite() && bar.close > 0.0 && bar.high > 0.0 && bar.low > 0.0) {
            return Err(ForecastError::Order(format!("volatility index of {} is not positive", bar.close_time)));
        }
        if self.bars.last().is_some_and(|last| last.close_time >= bar.close_time) {
            return Err(ForecastError::Order(format!(
                "volatility index of {} is not after the one before",
                bar.close_time
            )));
        }
        let known = bar.known_at.as_microsecond().max(self.known_us.last().copied().unwrap_or(i64::MIN));
        self.bars.push(*bar);
        self.known_us.push(known);
        // Annual percent to the variance of one of 252 sessions.
        self.ln_variance.push(2.0 * (bar.close / 100.0).ln() - 252.0f64.ln());
        // The published table has days whose high is below its low's neighbours: the range is at least zero.
        self.ln_range.push((bar.high / bar.low).ln().max(0.0));
        self.digest.row(bar, 1.0);
        Ok(())
    }

    /// How many rows were known at an instant.
    pub(crate) fn known_at(&self, us: i64) -> u32 {
        u32::try_from(self.known_us.partition_point(|k| *k <= us)).expect("an index has fewer than 2^32 days")
    }
}

/// Hours of one coin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hours {
    pub(crate) bars: Vec<Bar>,
    pub(crate) digest: Digest,
}

/// What a day's hours sum to, as a variance of the whole day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HourSums {
    /// Log of the sum of squared hourly returns.
    pub(crate) ln_realized: f64,
    /// Log of the sum of hourly Garman-Klass variances.
    pub(crate) ln_range: f64,
    /// Log of the bipower variation.
    pub(crate) ln_bipower: f64,
    /// Log of the last six hours' Garman-Klass variance, at the rate of a day.
    pub(crate) ln_last_six: f64,
}

impl HourSums {
    /// A day without enough hours.
    pub(crate) const MISSING: Self =
        Self { ln_realized: f64::NAN, ln_range: f64::NAN, ln_bipower: f64::NAN, ln_last_six: f64::NAN };
}

impl Hours {
    pub(crate) fn push(&mut self, bar: &Bar) -> Result<(), ForecastError> {
        if self.bars.last().is_some_and(|last| last.close_time > bar.open_time) {
            return Err(ForecastError::Order(format!("hour of {} is not after the one before", bar.open_time)));
        }
        self.bars.push(*bar);
        self.digest.row(bar, 1.0);
        Ok(())
    }

    /// The sums over the hours inside a day that were known when it closed; missing below [`MIN_HOURS`].
    pub(crate) fn sums(&self, day: &Bar) -> HourSums {
        let from = self.bars.partition_point(|h| h.open_time < day.open_time);
        let inside = self.bars[from..].iter().take_while(|h| h.close_time <= day.close_time);
        let hours: Vec<&Bar> = inside.filter(|h| h.known_at <= day.close_time).collect();
        if hours.len() < MIN_HOURS {
            return HourSums::MISSING;
        }
        let mut before = from.checked_sub(1).map(|at| &self.bars[at]);
        let (mut realized, mut range, mut bipower, mut last_six) = (0.0, 0.0, 0.0, 0.0);
        let mut last_absolute: Option<f64> = None;
        for (at, hour) in hours.iter().enumerate() {
            let start = before.filter(|b| b.close_time == hour.open_time).map_or(hour.open, |b| b.close);
            let change = (hour.close / start).ln();
            let garman_klass = Range::GarmanKlass.variance(hour);
            realized += change * change;
            range += garman_klass;
            if let Some(last) = last_absolute {
                bipower += change.abs() * last;
            }
            if at + 6 >= hours.len() {
                last_six += garman_klass;
            }
            last_absolute = Some(change.abs());
            before = Some(hour);
        }
        let whole_day = 24.0 / hours.len() as f64;
        let ln = |sum: f64| if sum > 0.0 { (sum * whole_day).ln() } else { f64::NAN };
        HourSums {
            ln_realized: ln(realized),
            ln_range: ln(range),
            ln_bipower: ln(bipower * std::f64::consts::FRAC_PI_2),
            ln_last_six: if last_six > 0.0 { (last_six * 4.0).ln() } else { f64::NAN },
        }
    }
}
