//! The naive baseline: a random walk with the empirical quantiles of past returns.

use market::{N_LEVELS, Quantiles};

use crate::error::ForecastError;
use crate::model::{FittedForecaster, Forecaster, ModelName, Prediction};
use crate::panel::Panel;
use crate::residual::empirical;

/// How many overlapping returns the baseline looks back on.
pub const NAIVE_WINDOW: usize = 250;

/// How many the slow baseline looks back on.
pub const SLOW_NAIVE_WINDOW: usize = 1000;

/// The baseline as a [`Forecaster`]: fitting it only chooses the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Naive {
    name: ModelName,
}

impl Naive {
    /// The baseline over [`NAIVE_WINDOW`] returns.
    pub const QUICK: Self = Self { name: ModelName::Naive };
    /// The baseline over [`SLOW_NAIVE_WINDOW`] returns.
    pub const SLOW: Self = Self { name: ModelName::Naive1000 };
}

impl Forecaster for Naive {
    fn fit(&self, _panel: &Panel) -> Result<Box<dyn FittedForecaster>, ForecastError> {
        Ok(Box::new(*self))
    }
}

impl FittedForecaster for Naive {
    fn name(&self) -> ModelName {
        self.name
    }

    fn predict(
        &self,
        panel: &Panel,
        asset: usize,
        row: usize,
        horizons: &[u32],
    ) -> Result<Vec<Prediction>, ForecastError> {
        naive(panel, asset, row, horizons, self.name.naive_window().unwrap_or(NAIVE_WINDOW))
    }
}

/// Fewest returns for a baseline to say anything.
const MIN_RETURNS: usize = 100;

/// Quantiles of the last `window` overlapping returns of each horizon, known at the close of the row.
///
/// # Errors
/// When fewer than 100 such returns are known.
pub fn naive(
    panel: &Panel,
    asset: usize,
    row: usize,
    horizons: &[u32],
    window: usize,
) -> Result<Vec<Prediction>, ForecastError> {
    let mut returns = Vec::with_capacity(window);
    let predict = |horizon_bars: &u32| {
        let quantiles = naive_quantiles(panel, asset, row, *horizon_bars, window, &mut returns)?;
        prediction(panel, asset, *horizon_bars, quantiles)
    };
    horizons.iter().map(predict).collect()
}

/// The baseline's quantiles at one horizon; `returns` is scratch.
pub(crate) fn naive_quantiles(
    panel: &Panel,
    asset: usize,
    row: usize,
    horizon: u32,
    window: usize,
    returns: &mut Vec<f64>,
) -> Result<[f64; N_LEVELS], ForecastError> {
    let series = &panel.series[asset];
    let horizon = horizon as usize;
    let first = horizon.max((row + 1).saturating_sub(window));
    returns.clear();
    if first <= row {
        let ends = &series.log_price[first..=row];
        let starts = &series.log_price[first - horizon..=row - horizon];
        returns.extend(ends.iter().zip(starts).map(|(end, start)| end - start));
    }
    if returns.len() < MIN_RETURNS {
        return Err(ForecastError::NotEnoughHistory(format!(
            "{} has {} returns over {horizon} bars, {MIN_RETURNS} are needed",
            series.symbol,
            returns.len()
        )));
    }
    Ok(empirical(returns).expect("not empty"))
}

/// A prediction from quantiles that may still cross.
pub(crate) fn prediction(
    panel: &Panel,
    asset: usize,
    horizon_bars: u32,
    quantiles: [f64; N_LEVELS],
) -> Result<Prediction, ForecastError> {
    let quantiles = Quantiles::rearranged(quantiles)
        .map_err(|_| ForecastError::NotFinite { symbol: panel.series[asset].symbol.clone() })?;
    Ok(Prediction { horizon_bars, prob_up: quantiles.prob_above_zero(), quantiles })
}
