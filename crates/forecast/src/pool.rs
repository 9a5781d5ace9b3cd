//! The fitted models of one pool: one kind of asset at one base timeframe, at all anchors.

mod boosters;
mod matrix;
mod predict;
mod trainer;

use std::sync::Arc;

use market::{AssetKind, Symbol};

use crate::booster::Booster;
use crate::features::FeatureSet;
use crate::linear::Standard;
use crate::model::ModelName;
use crate::residual::Residuals;
use crate::shape::{Recipe, Shape};
pub(crate) use predict::Predictor;
pub(crate) use trainer::{Settings, Trainer};

/// How many folds residuals are cross-fitted over. A row's residual comes from models that did not see its block.
pub(crate) const FOLDS: usize = 3;

/// Models that predict a scale and take their shape from residuals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Ewma,
    Har,
    Ridge,
    Boosted,
    Ensemble,
}

impl Scale {
    pub(crate) const ALL: [Self; 5] = [Self::Ewma, Self::Har, Self::Ridge, Self::Boosted, Self::Ensemble];

    /// The scale behind a model, where it has one.
    pub(crate) const fn of(model: ModelName) -> Option<Self> {
        match model {
            ModelName::Ewma => Some(Self::Ewma),
            ModelName::Har => Some(Self::Har),
            ModelName::Ridge => Some(Self::Ridge),
            ModelName::BoostedScale => Some(Self::Boosted),
            ModelName::Ensemble => Some(Self::Ensemble),
            ModelName::Naive | ModelName::Naive1000 | ModelName::BoostedQuantiles => None,
        }
    }
}

/// Log variances per bar that the models of one anchor predict for one row; NaN where a model is not fitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogVariances {
    pub(crate) ewma: f64,
    pub(crate) har: f64,
    pub(crate) ridge: f64,
    pub(crate) boosted: f64,
    /// By the boosters that stretch HAR's quantiles.
    pub(crate) stretched: f64,
}

impl LogVariances {
    pub(crate) fn of(&self, scale: Scale, recipe: &Recipe) -> f64 {
        match scale {
            Scale::Ewma => self.ewma,
            Scale::Har => self.har,
            Scale::Ridge => self.ridge,
            Scale::Boosted => self.boosted,
            Scale::Ensemble => {
                let part = |weight: f64, value: f64| if weight > 0.0 { weight * value } else { 0.0 };
                let [har, ridge, boosted, stretched] = recipe.scale;
                (part(har, self.har) + part(ridge, self.ridge))
                    + (part(boosted, self.boosted) + part(stretched, self.stretched))
            }
        }
    }
}

/// The boosters of one anchor, and the HAR coefficients they correct. Kept from one linear refit to the next.
#[derive(Debug)]
pub(crate) struct AnchorBoosters {
    /// HAR as it stood when the boosters were fitted.
    pub(crate) har: Vec<f64>,
    /// Corrections of the log variance, one for each fold left out; their mean is the model.
    pub(crate) scale: Vec<Booster>,
    /// Stretches of HAR's quantiles in logs, one for each fold left out; empty where the ensemble takes none.
    pub(crate) stretch: Vec<Booster>,
    /// Quantiles of the scaled return; where a model that was wanted reads them.
    pub(crate) levels: Option<Booster>,
    /// They have seen outcomes up to here, µs.
    pub(crate) through_us: i64,
}

/// The models of one anchor.
#[derive(Debug, Clone)]
pub(crate) struct AnchorModel {
    pub(crate) horizon: u32,
    pub(crate) standard_ahead: Standard,
    /// Intercept and HAR terms.
    pub(crate) har: Vec<f64>,
    /// Intercept, row block, bars-ahead block.
    pub(crate) ridge: Vec<f64>,
    pub(crate) boosters: Option<Arc<AnchorBoosters>>,
    /// In the order of [`Scale::ALL`].
    pub(crate) residuals: [Option<Residuals>; 5],
    pub(crate) recipe: Recipe,
}

impl AnchorModel {
    pub(crate) const fn residuals(&self, scale: Scale) -> Option<&Residuals> {
        self.residuals[scale as usize].as_ref()
    }
}

/// The models of one pool.
#[derive(Debug, Clone)]
pub(crate) struct PoolModel {
    pub(crate) kind: AssetKind,
    pub(crate) shape: &'static Shape,
    pub(crate) features: FeatureSet,
    /// The assets it was trained on, in the panel's order.
    pub(crate) members: Vec<Symbol>,
    pub(crate) standard_row: Standard,
    /// Ascending by horizon; at least one.
    pub(crate) anchors: Vec<AnchorModel>,
}

/// Writes a design row: one, the standardised row block, the standardised bars-ahead block.
pub(crate) fn write_design(
    features: &FeatureSet,
    standards: (&Standard, &Standard),
    row_block: &[f64],
    ahead_block: &[f64],
    out: &mut [f64],
) {
    out[0] = 1.0;
    standards.0.apply(row_block, features.n_har, &mut out[1..=features.n_row]);
    standards.1.apply(ahead_block, 0, &mut out[1 + features.n_row..]);
}

/// Writes what the boosters of the scale read: all groups, and how far HAR lies above the EWMA variance.
pub(crate) fn write_scale_input(
    features: &FeatureSet,
    row_block: &[f64],
    ahead_block: &[f64],
    har_over_ewma: f64,
    out: &mut Vec<f32>,
) {
    out.extend(row_block[features.n_har..].iter().map(|v| *v as f32));
    out.extend(ahead_block.iter().map(|v| *v as f32));
    out.push((0.5 * har_over_ewma) as f32);
}

/// Writes what the boosters of the levels read: of hours the same, of days the base group alone.
pub(crate) fn write_levels_input(
    features: &FeatureSet,
    shape: &Shape,
    row_block: &[f64],
    ahead_block: &[f64],
    har_over_ewma: f64,
    out: &mut Vec<f32>,
) {
    if shape.is_hourly() {
        write_scale_input(features, row_block, ahead_block, har_over_ewma, out);
    } else {
        out.extend(row_block[features.n_har..features.n_base].iter().map(|v| *v as f32));
        out.push((0.5 * har_over_ewma) as f32);
    }
}

/// The log variance the boosted levels are scaled by: of hours the mean of ridge and booster, of days the EWMA's.
pub(crate) fn levels_scale(shape: &Shape, variances: &LogVariances) -> f64 {
    if shape.is_hourly() { 0.5 * (variances.ridge + variances.boosted) } else { variances.ewma }
}
