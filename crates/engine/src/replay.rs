//! Replay: the same steps as live, driven through recorded history by a clock moved by hand.
//!
//! Everything is in the store already, each row with the moment it could first have been known. The replay hands the
//! engine a row when the clock has reached that moment, and not before.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use forecast::ForecastError;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use market::{Action, Asset, AssetClass, Bar, Clock, ManualClock, Symbol, Timeframe};
use storage::{EntryQuery, SeriesInfo, SeriesKey};
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Patience, Step};
use crate::error::{EngineError, Result};
use crate::train::Trained;

/// What to replay.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The first instant; everything known then is history.
    pub from: Timestamp,
    /// The last instant, inclusive.
    pub to: Timestamp,
    /// Seconds of history a second; as fast as it goes when `None`.
    pub speed: Option<f64>,
}

/// What happened, told as it happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A model was trained or refitted.
    Trained(Trained),
    /// There is too little history for a model yet: the baseline is served.
    Untrained {
        /// The class.
        asset_class: AssetClass,
        /// Base timeframe of its bars.
        timeframe: Timeframe,
        /// What is missing.
        reason: String,
    },
    /// A step is done.
    Stepped {
        /// Where the clock stands.
        now: Timestamp,
        /// Steps done.
        done: usize,
        /// Steps in all.
        total: usize,
        /// What it did.
        step: Step,
    },
}

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Steps done.
    pub steps: usize,
    /// Forecasts issued.
    pub issued: usize,
    /// Horizons scored.
    pub resolved: usize,
    /// Horizons closed without a bar to judge by.
    pub voided: usize,
    /// Slots recorded as missed.
    pub missed: u64,
}

/// What becomes known at one instant.
#[derive(Debug, Default)]
struct Arrivals {
    bars: Vec<(SeriesKey, Asset, Bar)>,
    actions: Vec<(Symbol, Action)>,
    releases: Vec<Symbol>,
}

impl Replay {
    /// Runs the replay. The engine must have been opened on `clock`, standing at `from`.
    ///
    /// # Errors
    /// [`EngineError::NothingToReplay`] when nothing becomes known in the range; what training, issuing and the store
    /// answer otherwise. A cancelled token ends it early, with what was done.
    pub async fn run(
        &self,
        engine: &Engine,
        clock: &Arc<ManualClock>,
        token: &CancellationToken,
        tell: &mut (dyn FnMut(Told) + Send),
    ) -> Result<Summary> {
        let arrivals = self.arrivals(engine).await?;
        if arrivals.is_empty() {
            let reason = format!("no stored row becomes known after {} and by {}", self.from, self.to);
            return Err(EngineError::NothingToReplay { reason });
        }
        // The schedule begins here; of a run that was broken off, what was due then may not have been written any more.
        engine.run_once().await?;
        let mut trainings = Trainings::default();
        let query = EntryQuery { kind: Some("forecast"), limit: 1, ..EntryQuery::default() };
        if !engine.store().entries(engine.chain(), &query).await?.is_empty() {
            trainings.wait_for_next_month(engine);
        }
        trainings.run_due(engine, tell).await?;
        let mut summary = Summary::default();
        let total = arrivals.len();
        for (done, (now, arrived)) in arrivals.into_iter().enumerate() {
            if token.is_cancelled() {
                break;
            }
            tokio::select! {
                () = token.cancelled() => break,
                () = self.pace(clock, now) => {}
            }
            clock.set(now);
            engine.arrive(arrived, now).await?;
            let step = engine.step(Patience::None).await?;
            summary.steps += 1;
            summary.issued += step.issued;
            summary.resolved += step.resolved;
            summary.voided += step.voided;
            summary.missed += step.missed;
            tell(Told::Stepped { now, done: done + 1, total, step });
            // As live: what is due is issued first, and models are fitted on what was known then.
            trainings.run_due(engine, tell).await?;
        }
        Ok(summary)
    }

    async fn pace(&self, clock: &ManualClock, next: Timestamp) {
        if let Some(speed) = self.speed.filter(|speed| speed.is_finite() && *speed > 0.0) {
            let seconds = next.duration_since(clock.now()).as_secs_f64() / speed;
            tokio::time::sleep(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)).await;
        }
    }

    /// Everything that becomes known in `(from, to]`, by instant.
    async fn arrivals(&self, engine: &Engine) -> Result<BTreeMap<Timestamp, Arrivals>> {
        let mut arrivals: BTreeMap<Timestamp, Arrivals> = BTreeMap::new();
        let within = |instant: Timestamp| instant > self.from && instant <= self.to;
        let mut series = engine.store().series().await?;
        // Of several at one instant the one that stands for its asset comes first: the others tell nothing new then.
        series.sort_by(|a, b| {
            let order = |info: &SeriesInfo| (info.key.adjustment, info.joined_at);
            order(a).cmp(&order(b)).then_with(|| a.key.cmp(&b.key))
        });
        for asset in engine.assets().iter() {
            // All its sources: the engine takes what is of the series it follows.
            let base = |info: &&SeriesInfo| matches!(info.key.timeframe, Timeframe::H1 | Timeframe::D1);
            for info in series.iter().filter(|info| info.key.symbol == asset.symbol).filter(base) {
                for bar in engine.store().bars_learnt(&info.key, self.from, self.to).await? {
                    arrivals.entry(bar.known_at).or_default().bars.push((info.key.clone(), asset.clone(), bar));
                }
            }
            for action in engine.store().actions(&asset.symbol, self.to).await? {
                if within(action.known_at) {
                    arrivals.entry(action.known_at).or_default().actions.push((asset.symbol.clone(), action));
                }
            }
            if asset.class() == AssetClass::Macro {
                for observation in engine.store().observations(&asset.source_symbol, self.to).await? {
                    if within(observation.known_at) {
                        let releases = &mut arrivals.entry(observation.known_at).or_default().releases;
                        if !releases.contains(&asset.symbol) {
                            releases.push(asset.symbol.clone());
                        }
                    }
                }
            }
        }
        Ok(arrivals)
    }
}

impl Engine {
    /// Takes what has become known, from the store to the desk.
    async fn arrive(&self, arrived: Arrivals, now: Timestamp) -> Result<()> {
        for symbol in arrived.releases {
            let Some(asset) = self.asset(&symbol) else { continue };
            let known = self.store.observations(&asset.source_symbol, now).await?;
            if let Some(releases) = crate::release::Releases::new(asset, known) {
                self.desk_mut().releases.insert(symbol, releases);
            }
        }
        for (symbol, action) in arrived.actions {
            let known = self.store.actions(&symbol, now).await?;
            self.desk_mut().take_actions(&symbol, &known, &[action]);
        }
        let mut desk = self.desk_mut();
        for (key, asset, bar) in arrived.bars {
            desk.receive(&asset, &key, bar, now);
        }
        // All that comes at this instant has come: nobody is waited for.
        desk.backlog.let_all_go();
        Ok(())
    }
}

/// What could not be trained, and when it is tried again.
#[derive(Default)]
struct Trainings {
    not_before: HashMap<(AssetClass, Timeframe), Option<Timestamp>>,
}

impl Trainings {
    /// Of a run that goes on: what had too little history was tried when the month began.
    fn wait_for_next_month(&mut self, engine: &Engine) {
        let next = first_of_next_month(engine.clock().now());
        self.not_before = engine
            .trainable()
            .into_iter()
            .filter(|&(class, base)| !engine.has_model(class, base))
            .map(|key| (key, next))
            .collect();
    }

    async fn run_due(&mut self, engine: &Engine, tell: &mut (dyn FnMut(Told) + Send)) -> Result<()> {
        let now = engine.clock().now();
        for (class, base) in engine.trainable() {
            let waits = self.not_before.get(&(class, base)).is_some_and(|at| at.is_none_or(|at| now < at));
            let Some(job) = engine.training_due(class, base).filter(|_| !waits) else { continue };
            match engine.run_training(job, class, base).await {
                Ok(trained) => tell(Told::Trained(trained)),
                // The baseline is served until there is enough history.
                Err(EngineError::Forecast { cause: ForecastError::NotEnoughHistory(reason), .. }) => {
                    tell(Told::Untrained { asset_class: class, timeframe: base, reason });
                    self.not_before.insert((class, base), first_of_next_month(now));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn first_of_next_month(now: Timestamp) -> Option<Timestamp> {
    let date = TimeZone::UTC.to_datetime(now).date().first_of_month();
    Some(market::calendar::midnight(date.checked_add(1.month()).ok()?))
}
