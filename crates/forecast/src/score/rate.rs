//! Shares of cases, with their uncertainty.

use super::bootstrap::Interval;

/// A share of cases, with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The share, in `[0, 1]`.
    pub rate: f64,
    /// Of how many cases.
    pub n: usize,
    /// The 95 % interval; `None` where there are too few moments to resample.
    pub interval: Option<Interval>,
}

/// The normal quantile of a two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

impl Rate {
    /// The share of `successes` among `n` independent cases, with Wilson's interval; `None` without cases.
    ///
    /// Source: Wilson (1927), without continuity correction.
    #[must_use]
    pub fn wilson(successes: usize, n: usize) -> Option<Self> {
        if n == 0 {
            return None;
        }
        let (cases, rate) = (n as f64, successes as f64 / n as f64);
        let shrink = 1.0 + Z * Z / cases;
        let middle = (rate + Z * Z / (2.0 * cases)) / shrink;
        let half = Z / shrink * (rate * (1.0 - rate) / cases + Z * Z / (4.0 * cases * cases)).sqrt();
        // Rounding may leave the ends a hair outside.
        let interval = Interval { low: (middle - half).clamp(0.0, rate), high: (middle + half).clamp(rate, 1.0) };
        Some(Self { rate, n, interval: Some(interval) })
    }
}
