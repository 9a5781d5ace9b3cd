//! What training yields for one class and base timeframe: all fitted models at all anchors.

mod artefact;

use jiff::Timestamp;
use market::{AssetClass, AssetKind, Hash, Timeframe};

pub use artefact::Artefact;

use crate::error::ForecastError;
use crate::model::{FittedForecaster, Forecaster, ModelName, Prediction};
use crate::naive::naive;
use crate::panel::Panel;
use crate::pool::{PoolModel, Predictor, Settings, Trainer};

/// How to fit.
#[derive(Debug, Clone, PartialEq)]
pub struct FitParams {
    /// Seed of row sampling and of the boosters.
    pub seed: u64,
    /// Read nothing after this instant; by default the panel's last close.
    pub through: Option<Timestamp>,
    /// At most this many sampled rows for the boosters of an anchor.
    pub max_rows: usize,
    /// The models wanted. Boosters are fitted only when one of them needs them; the linear models always are.
    pub models: Vec<ModelName>,
}

impl Default for FitParams {
    fn default() -> Self {
        Self { seed: 0, through: None, max_rows: 60_000, models: ModelName::ALL.to_vec() }
    }
}

impl FitParams {
    pub(crate) fn settings(&self) -> Result<Settings, ForecastError> {
        if self.max_rows < 1000 {
            return Err(ForecastError::Parameters(format!("max_rows {} is below 1000", self.max_rows)));
        }
        let boosted = self.models.iter().any(|m| m.is_boosted());
        let quantiles = self.models.contains(&ModelName::BoostedQuantiles);
        Ok(Settings { seed: self.seed, max_rows: self.max_rows, boosted, quantiles })
    }
}

/// A trained model as a [`Forecaster`].
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Which model predicts.
    pub model: ModelName,
    /// How the set it belongs to is fitted.
    pub params: FitParams,
}

impl Forecaster for Trained {
    fn fit(&self, panel: &Panel) -> Result<Box<dyn FittedForecaster>, ForecastError> {
        let params = FitParams { models: vec![self.model], ..self.params.clone() };
        Ok(Box::new(FittedModel { model: self.model, set: ModelSet::fit(panel, &params)? }))
    }
}

/// One model of a fitted set.
#[derive(Debug, Clone)]
struct FittedModel {
    model: ModelName,
    set: ModelSet,
}

impl FittedForecaster for FittedModel {
    fn name(&self) -> ModelName {
        self.model
    }

    fn predict(
        &self,
        panel: &Panel,
        asset: usize,
        row: usize,
        horizons: &[u32],
    ) -> Result<Vec<Prediction>, ForecastError> {
        self.set.predict(panel, asset, row, self.model, horizons)
    }
}

/// All fitted models of one class and base timeframe.
#[derive(Debug, Clone)]
pub struct ModelSet {
    class: AssetClass,
    base: Timeframe,
    settings: Settings,
    pools: Vec<PoolModel>,
    trained_through: Timestamp,
    boosters_through: Option<Timestamp>,
    data_hash: Hash,
}

/// Whether a kind of asset is pooled and modelled. Stablecoins stand outside: their distribution is their own.
pub(crate) fn is_pooled(kind: AssetKind) -> bool {
    !matches!(kind, AssetKind::Stable | AssetKind::Series)
}

/// The models of the pools that have enough history, and what the others lack.
pub(crate) fn with_history(
    fitted: impl Iterator<Item = Result<PoolModel, ForecastError>>,
) -> Result<(Vec<PoolModel>, Vec<String>), ForecastError> {
    let (mut pools, mut too_short) = (Vec::new(), Vec::new());
    for model in fitted {
        match model {
            Ok(model) => pools.push(model),
            Err(ForecastError::NotEnoughHistory(reason)) => too_short.push(reason),
            Err(other) => return Err(other),
        }
    }
    Ok((pools, too_short))
}

impl ModelSet {
    /// Fits on every series of the panel, each kind of asset in its own pool. Pools without enough history are left out.
    ///
    /// # Errors
    /// When no pool has enough history, or a booster refuses.
    pub fn fit(panel: &Panel, params: &FitParams) -> Result<Self, ForecastError> {
        let settings = params.settings()?;
        let through = params.through.or_else(|| panel.last_close_time());
        let through = through.ok_or_else(|| ForecastError::NotEnoughHistory("the panel is empty".to_owned()))?;
        let us = through.as_microsecond();
        let pools = Self::fit_pools(panel, |pool| Trainer::new(panel, pool, settings, us, us)?.fit(us, true))?;
        Ok(Self {
            class: panel.class(),
            base: panel.base(),
            settings,
            pools,
            trained_through: through,
            boosters_through: settings.boosted.then_some(through),
            data_hash: panel.data_hash_at(through),
        })
    }

    /// The same boosters with HAR, ridge and residuals fitted anew on what is known at `through`.
    ///
    /// # Errors
    /// When the panel is of another class or timeframe, or no pool has enough history.
    pub fn refit_linear(&self, panel: &Panel, through: Timestamp) -> Result<Self, ForecastError> {
        self.check(panel)?;
        let us = through.as_microsecond();
        let pools = Self::fit_pools(panel, |pool| {
            let kind = panel.pools[pool].kind;
            let Some(model) = self.pools.iter().find(|p| p.kind == kind) else {
                return Err(ForecastError::NotEnoughHistory(format!("kind {kind} was not fitted before")));
            };
            Trainer::resume(panel, pool, self.settings, model, us)?.fit(us, false)
        })?;
        Ok(Self { pools, trained_through: through, data_hash: panel.data_hash_at(through), ..self.clone() })
    }

    fn fit_pools(
        panel: &Panel,
        fit: impl Fn(usize) -> Result<PoolModel, ForecastError>,
    ) -> Result<Vec<PoolModel>, ForecastError> {
        let pooled = (0..panel.pools.len()).filter(|p| is_pooled(panel.pools[*p].kind));
        let (pools, too_short) = with_history(pooled.map(fit))?;
        if pools.is_empty() {
            let reason = if too_short.is_empty() { "no asset to pool".to_owned() } else { too_short.join("; ") };
            return Err(ForecastError::NotEnoughHistory(reason));
        }
        Ok(pools)
    }

    /// The distributions at `horizons` (bars of the base timeframe ahead) as of the close of an asset's row, in the
    /// order asked. The naive models need no pool.
    ///
    /// # Errors
    /// When the asset is outside the pools, its history is too short, or the model was not fitted.
    pub fn predict(
        &self,
        panel: &Panel,
        asset: usize,
        row: usize,
        model: ModelName,
        horizons: &[u32],
    ) -> Result<Vec<Prediction>, ForecastError> {
        if let Some(window) = model.naive_window() {
            return naive(panel, asset, row, horizons, window);
        }
        let mut predictor = self.predictor(panel, asset, row, &[model])?;
        horizons.iter().map(|horizon| predictor.predict(model, *horizon)).collect()
    }

    /// The distributions of several models: each model's in turn, its horizons in the order asked. Features and
    /// boosters are computed once for all of them.
    ///
    /// # Errors
    /// As [`ModelSet::predict`], when any model cannot predict.
    pub fn predict_all(
        &self,
        panel: &Panel,
        asset: usize,
        row: usize,
        models: &[ModelName],
        horizons: &[u32],
    ) -> Result<Vec<Prediction>, ForecastError> {
        let mut predictor = self.predictor(panel, asset, row, models)?;
        let cells = models.iter().flat_map(|model| horizons.iter().map(move |horizon| (*model, *horizon)));
        cells.map(|(model, horizon)| predictor.predict(model, horizon)).collect()
    }

    fn predictor<'a>(
        &'a self,
        panel: &'a Panel,
        asset: usize,
        row: usize,
        models: &[ModelName],
    ) -> Result<Predictor<'a>, ForecastError> {
        self.check(panel)?;
        let kind = panel.kind(asset);
        let Some(pool) = self.pools.iter().find(|p| p.kind == kind) else {
            let reason = if is_pooled(kind) { "its kind was not trained on" } else { "its kind is not pooled" };
            let model = models.first().copied().unwrap_or(ModelName::Ensemble);
            return Err(ForecastError::OutsidePool { model, symbol: panel.symbol(asset).clone(), reason });
        };
        if models.contains(&ModelName::BoostedQuantiles) && !self.settings.quantiles {
            return Err(ForecastError::Mismatch(format!("{} was not fitted", ModelName::BoostedQuantiles)));
        }
        Ok(Predictor::new(pool, panel, asset, row, models))
    }

    fn check(&self, panel: &Panel) -> Result<(), ForecastError> {
        if (panel.class(), panel.base()) == (self.class, self.base) {
            return Ok(());
        }
        let message = format!("{} {} models, {} {} bars", self.class, self.base, panel.class(), panel.base());
        Err(ForecastError::Mismatch(message))
    }

    /// The class.
    #[must_use]
    pub const fn class(&self) -> AssetClass {
        self.class
    }

    /// The length of the bars.
    #[must_use]
    pub const fn base(&self) -> Timeframe {
        self.base
    }

    /// The latest information the models have seen.
    #[must_use]
    pub const fn trained_through(&self) -> Timestamp {
        self.trained_through
    }

    /// The latest information the boosters have seen; `None` without boosters.
    #[must_use]
    pub const fn boosters_through(&self) -> Option<Timestamp> {
        self.boosters_through
    }

    /// [`Panel::data_hash_at`] of the panel it was fitted on, at [`ModelSet::trained_through`].
    #[must_use]
    pub const fn data_hash(&self) -> Hash {
        self.data_hash
    }

    /// Leaves out the models of all other kinds of assets: they are no longer forecast.
    pub fn retain_kinds(&mut self, kinds: &[AssetKind]) {
        self.pools.retain(|pool| kinds.contains(&pool.kind));
    }

    /// Kinds of assets it forecasts.
    pub fn kinds(&self) -> impl Iterator<Item = AssetKind> + '_ {
        self.pools.iter().map(|p| p.kind)
    }
}
