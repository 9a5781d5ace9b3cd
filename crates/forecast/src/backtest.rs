//! Walk-forward backtests: what the models would have said, refitted as time went on.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use market::{AssetKind, N_LEVELS, Symbol};
use rayon::prelude::*;

use crate::error::ForecastError;
use crate::model::{ModelName, Prediction};
use crate::model_set::{FitParams, is_pooled, with_history};
use crate::naive::naive;
use crate::panel::{Panel, instant};
use crate::pool::{PoolModel, Predictor, Settings, Trainer};

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
    /// At most this many sampled rows for the boosters of an anchor.
    pub max_rows: usize,
    /// Seed of row sampling and of the boosters.
    pub seed: u64,
}

impl BacktestSpec {
    /// All models on all symbols, linear models refitted monthly, boosters yearly.
    #[must_use]
    pub fn new(horizons: Vec<u32>, from: Timestamp, to: Timestamp) -> Self {
        Self {
            symbols: Vec::new(),
            horizons,
            from,
            to,
            models: ModelName::ALL.to_vec(),
            refit_months: 1,
            booster_refit_months: 12,
            max_rows: 60_000,
            seed: 0,
        }
    }
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

impl ForecastColumns {
    /// How many forecasts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.asset.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.asset.is_empty()
    }

    fn push(&mut self, panel: &Panel, asset: usize, row: usize, prediction: &Prediction) {
        let narrow = |at: usize| u32::try_from(at).expect("panels have fewer than 2^32 rows");
        self.asset.push(narrow(asset));
        self.as_of_row.push(narrow(row));
        self.target_row.push(narrow(row) + prediction.horizon_bars);
        self.current_price.push(panel.close(asset, row));
        self.quantiles.push(*prediction.quantiles.values());
        self.prob_up.push(prediction.prob_up);
    }

    fn append(&mut self, mut other: Self) {
        self.asset.append(&mut other.asset);
        self.as_of_row.append(&mut other.as_of_row);
        self.target_row.append(&mut other.target_row);
        self.current_price.append(&mut other.current_price);
        self.quantiles.append(&mut other.quantiles);
        self.prob_up.append(&mut other.prob_up);
    }
}

/// Steps forecast by the same fit.
struct Period {
    /// The fit reads nothing after this: the close of the step before the period.
    through_us: i64,
    /// Closes of the first and last step, inclusive.
    first_us: i64,
    last_us: i64,
    refit_boosters: bool,
}

/// A pool on its walk forward: it joins at the first refit at which it has enough history.
struct Walk<'p> {
    panel: &'p Panel,
    pool: usize,
    settings: Settings,
    /// The last fit.
    last_us: i64,
    trainer: Option<Trainer<'p>>,
}

impl Walk<'_> {
    /// The models of a period. Who has just joined needs boosters, whether they are due or not.
    ///
    /// # Errors
    /// [`ForecastError::NotEnoughHistory`] while there is too little; what else keeps models from being fitted.
    fn fit(&mut self, period: &Period) -> Result<PoolModel, ForecastError> {
        let (mut trainer, joins) = match self.trainer.take() {
            Some(trainer) => (trainer, false),
            None => (Trainer::new(self.panel, self.pool, self.settings, period.through_us, self.last_us)?, true),
        };
        let model = trainer.fit(period.through_us, period.refit_boosters || joins)?;
        self.trainer = Some(trainer);
        Ok(model)
    }
}

/// Runs a walk-forward backtest: expanding window, purge of one horizon between training labels and forecasts. Every fit
/// reads only bars that closed before the first forecast it makes; an outcome trains only once it is known. A kind of
/// asset has forecasts of the trained models from the first refit on at which it has enough history.
///
/// # Errors
/// When no kind of asset has enough history to train on before the last refit, or a parameter is out of range.
pub fn backtest(
    panel: &Panel,
    spec: &BacktestSpec,
    progress: &mut dyn FnMut(Progress),
) -> Result<BacktestRun, ForecastError> {
    let scored = scored_assets(panel, spec)?;
    let periods = periods(panel, spec)?;
    let params = FitParams { seed: spec.seed, through: None, max_rows: spec.max_rows, models: spec.models.clone() };
    let settings = params.settings()?;
    let fitted = spec.models.iter().any(|m| !m.is_naive());
    let mut walks = Vec::new();
    if fitted {
        let wanted = |kind: AssetKind| is_pooled(kind) && scored.iter().any(|a| panel.kind(*a) == kind);
        let last_us = periods.last().map_or(0, |p| p.through_us);
        for pool in (0..panel.pools.len()).filter(|p| wanted(panel.pools[*p].kind)) {
            walks.push(Walk { panel, pool, settings, last_us, trainer: None });
        }
    }
    let mut parts: Vec<Vec<Vec<ForecastColumns>>> = vec![Vec::new(); scored.len()];
    let (mut trained, mut lacking) = (false, Vec::new());
    for (done, period) in periods.iter().enumerate() {
        let (models, too_short) = with_history(walks.iter_mut().map(|walk| walk.fit(period)))?;
        trained |= !models.is_empty();
        lacking = too_short;
        let forecasts: Result<Vec<_>, ForecastError> =
            scored.par_iter().map(|asset| forecast_period(panel, spec, period, &models, *asset)).collect();
        for (parts, forecasts) in parts.iter_mut().zip(forecasts?) {
            parts.push(forecasts);
        }
        progress(Progress { done: done + 1, total: periods.len(), through: instant(period.through_us) });
    }
    if !walks.is_empty() && !trained {
        return Err(ForecastError::NotEnoughHistory(lacking.join("; ")));
    }
    Ok(assemble(spec, parts))
}

fn scored_assets(panel: &Panel, spec: &BacktestSpec) -> Result<Vec<usize>, ForecastError> {
    if spec.horizons.is_empty() || spec.models.is_empty() || spec.horizons.contains(&0) {
        return Err(ForecastError::Parameters("models and horizons of at least one bar are needed".to_owned()));
    }
    if spec.refit_months == 0 || spec.booster_refit_months == 0 {
        return Err(ForecastError::Parameters("at least a month lies between refits".to_owned()));
    }
    if spec.symbols.is_empty() {
        return Ok((0..panel.n_assets()).filter(|a| panel.kind(*a) != AssetKind::Index).collect());
    }
    let find = |symbol: &Symbol| {
        panel.asset(symbol).ok_or_else(|| ForecastError::Parameters(format!("{symbol} is not in the panel")))
    };
    let mut scored: Vec<usize> = spec.symbols.iter().map(find).collect::<Result<_, _>>()?;
    scored.sort_unstable();
    scored.dedup();
    Ok(scored)
}

/// The steps in the window, cut at each `refit_months`-th turn of the month.
fn periods(panel: &Panel, spec: &BacktestSpec) -> Result<Vec<Period>, ForecastError> {
    let month = |us: i64| {
        let date = TimeZone::UTC.to_datetime(instant(us)).date();
        i64::from(date.year()) * 12 + i64::from(date.month())
    };
    let from = panel.step_close.partition_point(|c| *c < spec.from.as_microsecond());
    let to = panel.step_close.partition_point(|c| *c <= spec.to.as_microsecond());
    let mut periods: Vec<Period> = Vec::new();
    let (mut fitted_month, mut boosted_month) = (None, None);
    for step in from..to {
        let close_us = panel.step_close[step];
        let now = month(close_us);
        let due = |last: Option<i64>, months: u32| last.is_none_or(|last| now - last >= i64::from(months));
        if due(fitted_month, spec.refit_months) {
            let Some(before) = step.checked_sub(1) else { continue };
            let refit_boosters = due(boosted_month, spec.booster_refit_months);
            fitted_month = Some(now);
            boosted_month = if refit_boosters { Some(now) } else { boosted_month };
            let through_us = panel.step_close[before];
            periods.push(Period { through_us, first_us: close_us, last_us: close_us, refit_boosters });
        }
        if let Some(period) = periods.last_mut() {
            period.last_us = close_us;
        }
    }
    if periods.is_empty() {
        return Err(ForecastError::NotEnoughHistory(format!("no bars between {} and {}", spec.from, spec.to)));
    }
    Ok(periods)
}

/// One asset's forecasts of one period, for each model and horizon.
fn forecast_period(
    panel: &Panel,
    spec: &BacktestSpec,
    period: &Period,
    models: &[PoolModel],
    asset: usize,
) -> Result<Vec<ForecastColumns>, ForecastError> {
    let close = &panel.series[asset].close_us;
    let rows = close.partition_point(|c| *c < period.first_us)..close.partition_point(|c| *c <= period.last_us);
    let pool = models.iter().find(|m| m.kind == panel.kind(asset));
    let mut columns = vec![ForecastColumns::default(); spec.models.len() * spec.horizons.len()];
    for row in rows {
        let mut predictor = pool.map(|pool| Predictor::new(pool, panel, asset, row, &spec.models));
        let cells = spec.models.iter().flat_map(|m| spec.horizons.iter().map(move |h| (*m, *h)));
        for ((model, horizon), columns) in cells.zip(&mut columns) {
            if row + horizon as usize >= close.len() {
                continue;
            }
            let predicted = match (&mut predictor, model.naive_window()) {
                (Some(predictor), _) => predictor.predict(model, horizon),
                (None, Some(window)) => naive(panel, asset, row, &[horizon], window).map(|predictions| predictions[0]),
                (None, None) => continue,
            };
            match predicted {
                Ok(prediction) => columns.push(panel, asset, row, &prediction),
                Err(ForecastError::NotEnoughHistory(_)) => {}
                Err(other) => return Err(other),
            }
        }
    }
    Ok(columns)
}

fn assemble(spec: &BacktestSpec, parts: Vec<Vec<Vec<ForecastColumns>>>) -> BacktestRun {
    let cells = spec.models.iter().flat_map(|m| spec.horizons.iter().map(move |h| (*m, *h)));
    let mut series: Vec<BacktestSeries> = cells
        .map(|(model, horizon_bars)| BacktestSeries { model, horizon_bars, rows: ForecastColumns::default() })
        .collect();
    for periods in parts {
        for columns in periods {
            for (series, columns) in series.iter_mut().zip(columns) {
                series.rows.append(columns);
            }
        }
    }
    BacktestRun { series }
}
