//! Gradient-boosted trees behind one small face: dense rows in, a fitted model out, stored as XGBoost UBJSON.
//!
//! The engine (hessboost, pinned exactly) is named in this file alone. Every model trains on one thread; many models
//! train at a time. Its models do not depend on the number of threads.

use hessboost::config::{GrowPolicy, LeafEstimation};
use hessboost::data::ViewCuts;
use hessboost::error::{HessboostError, Result as BoosterResult};
use hessboost::objective::{CustomLoss, GradPair, Quantiles};
use hessboost::prelude::{
    BoostedModel, DMatrix, Iterations, ModelFormat, Objective, RegLoss, TrainingParams, TreeMethod,
};
use market::{LEVELS, N_LEVELS};

use crate::error::ForecastError;
use crate::score::CRPS_WEIGHTS;

/// The version of the engine, as pinned in the manifest.
pub(crate) const ENGINE: &str = "hessboost 0.4.6";

/// What a booster learns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Loss {
    /// Squared error of a log variance.
    Squares,
    /// Pinball loss at all thirteen levels.
    Levels,
    /// CRPS of fixed quantiles, stretched by the exponential of what is learned, against standardised outcomes.
    Stretch([f64; N_LEVELS]),
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
                Loss::Stretch(quantiles) => Objective::custom(stretch_loss(quantiles)),
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
                .leaf_estimation(match settings.loss {
                    // A leaf is the quantile of its residuals, and not a Newton step of a smoothed loss towards it.
                    Loss::Levels => LeafEstimation::Exact,
                    Loss::Squares | Loss::Stretch(_) => LeafEstimation::Newton,
                })
                .seed(settings.seed)
                .nthread(1)
                .build()?;
            let view = table.matrix.select_rows_with_cuts(rows, ViewCuts::Source)?;
            let model = hessboost::training::train(&params, &view, settings.rounds)?;
            if matches!(settings.loss, Loss::Stretch(_)) { as_squares(&model) } else { Ok(model) }
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

/// Gradient of the CRPS of quantiles `z_k e^f` in `f`: `2 Σ w_k (1[y < z_k e^f] - τ_k) z_k e^f`, with a constant curvature.
fn stretch_loss(quantiles: [f64; N_LEVELS]) -> CustomLoss {
    CustomLoss::new("auspex:stretch", 1, move |margins, labels, _weights, out| {
        for ((margin, label), pair) in margins.iter().zip(labels).zip(out) {
            let stretch = f64::from(*margin).exp();
            let mut gradient = 0.0;
            for ((z, level), weight) in quantiles.iter().zip(LEVELS).zip(CRPS_WEIGHTS) {
                let quantile = z * stretch;
                let below = if f64::from(*label) < quantile { 1.0 } else { 0.0 };
                gradient += 2.0 * weight * (below - level) * quantile;
            }
            *pair = GradPair::new(gradient as f32, 0.25);
        }
    })
}

/// The same trees under an objective that other programs know; the margin is the prediction in both.
fn as_squares(model: &BoostedModel) -> BoosterResult<BoostedModel> {
    let text = model.encode(ModelFormat::Json)?;
    let unexpected = |_| HessboostError::model_format("the trees of a custom loss are not JSON");
    let mut document: serde_json::Value = serde_json::from_slice(&text).map_err(unexpected)?;
    document["objective"] = "reg:squarederror".into();
    // Left out, the parameters are the defaults of the objective named.
    if let Some(fields) = document.as_object_mut() {
        fields.remove("objective_params");
    }
    BoostedModel::decode(document.to_string(), ModelFormat::Json)
}

#[cfg(test)]
mod tests;
