//! Whether two series of losses differ by more than chance.

use super::student::student_t_two_sided;

/// A Diebold–Mariano test of equal expected loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DieboldMariano {
    /// How many moments were compared.
    pub n_times: usize,
    /// Mean loss minus the baseline's: below zero where the forecast is better.
    pub mean_difference: f64,
    /// Its standard error, robust to the correlation of neighbouring differences.
    pub standard_error: f64,
    /// The statistic, with the small-sample factor.
    pub statistic: f64,
    /// Two-sided.
    pub p_value: f64,
    /// How many neighbours the standard error counts with.
    pub lag: usize,
}

impl DieboldMariano {
    /// The test on `differences`, one per moment in order of time (a panel is averaged over its assets first), of forecasts
    /// `horizon` steps ahead, a step being one moment.
    ///
    /// Variance: Newey & West (1987) with Bartlett weights, lag [`DieboldMariano::lag_for`]. Small samples: the factor and
    /// the t distribution of Harvey, Leybourne & Newbold (1997). Where all differences are zero, the statistic is 0 and the
    /// p-value 1. `None` when there is nothing to test: fewer than three moments, not more moments than steps, or a constant
    /// difference other than zero.
    #[must_use]
    pub fn of(differences: &[f64], horizon: usize) -> Option<Self> {
        let n_times = differences.len();
        if n_times < 3 || n_times <= horizon {
            return None;
        }
        let lag = Self::lag_for(n_times, horizon);
        let n = n_times as f64;
        let mean_difference = differences.iter().sum::<f64>() / n;
        let standard_error = (long_run_variance(differences, mean_difference, lag) / n).sqrt();
        // A constant series leaves rounding errors at most; dividing by them would make certainty out of nothing.
        let constant = standard_error <= f64::EPSILON * mean_difference.abs();
        if constant && mean_difference != 0.0 {
            return None;
        }
        let steps = horizon.max(1) as f64;
        let factor = ((n + 1.0 - 2.0 * steps + steps * (steps - 1.0) / n) / n).sqrt();
        let statistic = if constant { 0.0 } else { factor * mean_difference / standard_error };
        let p_value = student_t_two_sided(statistic, n - 1.0);
        Some(Self { n_times, mean_difference, standard_error, statistic, p_value, lag })
    }

    /// The lag: `horizon - 1`, by which forecasts overlap, or the rule of thumb `4 (n / 100)^(2/9)` of Newey & West (1994)
    /// where that is more; always less than `n_times`.
    #[must_use]
    pub fn lag_for(n_times: usize, horizon: usize) -> usize {
        let rule = (4.0 * (n_times as f64 / 100.0).powf(2.0 / 9.0)).floor() as usize;
        rule.max(horizon.saturating_sub(1)).min(n_times.saturating_sub(1))
    }
}

/// Bartlett-weighted autocovariances up to `lag`; never negative.
fn long_run_variance(values: &[f64], mean: f64, lag: usize) -> f64 {
    let n = values.len();
    let covariance = |k: usize| {
        let pairs = values[k..].iter().zip(values);
        pairs.map(|(later, earlier)| (later - mean) * (earlier - mean)).sum::<f64>() / n as f64
    };
    let weighted = |k: usize| 2.0 * (1.0 - k as f64 / (lag + 1) as f64) * covariance(k);
    (covariance(0) + (1..=lag).map(weighted).sum::<f64>()).max(0.0)
}
