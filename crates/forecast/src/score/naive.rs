//! The naive reference: tomorrow's return is drawn from the last returns.

use market::{LEVELS, N_LEVELS};

/// How many returns the reference looks back.
pub const NAIVE_WINDOW: usize = 250;

/// With fewer known returns there is no reference.
pub const MIN_NAIVE_RETURNS: usize = 100;

/// Quantiles at [`LEVELS`] of the last `window` overlapping `horizon`-bar returns known at `index`, the latest one ending
/// there; `None` with fewer than [`MIN_NAIVE_RETURNS`].
///
/// `log_prices` ascend in time and are finite; `horizon` is at least 1. Reads nothing after `index`. Quantiles are linear
/// between order statistics (type 7 of Hyndman & Fan 1996).
#[must_use]
pub fn naive_quantiles(log_prices: &[f64], index: usize, horizon: usize, window: usize) -> Option<[f64; N_LEVELS]> {
    NaiveWindow::new(log_prices, horizon, window).at(index)
}

/// [`naive_quantiles`] for one bar after another: keeps its returns sorted while it moves, and gives the very same bits.
#[derive(Debug, Clone)]
pub struct NaiveWindow<'a> {
    log_prices: &'a [f64],
    horizon: usize,
    window: usize,
    /// The returns ending at `last`, at `last - 1` and so on, ascending by value.
    sorted: Vec<f64>,
    /// The index the window stands at; `None` before the first call.
    last: Option<usize>,
}

impl<'a> NaiveWindow<'a> {
    /// A window over `log_prices`; see [`naive_quantiles`] for what they must be.
    #[must_use]
    pub fn new(log_prices: &'a [f64], horizon: usize, window: usize) -> Self {
        debug_assert!(horizon >= 1, "a return needs two prices");
        Self { log_prices, horizon, window, sorted: Vec::new(), last: None }
    }

    /// The reference at `index`. Any order is right; ascending order is fast. `None` also past the last price.
    #[must_use]
    pub fn at(&mut self, index: usize) -> Option<[f64; N_LEVELS]> {
        if index >= self.log_prices.len() {
            return None;
        }
        match self.last {
            Some(last) if last <= index && index - last < self.window / 8 => {
                (last + 1..=index).for_each(|next| self.step(next));
            }
            _ => self.rebuild(index),
        }
        self.last = Some(index);
        (self.sorted.len() >= MIN_NAIVE_RETURNS).then(|| LEVELS.map(|level| quantile_of_sorted(&self.sorted, level)))
    }

    fn rebuild(&mut self, index: usize) {
        let from = self.horizon.max((index + 1).saturating_sub(self.window));
        self.sorted.clear();
        self.sorted.extend((from..=index).map(|end| self.log_prices[end] - self.log_prices[end - self.horizon]));
        self.sorted.sort_unstable_by(f64::total_cmp);
    }

    fn step(&mut self, index: usize) {
        // The same subtraction gives the same bits, so the leaving return is found by its value.
        if index >= self.horizon + self.window {
            let end = index - self.window;
            let leaving = self.log_prices[end] - self.log_prices[end - self.horizon];
            let at = self.sorted.partition_point(|value| value.total_cmp(&leaving).is_lt());
            self.sorted.remove(at);
        }
        if index >= self.horizon {
            let coming = self.log_prices[index] - self.log_prices[index - self.horizon];
            let at = self.sorted.partition_point(|value| value.total_cmp(&coming).is_lt());
            self.sorted.insert(at, coming);
        }
    }
}

/// The quantile at `level` of values in ascending order, linear between neighbours. Interpolates from the nearer one, so
/// that a level on a value gives the value. `sorted` must not be empty.
pub(crate) fn quantile_of_sorted(sorted: &[f64], level: f64) -> f64 {
    let last = sorted.len() - 1;
    let position = last as f64 * level;
    let below = position.floor();
    let weight = position - below;
    let low = sorted[below as usize];
    let high = sorted[(below as usize + 1).min(last)];
    if weight >= 0.5 { high - (high - low) * (1.0 - weight) } else { low + (high - low) * weight }
}
