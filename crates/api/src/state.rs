//! What handlers and sockets share: the engine, the settings, ready answers, open sockets.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ::engine::Engine;
use ::engine::views::{Issued, NoForecast, PooledRecord, TrackRecord};
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use market::{Action, Adjustment, Asset, AssetClass, Calendar, Symbol, Timeframe};
use storage::{EventKind, ScoreRow, Subscription};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answers::stats::CacheAnswer;
use crate::answers::trends::HISTORY_ROWS;
use crate::extract::Window;
use crate::problem::Problem;
use crate::ready::{Answer, Board, Slot};
use crate::settings::ApiSettings;
use crate::sockets::Hub;

/// What handlers and sockets share; cheap to clone.
#[derive(Debug, Clone)]
pub struct ApiState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    engine: Arc<Engine>,
    settings: ApiSettings,
    ready: Ready,
    turns: Turns,
    hub: Hub,
    sockets: TaskTracker,
    closing: CancellationToken,
    /// Taken by [`ApiState::run`]; made before the first answer is, so that no change goes unheard.
    subscription: Mutex<Option<Box<dyn Subscription>>>,
}

/// Names one track record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RecordKey {
    pub(crate) symbol: Symbol,
    pub(crate) timeframe: Timeframe,
    pub(crate) window: Option<Window>,
}

/// Names one trends answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TrendsKey {
    pub(crate) record: RecordKey,
    pub(crate) chart: bool,
}

/// Class, timeframe and window of a scoreboard; all when absent.
pub(crate) type ScoreboardKey = (Option<AssetClass>, Option<Timeframe>, Option<Window>);

/// How much of what reads many scores is done at once, however many ask.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Whole chains: seconds each.
    pub(crate) boards: Arc<Semaphore>,
    /// One asset on one timeframe, for an answer or a file.
    pub(crate) records: Arc<Semaphore>,
}

/// Everything that is made once and handed out many times.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) forecasts: Board<(Symbol, Timeframe), Answer>,
    /// By class (all when absent) and limit.
    pub(crate) summaries: Board<(Option<AssetClass>, u32), Answer>,
    pub(crate) trends: Board<TrendsKey, Answer>,
    pub(crate) scoreboards: Board<ScoreboardKey, Answer>,
    pub(crate) health: Slot<(StatusCode, Answer)>,
    pub(crate) searches: Searches,
    /// Track records, with their newest rows only.
    pub(crate) records: Board<RecordKey, Arc<TrackRecord>>,
    /// What scoreboards are put together from, by window.
    pub(crate) pooled: Board<Option<Window>, Arc<[PooledRecord]>>,
    actions: Board<Symbol, Arc<[Action]>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// So many of each are kept ready. There are as many scoreboards as classes, timeframes and windows, and all of them are.
const KEPT_FORECASTS: usize = 4096;
const KEPT_SUMMARIES: usize = 64;
const KEPT_TRENDS: usize = 256;
const KEPT_SCOREBOARDS: usize = 4 * (Timeframe::ALL.len() + 1) * KEPT_POOLED;
const KEPT_POOLED: usize = Window::ALL.len() + 1;
const KEPT_RECORDS: usize = 1024;
const KEPT_ACTIONS: usize = 4096;
/// Corporate actions may arrive without an event; they are read again after this.
const ACTIONS_MAX_AGE: Duration = Duration::from_secs(600);
/// The beginning of a window moves on with time.
pub(crate) const WINDOW_MAX_AGE: Duration = Duration::from_secs(300);
/// For what changes by events alone.
pub(crate) const NEVER_AGES: Duration = Duration::MAX;

impl RecordKey {
    fn is_of(&self, symbol: &Symbol, timeframe: Timeframe) -> bool {
        self.symbol == *symbol && self.timeframe == timeframe
    }

    /// How old what is made of the record may become without an event.
    pub(crate) const fn max_age(&self) -> Duration {
        max_age(self.window)
    }
}

/// How old what is made of a window's scores may become without an event.
pub(crate) const fn max_age(window: Option<Window>) -> Duration {
    match window {
        Some(_) => WINDOW_MAX_AGE,
        None => NEVER_AGES,
    }
}

impl ApiState {
    /// The state of a server that has not started.
    #[must_use]
    pub fn new(engine: Arc<Engine>, settings: ApiSettings) -> Self {
        let subscription = engine.events().subscribe();
        Self(Arc::new(Shared {
            hub: Hub::new(&settings.sockets),
            engine,
            settings,
            ready: Ready::new(),
            turns: Turns { boards: Arc::new(Semaphore::new(1)), records: Arc::new(Semaphore::new(2)) },
            sockets: TaskTracker::new(),
            closing: CancellationToken::new(),
            subscription: Mutex::new(Some(subscription)),
        }))
    }

    /// Follows the engine's events until `token` is cancelled: outdates ready answers and feeds the sockets. Without it
    /// answers grow old by age alone and sockets stay silent. Ends at once when it was called before.
    pub async fn run(self, token: CancellationToken) {
        let subscription = self.0.subscription.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(subscription) = subscription {
            crate::sockets::run(&self, subscription, &token).await;
        }
        self.0.closing.cancel();
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn settings(&self) -> &ApiSettings {
        &self.0.settings
    }

    pub(crate) fn ready(&self) -> &Ready {
        &self.0.ready
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Tasks of open sockets.
    pub(crate) fn sockets(&self) -> &TaskTracker {
        &self.0.sockets
    }

    /// Cancelled when the server stops.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.engine().clock().now()
    }

    /// The asset of a symbol.
    pub(crate) fn asset(&self, text: &str) -> Result<Asset, Problem> {
        let symbol = text.parse().ok();
        symbol.and_then(|symbol| self.engine().asset(&symbol)).ok_or_else(|| Problem::unknown_symbol(text))
    }

    /// The timeframe a forecast is asked on; the asset's default when none is named.
    pub(crate) fn forecast_timeframe(&self, symbol: &Symbol, text: Option<&str>) -> Result<Timeframe, Problem> {
        let timeframe = match text {
            Some(text) => text.parse().map_err(|cause| Problem::unknown_timeframe(text, &cause))?,
            None => self.engine().default_timeframe(symbol),
        };
        let known = self.engine().forecast_timeframes(symbol);
        // A macro series without values has no release period yet: until then any could be asked for.
        let without_period = || {
            let asset = self.engine().asset(symbol).filter(|asset| asset.class() == AssetClass::Macro);
            known.is_empty() && asset.is_some()
        };
        match known.contains(&timeframe) || without_period() {
            true => Ok(timeframe),
            false => Err(Problem::no_such_forecast(symbol, timeframe, &known)),
        }
    }

    /// The newest forecast, unless all it says lies in the past.
    pub(crate) fn issued(&self, symbol: &Symbol, timeframe: Timeframe) -> Result<Arc<Issued>, NoForecast> {
        let issued = self.engine().issued(symbol, timeframe)?;
        let (forecast, now) = (&issued.forecast, self.now());
        if forecast.horizons.last().is_none_or(|last| last.target_time >= now) {
            return Ok(issued);
        }
        let next = Calendar::of(forecast.asset_class).bar_closing_after(timeframe, now);
        let retry_after = next.map_or(SignedDuration::from_hours(1), |next| next.close_time.duration_since(now));
        let reason = format!(
            "the newest {timeframe} forecast of {symbol} is as of {} and says nothing about the time ahead",
            forecast.as_of
        );
        Err(NoForecast { reason, retry_after })
    }

    /// A track record, with its newest rows; read anew after a score, or when its window has moved on.
    pub(crate) async fn record(&self, key: &RecordKey) -> Result<Arc<TrackRecord>, Problem> {
        let (state, key) = (self.clone(), key.clone());
        let (slot, max_age) = (self.ready().records.slot(&key), key.max_age());
        let work = async move {
            let since = key.window.map(|window| window.since(state.now()));
            let mut record =
                state.engine().track_record(&key.symbol, key.timeframe, since).await.map_err(Problem::from)?;
            record.rows.drain(..record.rows.len().saturating_sub(HISTORY_ROWS));
            record.rows.shrink_to_fit();
            Ok(Arc::new(record))
        };
        slot.get_or_work(max_age, &self.turns().records, work).await
    }

    /// What scoreboards of a window are put together from; read anew after a score, or when the window has moved on.
    pub(crate) async fn pooled(&self, window: Option<Window>) -> Result<Arc<[PooledRecord]>, Problem> {
        let state = self.clone();
        let work = async move {
            let since = window.map(|window| window.since(state.now()));
            let records = state.engine().pooled_records(since).await.map_err(Problem::from)?;
            Ok(Arc::from(records))
        };
        self.ready().pooled.slot(&window).get_or_work(max_age(window), &self.turns().boards, work).await
    }

    /// What brings an asset's prices of `as_of` to the terms of today: the splits between. One where none are known, and
    /// for series that are stored without them.
    pub(crate) async fn split_factor(
        &self,
        asset: &Asset,
        timeframe: Timeframe,
        as_of: Timestamp,
    ) -> Result<f64, Problem> {
        let splits = self.splits(asset, timeframe).await?;
        Ok(market::adjustment::split_factor(splits.iter(), as_of, self.now()))
    }

    /// Brings scored cases of an asset from the terms of their target times to those of today.
    pub(crate) async fn in_todays_terms(
        &self,
        asset: &Asset,
        timeframe: Timeframe,
        mut rows: Vec<ScoreRow>,
    ) -> Result<Vec<ScoreRow>, Problem> {
        let (splits, now) = (self.splits(asset, timeframe).await?, self.now());
        if !splits.is_empty() {
            for row in &mut rows {
                let factor = market::adjustment::split_factor(splits.iter(), row.target_time, now);
                row.price *= factor;
                row.score.reference_price *= factor;
            }
        }
        Ok(rows)
    }

    /// The actions whose splits are still in an asset's stored prices.
    async fn splits(&self, asset: &Asset, timeframe: Timeframe) -> Result<Arc<[Action]>, Problem> {
        let stored = self.engine().stored_adjustment(&asset.symbol, timeframe);
        if asset.class() != AssetClass::Stocks || stored != Some(Adjustment::Raw) {
            return Ok(Arc::default());
        }
        let slot = self.ready().actions.slot(&asset.symbol);
        let actions = slot.get_or_make(ACTIONS_MAX_AGE, async || {
            let actions = self.engine().store().actions(&asset.symbol, Timestamp::MAX).await?;
            Ok::<_, Problem>(Arc::from(actions))
        });
        // Without the database the actions known before it went away still hold.
        match actions.await {
            Ok(actions) => Ok(actions),
            Err(problem) => slot.last().ok_or(problem),
        }
    }

    /// Outdates what an event changes.
    pub(crate) fn outdate(&self, kind: &EventKind) {
        let ready = self.ready();
        match kind {
            EventKind::Tick { symbol, .. } => ready.outdate_prices(symbol, self.engine()),
            EventKind::BarClosed { symbol, .. } => {
                ready.actions.outdate(symbol);
                ready.outdate_prices(symbol, self.engine());
                ready.trends.outdate_where(|key| key.record.symbol == *symbol);
            }
            EventKind::Issued { symbol, timeframe, .. } => {
                ready.forecasts.outdate(&(symbol.clone(), *timeframe));
                ready.summaries.outdate_where(|_| true);
                ready.trends.outdate_where(|key| key.record.is_of(symbol, *timeframe));
            }
            EventKind::Scored { symbol, timeframe, .. } => {
                ready.records.outdate_where(|key| key.is_of(symbol, *timeframe));
                ready.pooled.outdate_where(|_| true);
                ready.forecasts.outdate(&(symbol.clone(), *timeframe));
                ready.trends.outdate_where(|key| key.record.is_of(symbol, *timeframe));
                ready.scoreboards.outdate_where(|of| of.1.is_none_or(|of| of == *timeframe));
            }
            EventKind::ModelChanged { .. } => ready.health.outdate(),
            EventKind::SourceChanged { .. } => {
                ready.health.outdate();
                ready.forecasts.outdate_where(|_| true);
                ready.summaries.outdate_where(|_| true);
            }
        }
    }

    /// Outdates everything: events were lost.
    pub(crate) fn outdate_all(&self) {
        let ready = self.ready();
        // What answers are made from first, so that none is made anew from what is old.
        ready.records.outdate_where(|_| true);
        ready.pooled.outdate_where(|_| true);
        ready.actions.outdate_where(|_| true);
        ready.forecasts.outdate_where(|_| true);
        ready.summaries.outdate_where(|_| true);
        ready.trends.outdate_where(|_| true);
        ready.scoreboards.outdate_where(|_| true);
        ready.health.outdate();
    }
}

impl Ready {
    fn new() -> Self {
        Self {
            forecasts: Board::keeping(KEPT_FORECASTS),
            summaries: Board::keeping(KEPT_SUMMARIES),
            trends: Board::keeping(KEPT_TRENDS),
            scoreboards: Board::keeping(KEPT_SCOREBOARDS),
            health: Slot::default(),
            searches: Searches::default(),
            records: Board::keeping(KEPT_RECORDS),
            pooled: Board::keeping(KEPT_POOLED),
            actions: Board::keeping(KEPT_ACTIONS),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    fn outdate_prices(&self, symbol: &Symbol, engine: &Engine) {
        // With every price: the symbol is copied once.
        let mut key = (symbol.clone(), Timeframe::D1);
        for timeframe in Timeframe::ALL {
            key.1 = timeframe;
            self.forecasts.outdate(&key);
        }
        let class = engine.class(symbol);
        self.summaries.outdate_where(|(of, _)| of.is_none() || *of == class);
    }

    pub(crate) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> CacheAnswer {
        CacheAnswer::of(self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }
}

/// Answers to searches, by the query string as it was sent; forgotten when the universe changes.
#[derive(Debug, Default)]
pub(crate) struct Searches(RwLock<SearchMemo>);

#[derive(Debug, Default)]
struct SearchMemo {
    assets: Option<Arc<[Asset]>>,
    answers: HashMap<Box<str>, Answer>,
}

/// So many searches are remembered, and none with a longer answer.
const MAX_SEARCHES: usize = 1024;
const MAX_SEARCH_BYTES: usize = 4096;

impl Searches {
    /// The answer to a query string, if it was given over the same universe.
    pub(crate) fn get(&self, query: &str, assets: &Arc<[Asset]>) -> Option<Answer> {
        let memo = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let same = memo.assets.as_ref().is_some_and(|known| Arc::ptr_eq(known, assets));
        if same { memo.answers.get(query).cloned() } else { None }
    }

    /// Remembers an answer.
    pub(crate) fn put(&self, query: &str, assets: &Arc<[Asset]>, answer: &Answer) {
        if answer.bytes().len() + query.len() > MAX_SEARCH_BYTES {
            return;
        }
        let mut memo = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let same = memo.assets.as_ref().is_some_and(|known| Arc::ptr_eq(known, assets));
        if !same || memo.answers.len() >= MAX_SEARCHES {
            *memo = SearchMemo { assets: Some(Arc::clone(assets)), answers: HashMap::new() };
        }
        memo.answers.insert(query.into(), answer.clone());
    }
}
