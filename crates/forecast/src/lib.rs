//! Forecasts: from bars to calibrated quantiles, and how they fared.
//!
//! Pure, deterministic arithmetic: this crate knows neither network, disk nor the current time. Read [`panel`] first
//! (what was measured, column by column, growing bar by bar), then [`features`] (what is known at the close of a row),
//! [`model`] (what can be asked, and the seam between fitting and predicting), [`model_set`] (fitting, predicting,
//! storing), [`mod@naive`] (the baseline everything is judged against), [`release`] (macro series), [`mod@backtest`] and [`leak`]
//! (what models would have said, and that they read nothing of the future), and last [`score`].
//!
//! Inside, `shape` holds the fixed choices of each class, `pool` trains the models of one kind of asset, `linear` and
//! `booster` are the two engines, and `residual` turns scales into quantiles.

pub mod panel;

pub mod features;

mod booster;
mod calendar;
mod linear;
mod pool;
mod range;
mod residual;
mod sampling;
mod shape;
mod window;

pub mod model;
pub mod naive;

pub mod model_set;

pub mod release;

pub mod backtest;
pub mod leak;

pub mod score;

pub mod error;

pub use backtest::{BacktestRun, BacktestSeries, BacktestSpec, ForecastColumns, Progress, backtest};
pub use error::ForecastError;
pub use features::{FEATURE_SET, feature_names};
pub use leak::{leak_gate, leak_gate_at};
pub use model::{FittedForecaster, Forecaster, ModelName, Prediction};
pub use model_set::{Artefact, FitParams, ModelSet, Trained};
pub use naive::{NAIVE_WINDOW, Naive, naive};
pub use panel::{Corruption, Panel, PanelBar};
