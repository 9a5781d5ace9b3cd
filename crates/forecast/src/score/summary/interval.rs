//! Central intervals: how often they held, and how wide they had to be.

use super::tally::{INTERVALS, Tally};

/// One central interval over many cases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IntervalSummary {
    /// Its nominal coverage in percent.
    pub percent: u32,
    /// Share of cases it held, ends included.
    pub coverage: f64,
    /// Mean width by case.
    pub width: f64,
    /// Mean interval score by case; see [`interval_score`](crate::score::interval_score).
    pub winkler: f64,
    /// Each asset's coverage, averaged.
    pub coverage_symbol_mean: f64,
    /// The least covered asset's.
    pub coverage_symbol_min: f64,
    /// The most covered asset's.
    pub coverage_symbol_max: f64,
    /// Each asset's mean width, averaged.
    pub width_symbol_mean: f64,
    /// The naive reference's, over the cases that have one; `None` when none has.
    pub naive: Option<NaiveInterval>,
}

/// The naive reference's interval over many cases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NaiveInterval {
    /// Share of cases it held.
    pub coverage: f64,
    /// Mean width.
    pub width: f64,
}

impl IntervalSummary {
    /// The interval at position `which` of [`INTERVALS`].
    pub(super) fn of(which: usize, tallies: &[Tally], total: &Tally) -> Self {
        let share = |tally: &Tally| tally.intervals[which].held as f64 / tally.n as f64;
        let symbol_mean = |of: &dyn Fn(&Tally) -> f64| tallies.iter().map(of).sum::<f64>() / tallies.len() as f64;
        let (all, naive, n_naive) = (total.intervals[which], total.intervals_naive[which], total.n_naive);
        Self {
            percent: INTERVALS[which].0,
            coverage: share(total),
            width: all.width / total.n as f64,
            winkler: all.winkler / total.n as f64,
            coverage_symbol_mean: symbol_mean(&share),
            coverage_symbol_min: tallies.iter().map(share).fold(1.0, f64::min),
            coverage_symbol_max: tallies.iter().map(share).fold(0.0, f64::max),
            width_symbol_mean: symbol_mean(&|tally| tally.intervals[which].width / tally.n as f64),
            naive: (n_naive > 0).then(|| NaiveInterval {
                coverage: naive.held as f64 / n_naive as f64,
                width: naive.width / n_naive as f64,
            }),
        }
    }
}
