//! Fitting, predicting, storing and walking forward on generated markets.

mod generated;

mod backtest;
mod forecasters;
mod leak;
mod model_set;
