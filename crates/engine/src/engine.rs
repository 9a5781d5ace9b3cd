//! The engine: its state, and the one step that everything repeats.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::{SignedDuration, Timestamp};
use market::{
    Action, Asset, AssetClass, AssetKind, Bar, ChainId, Clock, Origin, Remark, RemarkKind, Symbol, Timeframe,
};
use storage::{EventKind, Events, SeriesKey, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::assemble::{Assembled, Walk, assemble};
use crate::desk::{Desk, Line, Sheet, SheetKey, Tick, readers};
use crate::error::{EngineError, Result};
use crate::issue::issued_from_row;
use crate::live::SourceStates;
use crate::release::Releases;
use crate::settings::Settings;
use crate::views::JobCounts;

/// An exchange's clock may be so far ahead of ours.
const MAX_AHEAD: SignedDuration = SignedDuration::from_secs(10);

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

    /// Reads everything from the store anew.
    async fn load(&self) -> Result<()> {
        let now = self.clock.now();
        let assets: Arc<[Asset]> = self.store.assets().await?.into();
        let mut releases = HashMap::new();
        for asset in assets.iter().filter(|asset| asset.class() == AssetClass::Macro) {
            let observations = self.store.observations(&asset.source_symbol, now).await?;
            if let Some(series) = Releases::new(asset.clone(), observations) {
                releases.insert(asset.symbol.clone(), series);
            }
        }
        let mut issued = HashMap::new();
        for row in self.store.latest_forecasts(&self.settings.chain).await? {
            let entry = issued_from_row(&self.settings.chain, &row)?;
            issued.insert((entry.forecast.symbol.clone(), entry.forecast.timeframe), Arc::new(entry));
        }
        let covered = self.covered_slots(&issued).await?;
        let scheduled = self.store.head(&self.settings.chain).await?.is_some();
        let mut sheets = BTreeMap::new();
        for class in [AssetClass::Crypto, AssetClass::Stocks] {
            for base in [Timeframe::H1, Timeframe::D1] {
                let hours: Option<&Sheet> = sheets.get(&(class, Timeframe::H1));
                let hours_through = hours.and_then(|sheet| sheet.last_step);
                if let Some(assembled) = self.assemble_sheet(&assets, (class, base), now, None, hours_through).await? {
                    let model = self.readable_model(class, base, now).await?;
                    sheets.insert((class, base), Sheet::new(assembled, model));
                }
            }
        }
        let mut switches = Vec::new();
        {
            let mut desk = self.desk_mut();
            for (key, sheet) in &sheets {
                switches.extend(desk.sheets.get(key).into_iter().flat_map(|before| switched(*key, before, sheet)));
            }
            let backlog = Default::default();
            *desk = Desk { assets, sheets, releases, issued, covered, scheduled, backlog };
        }
        self.note_switches(switches).await;
        Ok(())
    }

    /// Assembles a panel anew as of an instant. It stands at the step where it stood: bars of later ones wait on.
    async fn assemble_anew(&self, key: SheetKey, as_of: Timestamp) -> Result<()> {
        let (class, base) = key;
        let (assets, is_there, through, hours_through) = {
            let desk = self.desk();
            let last_step = |key| desk.sheets.get(&key).and_then(|sheet| sheet.last_step);
            let is_there = desk.sheets.contains_key(&key);
            (Arc::clone(&desk.assets), is_there, last_step(key), last_step((class, Timeframe::H1)))
        };
        let started = std::time::Instant::now();
        let Some(assembled) = self.assemble_sheet(&assets, key, as_of, through, hours_through).await? else {
            self.desk_mut().backlog.read(key, Timestamp::MAX);
            return Ok(());
        };
        let model = if is_there { None } else { self.readable_model(class, base, as_of).await? };
        let mut switches = Vec::new();
        let closed = {
            let mut desk = self.desk_mut();
            let before = desk.sheets.remove(&key);
            let mut sheet = Sheet::new(assembled, model);
            if let Some(before) = before {
                switches.extend(switched(key, &before, &sheet));
                for known_at in before.waiting_known_at().filter(|known_at| *known_at > as_of) {
                    desk.backlog.add(key, known_at);
                }
                sheet.model = before.model;
            }
            desk.backlog.read(key, as_of);
            let closed = sheet.newest_closes();
            desk.sheets.insert(key, sheet);
            closed
        };
        debug!(%class, timeframe = %base, %as_of, took = ?started.elapsed(), "assembled a panel anew");
        self.note_switches(switches).await;
        for kind in closed {
            self.events.publish(kind);
        }
        Ok(())
    }

    /// What a class at a base timeframe is made of, where it is wanted and anything is stored.
    async fn assemble_sheet(
        &self,
        assets: &[Asset],
        key: SheetKey,
        now: Timestamp,
        through: Option<Timestamp>,
        hours_through: Option<Timestamp>,
    ) -> Result<Option<Assembled>> {
        let (class, base) = key;
        if !self.settings.classes.is_empty() && !self.settings.classes.contains(&class) {
            return Ok(None);
        }
        let walk = Walk { since_joined: self.settings.chain.origin() != Origin::Replay, through, hours_through };
        match assemble(&*self.store, assets, class, base, now, &walk, None).await {
            Ok(assembled) => Ok(Some(assembled)),
            Err(EngineError::NothingToTrain { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn note_switches(&self, switches: Vec<(String, Remark)>) {
        for (source, remark) in switches {
            info!(source, "{}: {}", source, remark.text);
            self.note(&source, &[remark]).await;
        }
    }

    /// Reads everything from the store anew, between two steps: after rows came past this engine.
    ///
    /// # Errors
    /// As [`Engine::open`]'s.
    pub async fn reload(&self) -> Result<()> {
        let _one_at_a_time = self.stepping.lock().await;
        self.load().await?;
        self.tell_all();
        Ok(())
    }

    /// Tells everyone of every series anew, so that no answer made before stays.
    fn tell_all(&self) {
        let closed: Vec<EventKind> = self.desk().sheets.values().flat_map(Sheet::newest_closes).collect();
        for kind in closed {
            self.events.publish(kind);
        }
    }

    /// Takes closed bars of one series as they arrive: they are stored and wait for their step.
    ///
    /// A bar that comes after its step was taken is known only now, and its panel is assembled anew.
    ///
    /// # Errors
    /// As the store's; nothing is acknowledged then.
    pub async fn receive_bars(&self, key: &SeriesKey, bars: &[Bar]) -> Result<()> {
        for bar in bars {
            bar.checked().map_err(|cause| EngineError::BadBar { symbol: key.symbol.clone(), cause })?;
        }
        let unknown = || EngineError::UnknownSymbol { symbol: key.symbol.clone() };
        let asset = self.asset(&key.symbol).ok_or_else(unknown)?;
        // Panels are not assembled anew between storing a bar and handing it on.
        let _one_at_a_time = self.stepping.lock().await;
        let bars = self.dated(&asset, key, bars);
        let put = self.noting(self.store.put_bars(key, &bars).await)?;
        if put.inserted + put.revised == 0 {
            return Ok(());
        }
        let now = self.clock.now();
        let mut desk = self.desk_mut();
        for bar in bars {
            desk.receive(&asset, key, bar, now);
        }
        Ok(())
    }

    /// Takes the whole past of a series that joins now: its bars count as known at their closes. With `awaited` panels
    /// read them from their next step on, which waits for [`Engine::let_go`] as more may follow.
    ///
    /// # Errors
    /// As the store's.
    pub(crate) async fn receive_past(&self, asset: &Asset, key: &SeriesKey, bars: &[Bar], awaited: bool) -> Result<()> {
        let _one_at_a_time = self.stepping.lock().await;
        let now = self.clock.now();
        self.noting(self.store.join_series(key, now).await)?;
        self.noting(self.store.put_bars(key, bars).await)?;
        if awaited {
            self.desk_mut().set_aside(asset, key.timeframe, &[now], now);
        }
        Ok(())
    }

    /// Takes closed bars past the panels: of a series that none reads now, or for steps that have been taken. They are
    /// stored, and dated as [`Engine::receive_bars`] does. With `awaited` panels read them, and more may follow: their next
    /// steps wait for [`Engine::let_go`].
    ///
    /// # Errors
    /// As the store's.
    pub(crate) async fn receive_aside(
        &self,
        asset: &Asset,
        key: &SeriesKey,
        bars: &[Bar],
        awaited: bool,
    ) -> Result<()> {
        let _one_at_a_time = self.stepping.lock().await;
        let bars = self.dated(asset, key, bars);
        self.noting(self.store.put_bars(key, &bars).await)?;
        if awaited {
            let now = self.clock.now();
            let known_at: Vec<Timestamp> = bars.iter().map(|bar| bar.known_at).collect();
            self.desk_mut().set_aside(asset, key.timeframe, &known_at, now);
        }
        Ok(())
    }

    /// Whether a panel that reads an asset's bars of a length has taken the step of a close.
    pub(crate) fn has_stepped(&self, asset: &Asset, timeframe: Timeframe, close_time: Timestamp) -> bool {
        self.last_step(asset, timeframe).is_some_and(|last| close_time <= last)
    }

    /// The newest step of the panels that take an asset's bars of a length as steps of their own, or as the index beside.
    fn last_step(&self, asset: &Asset, timeframe: Timeframe) -> Option<Timestamp> {
        let desk = self.desk();
        let read = readers(asset, timeframe).iter();
        // A day of coins reads their hours, which are dated by their own step.
        let read = read.filter(|(_, base)| asset.kind == AssetKind::Index || *base == timeframe);
        read.filter_map(|key| desk.sheets.get(key)?.last_step).max()
    }

    /// Bars with the instant they are known since: now, when the step of their close has been taken without them. It does
    /// not matter whose series the panel read then: assembled as of that step, it must come out the same.
    fn dated(&self, asset: &Asset, key: &SeriesKey, bars: &[Bar]) -> Vec<Bar> {
        let now = self.clock.now();
        let last = self.last_step(asset, key.timeframe);
        let known_at = |bar: &Bar| match last {
            Some(last) if bar.close_time <= last => now.max(bar.known_at),
            _ => bar.known_at,
        };
        bars.iter().map(|bar| Bar { known_at: known_at(bar), ..*bar }).collect()
    }

    /// Takes corporate actions. One that comes after a step that should have read it is known only now.
    ///
    /// # Errors
    /// As the store's.
    pub async fn receive_actions(&self, symbol: &Symbol, actions: &[Action]) -> Result<()> {
        let _one_at_a_time = self.stepping.lock().await;
        let (now, last) = (self.clock.now(), self.desk().last_step_of(symbol));
        let known_at = |action: &Action| match last {
            Some(last) if action.effective_at() < last => now.max(action.known_at),
            _ => action.known_at,
        };
        let actions: Vec<Action> =
            actions.iter().map(|action| Action { known_at: known_at(action), ..action.clone() }).collect();
        self.noting(self.store.put_actions(symbol, &actions).await)?;
        let known = self.store.actions(symbol, Timestamp::MAX).await?;
        self.desk_mut().take_actions(symbol, &known, &actions);
        Ok(())
    }

    /// Takes released values of a macro series.
    ///
    /// # Errors
    /// As the store's.
    pub async fn receive_observations(&self, symbol: &Symbol, observations: &[market::Observation]) -> Result<()> {
        let Some(asset) = self.asset(symbol) else {
            return Err(EngineError::UnknownSymbol { symbol: symbol.clone() });
        };
        let _one_at_a_time = self.stepping.lock().await;
        self.noting(self.store.put_observations(&asset.source_symbol, observations).await)?;
        let known = self.store.observations(&asset.source_symbol, self.clock.now()).await?;
        if let Some(series) = Releases::new(asset, known) {
            self.desk_mut().releases.insert(symbol.clone(), series);
        }
        Ok(())
    }

    /// Takes the newest price of an asset. One that is older than what is known, or from a future in which a wrong price
    /// would pass for fresh, is not taken.
    pub fn receive_tick(&self, symbol: &Symbol, price: f64, event_time: Timestamp) {
        if !(price.is_finite() && price > 0.0) {
            warn!(%symbol, price, "refused a price that is not positive and finite");
            return;
        }
        if event_time > self.clock.now() + MAX_AHEAD {
            debug!(%symbol, %event_time, "refused a price from the future");
            return;
        }
        let tick = Tick { price, event_time };
        {
            let mut ticks = self.ticks.write().expect("no holder of this lock can panic");
            match ticks.get_mut(symbol) {
                Some(newest) if event_time < newest.event_time => return,
                Some(newest) => *newest = tick,
                None => drop(ticks.insert(symbol.clone(), tick)),
            }
        }
        self.events.publish(EventKind::Tick { symbol: symbol.clone(), price, event_time });
    }

    /// Lets panels take up what was stored past them: no more follows.
    pub(crate) fn let_go(&self, keys: impl IntoIterator<Item = SheetKey>) {
        let mut desk = self.desk_mut();
        for key in keys {
            desk.backlog.let_go(key);
        }
    }

    /// Adds an asset to the universe.
    ///
    /// # Errors
    /// As [`crate::ingest::list_asset`]'s.
    pub async fn list(&self, asset: &Asset) -> Result<()> {
        let listed = self.asset(&asset.symbol);
        crate::ingest::list_asset(&*self.store, listed.as_ref(), asset).await?;
        let assets = self.noting(self.store.assets().await)?;
        self.desk_mut().assets = assets.into();
        Ok(())
    }

    /// Writes into the quality journal. A journal that cannot be written keeps no data out.
    pub(crate) async fn note(&self, source: &str, remarks: &[Remark]) {
        if let Err(error) = self.noting(self.store.put_remarks(source, remarks, self.clock.now()).await) {
            warn!("the quality journal could not be written: {}", format_chain(&error));
        }
    }

    /// Tells that a source came or went.
    pub(crate) fn source_changed(&self, source: &str) {
        self.events.publish(EventKind::SourceChanged { source: source.to_owned() });
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
        let keys: BTreeSet<SheetKey> = {
            let desk = self.desk();
            desk.sheets.keys().copied().chain(desk.backlog.keys()).collect()
        };
        for key in keys {
            let patience = match patience {
                Patience::HalfTheGrace => key.1.grace(key.0) / 2,
                Patience::None => SignedDuration::ZERO,
            };
            let as_of = self.desk().assembles_as_of(key, now, patience);
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

impl Sheet {
    /// The bars of the last step, by symbol.
    fn last_bars(&self) -> Vec<(Symbol, Bar)> {
        let last = |line: &Line| line.tail.last().copied().filter(|bar| Some(bar.close_time) == self.last_step);
        self.lines.iter().filter_map(|line| Some((line.asset.symbol.clone(), last(line)?))).collect()
    }
}

/// The series of a sheet in which another source stands for an asset than before.
fn switched((_, base): SheetKey, before: &Sheet, after: &Sheet) -> Vec<(String, Remark)> {
    let switch = |line: &Line| {
        let (_, was) = before.line(&line.asset.symbol).filter(|(_, was)| was.key.source != line.key.source)?;
        let remark = Remark {
            kind: RemarkKind::Switched,
            symbol: Some(line.asset.symbol.clone()),
            timeframe: Some(base),
            from: line.tail.last().map(|bar| bar.open_time),
            to: None,
            text: format!("{} stands for it now, in the place of {}", line.key.source, was.key.source),
        };
        Some((line.key.source.clone(), remark))
    };
    after.lines.iter().filter_map(switch).collect()
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
