//! How good forecasts were: scores of single cases, summaries of many, and what may be concluded from them.
//!
//! Read in this order: the rules for one case ([`score_case`], [`crps`], [`pinball_loss`]), the naive reference every
//! forecast is measured against ([`naive_quantiles`]), the summary of a backtest ([`summarise`]), the evidence that a
//! difference is none of chance ([`DieboldMariano`], [`Bootstrap`], [`Rate`], [`benjamini_hochberg`]), and the track record
//! of a ledger ([`TrackRecord`], [`scoreboard`]).
//!
//! All of it is arithmetic on slices: nothing here reads a file, a clock or a generator of true random numbers. The
//! bootstrap only chooses which measured cases are counted again, by a seed given as an argument.
//!
//! An outcome is called `change`: a log return, or for macro rates a difference in the series' own unit. Losses are in the
//! same unit; "basis points" is a matter of display.

mod case;
mod naive;

mod summary;

mod bootstrap;
mod diebold_mariano;
mod multiplicity;
mod panel;
mod rate;
mod student;

mod track_record;

pub use bootstrap::{Bootstrap, Interval};
pub use case::{
    CRPS_WEIGHTS, brier, covers, crps, crps_weights, hit, interval_score, log_loss, pinball_loss, score_case,
};
pub use diebold_mariano::DieboldMariano;
pub use multiplicity::benjamini_hochberg;
pub use naive::{MIN_NAIVE_RETURNS, NAIVE_WINDOW, NaiveWindow, naive_quantiles};
pub use panel::LossPanel;
pub use rate::Rate;
pub use student::student_t_two_sided;
pub use summary::{
    Cases, DirectionSummary, IntervalSummary, NaiveInterval, ReliabilityBin, ScoreError, SkillSummary, Summary,
    summarise,
};
pub use track_record::{
    Coverage, MIN_CALLS, MIN_CASES, MIN_TIMES, SIGNIFICANCE, ScoredCase, TrackRecord, adjusted_verdicts, verdict,
};

#[cfg(test)]
mod tests;
