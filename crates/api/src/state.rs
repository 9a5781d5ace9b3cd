//! What handlers and sockets share: the engine, the settings, ready answers, open sockets.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ::engine::Engine;
use ::engine::views::TrackRecord;
use axum::http::StatusCode;
use jiff::Timestamp;
use market::{Action, Asset, AssetClass, Symbol, Timeframe};
use storage::{EventKind, Subscription};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answers::stats::CacheAnswer;
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
    hub: Hub,
    sockets: TaskTracker,
    closing: CancellationToken,
    /// Taken by [`ApiState::run`]; made before the first answer is, so that no change goes unheard.
    subscription: Mutex<Option<Box<dyn Subscription>>>,
}

/// Names one trends answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TrendsKey {
    pub(crate) symbol: Symbol,
    pub(crate) timeframe: Timeframe,
    pub(crate) window: Option<Window>,
    pub(crate) chart: bool,
}

/// Class, timeframe and window of a scoreboard; all when absent.
pub(crate) type ScoreboardKey = (Option<AssetClass>, Option<Timeframe>, Option<Window>);

/// Everything that is made once and handed out many times.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    pub(crate) forecasts: Board<(Symbol, Timeframe), Answer>,
    /// By class (all when absent) and limit.
    pub(crate) summaries: Board<(Option<AssetClass>, u32), Answer>,
    pub(crate) trends: Board<TrendsKey, Answer>,
    pub(crate) scoreboards: Board<ScoreboardKey, Answer>,
    pub(crate) health: Slot<(StatusCode, Answer)>,
    pub(crate) searches: Searches,
    /// Track records over all time, with their newest rows only.
    pub(crate) records: Board<(Symbol, Timeframe), Arc<TrackRecord>>,
    pub(crate) actions: Board<Symbol, Arc<[Action]>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Track records are kept with so many of their newest rows: what a chart of the past shows.
const RECORD_ROWS: usize = 64;
/// Corporate actions may arrive without an event; they are read again after this.
const ACTIONS_MAX_AGE: Duration = Duration::from_secs(600);
/// The beginning of a window moves on with time.
pub(crate) const TRENDS_MAX_AGE: Duration = Duration::from_secs(60);
/// For what changes by events alone.
pub(crate) const NEVER_AGES: Duration = Duration::MAX;

impl ApiState {
    /// The state of a server that has not started.
    #[must_use]
    pub fn new(engine: Arc<Engine>, settings: ApiSettings) -> Self {
        let subscription = engine.events().subscribe();
        Self(Arc::new(Shared {
            hub: Hub::new(&settings.sockets),
            engine,
            settings,
            ready: Ready::default(),
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

    /// The track record of an asset on a timeframe over all time, with its newest rows; read anew after a score only.
    pub(crate) async fn record(&self, symbol: &Symbol, timeframe: Timeframe) -> Result<Arc<TrackRecord>, Problem> {
        let slot = self.ready().records.slot(&(symbol.clone(), timeframe));
        let record = slot.get_or_make(NEVER_AGES, async || {
            let mut record = self.engine().track_record(symbol, timeframe, None).await.map_err(Problem::from)?;
            record.rows.drain(..record.rows.len().saturating_sub(RECORD_ROWS));
            record.rows.shrink_to_fit();
            Ok(Arc::new(record))
        });
        record.await
    }

    /// What brings a stock's prices of `as_of` to the terms of today: the splits between. One for all other classes.
    pub(crate) async fn split_factor(&self, asset: &Asset, as_of: Timestamp) -> Result<f64, Problem> {
        if asset.class() != AssetClass::Stocks {
            return Ok(1.0);
        }
        let slot = self.ready().actions.slot(&asset.symbol);
        let actions = slot.get_or_make(ACTIONS_MAX_AGE, async || {
            let actions = self.engine().store().actions(&asset.symbol, Timestamp::MAX).await?;
            Ok::<_, Problem>(Arc::from(actions))
        });
        // Without the database the actions known before it went away still hold.
        let actions: Arc<[Action]> = match actions.await {
            Ok(actions) => actions,
            Err(problem) => slot.last().ok_or(problem)?,
        };
        Ok(market::adjustment::split_factor(&actions, as_of, self.now()))
    }

    /// Outdates what an event changes.
    pub(crate) fn outdate(&self, kind: &EventKind) {
        let ready = self.ready();
        match kind {
            EventKind::Tick { symbol, .. } => ready.outdate_prices(symbol, self.engine()),
            EventKind::BarClosed { symbol, .. } => {
                ready.outdate_prices(symbol, self.engine());
                ready.actions.outdate(symbol);
                ready.trends.outdate_where(|key| key.symbol == *symbol);
            }
            EventKind::Issued { symbol, timeframe, .. } => {
                ready.forecasts.outdate(&(symbol.clone(), *timeframe));
                ready.summaries.outdate_where(|_| true);
                ready.trends.outdate_where(|key| key.symbol == *symbol && key.timeframe == *timeframe);
            }
            EventKind::Scored { symbol, timeframe, .. } => {
                let key = (symbol.clone(), *timeframe);
                ready.records.outdate(&key);
                ready.forecasts.outdate(&key);
                ready.trends.outdate_where(|key| key.symbol == *symbol && key.timeframe == *timeframe);
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
        ready.forecasts.outdate_where(|_| true);
        ready.summaries.outdate_where(|_| true);
        ready.trends.outdate_where(|_| true);
        ready.scoreboards.outdate_where(|_| true);
        ready.records.outdate_where(|_| true);
        ready.actions.outdate_where(|_| true);
        ready.health.outdate();
    }
}

impl Ready {
    fn outdate_prices(&self, symbol: &Symbol, engine: &Engine) {
        for timeframe in Timeframe::ALL {
            self.forecasts.outdate(&(symbol.clone(), timeframe));
        }
        let class = engine.asset(symbol).map(|asset| asset.class());
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
