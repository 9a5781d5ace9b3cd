//! Gradient-boosted trees behind one small face: dense rows in, a fitted model out, stored as XGBoost UBJSON.
//!
//! The engine (hessboost, pinned exactly) is named in this file alone. Every model trains on one thread; many models
//! train at a time. Its models do not depend on the number of threads.

use hessboost::config::GrowPolicy;
use hessboost::data::ViewCuts;
use hessboost::objective::Quantiles;
use hessboost::prelude::{
    BoostedModel, DMatrix, Iterations, ModelFormat, Objective, RegLoss, TrainingParams, TreeMethod,
};
use market::LEVELS;

use crate::error::ForecastError;

/// The version of the engine, as pinned in the manifest.
pub(crate) const ENGINE: &str = "hessboost 0.4.6";

/// What a booster learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Squared error of a log variance.
    Squares,
    /// Pinball loss at all thirteen levels.
    Levels,
}

/// Settings of one booster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    pub(crate) loss: Loss,
    pub(crate) rounds: usize,
    pub(crate) rate: f64,
    pub(crate) leaves: usize,
    pub(crate) leaf_rows: f64,
    pub(crate) seed: u64,
}

/// Rows to train on: shared by all boosters of one anchor, which differ in the rows they take.
pub(crate) struct Table {
    matrix: DMatrix,
}

impl Table {
    /// `rows`: row-major features, NaN for missing; one label a row.
    pub(crate) fn new(rows: Vec<f32>, n_columns: usize, labels: &[f32]) -> Result<Self, ForecastError> {
        let doing = "take in the rows";
        let matrix = DMatrix::from_dense_vec(rows, labels.len(), n_columns).and_then(|m| m.with_labels(labels));
        matrix.map(|matrix| Self { matrix }).map_err(|cause| ForecastError::Booster { doing, cause })
    }
}

/// A fitted booster.
#[derive(Debug, Clone)]
pub(crate) struct Booster {
    model: BoostedModel,
}

impl Booster {
    /// Fits on the chosen rows of a table.
    pub(crate) fn fit(table: &Table, rows: &[usize], settings: &Settings) -> Result<Self, ForecastError> {
        let fit = || {
            let objective = match settings.loss {
                Loss::Squares => Objective::SquaredError(RegLoss::default()),
                Loss::Levels => Objective::Quantile(Quantiles::new(LEVELS)?),
            };
            let params = TrainingParams::builder()
                .objective(objective)
                .tree_method(TreeMethod::Hist)
                .grow_policy(GrowPolicy::LossGuide)
                .unlimited_depth()
                .max_leaves(settings.leaves)
                .eta(settings.rate)
                .lambda(5.0)
                .min_child_weight(settings.leaf_rows)
                .subsample(0.6)
                .colsample_bytree(0.6)
                .max_bin(64)
                .seed(settings.seed)
                .nthread(1)
                .build()?;
            let view = table.matrix.select_rows_with_cuts(rows, ViewCuts::Source)?;
            hessboost::training::train(&params, &view, settings.rounds)
        };
        let model = fit().map_err(|cause| ForecastError::Booster { doing: "train", cause })?;
        Ok(Self { model })
    }

    /// How many numbers it predicts a row.
    pub(crate) fn n_outputs(&self) -> usize {
        self.model.n_outputs()
    }

    /// How many features it reads.
    pub(crate) fn n_features(&self) -> usize {
        self.model.n_features()
    }

    /// Writes the prediction of one row; of several levels ascending.
    pub(crate) fn predict(&self, row: &[f32], out: &mut [f32]) -> Result<(), ForecastError> {
        let predicted = self.model.predict_row_into(row, Iterations::Best, out);
        predicted.map_err(|cause| ForecastError::Booster { doing: "predict", cause })
    }

    /// The model as XGBoost (3.1 or later) writes it.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, ForecastError> {
        let encoded = self.model.encode(ModelFormat::XgboostUbjson);
        encoded.map_err(|cause| ForecastError::Booster { doing: "write its model", cause })
    }

    /// Reads what [`Booster::encode`] or XGBoost wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ForecastError> {
        let model = BoostedModel::decode(bytes, ModelFormat::XgboostUbjson);
        model.map(|model| Self { model }).map_err(|cause| ForecastError::Booster { doing: "read its model", cause })
    }
}

#[cfg(test)]
mod tests;
