//! Central intervals: how often they held, and how wide they had to be.

use market::N_LEVELS;

use super::{Cases, mean_of, symbol_mean};
use crate::score::case::{covers, interval_score};
use crate::score::panel::mean;

/// The intervals that are summarised, in percent.
pub(super) const PERCENTS: [u32; 3] = [80, 90, 95];

/// One central interval over many cases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IntervalSummary {
    /// Its nominal coverage in percent.
    pub percent: u32,
    /// Share of cases it held, ends included.
    pub coverage: f64,
    /// Mean width by case.
    pub width: f64,
    /// Mean interval score by case; see [`interval_score`].
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
    pub(super) fn of(cases: &Cases<'_>, percent: u32, by_symbol: &[Vec<usize>]) -> Self {
        let level = f64::from(percent) / 100.0;
        let ends = |quantiles: &[f64; N_LEVELS]| {
            let lower = match percent {
                95 => 0,
                90 => 1,
                _ => 2,
            };
            (quantiles[lower], quantiles[N_LEVELS - 1 - lower])
        };
        let held = |row: usize| f64::from(covers(ends(&cases.quantiles[row]), cases.change[row]));
        let width = |row: usize| {
            let (low, high) = ends(&cases.quantiles[row]);
            high - low
        };
        let by_case = |of: &dyn Fn(usize) -> f64| (0..cases.len()).map(of).sum::<f64>() / cases.len() as f64;
        let shares = by_symbol.iter().map(|rows| rows.iter().map(|row| held(*row)).sum::<f64>() / rows.len() as f64);
        let naive = |of: &dyn Fn(usize, (f64, f64)) -> f64| {
            mean(cases.references().map(|(row, reference)| of(row, ends(reference))))
        };
        Self {
            percent,
            coverage: by_case(&held),
            width: by_case(&width),
            winkler: by_case(&|row| interval_score(ends(&cases.quantiles[row]), level, cases.change[row])),
            coverage_symbol_mean: mean_of(by_symbol, |rows| {
                rows.iter().map(|row| held(*row)).sum::<f64>() / rows.len() as f64
            }),
            coverage_symbol_min: shares.clone().fold(1.0, f64::min),
            coverage_symbol_max: shares.fold(0.0, f64::max),
            width_symbol_mean: symbol_mean(by_symbol, width),
            naive: naive(&|row, ends| f64::from(covers(ends, cases.change[row])))
                .zip(naive(&|_, (low, high)| high - low))
                .map(|(coverage, width)| NaiveInterval { coverage, width }),
        }
    }
}
