//! Forecasts are issued: at each close, within the grace, into the ledger before the fact.

use std::collections::HashMap;
use std::sync::Arc;

use forecast::{ForecastError, ModelName, Prediction};
use jiff::Timestamp;
use market::forecast::ModelKind;
use market::{AssetClass, Calendar, ChainId, Forecast, Hash, HorizonForecast, ModelRef, Symbol, Timeframe, Unit};
use rayon::prelude::*;
use storage::{Draft, EntryRow, EventKind, Index};
use tracing::warn;

use crate::body::{Body, ForecastBody};
use crate::desk::{Desk, Line, Served, Sheet};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::schedule::{Slot, due_slots};
use crate::settings::Settings;
use crate::views::Issued;

/// The model that is served when it has passed its gates.
pub const SERVED: ModelName = ModelName::Ensemble;

/// The baseline beside every forecast.
pub const BASELINE: ModelName = ModelName::Naive;

impl Engine {
    /// Issues what is due.
    pub(crate) async fn issue_due(&self, now: Timestamp) -> Result<usize> {
        let slots = due_slots(&self.desk(), now);
        if slots.is_empty() {
            return Ok(0);
        }
        let mut forecasts = self.compute(slots, now).await?;
        // Computing takes time, and a machine may sleep: what is written says when, and is written in time or not at all.
        let now = self.clock.now();
        forecasts.retain(|forecast| in_time(forecast, now));
        for forecast in &mut forecasts {
            forecast.issued_at = now;
        }
        if forecasts.is_empty() {
            return Ok(0);
        }
        let drafts: Vec<Draft> = forecasts.iter().map(draft).collect();
        let entries = self.store.append(&self.settings.chain, &drafts).await?;
        let mut issued = Vec::with_capacity(entries.len());
        {
            let mut desk = self.desk_mut();
            for (entry, forecast) in entries.iter().zip(forecasts) {
                let key = (forecast.symbol.clone(), forecast.timeframe);
                desk.covered.insert(key.clone(), forecast.as_of);
                let chain = self.settings.chain.clone();
                issued.push((key.clone(), entry.seq));
                desk.issued.insert(key, Arc::new(Issued { chain, seq: entry.seq, hash: entry.hash, forecast }));
            }
        }
        let n_issued = issued.len();
        for ((symbol, timeframe), seq) in issued {
            self.events.publish(EventKind::Issued { symbol, timeframe, seq });
        }
        Ok(n_issued)
    }

    /// The issue step for one asset and timeframe without issuing: the newest closed bar's forecast as ledger text.
    ///
    /// # Errors
    /// [`EngineError::NoBars`] without a closed bar; [`EngineError::Forecast`] when the arithmetic refuses.
    pub async fn recompute(&self, symbol: &Symbol, timeframe: Timeframe) -> Result<Box<str>> {
        let now = self.clock.now();
        let desk = Arc::clone(&self.desk);
        let settings = self.settings.clone();
        let missing = EngineError::NoBars { symbol: symbol.clone(), timeframe };
        let symbol = symbol.clone();
        blocking("forecast", move || {
            let desk = desk.read().expect("no holder of this lock can panic");
            let close = match desk.releases.get(&symbol) {
                Some(releases) => Some(releases.as_of()),
                None => {
                    desk.line(&symbol, timeframe).and_then(|(_, _, line)| line.tail.last()).map(|bar| bar.close_time)
                }
            };
            let slot = Slot { symbol, timeframe, close: close.ok_or(missing)? };
            let forecast = compute_one(&desk, &settings, &slot, now, &mut None)?;
            Ok(Body::Forecast(Box::new(ForecastBody::from(&forecast))).to_json())
        })
        .await
    }

    /// Computes the forecasts of some slots, in their order; those that cannot be computed are left out and logged.
    async fn compute(&self, slots: Vec<Slot>, now: Timestamp) -> Result<Vec<Forecast>> {
        let desk = Arc::clone(&self.desk);
        let settings = self.settings.clone();
        blocking("forecast", move || {
            let desk = desk.read().expect("no holder of this lock can panic");
            let hashes = data_hashes(&desk, &slots);
            let results: Vec<_> = slots
                .par_iter()
                .map(|slot| {
                    let class = desk.asset(&slot.symbol).map(market::Asset::class);
                    let mut hash =
                        class.and_then(|class| hashes.get(&(class, slot.timeframe.base(), slot.close)).copied());
                    compute_one(&desk, &settings, slot, now, &mut hash)
                })
                .collect();
            let mut forecasts = Vec::with_capacity(results.len());
            for (slot, result) in slots.iter().zip(results) {
                match result {
                    Ok(forecast) => forecasts.push(forecast),
                    Err(error) => {
                        let error = crate::engine::format_chain(&error);
                        warn!(symbol = %slot.symbol, timeframe = %slot.timeframe, %error, "no forecast could be made");
                    }
                }
            }
            Ok(forecasts)
        })
        .await
    }
}

/// Whether a forecast may still be issued: within the grace of its slot, and a macro series' before the next release.
fn in_time(forecast: &Forecast, now: Timestamp) -> bool {
    let first_target = forecast.horizons.first().is_some_and(|first| now < first.target_time);
    let class = forecast.asset_class;
    first_target && (class == AssetClass::Macro || now <= forecast.as_of + forecast.timeframe.grace(class))
}

/// Runs arithmetic off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| EngineError::CutOff { operation })?
}

/// What each panel that is needed has read so far; once for all its slots.
fn data_hashes(desk: &Desk, slots: &[Slot]) -> HashMap<(AssetClass, Timeframe, Timestamp), Hash> {
    let mut hashes = HashMap::new();
    for slot in slots {
        let Some(class) = desk.asset(&slot.symbol).map(market::Asset::class) else { continue };
        let (base, close) = (slot.timeframe.base(), slot.close);
        if let Some(sheet) = desk.sheets.get(&(class, base)) {
            hashes.entry((class, base, close)).or_insert_with(|| sheet.panel.data_hash_at(slot.close));
        }
    }
    hashes
}

fn compute_one(
    desk: &Desk,
    settings: &Settings,
    slot: &Slot,
    now: Timestamp,
    data_hash: &mut Option<Hash>,
) -> Result<Forecast> {
    if let Some(releases) = desk.releases.get(&slot.symbol) {
        return releases.forecast(slot.close, now, &settings.code_version);
    }
    let (sheet, asset, line) = desk
        .line(&slot.symbol, slot.timeframe)
        .ok_or_else(|| EngineError::NoBars { symbol: slot.symbol.clone(), timeframe: slot.timeframe })?;
    let hash = *data_hash.get_or_insert_with(|| sheet.panel.data_hash_at(slot.close));
    forecast_slot(sheet, asset, line, slot, now, hash, &settings.code_version)
}

/// One forecast: the served model where it has earned its place and knows the asset, else the baseline.
pub(crate) fn forecast_slot(
    sheet: &Sheet,
    asset: usize,
    line: &Line,
    slot: &Slot,
    now: Timestamp,
    data_hash: Hash,
    code_version: &str,
) -> Result<Forecast> {
    let missing = || EngineError::NoBars { symbol: slot.symbol.clone(), timeframe: slot.timeframe };
    let row = sheet.panel.row_at(asset, slot.close).ok_or_else(missing)?;
    let bar = line.bar_closed_at(slot.close).ok_or_else(missing)?;
    let targets = targets(sheet, slot).ok_or_else(missing)?;
    let steps: Vec<u32> = targets.iter().map(|target| target.steps).collect();
    let baseline = forecast::naive(&sheet.panel, asset, row, &steps, forecast::NAIVE_WINDOW)
        .map_err(EngineError::forecast("forecast"))?;
    let served = sheet.model.as_ref().filter(|model| model.promoted);
    let predicted = served.map(|model| model.set.predict(&sheet.panel, asset, row, SERVED, &steps)).transpose();
    let (model, predicted) = match (served, predicted) {
        (Some(served), Ok(Some(predicted))) => (model_ref(served, code_version), predicted),
        (_, Ok(_) | Err(ForecastError::OutsidePool { .. } | ForecastError::NotEnoughHistory(_))) => {
            (baseline_ref(code_version), baseline.clone())
        }
        (_, Err(cause)) => return Err(EngineError::Forecast { operation: "forecast", cause }),
    };
    let horizons = targets.iter().zip(predicted.iter().zip(&baseline));
    Ok(Forecast {
        symbol: slot.symbol.clone(),
        asset_class: line.asset.class(),
        timeframe: slot.timeframe,
        as_of: slot.close,
        issued_at: now,
        reference_price: bar.close,
        unit: Unit::LogReturn,
        adjustment: line.adjustment,
        data_source: line.key.source.clone(),
        model,
        data_hash,
        horizons: horizons.map(|(target, (served, naive))| horizon(target, served, naive)).collect(),
    })
}

struct Target {
    horizon: u32,
    time: Timestamp,
    /// Bars of the base timeframe until then.
    steps: u32,
}

/// The closes a forecast is judged on; longer bars are counted in bars of the base timeframe by the calendar.
fn targets(sheet: &Sheet, slot: &Slot) -> Option<Vec<Target>> {
    let calendar = Calendar::of(sheet.panel.class());
    let base = sheet.panel.base();
    let target = |&horizon: &u32| {
        let time = calendar.nth_bar_after(slot.timeframe, slot.close, horizon)?.close_time;
        let steps = match slot.timeframe == base {
            true => horizon,
            false => u32::try_from(calendar.count_bars(base, slot.close, time)).ok()?,
        };
        Some(Target { horizon, time, steps })
    };
    slot.timeframe.horizons().iter().map(target).collect()
}

fn horizon(target: &Target, served: &Prediction, baseline: &Prediction) -> HorizonForecast {
    HorizonForecast {
        horizon: target.horizon,
        target_time: target.time,
        quantiles: served.quantiles,
        prob_up: served.prob_up,
        baseline: baseline.quantiles,
        baseline_prob_up: baseline.prob_up,
    }
}

fn model_ref(served: &Served, code_version: &str) -> ModelRef {
    ModelRef {
        id: served.id.clone(),
        name: SERVED.to_string(),
        kind: ModelKind::Boosted,
        feature_set: forecast::FEATURE_SET.to_owned(),
        code_version: code_version.to_owned(),
        trained_at: Some(served.trained_at),
        trained_through: Some(served.trained_through),
    }
}

pub(crate) fn baseline_ref(code_version: &str) -> ModelRef {
    ModelRef {
        id: BASELINE.to_string(),
        name: BASELINE.to_string(),
        kind: ModelKind::Baseline,
        feature_set: "returns".to_owned(),
        code_version: code_version.to_owned(),
        trained_at: None,
        trained_through: None,
    }
}

fn draft(forecast: &Forecast) -> Draft {
    let body = Body::Forecast(Box::new(ForecastBody::from(forecast)));
    Draft {
        recorded_at: forecast.issued_at,
        body: body.to_json(),
        index: Index::Forecast {
            symbol: forecast.symbol.clone(),
            timeframe: forecast.timeframe,
            as_of: forecast.as_of,
            targets: forecast.horizons.iter().map(|h| (h.horizon, h.target_time)).collect(),
        },
    }
}

/// Reads a forecast entry back.
pub(crate) fn issued_from_row(chain: &ChainId, row: &EntryRow) -> Result<Issued> {
    let seq = row.entry.seq;
    let entry_error = |cause| EngineError::Entry { seq, cause };
    let Body::Forecast(body) = Body::parse(&row.entry.body).map_err(entry_error)? else {
        return Err(EngineError::NotAForecast { seq, kind: row.kind.clone() });
    };
    let forecast = Forecast::try_from(&*body).map_err(entry_error)?;
    Ok(Issued { chain: chain.clone(), seq, hash: row.entry.hash, forecast })
}
