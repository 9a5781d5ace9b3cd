//! Forecasts of a macro series' next releases: the naive baseline.
//!
//! The values are those of the vintage in force at the information cut, one a period. What is forecast is the change from
//! the last of them to the first release of a later period: log growth where the level grows without bound, else the
//! difference in the series' own unit.

use market::{LEVELS, N_LEVELS, Quantiles, Unit};

use crate::error::ForecastError;

/// How many past changes the baseline looks back on: ten years of months.
pub const RELEASE_WINDOW: usize = 120;

/// Fewest past changes from which quantiles are taken.
pub const MIN_CHANGES: usize = 24;

/// The distribution of the change at one horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReleaseForecast {
    /// Quantiles of the change, in `unit`.
    pub quantiles: Quantiles,
    /// Probability of a rise, from the same distribution.
    pub prob_up: f64,
}

/// Empirical quantiles of the last [`RELEASE_WINDOW`] overlapping `horizon`-period changes of `values` (ascending by
/// period, known at the information cut).
///
/// # Errors
/// When fewer than [`MIN_CHANGES`] changes are known, or a growth is asked of values that are not positive.
pub fn naive_release(values: &[f64], unit: Unit, horizon: usize) -> Result<ReleaseForecast, ForecastError> {
    let n_changes = values.len().saturating_sub(horizon);
    if n_changes < MIN_CHANGES {
        return Err(ForecastError::NotEnoughHistory(format!("{n_changes} changes over {horizon} periods are known")));
    }
    if unit == Unit::LogReturn && values.iter().any(|value| *value <= 0.0) {
        return Err(ForecastError::Parameters("growth of a value that is not positive".to_owned()));
    }
    let mut changes: Vec<f64> = (horizon..values.len())
        .rev()
        .take(RELEASE_WINDOW)
        .map(|at| unit.between(values[at - horizon], values[at]))
        .collect();
    changes.sort_by(f64::total_cmp);
    let mut quantiles = [0.0; N_LEVELS];
    for (quantile, level) in quantiles.iter_mut().zip(LEVELS) {
        *quantile = interpolated(&changes, level);
    }
    let quantiles = Quantiles::rearranged(quantiles)
        .map_err(|_| ForecastError::Parameters("a change that is not finite".to_owned()))?;
    Ok(ReleaseForecast { quantiles, prob_up: quantiles.prob_above_zero() })
}

/// The quantile of ascending `sorted`, linear between order statistics (type 7 of Hyndman & Fan 1996).
fn interpolated(sorted: &[f64], level: f64) -> f64 {
    let position = level * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_changes_by_its_slope() {
        let values: Vec<f64> = (0..60).map(|i| 100.0 + 2.0 * f64::from(i)).collect();
        let forecast = naive_release(&values, Unit::Change, 3).unwrap();
        assert_eq!(forecast.quantiles.values(), &[6.0; N_LEVELS]);
        assert_eq!(forecast.prob_up, 1.0);
    }

    #[test]
    fn growth_is_logarithmic() {
        let values: Vec<f64> = (0..60).map(|i| (0.01 * f64::from(i)).exp()).collect();
        let forecast = naive_release(&values, Unit::LogReturn, 2).unwrap();
        assert!((forecast.quantiles.median() - 0.02).abs() < 1e-12);
    }

    #[test]
    fn too_few_values_give_no_forecast() {
        assert!(naive_release(&[1.0; 24], Unit::Change, 1).is_err());
        assert!(naive_release(&[1.0; 25], Unit::Change, 1).is_ok());
        assert!(naive_release(&[-1.0; 30], Unit::LogReturn, 1).is_err());
    }

    #[test]
    fn only_the_window_counts() {
        let mut values = vec![0.0; 200];
        values.extend((1..=RELEASE_WINDOW).map(|i| i as f64));
        let forecast = naive_release(&values, Unit::Change, 1).unwrap();
        assert_eq!(forecast.quantiles.values(), &[1.0; N_LEVELS]);
    }
}
