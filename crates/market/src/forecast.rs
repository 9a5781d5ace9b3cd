//! Forecasts: what was said about the future, and by which model.

use jiff::Timestamp;

use crate::adjustment::Adjustment;
use crate::ledger::Hash;
use crate::quantile::Quantiles;
use crate::symbol::{AssetClass, AssetKind, Symbol, text_enum};
use crate::timeframe::Timeframe;

/// One forecast entry: one asset and timeframe at one information cut, with all its horizons.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// What is forecast.
    pub symbol: Symbol,
    /// Its class.
    pub asset_class: AssetClass,
    /// Bar length of the horizons.
    pub timeframe: Timeframe,
    /// The information cut: the close of the last bar that was read.
    pub as_of: Timestamp,
    /// When the forecast was made.
    pub issued_at: Timestamp,
    /// The last close (or published value) known at `as_of`; targets are judged against it.
    pub reference_price: f64,
    /// What the forecast numbers measure.
    pub unit: Unit,
    /// How the prices that were read are adjusted.
    pub adjustment: Adjustment,
    /// Where the bars came from.
    pub data_source: String,
    /// Who made it.
    pub model: ModelRef,
    /// SHA-256 over the rows that were read, as of `as_of`.
    pub data_hash: Hash,
    /// One element for each horizon, ascending.
    pub horizons: Vec<HorizonForecast>,
}

/// The distribution at one horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct HorizonForecast {
    /// Steps ahead, in bars of the timeframe; 1-based.
    pub horizon: u32,
    /// The close of the bar it is judged on.
    pub target_time: Timestamp,
    /// What is served.
    pub quantiles: Quantiles,
    /// Probability of a positive change, calibrated.
    pub prob_up: f64,
    /// What the naive baseline says on the same data.
    pub baseline: Quantiles,
    /// The baseline's probability of a positive change.
    pub baseline_prob_up: f64,
}

/// The model behind a forecast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRef {
    /// Its id: the first 16 hex digits of its artefact's SHA-256, or the baseline's name.
    pub id: String,
    /// `ensemble`, `ridge`, `naive` and so on, as on the command line.
    pub name: String,
    /// Whether it is the promoted model or the baseline.
    pub kind: ModelKind,
    /// Version of the feature set it reads.
    pub feature_set: String,
    /// Version of the code that made the forecast.
    pub code_version: String,
    /// When it was trained; `None` for a baseline.
    pub trained_at: Option<Timestamp>,
    /// The latest information it was trained on; `None` for a baseline.
    pub trained_through: Option<Timestamp>,
}

/// Whether the served model has earned its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelKind {
    /// A promoted model.
    Boosted,
    /// The naive baseline, served because no model beats it.
    Baseline,
}

text_enum!(ModelKind, "kind of model", { Boosted = "boosted", Baseline = "baseline" });

/// What a forecast's numbers measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// `ln(target / reference)`.
    LogReturn,
    /// `target - reference`, in the series' own unit; macro rates and indices.
    Change,
}

text_enum!(Unit, "unit", { LogReturn = "log_return", Change = "change" });

impl Unit {
    /// The price (or value) a number of this unit means, from `reference`.
    #[must_use]
    pub fn apply(self, reference: f64, number: f64) -> f64 {
        match self {
            Self::LogReturn => reference * number.exp(),
            Self::Change => reference + number,
        }
    }

    /// The number of this unit that leads from `reference` to `price`.
    #[must_use]
    pub fn between(self, reference: f64, price: f64) -> f64 {
        match self {
            Self::LogReturn => (price / reference).ln(),
            Self::Change => price - reference,
        }
    }
}

/// The call made of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// A rise is at least as probable as the rule asks.
    Up,
    /// A fall is at least as probable as the rule asks.
    Down,
    /// Neither.
    Hold,
}

text_enum!(Direction, "direction", { Up = "UP", Down = "DOWN", Hold = "HOLD" });

/// Version of the rule of [`Direction::call`] and [`Direction::hit`]; stored with each score.
pub const DIRECTION_RULE: &str = "v1";

impl Direction {
    /// Rule v1: UP from .51, DOWN to .49, else HOLD; a stablecoin is always HOLD.
    #[must_use]
    pub fn call(prob_up: f64, kind: AssetKind) -> Self {
        match prob_up {
            _ if kind == AssetKind::Stable => Self::Hold,
            p if p >= 0.51 => Self::Up,
            p if p <= 0.49 => Self::Down,
            _ => Self::Hold,
        }
    }

    /// The probability of the stated direction, in percent; for HOLD the larger side.
    #[must_use]
    pub fn confidence(self, prob_up: f64) -> f64 {
        100.0
            * match self {
                Self::Up => prob_up,
                Self::Down => 1.0 - prob_up,
                Self::Hold => prob_up.max(1.0 - prob_up),
            }
    }

    /// Rule v1: whether the sign of the return equals the call; `None`, and outside n, for HOLD and for a return of zero.
    #[must_use]
    pub fn hit(self, change: f64) -> Option<bool> {
        match self {
            Self::Hold => None,
            _ if change == 0.0 => None,
            Self::Up => Some(change > 0.0),
            Self::Down => Some(change < 0.0),
        }
    }
}

#[cfg(test)]
mod tests;
