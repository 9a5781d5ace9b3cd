//! The leak gate: what is forecast must not depend on what happened after.
//!
//! The panel is rebuilt twice, once with everything after an instant cut off, once with it replaced by nonsense; features
//! and forecasts as of that instant must keep every bit.

use jiff::Timestamp;

use crate::error::ForecastError;
use crate::features::{FeatureSet, RowView, feature_names};
use crate::model::ModelName;
use crate::model_set::ModelSet;
use crate::panel::{Corruption, Panel, instant};

/// How many steps before the end the gate looks.
const STEPS_BACK: usize = 40;

/// Compares features and forecasts some steps before the panel's end with those of the same panel without a future, and
/// with a corrupted one: prices, volumes, split ratios, volatility index, hours, which assets have a bar, and which there
/// are.
///
/// # Errors
/// [`ForecastError::Leak`] with the first difference; else what keeps the models from predicting.
pub fn leak_gate(panel: &Panel, models: &ModelSet) -> Result<(), ForecastError> {
    let Some(step) = panel.n_steps().checked_sub(1 + STEPS_BACK) else {
        return Err(ForecastError::NotEnoughHistory(format!("{} steps to look for leaks in", panel.n_steps())));
    };
    leak_gate_at(panel, models, instant(panel.step_close[step]), 1)
}

/// The same at a chosen instant, with nonsense drawn from a chosen seed.
///
/// # Errors
/// As [`leak_gate`].
pub fn leak_gate_at(panel: &Panel, models: &ModelSet, as_of: Timestamp, seed: u64) -> Result<(), ForecastError> {
    look(panel, models, as_of, seed, &|corruption| panel.corrupted_after(as_of, corruption))
}

/// Compares a panel with what becomes of it.
fn look(
    panel: &Panel,
    models: &ModelSet,
    as_of: Timestamp,
    seed: u64,
    corrupted: &dyn Fn(Corruption) -> Panel,
) -> Result<(), ForecastError> {
    let fingerprint = Fingerprint { models, as_of };
    let rows: Vec<(usize, usize)> =
        (0..panel.n_assets()).filter_map(|asset| panel.row_at(asset, as_of).map(|row| (asset, row))).collect();
    for corruption in [Corruption::Cut, Corruption::Nonsense { seed }] {
        let other = corrupted(corruption);
        for (asset, row) in &rows {
            fingerprint.compare(panel, &other, *asset, *row)?;
        }
    }
    Ok(())
}

struct Fingerprint<'a> {
    models: &'a ModelSet,
    as_of: Timestamp,
}

impl Fingerprint<'_> {
    fn compare(&self, panel: &Panel, other: &Panel, asset: usize, row: usize) -> Result<(), ForecastError> {
        let leak =
            |what: String| Err(ForecastError::Leak { symbol: panel.symbol(asset).clone(), as_of: self.as_of, what });
        if other.row_at(asset, self.as_of) != Some(row) {
            return leak("the row it is made from".to_owned());
        }
        let (before, after) = (features(panel, asset, row)?, features(other, asset, row)?);
        if let Some(at) = before.iter().zip(&after).position(|(a, b)| a.to_bits() != b.to_bits()) {
            let set = FeatureSet::of(panel.class(), panel.base(), panel.kind(asset))?;
            let names = feature_names(panel.class(), panel.base(), panel.kind(asset))?;
            let within = if at < set.n_row { at } else { set.n_row + (at - set.n_row) % set.n_ahead };
            let name = &names[within];
            return leak(format!("feature {name}"));
        }
        for model in ModelName::ALL {
            if self.forecast(panel, asset, row, model)? != self.forecast(other, asset, row, model)? {
                return leak(format!("the forecast of {model}"));
            }
        }
        Ok(())
    }

    /// The bits of a model's forecasts at all anchors; `None` where it has none to make.
    fn forecast(
        &self,
        panel: &Panel,
        asset: usize,
        row: usize,
        model: ModelName,
    ) -> Result<Option<Vec<u64>>, ForecastError> {
        match self.models.predict(panel, asset, row, model, panel.anchors()) {
            Ok(predictions) => {
                let numbers = predictions.iter().flat_map(|p| p.quantiles.values().iter().copied().chain([p.prob_up]));
                Ok(Some(numbers.map(f64::to_bits).collect()))
            }
            Err(
                ForecastError::NotEnoughHistory(_) | ForecastError::OutsidePool { .. } | ForecastError::Mismatch(_),
            ) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

/// All features of a row: the row block, then the bars-ahead block of each anchor.
fn features(panel: &Panel, asset: usize, row: usize) -> Result<Vec<f64>, ForecastError> {
    let set = FeatureSet::of(panel.class(), panel.base(), panel.kind(asset))?;
    let view = RowView::new(panel, asset, row);
    let mut values = vec![0.0; set.n_row + panel.anchors().len() * set.n_ahead];
    let (row_block, ahead) = values.split_at_mut(set.n_row);
    FeatureSet::row_block(&view, row_block);
    for (block, horizon) in ahead.chunks_exact_mut(set.n_ahead).zip(panel.anchors()) {
        FeatureSet::ahead_block(&view, *horizon, block);
    }
    Ok(values)
}

#[cfg(test)]
mod tests;
