//! Predictive distributions as quantiles at fixed levels.

use thiserror::Error;

/// How many levels a forecast has.
pub const N_LEVELS: usize = 13;

/// The levels of every forecast, ascending.
pub const LEVELS: [f64; N_LEVELS] = [0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975];

/// Position of the median in [`LEVELS`].
pub const MEDIAN: usize = 6;

/// Thirteen quantiles at [`LEVELS`], finite and non-decreasing; log returns unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantiles([f64; N_LEVELS]);

/// Numbers that are no quantiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum QuantileError {
    /// NaN or infinite.
    #[error("the quantile at level {} is not finite", LEVELS[*index])]
    NotFinite {
        /// Position in [`LEVELS`].
        index: usize,
    },
    /// Below the one before.
    #[error("the quantile at level {} is below the one at {}", LEVELS[*index], LEVELS[*index - 1])]
    Crossing {
        /// Position in [`LEVELS`] of the lower one.
        index: usize,
    },
}

impl Quantiles {
    /// Quantiles that are already in order.
    ///
    /// # Errors
    /// When one is not finite, or two cross.
    pub fn new(values: [f64; N_LEVELS]) -> Result<Self, QuantileError> {
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            return Err(QuantileError::NotFinite { index });
        }
        match values.windows(2).position(|w| w[1] < w[0]) {
            Some(index) => Err(QuantileError::Crossing { index: index + 1 }),
            None => Ok(Self(values)),
        }
    }

    /// Quantiles put in order first (rearrangement; Chernozhukov, Fernández-Val & Galichon 2010).
    ///
    /// # Errors
    /// When one is not finite.
    pub fn rearranged(mut values: [f64; N_LEVELS]) -> Result<Self, QuantileError> {
        values.sort_by(f64::total_cmp);
        Self::new(values)
    }

    /// The values, ascending.
    #[must_use]
    pub const fn values(&self) -> &[f64; N_LEVELS] {
        &self.0
    }

    /// The quantile at level .5.
    #[must_use]
    pub const fn median(&self) -> f64 {
        self.0[MEDIAN]
    }

    /// Lower and upper end of the central interval of 95, 90, 80, 60, 40 or 20 percent.
    ///
    /// `None` for any other percentage.
    #[must_use]
    pub fn interval(&self, percent: u32) -> Option<(f64, f64)> {
        let index = [95, 90, 80, 60, 40, 20].iter().position(|p| *p == percent)?;
        Some((self.0[index], self.0[N_LEVELS - 1 - index]))
    }

    /// The probability of a positive outcome: linear between levels, exponential tails beyond the outermost two whose
    /// rate follows from them. Always in `[0, 1]`; 1/2 where all quantiles are zero.
    #[must_use]
    pub fn prob_above_zero(&self) -> f64 {
        1.0 - self.cdf(0.0)
    }

    /// The probability of an outcome of at most `x`; see [`Quantiles::prob_above_zero`] for the shape.
    #[must_use]
    pub fn cdf(&self, x: f64) -> f64 {
        let q = &self.0;
        let last = N_LEVELS - 1;
        if x < q[0] {
            return tail(LEVELS[0], q[0] - x, q[1] - q[0], LEVELS[1] / LEVELS[0]);
        }
        if x > q[last] {
            return 1.0 - tail(1.0 - LEVELS[last], x - q[last], q[last] - q[last - 1], LEVELS[1] / LEVELS[0]);
        }
        // Between equal quantiles the distribution has a step: take its middle.
        let below = q.partition_point(|v| *v < x);
        let above = q.partition_point(|v| *v <= x);
        if above > below {
            return (LEVELS[below] + LEVELS[above - 1]) / 2.0;
        }
        let weight = (x - q[below - 1]) / (q[below] - q[below - 1]);
        LEVELS[below - 1] + weight * (LEVELS[below] - LEVELS[below - 1])
    }
}

/// Mass left `distance` beyond a quantile of tail mass `mass`, when the mass grew by `ratio` over `step` inside it.
fn tail(mass: f64, distance: f64, step: f64, ratio: f64) -> f64 {
    if step <= 0.0 {
        return 0.0;
    }
    mass * (-(distance / step) * ratio.ln()).exp()
}

#[cfg(test)]
mod tests;
