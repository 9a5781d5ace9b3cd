//! The engine: its state, and the one step that everything repeats.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::{SignedDuration, Timestamp};
use market::{Asset, AssetClass, ChainId, Clock, Symbol, Timeframe};
use storage::{EventKind, Events, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::desk::{Desk, SHEETS, Sheet, SheetKey, Tick};
use crate::error::{EngineError, Result};
use crate::live::SourceStates;
use crate::settings::Settings;
use crate::views::JobCounts;

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// Horizons scored.
    pub resolved: usize,
    /// Horizons closed without a bar to judge by.
    pub voided: usize,
    /// Forecasts issued.
    pub issued: usize,
    /// Slots recorded as missed.
    pub missed: u64,
}

/// How long a step waits for bars that should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// A feed brings bars one by one: half the grace is left to issue in.
    HalfTheGrace,
    /// Everything that will come has come: a replay.
    None,
}

/// Holds the state of one home: ingests, trains, issues, resolves, and shows what came of it.
#[derive(Debug)]
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) events: Arc<dyn Events>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) desk: Arc<RwLock<Desk>>,
    /// The newest prices. They come by the thousand and wait for nobody who works at the desk.
    pub(crate) ticks: RwLock<HashMap<Symbol, Tick>>,
    /// One writer at a time: a step reads the desk, appends, and writes the desk again.
    pub(crate) stepping: tokio::sync::Mutex<()>,
    pub(crate) jobs: Jobs,
    /// What was wrong when the database last did not answer.
    pub(crate) database: Mutex<Option<String>>,
    pub(crate) started_at: Timestamp,
    /// The sources that are followed, and how they are.
    pub(crate) sources: SourceStates,
}

/// Counts of work done.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    begun: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
}

impl Jobs {
    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end(&self, well: bool) {
        let counter = if well { &self.completed } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> JobCounts {
        let [total, completed, failed] =
            [&self.begun, &self.completed, &self.failed].map(|counter| counter.load(Ordering::Relaxed));
        JobCounts { total, completed, failed, active: total.saturating_sub(completed + failed) }
    }
}

impl Engine {
    /// Reads the home and takes up where its chain ended.
    ///
    /// # Errors
    /// As the store's; [`EngineError::Entry`] when the chain holds an entry this version cannot read.
    pub async fn open(
        store: Arc<dyn Store>,
        events: Arc<dyn Events>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Self> {
        let started_at = clock.now();
        let engine = Self {
            store,
            events,
            clock,
            settings,
            desk: Arc::default(),
            ticks: RwLock::default(),
            stepping: tokio::sync::Mutex::new(()),
            jobs: Jobs::default(),
            database: Mutex::new(None),
            started_at,
            sources: SourceStates::default(),
        };
        engine.load().await?;
        Ok(engine)
    }

    /// One step: waiting bars join their panels, matured forecasts are scored, due forecasts are issued, slots past their
    /// grace are recorded as missed. Running it twice changes nothing.
    ///
    /// # Errors
    /// As the store's; what was not done is done by the next step, or recorded as missed.
    pub async fn run_once(&self) -> Result<Step> {
        self.step(Patience::HalfTheGrace).await
    }

    /// The step behind [`Engine::run_once`].
    pub(crate) async fn step(&self, patience: Patience) -> Result<Step> {
        let _one_at_a_time = self.stepping.lock().await;
        let now = self.clock.now();
        self.push_steps(now, patience).await?;
        // Missed slots first: what leaves the schedule must have been explained until then.
        let missed = self.noting_engine(self.record_missed(now).await)?;
        self.noting_engine(self.ensure_schedule(now).await)?;
        // What cannot be scored keeps nothing from being issued.
        let (resolved, issued) = (self.resolve_due(now).await, self.issue_due(now).await);
        let done = resolved.and_then(|(resolved, voided)| Ok((resolved, voided, issued?)));
        let (resolved, voided, issued) = self.noting_engine(done)?;
        Ok(Step { resolved, voided, issued, missed })
    }

    /// Repeats [`Engine::run_once`] until `token` is cancelled. A step that fails is tried again; what could not be issued
    /// in time becomes missed.
    pub async fn run(self: Arc<Self>, token: CancellationToken) {
        while !token.is_cancelled() {
            if let Err(error) = self.run_once().await {
                warn!(error = %format_chain(&error), "a step failed");
            }
            let pause = self.clock.wait_until(self.clock.now() + SignedDuration::from_secs(30));
            let pause = pause
                .unwrap_or_default()
                .clamp(std::time::Duration::from_millis(50), std::time::Duration::from_secs(1));
            tokio::select! {
                () = token.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Lets waiting bars join their panels, shortest bars first; assembles panels anew whose next step must read rows that
    /// came past them.
    async fn push_steps(&self, now: Timestamp, patience: Patience) -> Result<()> {
        for key in SHEETS {
            let patience = match patience {
                Patience::HalfTheGrace => key.1.grace(key.0) / 2,
                Patience::None => SignedDuration::ZERO,
            };
            let as_of = self.desk().assembles_as_of(key, now);
            if let Some(as_of) = as_of {
                self.assemble_anew(key, as_of).await?;
            }
            for kind in self.push_steps_of(key, now, patience)? {
                self.events.publish(kind);
            }
        }
        Ok(())
    }

    /// Gives the bars that joined.
    fn push_steps_of(&self, key: SheetKey, now: Timestamp, patience: SignedDuration) -> Result<Vec<EventKind>> {
        let mut closed = Vec::new();
        let mut desk = self.desk_mut();
        let (hours, days) = ((key.0, Timeframe::H1), (key.0, Timeframe::D1));
        let next_of = |sheet: &Sheet| sheet.waiting.keys().next().copied();
        while let Some(next) = desk.sheets.get(&key).and_then(next_of) {
            // It would be without rows it must read.
            if desk.backlog.since(key).is_some_and(|since| since <= next) {
                break;
            }
            // A coin's day waits for its last hour.
            if key == (AssetClass::Crypto, Timeframe::D1)
                && let Some(hours_at) = desk.sheets.get(&hours).and_then(|sheet| sheet.last_step)
                && hours_at < next
                && now < next + patience
            {
                break;
            }
            let Some(sheet) = desk.sheets.get_mut(&key) else { break };
            let Some(step) = sheet.push_next(now, patience)? else { break };
            closed.extend(step);
            if key == (AssetClass::Crypto, Timeframe::H1) {
                let of_step = sheet.last_bars();
                let late = desk.sheets.get_mut(&days).map(|sheet| sheet.receive_hours(of_step)).unwrap_or_default();
                for (_, bar) in late {
                    desk.backlog.add(days, bar.known_at);
                }
            }
        }
        Ok(closed)
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The events.
    #[must_use]
    pub fn events(&self) -> &Arc<dyn Events> {
        &self.events
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The chain forecasts are written to.
    #[must_use]
    pub fn chain(&self) -> &ChainId {
        &self.settings.chain
    }

    /// What can be set about the engine.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// All assets, in order of listing.
    #[must_use]
    pub fn assets(&self) -> Arc<[Asset]> {
        Arc::clone(&self.desk().assets)
    }

    /// One asset.
    #[must_use]
    pub fn asset(&self, symbol: &Symbol) -> Option<Asset> {
        self.desk().asset(symbol).cloned()
    }

    /// The class of an asset.
    #[must_use]
    pub fn class(&self, symbol: &Symbol) -> Option<AssetClass> {
        self.desk().asset(symbol).map(Asset::class)
    }

    pub(crate) fn desk(&self) -> RwLockReadGuard<'_, Desk> {
        self.desk.read().expect("no holder of this lock can panic")
    }

    /// The newest price of an asset between two closes.
    pub(crate) fn tick(&self, symbol: &Symbol) -> Option<Tick> {
        self.ticks.read().expect("no holder of this lock can panic").get(symbol).copied()
    }

    pub(crate) fn desk_mut(&self) -> RwLockWriteGuard<'_, Desk> {
        self.desk.write().expect("no holder of this lock can panic")
    }

    /// Remembers whether the database answered.
    pub(crate) fn noting<T>(&self, result: Result<T, StoreError>) -> Result<T> {
        let trouble = match &result {
            Err(error) if error.is_retryable() => Some(format_chain(error)),
            _ => None,
        };
        *self.database.lock().expect("no holder of this lock can panic") = trouble;
        Ok(result?)
    }

    fn noting_engine<T>(&self, result: Result<T>) -> Result<T> {
        match result {
            Err(EngineError::Store(error)) => self.noting(Err(error)),
            Ok(value) => self.noting(Ok(value)),
            other => other,
        }
    }
}

/// An error with its causes on one line.
pub(crate) fn format_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
