//! Scores: how one forecast fared at one horizon.

use crate::forecast::Direction;

/// How one forecast fared at one horizon, beside the naive baseline on the same case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The price or value the forecast started from, in the terms of its target time (splits between applied).
    pub reference_price: f64,
    /// What happened, in the forecast's unit.
    pub change: f64,
    /// The forecast's median, in the same unit.
    pub median: f64,
    /// Lower end of the 80 % interval.
    pub low_80: f64,
    /// Upper end of the 80 % interval.
    pub high_80: f64,
    /// The forecast's probability of a positive change.
    pub prob_up: f64,
    /// Continuous ranked probability score, in the forecast's unit; lower is better.
    pub crps: f64,
    /// The baseline's.
    pub crps_baseline: f64,
    /// Mean pinball loss over the levels.
    pub pinball: f64,
    /// Squared error of `prob_up`; `None` when the price did not change.
    pub brier: Option<f64>,
    /// The baseline's.
    pub brier_baseline: Option<f64>,
    /// Whether the 80 % interval held the outcome.
    pub covered_80: bool,
    /// Whether the 95 % interval held the outcome.
    pub covered_95: bool,
    /// The call that was made.
    pub direction: Direction,
    /// Whether the call was right; `None` for HOLD and for no change.
    pub hit: Option<bool>,
    /// Whether the baseline's call was right; `None` for HOLD and for no change.
    pub baseline_hit: Option<bool>,
}

/// What a track record allows one to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Better than the baseline, significantly.
    Better,
    /// Worse than the baseline, significantly.
    Worse,
    /// Enough cases, no significant difference.
    NoDifference,
    /// Too few cases to tell.
    NotEnoughEvidence,
}

crate::symbol::text_enum!(Verdict, "verdict", {
    Better = "better",
    Worse = "worse",
    NoDifference = "no difference",
    NotEnoughEvidence = "not enough evidence",
});
