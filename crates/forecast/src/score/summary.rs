//! Many cases in a few figures: what a backtest prints.

mod direction;
mod interval;

use std::collections::BTreeMap;

use jiff::Timestamp;
use market::{LEVELS, N_LEVELS};
use thiserror::Error;

use super::bootstrap::{Bootstrap, Interval};
use super::case::{crps, mean_pinball_loss};
use super::diebold_mariano::DieboldMariano;
use super::panel::{LossPanel, mean};

pub use direction::{DirectionSummary, ReliabilityBin};
pub use interval::{IntervalSummary, NaiveInterval};

pub(super) use direction::reliability;

/// Cases of one horizon as columns of one length, in any order; an asset has at most one case at each `as_of`.
#[derive(Debug, Clone, Copy)]
pub struct Cases<'a> {
    /// Which asset, as a number of the caller's.
    pub symbol: &'a [u32],
    /// Information cut.
    pub as_of: &'a [Timestamp],
    /// What happened.
    pub change: &'a [f64],
    /// The forecasts at [`LEVELS`], one row a case; they do not cross.
    pub quantiles: &'a [[f64; N_LEVELS]],
    /// Probability of a rise, where the model states one.
    pub prob_up: Option<&'a [f64]>,
    /// The naive reference of each case; a case without one is left out of the skill. `None` when none has.
    pub naive: Option<&'a [Option<[f64; N_LEVELS]>]>,
}

/// Columns that cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScoreError {
    /// There is no case.
    #[error("there is no case to score")]
    Empty,
    /// Columns of different length.
    #[error("column {column} has {found} rows where symbol has {expected}")]
    Length {
        /// Which column.
        column: &'static str,
        /// Its rows.
        found: usize,
        /// Rows of the first column.
        expected: usize,
    },
    /// A number that is NaN or infinite.
    #[error("{column} of row {row} is not finite")]
    NotFinite {
        /// Which column.
        column: &'static str,
        /// Which row.
        row: usize,
    },
    /// Quantiles out of order.
    #[error("{column} of row {row} cross")]
    Crossing {
        /// Which column.
        column: &'static str,
        /// Which row.
        row: usize,
    },
    /// A probability outside of `[0, 1]`.
    #[error("prob_up of row {row} is no probability")]
    Probability {
        /// Which row.
        row: usize,
    },
}

/// How the forecasts of one group fared. Losses and widths are in the unit of the change.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Cases.
    pub n: usize,
    /// Assets.
    pub n_symbols: usize,
    /// Cases with a naive reference.
    pub n_naive: usize,
    /// First information cut.
    pub first_as_of: Timestamp,
    /// Last information cut.
    pub last_as_of: Timestamp,
    /// Mean CRPS of each asset, averaged.
    pub crps: f64,
    /// Mean pinball loss of each asset, averaged.
    pub pinball: f64,
    /// Against the naive reference; `None` when no case has one.
    pub skill: Option<SkillSummary>,
    /// The central intervals of 80, 90 and 95 percent.
    pub intervals: [IntervalSummary; 3],
    /// At each level, how often the outcome was below its quantile, by case.
    pub calibration: [f64; N_LEVELS],
    /// Greatest distance between a level and that frequency.
    pub level_error: f64,
    /// Mean distance.
    pub level_error_mean: f64,
    /// Each asset's greatest distance, averaged.
    pub level_error_symbol_mean: f64,
    /// Of the probability of a rise; `None` when none is stated or nothing ever changed.
    pub direction: Option<DirectionSummary>,
}

/// Skill against the naive reference, over the cases that have one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SkillSummary {
    /// The reference's mean CRPS of each asset, averaged.
    pub crps_naive: f64,
    /// `1 - CRPS / CRPS of the reference` of each asset, averaged; `None` where no reference ever missed.
    pub skill: Option<f64>,
    /// The median over the assets.
    pub skill_median: Option<f64>,
    /// The same ratio over all cases at once.
    pub skill_pooled: Option<f64>,
    /// Share of assets with a skill above zero.
    pub share_symbols_better: f64,
}

impl Cases<'_> {
    /// How many cases.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.symbol.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.symbol.is_empty()
    }

    /// The losses beside the naive reference's, of the cases that have one: for [`LossPanel::skill_interval`] and
    /// [`LossPanel::diebold_mariano`].
    ///
    /// # Errors
    /// When the columns cannot be scored.
    pub fn panel(&self) -> Result<LossPanel, ScoreError> {
        self.check()?;
        Ok(self.panel_of(&self.crps()))
    }

    /// The interval of the mean skill, and the Diebold–Mariano test against the naive reference, of forecasts `horizon`
    /// steps ahead; each `None` where there is too little to say.
    ///
    /// # Errors
    /// When the columns cannot be scored.
    pub fn evidence(&self, horizon: usize) -> Result<(Option<Interval>, Option<DieboldMariano>), ScoreError> {
        let panel = self.panel()?;
        Ok((panel.skill_interval(&Bootstrap::for_horizon(horizon)), panel.diebold_mariano(horizon)))
    }

    fn crps(&self) -> Vec<f64> {
        self.quantiles.iter().zip(self.change).map(|(quantiles, change)| crps(quantiles, *change)).collect()
    }

    fn panel_of(&self, crps: &[f64]) -> LossPanel {
        LossPanel::new(self.references().map(|(row, naive)| {
            (self.symbol[row], self.as_of[row], crps[row], super::case::crps(naive, self.change[row]))
        }))
    }

    fn references(&self) -> impl Iterator<Item = (usize, &[f64; N_LEVELS])> + Clone {
        let rows = self.naive.into_iter().flatten().enumerate();
        rows.filter_map(|(row, naive)| Some((row, naive.as_ref()?)))
    }

    fn check(&self) -> Result<(), ScoreError> {
        let expected = self.len();
        let lengths = [
            ("as_of", self.as_of.len()),
            ("change", self.change.len()),
            ("quantiles", self.quantiles.len()),
            ("prob_up", self.prob_up.map_or(expected, <[_]>::len)),
            ("naive", self.naive.map_or(expected, <[_]>::len)),
        ];
        if let Some(&(column, found)) = lengths.iter().find(|(_, found)| *found != expected) {
            return Err(ScoreError::Length { column, found, expected });
        }
        if self.is_empty() {
            return Err(ScoreError::Empty);
        }
        if let Some(row) = self.change.iter().position(|change| !change.is_finite()) {
            return Err(ScoreError::NotFinite { column: "change", row });
        }
        let forecasts = self.quantiles.iter().enumerate().map(|(row, quantiles)| ("quantiles", row, quantiles));
        for (column, row, quantiles) in forecasts.chain(self.references().map(|(row, naive)| ("naive", row, naive))) {
            if quantiles.iter().any(|quantile| !quantile.is_finite()) {
                return Err(ScoreError::NotFinite { column, row });
            }
            if !quantiles.is_sorted() {
                return Err(ScoreError::Crossing { column, row });
            }
        }
        match self.prob_up.into_iter().flatten().position(|prob_up| !(0.0..=1.0).contains(prob_up)) {
            Some(row) => Err(ScoreError::Probability { row }),
            None => Ok(()),
        }
    }
}

/// Summarises cases: by asset and then averaged, or by case, as each field says.
///
/// # Errors
/// When the columns cannot be scored.
pub fn summarise(cases: &Cases<'_>) -> Result<Summary, ScoreError> {
    cases.check()?;
    let crps = cases.crps();
    let mut rows_of: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, symbol) in cases.symbol.iter().enumerate() {
        rows_of.entry(*symbol).or_default().push(row);
    }
    let by_symbol: Vec<Vec<usize>> = rows_of.into_values().collect();
    let pinball = |row: usize| mean_pinball_loss(&cases.quantiles[row], cases.change[row]);
    let all: Vec<usize> = (0..cases.len()).collect();
    let calibration = calibration(cases, &all);
    let errors = level_errors(&calibration);
    Ok(Summary {
        n: cases.len(),
        n_symbols: by_symbol.len(),
        n_naive: cases.references().count(),
        first_as_of: cases.as_of.iter().min().copied().expect("checked not to be empty"),
        last_as_of: cases.as_of.iter().max().copied().expect("checked not to be empty"),
        crps: symbol_mean(&by_symbol, |row| crps[row]),
        pinball: symbol_mean(&by_symbol, pinball),
        skill: skill(cases, &cases.panel_of(&crps)),
        intervals: interval::PERCENTS.map(|percent| IntervalSummary::of(cases, percent, &by_symbol)),
        calibration,
        level_error: greatest(&errors),
        level_error_mean: errors.iter().sum::<f64>() / N_LEVELS as f64,
        level_error_symbol_mean: mean_of(&by_symbol, |rows| greatest(&level_errors(&self::calibration(cases, rows)))),
        direction: cases.prob_up.and_then(|prob_up| DirectionSummary::of(prob_up, cases.change)),
    })
}

fn skill(cases: &Cases<'_>, panel: &LossPanel) -> Option<SkillSummary> {
    let mut naive: BTreeMap<u32, (f64, usize)> = BTreeMap::new();
    for (row, reference) in cases.references() {
        let (sum, n) = naive.entry(cases.symbol[row]).or_default();
        *sum += crps(reference, cases.change[row]);
        *n += 1;
    }
    let crps_naive = mean(naive.into_values().map(|(sum, n)| sum / n as f64))?;
    let mut skills: Vec<f64> = panel.skills().into_iter().flatten().collect();
    skills.sort_unstable_by(f64::total_cmp);
    let better = skills.iter().filter(|skill| **skill > 0.0).count();
    Some(SkillSummary {
        crps_naive,
        skill: panel.skill(),
        skill_median: median_of_sorted(&skills),
        skill_pooled: panel.skill_pooled(),
        share_symbols_better: better as f64 / panel.n_assets() as f64,
    })
}

fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

fn calibration(cases: &Cases<'_>, rows: &[usize]) -> [f64; N_LEVELS] {
    let mut below = [0_usize; N_LEVELS];
    for &row in rows {
        let above = cases.quantiles[row].partition_point(|quantile| *quantile <= cases.change[row]);
        below[above..].iter_mut().for_each(|count| *count += 1);
    }
    below.map(|count| count as f64 / rows.len() as f64)
}

fn level_errors(calibration: &[f64; N_LEVELS]) -> [f64; N_LEVELS] {
    std::array::from_fn(|i| (calibration[i] - LEVELS[i]).abs())
}

fn greatest(errors: &[f64; N_LEVELS]) -> f64 {
    errors.iter().copied().fold(0.0, f64::max)
}

/// The mean over assets of something of their rows; there is at least one asset.
fn mean_of(by_symbol: &[Vec<usize>], of: impl Fn(&[usize]) -> f64) -> f64 {
    by_symbol.iter().map(|rows| of(rows)).sum::<f64>() / by_symbol.len() as f64
}

/// The mean over assets of the mean over their rows.
fn symbol_mean(by_symbol: &[Vec<usize>], of: impl Fn(usize) -> f64) -> f64 {
    mean_of(by_symbol, |rows| rows.iter().map(|row| of(*row)).sum::<f64>() / rows.len() as f64)
}
