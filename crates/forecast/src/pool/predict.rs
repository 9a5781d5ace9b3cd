//! From a row to distributions: scales and shapes at the anchors, and in between.

use market::N_LEVELS;

use super::boosters::{boosted, stretched};
use super::{
    AnchorModel, LogVariances, PoolModel, Scale, levels_scale, write_design, write_levels_input, write_scale_input,
};
use crate::error::ForecastError;
use crate::features::{FeatureSet, RowView};
use crate::linear::dot;
use crate::model::{ModelName, Prediction};
use crate::naive::{naive_quantiles, prediction};
use crate::panel::Panel;

/// A distribution at an anchor: log variance per bar, and quantiles in units of its root over the horizon.
#[derive(Debug, Clone, Copy)]
struct Standardised {
    ln_variance: f64,
    z: [f64; N_LEVELS],
}

/// What the fitted models of an anchor say about one row.
#[derive(Debug, Clone, Copy)]
struct Answer {
    variances: LogVariances,
    /// Whether the boosters were asked.
    boosted: bool,
    /// Boosted quantiles and the log variance they are in units of.
    levels: Option<Standardised>,
}

/// Predicts one row; computes each piece once, however many models and horizons are asked for.
pub(crate) struct Predictor<'a> {
    pool: &'a PoolModel,
    panel: &'a Panel,
    asset: usize,
    row: usize,
    member: Option<usize>,
    view: RowView<'a>,
    row_block: Vec<f64>,
    design: Vec<f64>,
    input: Vec<f32>,
    returns: Vec<f64>,
    answers: Vec<Option<Answer>>,
    /// Whether a model that is asked for reads more of the boosters than their scale.
    beyond_scale: bool,
}

impl<'a> Predictor<'a> {
    /// Computes the row's features. Only `models` may be asked for.
    pub(crate) fn new(pool: &'a PoolModel, panel: &'a Panel, asset: usize, row: usize, models: &[ModelName]) -> Self {
        let view = RowView::new(panel, asset, row);
        let mut row_block = vec![0.0; pool.features.n_row];
        FeatureSet::row_block(&view, &mut row_block);
        Self {
            pool,
            panel,
            asset,
            row,
            member: pool.members.iter().position(|s| s == panel.symbol(asset)),
            view,
            row_block,
            design: vec![0.0; 1 + pool.features.n_all()],
            input: Vec::new(),
            returns: Vec::new(),
            answers: vec![None; pool.anchors.len()],
            beyond_scale: models.iter().any(|m| matches!(m, ModelName::BoostedQuantiles | ModelName::Ensemble)),
        }
    }

    /// The distribution of one model at one horizon.
    pub(crate) fn predict(&mut self, model: ModelName, horizon: u32) -> Result<Prediction, ForecastError> {
        let quantiles = if let Some(window) = model.naive_window() {
            naive_quantiles(self.panel, self.asset, self.row, horizon, window, &mut self.returns)?
        } else {
            let between = self.between(model, horizon)?;
            let sd = (between.ln_variance.exp() * f64::from(horizon)).sqrt();
            between.z.map(|z| z * sd)
        };
        prediction(self.panel, self.asset, horizon, quantiles)
    }

    /// The standardised distribution at any horizon: log variance per bar and quantiles run linearly in log h between
    /// anchors, and stay as they are beyond the last.
    fn between(&mut self, model: ModelName, horizon: u32) -> Result<Standardised, ForecastError> {
        let anchors = &self.pool.anchors;
        let usable = anchors.iter().take_while(|a| a.knows(model)).count();
        let Some(last) = usable.checked_sub(1) else {
            return Err(ForecastError::Mismatch(format!("{model} was not fitted")));
        };
        let above = anchors[..usable].partition_point(|a| a.horizon < horizon).min(last);
        let high = self.at_anchor(model, above)?;
        let (to, Some(below)) = (anchors[above].horizon, above.checked_sub(1)) else { return Ok(high) };
        if horizon >= to {
            return Ok(high);
        }
        let low = self.at_anchor(model, below)?;
        let from = f64::from(anchors[below].horizon).ln();
        let weight = (f64::from(horizon).ln() - from) / (f64::from(to).ln() - from);
        let blend = |a: f64, b: f64| a + weight * (b - a);
        Ok(Standardised {
            ln_variance: blend(low.ln_variance, high.ln_variance),
            z: std::array::from_fn(|k| blend(low.z[k], high.z[k])),
        })
    }

    fn at_anchor(&mut self, model: ModelName, at: usize) -> Result<Standardised, ForecastError> {
        let anchor = &self.pool.anchors[at];
        let Some(scale) = Scale::of(model) else {
            let levels = self.answer(at, true)?.levels;
            return Ok(levels.expect("only anchors with boosted quantiles know this model"));
        };
        let wants_boosters = matches!(scale, Scale::Boosted | Scale::Ensemble) && anchor.boosters.is_some();
        let answer = self.answer(at, wants_boosters)?;
        let ln_variance = answer.variances.of(scale, &anchor.recipe);
        let residuals = anchor.residuals(scale).expect("only anchors with residuals know this model");
        let mut z = *residuals.of(self.member);
        if scale == Scale::Ensemble {
            let recipe = anchor.recipe;
            if let Some(levels) = answer.levels.filter(|_| recipe.quantile_share > 0.0) {
                let unit = (0.5 * (levels.ln_variance - ln_variance)).exp();
                mix(&mut z, &levels.z.map(|q| q * unit), recipe.quantile_share);
            }
        }
        Ok(Standardised { ln_variance, z })
    }

    /// What the fitted models say at an anchor; boosters are asked only when wanted, once.
    fn answer(&mut self, at: usize, wants_boosters: bool) -> Result<Answer, ForecastError> {
        if let Some(answer) = self.answers[at].filter(|a| a.boosted || !wants_boosters) {
            return Ok(answer);
        }
        let pool = self.pool;
        let features = &pool.features;
        let anchor = &pool.anchors[at];
        let mut ahead = vec![0.0; features.n_ahead];
        FeatureSet::ahead_block(&self.view, anchor.horizon, &mut ahead);
        let standards = (&pool.standard_row, &anchor.standard_ahead);
        write_design(features, standards, &self.row_block, &ahead, &mut self.design);
        let har_terms = &self.design[..=features.n_har];
        let mut answer = Answer {
            variances: LogVariances {
                ewma: self.view.ln_ewma,
                har: dot(&anchor.har, har_terms),
                ridge: dot(&anchor.ridge, &self.design),
                boosted: f64::NAN,
                stretched: f64::NAN,
            },
            boosted: wants_boosters,
            levels: None,
        };
        if let Some(boosters) = anchor.boosters.as_ref().filter(|_| wants_boosters) {
            let har = dot(&boosters.har, har_terms);
            let over = har - self.view.ln_ewma;
            self.input.clear();
            write_scale_input(features, &self.row_block, &ahead, over, &mut self.input);
            answer.variances.boosted = boosted(boosters, har, None, &self.input)?;
            if self.beyond_scale {
                answer.variances.stretched = stretched(boosters, har, None, &self.input)?;
            }
            if let Some(levels) = boosters.levels.as_ref().filter(|_| self.beyond_scale) {
                self.input.clear();
                write_levels_input(features, pool.shape, &self.row_block, &ahead, over, &mut self.input);
                let mut z = [0.0; N_LEVELS];
                levels.predict(&self.input, &mut z)?;
                let ln_variance = levels_scale(pool.shape, &answer.variances);
                answer.levels = Some(Standardised { ln_variance, z: z.map(f64::from) });
            }
        }
        self.answers[at] = Some(answer);
        Ok(answer)
    }
}

impl AnchorModel {
    /// Whether a model was fitted at this anchor.
    fn knows(&self, model: ModelName) -> bool {
        match Scale::of(model) {
            Some(scale) => self.residuals(scale).is_some(),
            None => self.boosters.as_ref().is_some_and(|b| b.levels.is_some()),
        }
    }
}

fn mix(z: &mut [f64; N_LEVELS], other: &[f64; N_LEVELS], share: f64) {
    for (z, other) in z.iter_mut().zip(other) {
        *z = (1.0 - share) * *z + share * other;
    }
}
