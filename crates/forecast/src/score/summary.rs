//! Many cases in a few figures: what a backtest prints.

mod direction;
mod interval;
mod tally;

use jiff::Timestamp;
use market::{LEVELS, N_LEVELS};
use thiserror::Error;

use super::bootstrap::{Bootstrap, Interval};
use super::case::crps;
use super::diebold_mariano::DieboldMariano;
use super::panel::{LossPanel, mean};

pub use direction::{DirectionSummary, ReliabilityBin};
pub use interval::{IntervalSummary, NaiveInterval};

pub(super) use direction::reliability;
use tally::Tally;

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
        let losses = self.references().map(|(row, naive)| {
            let change = self.change[row];
            (self.symbol[row], self.as_of[row], crps(&self.quantiles[row], change), crps(naive, change))
        });
        Ok(LossPanel::new(&losses.collect::<Vec<_>>()))
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
    let tallies = Tally::by_symbol(cases);
    let total = Tally::sum(&tallies);
    let calibration = total.calibration();
    let errors = level_errors(&calibration);
    let symbol_mean = |of: &dyn Fn(&Tally) -> f64| tallies.iter().map(of).sum::<f64>() / tallies.len() as f64;
    Ok(Summary {
        n: cases.len(),
        n_symbols: tallies.len(),
        n_naive: total.n_naive,
        first_as_of: cases.as_of.iter().min().copied().expect("checked not to be empty"),
        last_as_of: cases.as_of.iter().max().copied().expect("checked not to be empty"),
        crps: symbol_mean(&|tally| tally.crps / tally.n as f64),
        pinball: symbol_mean(&|tally| tally.pinball / tally.n as f64),
        skill: skill(&tallies, &total),
        intervals: std::array::from_fn(|which| IntervalSummary::of(which, &tallies, &total)),
        calibration,
        level_error: greatest(&errors),
        level_error_mean: errors.iter().sum::<f64>() / N_LEVELS as f64,
        level_error_symbol_mean: symbol_mean(&|tally| greatest(&level_errors(&tally.calibration()))),
        direction: cases.prob_up.and_then(|prob_up| DirectionSummary::of(prob_up, cases.change)),
    })
}

fn skill(tallies: &[Tally], total: &Tally) -> Option<SkillSummary> {
    let compared = || tallies.iter().filter(|tally| tally.n_naive > 0);
    let crps_naive = mean(compared().map(|tally| tally.crps_naive / tally.n_naive as f64))?;
    let mut skills: Vec<f64> = compared().filter_map(Tally::skill).collect();
    skills.sort_unstable_by(f64::total_cmp);
    let better = skills.iter().filter(|skill| **skill > 0.0).count();
    Some(SkillSummary {
        crps_naive,
        skill: mean(skills.iter().copied()),
        skill_median: median_of_sorted(&skills),
        skill_pooled: total.skill(),
        share_symbols_better: better as f64 / compared().count() as f64,
    })
}

fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

fn level_errors(calibration: &[f64; N_LEVELS]) -> [f64; N_LEVELS] {
    std::array::from_fn(|i| (calibration[i] - LEVELS[i]).abs())
}

fn greatest(errors: &[f64; N_LEVELS]) -> f64 {
    errors.iter().copied().fold(0.0, f64::max)
}
