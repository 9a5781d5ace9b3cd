//! Models by name, what they predict, and the seam between fitting and predicting.

use std::fmt;
use std::str::FromStr;

use market::Quantiles;

use crate::error::ForecastError;
use crate::naive::{NAIVE_WINDOW, SLOW_NAIVE_WINDOW};
use crate::panel::Panel;

/// A model as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModelName {
    /// Random walk: quantiles of the last 250 overlapping returns of the horizon.
    Naive,
    /// The same over 1000 returns.
    Naive1000,
    /// Exponentially weighted squared returns (.94), empirical residuals.
    Ewma,
    /// Heterogeneous autoregression of log range variance, empirical residuals.
    Har,
    /// HAR with all feature groups, by ridge regression.
    Ridge,
    /// Boosted correction of the HAR scale.
    BoostedScale,
    /// Boosted quantiles of the volatility-scaled return.
    BoostedQuantiles,
    /// Geometric mean of the scales with a share of the boosted quantiles: what is served.
    Ensemble,
}

/// A word that names no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a model; known are naive, naive_1000, ewma, har, ridge, boosted_scale, boosted_quantiles, ensemble"
)]
pub struct UnknownModel(String);

impl ModelName {
    /// All models, simplest first.
    pub const ALL: [Self; 8] = [
        Self::Naive,
        Self::Naive1000,
        Self::Ewma,
        Self::Har,
        Self::Ridge,
        Self::BoostedScale,
        Self::BoostedQuantiles,
        Self::Ensemble,
    ];

    /// The canonical text, as in file names, JSON and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Naive1000 => "naive_1000",
            Self::Ewma => "ewma",
            Self::Har => "har",
            Self::Ridge => "ridge",
            Self::BoostedScale => "boosted_scale",
            Self::BoostedQuantiles => "boosted_quantiles",
            Self::Ensemble => "ensemble",
        }
    }

    /// Whether the model reads past returns alone and is never trained.
    #[must_use]
    pub const fn is_naive(self) -> bool {
        self.naive_window().is_some()
    }

    /// How many overlapping returns a naive model looks back on; `None` for the others.
    #[must_use]
    pub const fn naive_window(self) -> Option<usize> {
        match self {
            Self::Naive => Some(NAIVE_WINDOW),
            Self::Naive1000 => Some(SLOW_NAIVE_WINDOW),
            _ => None,
        }
    }

    /// Whether it needs boosters.
    #[must_use]
    pub const fn is_boosted(self) -> bool {
        matches!(self, Self::BoostedScale | Self::BoostedQuantiles | Self::Ensemble)
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ModelName {
    type Err = UnknownModel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|m| m.as_str() == text);
        found.ok_or_else(|| UnknownModel(text.chars().take(48).collect()))
    }
}

/// The predicted distribution of the log return over one horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// How many bars of the panel's base timeframe ahead.
    pub horizon_bars: u32,
    /// Quantiles of the log return from the close of the row.
    pub quantiles: Quantiles,
    /// Probability of a positive return, from the same distribution.
    pub prob_up: f64,
}

/// Something that can be fitted to a panel.
pub trait Forecaster {
    /// Fits on rows and outcomes known at the panel's `through` step alone.
    ///
    /// # Errors
    /// When there is not enough history, or a booster refuses.
    fn fit(&self, panel: &Panel) -> Result<Box<dyn FittedForecaster>, ForecastError>;
}

/// Something fitted: it predicts, and nothing else.
pub trait FittedForecaster: Send + Sync {
    /// The model's name.
    fn name(&self) -> ModelName;

    /// The distributions at `horizons` (bars ahead, any order) as of the close of an asset's row, in the order asked.
    ///
    /// # Errors
    /// When the asset is outside the model's pool, or its history is too short.
    fn predict(
        &self,
        panel: &Panel,
        asset: usize,
        row: usize,
        horizons: &[u32],
    ) -> Result<Vec<Prediction>, ForecastError>;
}
