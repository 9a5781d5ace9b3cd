//! Models are trained, judged, stored, and take their place when they have earned it.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use forecast::score::LossPanel;
use forecast::{Artefact, BacktestSpec, FitParams, ModelName, ModelSet, Panel};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use market::{AssetClass, AssetKind, Hash, Timeframe};
use storage::{Draft, EventKind, Index, ModelRecord, StoreError};
use tracing::{info, warn};

use crate::assemble::assemble_in_time;
use crate::body::{Body, ModelBody};
use crate::desk::Served;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::issue::{BASELINE, SERVED, blocking};
use crate::settings::Settings;

/// Significance below which the baseline counts as beaten (DEFINITIONS: promotion).
const SIGNIFICANCE: f64 = 0.05;
/// The class's coverage of the 80 % interval must lie within these.
const COVERAGE_80: std::ops::RangeInclusive<f64> = 0.75..=0.85;
/// The class's coverage of the 95 % interval must lie within these.
const COVERAGE_95: std::ops::RangeInclusive<f64> = 0.92..=0.98;

/// What a training gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The class.
    pub asset_class: AssetClass,
    /// Base timeframe of the bars.
    pub timeframe: Timeframe,
    /// The model's id.
    pub model_id: String,
    /// SHA-256 of its artefact.
    pub sha256: Hash,
    /// The latest information it was trained on.
    pub trained_through: Timestamp,
    /// Whether it is served.
    pub promoted: bool,
    /// What the gates found, in words.
    pub reason: String,
    /// What the walk-forward found at each anchor horizon.
    pub gates: Vec<HorizonGate>,
}

/// What a model is due for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainingJob {
    /// There is none, or its boosters are old: all of it is trained, and judged.
    Train,
    /// A month has turned: the linear stages are fitted anew.
    Refit,
}

/// How many months have turned, in UTC.
fn months_between(from: Timestamp, to: Timestamp) -> i32 {
    let month = |at: Timestamp| {
        let date = TimeZone::UTC.to_datetime(at).date();
        i32::from(date.year()) * 12 + i32::from(date.month())
    };
    month(to) - month(from)
}

/// What the purged walk-forward found at one horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HorizonGate {
    /// Bars ahead.
    pub horizon: u32,
    /// Forecasts judged.
    pub n: usize,
    /// `1 - CRPS / CRPS of the baseline`, averaged over assets.
    pub skill: f64,
    /// Diebold–Mariano p-value against the baseline; `None` with too few moments.
    pub p_value: Option<f64>,
    /// Coverage of the 80 % interval.
    pub coverage_80: f64,
    /// Coverage of the 95 % interval.
    pub coverage_95: f64,
}

impl Engine {
    /// The classes and base timeframes that have bars and are forecast.
    #[must_use]
    pub fn trainable(&self) -> Vec<(AssetClass, Timeframe)> {
        let wanted = &self.settings.timeframes;
        let forecast = |(class, base): &(AssetClass, Timeframe)| {
            let mut timeframes = Timeframe::forecast_for(*class).iter().filter(|timeframe| timeframe.base() == *base);
            timeframes.any(|timeframe| wanted.is_empty() || wanted.contains(timeframe))
        };
        self.desk().sheets.keys().copied().filter(forecast).collect()
    }

    /// What the model of a class is due for. It follows from the time and the model in service alone, so that whoever is
    /// interrupted and goes on does the same.
    #[must_use]
    pub fn training_due(&self, class: AssetClass, base: Timeframe) -> Option<TrainingJob> {
        let now = self.clock.now();
        let desk = self.desk();
        let sheet = desk.sheets.get(&(class, base))?;
        let Some(model) = &sheet.model else { return Some(TrainingJob::Train) };
        // A series that has ended teaches nothing new, however long ago.
        let newest = sheet.last_step.filter(|newest| *newest > model.trained_through)?;
        let old = |through| months_between(through, newest) >= self.settings.booster_refit_months.max(1).cast_signed();
        if model.set.boosters_through().is_some_and(old) {
            return Some(TrainingJob::Train);
        }
        (months_between(model.trained_at, now) >= 1).then_some(TrainingJob::Refit)
    }

    /// Whether a class has a model in service, promoted or not.
    pub(crate) fn has_model(&self, class: AssetClass, base: Timeframe) -> bool {
        self.desk().sheets.get(&(class, base)).is_some_and(|sheet| sheet.model.is_some())
    }

    /// Does what is due; see [`Engine::train`] and [`Engine::refit`].
    ///
    /// # Errors
    /// As theirs.
    pub async fn run_training(&self, job: TrainingJob, class: AssetClass, base: Timeframe) -> Result<Trained> {
        match job {
            TrainingJob::Train => self.train(class, base).await,
            TrainingJob::Refit => self.refit(class, base).await,
        }
    }

    /// Trains a class from scratch on what is known now, judges it, stores it, and puts it in service if it passes.
    ///
    /// # Errors
    /// [`EngineError::NothingToTrain`]; [`EngineError::Forecast`] with too little history; the store's.
    pub async fn train(&self, class: AssetClass, base: Timeframe) -> Result<Trained> {
        self.jobs.begin();
        let trained = self.train_from_scratch(class, base).await;
        self.jobs.end(trained.is_ok());
        trained
    }

    async fn train_from_scratch(&self, class: AssetClass, base: Timeframe) -> Result<Trained> {
        let now = self.clock.now();
        let assembled = assemble_in_time(&*self.store, &self.assets(), class, base, now, None).await?;
        let settings = self.settings.clone();
        let (set, artefact, verdict, data_hash) = training("train", move || {
            let panel = assembled.panel;
            let mut set = fit(&panel, &settings)?;
            let verdict = judge(&panel, &mut set, &settings)?;
            let artefact = set.to_artefact().map_err(EngineError::forecast("write a model"))?;
            let data_hash = panel.data_hash();
            Ok((set, artefact, verdict, data_hash))
        })
        .await?;
        self.serve_model(class, base, set, &artefact, verdict, data_hash, now).await
    }

    /// Fits the linear stages and residuals anew on what is known now and keeps the boosters and their verdict.
    ///
    /// # Errors
    /// As [`Engine::train`]'s; [`EngineError::NothingToTrain`] when nothing was trained before.
    pub async fn refit(&self, class: AssetClass, base: Timeframe) -> Result<Trained> {
        self.jobs.begin();
        let refitted = self.refit_linear(class, base).await;
        self.jobs.end(refitted.is_ok());
        refitted
    }

    async fn refit_linear(&self, class: AssetClass, base: Timeframe) -> Result<Trained> {
        let now = self.clock.now();
        let served = self.desk().sheets.get(&(class, base)).and_then(|sheet| sheet.model.clone());
        let served = served.ok_or(EngineError::NothingToTrain { asset_class: class, timeframe: base })?;
        let assembled = assemble_in_time(&*self.store, &self.assets(), class, base, now, None).await?;
        let before = Arc::clone(&served.set);
        let (set, artefact, data_hash) = training("refit", move || {
            let panel = assembled.panel;
            let set = before.refit_linear(&panel, now).map_err(EngineError::forecast("refit"))?;
            let artefact = set.to_artefact().map_err(EngineError::forecast("write a model"))?;
            Ok((set, artefact, panel.data_hash()))
        })
        .await?;
        let verdict = Judgement { promoted: served.promoted, reason: served.reason.clone(), gates: Vec::new() };
        self.serve_model(class, base, set, &artefact, verdict, data_hash, now).await
    }

    /// Stores a model, writes its entry and puts it in service.
    #[expect(clippy::too_many_arguments, reason = "one caller's locals, kept apart from the two ways to make them")]
    async fn serve_model(
        &self,
        class: AssetClass,
        base: Timeframe,
        set: ModelSet,
        artefact: &Artefact,
        judgement: Judgement,
        data_hash: Hash,
        now: Timestamp,
    ) -> Result<Trained> {
        let blob = pack(artefact);
        let sha256 = Hash::of(&blob);
        let trained_through = set.trained_through();
        let record = ModelRecord {
            id: sha256.short(),
            asset_class: class,
            timeframe: base,
            name: SERVED.to_string(),
            trained_at: now,
            trained_through,
            sha256,
            manifest: artefact.manifest.clone(),
            artefact: blob,
        };
        self.store.put_model(&record).await?;
        let Judgement { promoted, reason, gates } = judgement;
        let body = Body::Model(ModelBody {
            recorded_at: now,
            decision: if promoted { "promoted" } else { "baseline" }.to_owned(),
            asset_class: class.to_string(),
            timeframe: base.to_string(),
            model_id: record.id.clone(),
            name: if promoted { SERVED } else { BASELINE }.to_string(),
            sha256: sha256.to_string(),
            data_hash: data_hash.to_string(),
            trained_through,
            reason: reason.clone(),
        });
        let draft = Draft { recorded_at: now, body: body.to_json(), index: Index::Model };
        let trained_at = {
            let _one_at_a_time = self.stepping.lock().await;
            // The clock may have moved on past `now` while other entries were written.
            let recorded_at = self.clock.now();
            let Body::Model(mut body) = body else { unreachable!("built above") };
            body.recorded_at = recorded_at;
            let draft = Draft { recorded_at, body: Body::Model(body).to_json(), ..draft };
            self.record_missed(recorded_at).await?;
            self.ensure_schedule(recorded_at).await?;
            self.store.append(&self.settings.chain, &[draft]).await?;
            recorded_at
        };
        info!(model.id = record.id, promoted, "trained {class} {base}: {reason}");
        let served = Served {
            id: record.id.clone(),
            set: Arc::new(set),
            trained_at,
            trained_through,
            promoted,
            reason: reason.clone(),
        };
        if let Some(sheet) = self.desk_mut().sheets.get_mut(&(class, base)) {
            sheet.model = Some(served);
        }
        self.events.publish(EventKind::ModelChanged { model_id: record.id.clone() });
        Ok(Trained {
            asset_class: class,
            timeframe: base,
            model_id: record.id,
            sha256,
            trained_through,
            promoted,
            reason,
            gates,
        })
    }

    /// The model in service by the chain's newest word on a class, as it stood at `now`.
    pub(crate) async fn served_model(
        &self,
        class: AssetClass,
        base: Timeframe,
        now: Timestamp,
    ) -> Result<Option<Served>> {
        let query = storage::EntryQuery {
            kind: Some("model"),
            newest_first: true,
            limit: 1000,
            ..storage::EntryQuery::default()
        };
        for row in self.store.entries(&self.settings.chain, &query).await? {
            let seq = row.entry.seq;
            let body = Body::parse(&row.entry.body).map_err(|cause| EngineError::Entry { seq, cause })?;
            let Body::Model(body) = body else { continue };
            if body.asset_class == class.as_str() && body.timeframe == base.as_str() && body.recorded_at <= now {
                let mut served = self.model_by_id(&body.model_id).await?;
                served.promoted = body.decision == "promoted";
                served.reason = body.reason;
                // By this chain's word: another one may have come to the same bytes at another time.
                served.trained_at = body.recorded_at;
                return Ok(Some(served));
            }
        }
        Ok(None)
    }

    /// As [`Engine::served_model`], without one that is lost or damaged: the baseline is served until it is trained anew.
    pub(crate) async fn readable_model(
        &self,
        class: AssetClass,
        base: Timeframe,
        now: Timestamp,
    ) -> Result<Option<Served>> {
        match self.served_model(class, base, now).await {
            Err(
                error @ (EngineError::NoModel { .. }
                | EngineError::Forecast { .. }
                | EngineError::Store(StoreError::Corrupt { .. })),
            ) => {
                let error = crate::engine::format_chain(&error);
                warn!(%error, "the {class} {base} model cannot be read: the baseline is served until one is trained");
                Ok(None)
            }
            served => served,
        }
    }

    /// A stored model, as if promoted.
    pub(crate) async fn model_by_id(&self, id: &str) -> Result<Served> {
        let record = self.store.model(id).await?.ok_or_else(|| EngineError::NoModel { id: id.to_owned() })?;
        let (manifest, parts) = unpack(&record.artefact)
            .ok_or_else(|| forecast::ForecastError::Artefact("it has no manifest line".to_owned()))
            .map_err(EngineError::forecast("read a model"))?;
        let set = ModelSet::from_artefact(manifest, parts).map_err(EngineError::forecast("read a model"))?;
        Ok(Served {
            id: record.id,
            set: Arc::new(set),
            trained_at: record.trained_at,
            trained_through: record.trained_through,
            promoted: true,
            reason: String::new(),
        })
    }
}

/// Runs training off the runtime's threads, and on threads of its own: a forecast that is due does not queue behind it.
async fn training<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    static THREADS: LazyLock<Option<rayon::ThreadPool>> = LazyLock::new(|| {
        let named = |index| format!("train-{index}");
        rayon::ThreadPoolBuilder::new().num_threads(rayon::current_num_threads()).thread_name(named).build().ok()
    });
    blocking(operation, move || match &*THREADS {
        Some(threads) => threads.install(work),
        // No more threads to be had: better late than never.
        None => work(),
    })
    .await
}

/// An artefact as one run of bytes: the manifest's line, then the boosters.
fn pack(artefact: &Artefact) -> Vec<u8> {
    let mut blob = Vec::with_capacity(artefact.manifest.len() + 1 + artefact.bytes.len());
    blob.extend(artefact.manifest.as_bytes());
    blob.push(b'\n');
    blob.extend(&artefact.bytes);
    blob
}

fn unpack(blob: &[u8]) -> Option<(&str, &[u8])> {
    let end = blob.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&blob[..end]).ok()?, &blob[end + 1..]))
}

/// What the gates say of a model.
struct Judgement {
    promoted: bool,
    reason: String,
    gates: Vec<HorizonGate>,
}

fn fit(panel: &Panel, settings: &Settings) -> Result<ModelSet> {
    let params =
        FitParams { seed: settings.seed, through: None, max_rows: settings.max_rows, models: ModelName::ALL.to_vec() };
    ModelSet::fit(panel, &params).map_err(EngineError::forecast("train"))
}

/// Walks forward over the last months of the panel, and looks for leaks. A kind of asset that has no history to be judged
/// on does not take its place with the others: its model is taken out.
fn judge(panel: &Panel, set: &mut ModelSet, settings: &Settings) -> Result<Judgement> {
    let refused = |reason: String| Judgement { promoted: false, reason, gates: Vec::new() };
    if let Err(leak) = forecast::leak_gate(panel, set) {
        return Ok(refused(format!("the leak gate failed: {leak}")));
    }
    let Some(to) = panel.last_close_time() else { return Ok(refused("there is no bar to judge by".to_owned())) };
    let months = i64::from(settings.gate_months);
    let zoned = to.to_zoned(jiff::tz::TimeZone::UTC);
    let Ok(from) = zoned.checked_sub(months.months()).map(|zoned| zoned.timestamp()) else {
        return Ok(refused("there is no bar to judge by".to_owned()));
    };
    let horizons: Vec<u32> = match panel.base() {
        Timeframe::H1 => vec![1, 4, 24],
        _ => vec![1, 5, 21],
    };
    let spec = BacktestSpec {
        symbols: Vec::new(),
        horizons: horizons.clone(),
        from,
        to,
        models: vec![BASELINE, SERVED],
        refit_months: 1,
        booster_refit_months: settings.gate_months.max(1),
        max_rows: settings.max_rows,
        seed: settings.seed,
    };
    let run = match forecast::backtest(panel, &spec, &mut |_| ()) {
        Ok(run) => run,
        Err(forecast::ForecastError::NotEnoughHistory(reason)) => {
            return Ok(refused(format!("not enough history to judge it on: {reason}")));
        }
        Err(cause) => return Err(EngineError::Forecast { operation: "judge a model", cause }),
    };
    let mut gates = Vec::new();
    for horizon in horizons {
        let of = |name| run.series.iter().find(|s| s.model == name && s.horizon_bars == horizon);
        if let (Some(baseline), Some(served)) = (of(BASELINE), of(SERVED)) {
            gates.extend(gate(panel, horizon, &served.rows, &baseline.rows));
        }
    }
    if !gates.is_empty() {
        let judged = run.series.iter().filter(|series| series.model == SERVED).flat_map(|series| &series.rows.asset);
        let kinds: BTreeSet<AssetKind> = judged.map(|asset| panel.kind(*asset as usize)).collect();
        set.retain_kinds(&Vec::from_iter(kinds));
    }
    Ok(verdict(gates, months))
}

fn verdict(gates: Vec<HorizonGate>, months: i64) -> Judgement {
    let Some(first) = gates.first().copied() else {
        let reason = "not enough history to judge it on: the baseline is served".to_owned();
        return Judgement { promoted: false, reason, gates };
    };
    let figures = gates
        .iter()
        .map(|g| {
            format!("{} bars: skill {:.2} %, 80 % held {:.3}, n {}", g.horizon, 100.0 * g.skill, g.coverage_80, g.n)
        })
        .collect::<Vec<_>>()
        .join("; ");
    let beaten = first.skill > 0.0 && first.p_value.is_some_and(|p| p < SIGNIFICANCE);
    let worse = gates.iter().find(|g| g.skill < 0.0 && g.p_value.is_some_and(|p| p < SIGNIFICANCE));
    let outside = gates.iter().find(|g| !COVERAGE_80.contains(&g.coverage_80) || !COVERAGE_95.contains(&g.coverage_95));
    let refusal = if !beaten {
        Some(format!("does not beat the baseline at {} bars", first.horizon))
    } else if let Some(worse) = worse {
        Some(format!("is worse than the baseline at {} bars", worse.horizon))
    } else {
        outside.map(|outside| format!("its intervals are off at {} bars", outside.horizon))
    };
    let reason = match &refusal {
        None => format!("beats the baseline over {months} months of walk-forward ({figures})"),
        Some(refusal) => format!("{refusal} over {months} months of walk-forward ({figures}): the baseline is served"),
    };
    Judgement { promoted: refusal.is_none(), reason, gates }
}

/// Judges one horizon on the cases both models have.
fn gate(
    panel: &Panel,
    horizon: u32,
    served: &forecast::ForecastColumns,
    baseline: &forecast::ForecastColumns,
) -> Option<HorizonGate> {
    let key = |columns: &forecast::ForecastColumns, at: usize| (columns.asset[at], columns.as_of_row[at]);
    let by_case: std::collections::HashMap<_, _> =
        (0..baseline.asset.len()).map(|at| (key(baseline, at), at)).collect();
    let mut cases = Vec::with_capacity(served.asset.len());
    let (mut held_80, mut held_95) = (0_usize, 0_usize);
    for at in 0..served.asset.len() {
        let Some(&other) = by_case.get(&key(served, at)) else { continue };
        let (asset, row) = (served.asset[at], served.as_of_row[at] as usize);
        let change = panel.log_return(asset as usize, row, served.target_row[at] as usize);
        let q = &served.quantiles[at];
        held_80 += usize::from(forecast::score::covers((q[2], q[10]), change));
        held_95 += usize::from(forecast::score::covers((q[0], q[12]), change));
        let losses = [q, &baseline.quantiles[other]].map(|q| forecast::score::crps(q, change));
        cases.push((asset, panel.close_time(asset as usize, row), losses[0], losses[1]));
    }
    let n = cases.len();
    if n == 0 {
        return None;
    }
    let losses = LossPanel::new(&cases);
    Some(HorizonGate {
        horizon,
        n,
        skill: losses.skill()?,
        p_value: losses.diebold_mariano(horizon as usize).map(|test| test.p_value),
        coverage_80: held_80 as f64 / n as f64,
        coverage_95: held_95 as f64 / n as f64,
    })
}
