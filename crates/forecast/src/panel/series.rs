//! The columns of one asset: recursive and local quantities, appended bar by bar.

use market::{AssetKind, Bar, Symbol};

use super::context::{HourSums, Hours};
use super::digest::Digest;
use crate::shape::Shape;
use crate::window::{mean_last, mean_sd_last};

/// Prices as they were pushed; kept to replay them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawRow {
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
    pub(crate) volume: f64,
    pub(crate) split_ratio: f64,
}

/// One asset's columns; all of the same length.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) symbol: Symbol,
    pub(crate) kind: AssetKind,
    /// Position of its pool.
    pub(crate) pool: usize,
    /// Class step of each row.
    pub(crate) step: Vec<u32>,
    /// Row of the pool's columns at that step.
    pub(crate) pool_row: Vec<u32>,
    pub(crate) open_us: Vec<i64>,
    pub(crate) close_us: Vec<i64>,
    pub(crate) raw: Vec<RawRow>,
    /// Log close in the terms of the first row.
    pub(crate) log_price: Vec<f64>,
    /// Log return, close to close; 0 in the first row.
    pub(crate) ret: Vec<f64>,
    /// Open minus the close before, in logs; 0 in the first row.
    pub(crate) overnight: Vec<f64>,
    /// Range variance with the overnight move, floored at a thousandth of its average.
    pub(crate) variance: Vec<f64>,
    /// Its log.
    pub(crate) ln_variance: Vec<f64>,
    /// EWMA(.94) of squared returns.
    pub(crate) ewma_variance: Vec<f64>,
    /// Exponential mean of returns over five bars.
    pub(crate) ewma_return: Vec<f64>,
    /// EMA(12) minus EMA(26) of the log price.
    pub(crate) trend: Vec<f64>,
    /// Relative strength index over 14 bars, 0 to 1; NaN until something moved.
    pub(crate) strength: Vec<f64>,
    /// Log volume in the terms of the first row; NaN where nothing was traded.
    pub(crate) ln_volume: Vec<f64>,
    /// Log volume against its mean, in standard deviations, over the volume window.
    pub(crate) volume_z: Vec<f64>,
    /// Log of the variance over its mean of the last quarter.
    pub(crate) abnormal: Vec<f64>,
    /// Where the close lies in the bar's range: 0 at the low, 1 at the high, 1/2 in a flat bar.
    pub(crate) close_position: Vec<f64>,
    /// Sums of the day's hours; empty in panels that read none.
    pub(crate) hour_sums: Vec<HourSums>,
    pub(crate) hours: Hours,
    pub(crate) digest: Digest,
    state: Recursion,
}

/// What the recursive columns carry from bar to bar.
#[derive(Debug, Clone, Copy, Default)]
struct Recursion {
    ln_ratio: f64,
    slow_variance: f64,
    fast_price: f64,
    slow_price: f64,
    gain: f64,
    loss: f64,
}

impl Series {
    pub(crate) fn new(symbol: Symbol, kind: AssetKind, pool: usize) -> Self {
        Self {
            symbol,
            kind,
            pool,
            step: Vec::new(),
            pool_row: Vec::new(),
            open_us: Vec::new(),
            close_us: Vec::new(),
            raw: Vec::new(),
            log_price: Vec::new(),
            ret: Vec::new(),
            overnight: Vec::new(),
            variance: Vec::new(),
            ln_variance: Vec::new(),
            ewma_variance: Vec::new(),
            ewma_return: Vec::new(),
            trend: Vec::new(),
            strength: Vec::new(),
            ln_volume: Vec::new(),
            volume_z: Vec::new(),
            abnormal: Vec::new(),
            close_position: Vec::new(),
            hour_sums: Vec::new(),
            hours: Hours::default(),
            digest: Digest::default(),
            state: Recursion::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.step.len()
    }

    /// Appends a checked bar.
    pub(crate) fn push(&mut self, step: usize, bar: &Bar, split_ratio: f64, shape: &Shape) {
        let before = self.raw.last().map(|raw| raw.close * split_ratio);
        self.digest.row(bar, split_ratio);
        self.step.push(u32::try_from(step).expect("a panel has fewer than 2^32 steps"));
        self.open_us.push(bar.open_time.as_microsecond());
        self.close_us.push(bar.close_time.as_microsecond());
        let Bar { open, high, low, close, volume, .. } = *bar;
        self.raw.push(RawRow { open, high, low, close, volume, split_ratio });

        self.state.ln_ratio += split_ratio.ln();
        let log_price = close.ln() - self.state.ln_ratio;
        let ret = before.map_or(0.0, |price| (close / price).ln());
        let overnight = before.map_or(0.0, |price| (open / price).ln());
        self.push_variance(shape.range.variance(bar) + overnight * overnight, ret);
        self.log_price.push(log_price);
        self.ret.push(ret);
        self.overnight.push(overnight);
        self.push_trend(log_price, ret);

        // After a split of 7:1 seven times as many shares change hands: in the first row's terms it is the same volume.
        self.ln_volume.push(if volume > 0.0 { volume.ln() + self.state.ln_ratio } else { f64::NAN });
        let row = self.len() - 1;
        let (mean, sd) = mean_sd_last(&self.ln_volume, row, shape.volume_window);
        self.volume_z.push(if sd > 0.0 { (self.ln_volume[row] - mean) / sd } else { f64::NAN });
        self.abnormal.push(self.ln_variance[row] - mean_last(&self.variance, row, shape.windows[3]).ln());
        let range = high - low;
        self.close_position.push(if range > 0.0 { (close - low) / range } else { 0.5 });
        if shape.reads_hours {
            let sums = if self.hours.bars.is_empty() { HourSums::MISSING } else { self.hours.sums(bar) };
            self.hour_sums.push(sums);
        }
    }

    fn push_variance(&mut self, variance: f64, ret: f64) {
        let first = self.variance.is_empty();
        // A bar without a trade has no range; its log would swallow the window it stands in.
        let floor = if first { 0.0 } else { 1e-3 * self.state.slow_variance };
        let floored = variance.max(floor).max(1e-12);
        self.state.slow_variance = if first { floored } else { 0.97 * self.state.slow_variance + 0.03 * floored };
        self.variance.push(floored);
        self.ln_variance.push(floored.ln());
        let ewma = self.ewma_variance.last().map_or(floored, |last| 0.94 * last + 0.06 * ret * ret);
        self.ewma_variance.push(ewma.max(1e-12));
    }

    fn push_trend(&mut self, log_price: f64, ret: f64) {
        let state = &mut self.state;
        let last = self.ewma_return.last().copied();
        self.ewma_return.push(last.map_or(ret, |mean| mean + (ret - mean) / 3.0));
        if last.is_none() {
            (state.fast_price, state.slow_price) = (log_price, log_price);
        }
        state.fast_price += (log_price - state.fast_price) * (2.0 / 13.0);
        state.slow_price += (log_price - state.slow_price) * (2.0 / 27.0);
        self.trend.push(state.fast_price - state.slow_price);
        state.gain += (ret.max(0.0) - state.gain) / 14.0;
        state.loss += ((-ret).max(0.0) - state.loss) / 14.0;
        let moved = state.gain + state.loss;
        self.strength.push(if moved > 0.0 { state.gain / moved } else { f64::NAN });
    }
}
