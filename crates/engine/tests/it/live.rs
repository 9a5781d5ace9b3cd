//! Sources are asked and listened to: what they tell, tell late, tell twice or do not tell.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use engine::live::{Live, LiveSettings, Provider, Roster};
use engine::views::Health;
use engine::{Engine, Settings};
use jiff::{SignedDuration, Timestamp};
use market::{AcceleratedClock, Asset, AssetClass, Bar, Calendar, Clock, RemarkKind, Timeframe};
use sources::{DataSource, Failure, Fetched, LiveEvent, LiveSource, Price, Request};
use storage::{BarQuery, LocalEvents, SeriesKey, Store};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::home::{Home, at, coin, settings, symbol, walk};

const START: &str = "2024-03-01T00:20:00Z";

/// An hour in a real second.
const SPEED: f64 = 3600.0;

/// A source that does as it is told.
#[derive(Debug)]
struct Scripted {
    name: &'static str,
    clock: Arc<dyn Clock>,
    /// All hours there will ever be, ascending.
    hours: Mutex<Vec<Bar>>,
    down: AtomicBool,
    /// Whether it gives the bar that still runs as if it had closed.
    leaks: AtomicBool,
    streams: bool,
    listener: Mutex<Option<mpsc::Sender<LiveEvent>>>,
}

impl Scripted {
    fn new(name: &'static str, clock: &Arc<dyn Clock>, streams: bool) -> Arc<Self> {
        let end = at("2024-03-08T00:00:00Z");
        Arc::new(Self {
            name,
            clock: Arc::clone(clock),
            hours: Mutex::new(walk(Calendar::Continuous, Timeframe::H1, 600, end, 7)),
            down: AtomicBool::new(false),
            leaks: AtomicBool::new(false),
            streams,
            listener: Mutex::new(None),
        })
    }

    fn hour(&self, open_time: Timestamp) -> Bar {
        *self.hours.lock().unwrap().iter().find(|bar| bar.open_time == open_time).unwrap()
    }

    async fn tell(&self, event: LiveEvent) {
        let listener = self.listener.lock().unwrap().clone().unwrap();
        listener.send(event).await.unwrap();
    }
}

#[async_trait]
impl DataSource for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    fn reach(&self, _: &Asset, timeframe: Timeframe) -> Option<SignedDuration> {
        (timeframe == Timeframe::H1).then_some(SignedDuration::MAX)
    }

    fn delay(&self, _: &Asset, _: Timeframe) -> SignedDuration {
        SignedDuration::from_secs(5)
    }

    async fn fetch(&self, request: &Request<'_>) -> Result<Fetched, Failure> {
        if self.down.load(Ordering::Relaxed) {
            return Err(Failure::Server { host: self.name.to_owned(), status: 503, said: "gone".to_owned() });
        }
        let now = self.clock.now();
        let leaks = self.leaks.load(Ordering::Relaxed);
        let told = |bar: &&Bar| {
            bar.open_time >= request.from
                && bar.open_time < request.to
                && (bar.close_time <= now || (leaks && bar.open_time <= now))
        };
        let bars = self.hours.lock().unwrap().iter().filter(told).copied().collect();
        Ok(Fetched { bars, ..Fetched::default() })
    }
}

#[async_trait]
impl LiveSource for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    fn follows(&self, _: &Asset) -> bool {
        true
    }

    fn timeframes(&self) -> &[Timeframe] {
        &[Timeframe::H1]
    }

    async fn follow(&self, _: &[Asset], events: mpsc::Sender<LiveEvent>, token: CancellationToken) {
        events.send(LiveEvent::Up).await.unwrap();
        *self.listener.lock().unwrap() = Some(events);
        token.cancelled().await;
        self.listener.lock().unwrap().take();
    }
}

struct Market {
    home: Home,
    engine: Arc<Engine>,
    token: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Market {
    async fn open(sources: impl FnOnce(&Arc<dyn Clock>) -> Vec<Arc<Scripted>>) -> (Self, Vec<Arc<Scripted>>) {
        let home = Home::new().await;
        home.store.put_assets(&[coin("AAA")]).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(AcceleratedClock::new(at(START), SPEED));
        let sources = sources(&clock);
        let store: Arc<dyn Store> = home.store.clone();
        let settings = Settings { timeframes: vec![Timeframe::H1], ..settings() };
        let engine = Engine::open(store, Arc::new(LocalEvents::default()), clock, settings).await.unwrap();
        let engine = Arc::new(engine);
        let provider = |source: &Arc<Scripted>| Provider {
            data: Arc::clone(source) as _,
            live: source.streams.then(|| Arc::clone(source) as _),
            classes: vec![AssetClass::Crypto],
            parallel: 2,
        };
        let roster = Roster::new(sources.iter().map(provider).collect());
        let live_settings = LiveSettings { minutes: Vec::new(), ..LiveSettings::default() };
        let live = Live::new(Arc::clone(&engine), roster, live_settings);
        let token = CancellationToken::new();
        let (following, stepping) = (token.clone(), token.clone());
        let stepper = Arc::clone(&engine);
        let tasks = vec![
            tokio::spawn(async move { live.run(following).await.unwrap() }),
            tokio::spawn(async move { stepper.run(stepping).await }),
        ];
        (Self { home, engine, token, tasks }, sources)
    }

    async fn stored(&self, source: &str) -> Vec<Bar> {
        let (timeframe, adjustment) = (Timeframe::H1, market::Adjustment::Raw);
        let key = SeriesKey { symbol: symbol("AAA"), timeframe, adjustment, source: source.to_owned() };
        let query = BarQuery { key: &key, as_of: Timestamp::MAX, from: None, to: None, last: None };
        self.home.store.bars(&query).await.unwrap()
    }

    async fn noticed(&self, about: Option<&str>) -> Vec<RemarkKind> {
        let rows = self.home.store.remarks(about.map(symbol).as_ref(), 100).await.unwrap();
        rows.into_iter().map(|row| row.remark.kind).collect()
    }

    async fn close(self) {
        self.token.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

/// Waits until something is so: on this clock five seconds are five hours.
async fn eventually(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came about: {what}");
}

fn assert_no_holes(bars: &[Bar]) {
    assert!(bars.windows(2).all(|pair| pair[0].close_time == pair[1].open_time), "{bars:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_what_has_not_closed_is_not_stored_whoever_tells_it() {
    let (market, sources) = Market::open(|clock| {
        let source = Scripted::new("first", clock, true);
        source.leaks.store(true, Ordering::Relaxed);
        vec![source]
    })
    .await;
    let clock = Arc::clone(market.engine.clock());
    let mut seen = 0;
    for _ in 0..60 {
        let bars = market.stored("first").await;
        let now = clock.now();
        assert!(bars.iter().all(|bar| bar.close_time <= now), "a bar was stored before it closed, at {now}");
        seen = seen.max(bars.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(seen > 420, "{seen}");
    // Told by the stream long before it closes: refused, and noted.
    let far = Calendar::Continuous.nth_bar_after(Timeframe::H1, clock.now(), 30).unwrap();
    let bar = sources[0].hour(far.open_time);
    sources[0].tell(LiveEvent::Bar { symbol: symbol("AAA"), timeframe: Timeframe::H1, bar }).await;
    eventually("the refusal is noted", async || market.noticed(Some("AAA")).await.contains(&RemarkKind::Refused)).await;
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_in_a_stream_is_filled_in_order_and_a_bar_told_twice_is_stored_once() {
    let (market, sources) = Market::open(|clock| vec![Scripted::new("first", clock, true)]).await;
    let source = &sources[0];
    eventually("the past is there", async || market.stored("first").await.len() > 400).await;
    let newest = market.stored("first").await.last().unwrap().close_time;
    let clock = market.engine.clock();
    let third = Calendar::Continuous.nth_bar_after(Timeframe::H1, newest, 3).unwrap();
    eventually("three hours pass", async || clock.now() >= third.close_time).await;
    let bar = source.hour(third.open_time);
    for _ in 0..2 {
        source.tell(LiveEvent::Bar { symbol: symbol("AAA"), timeframe: Timeframe::H1, bar }).await;
    }
    eventually("the hours between came too", async || {
        market.stored("first").await.iter().any(|bar| bar.open_time == third.open_time)
    })
    .await;
    assert_no_holes(&market.stored("first").await);
    let price = Price { symbol: symbol("AAA"), price: 123.5, event_time: clock.now() };
    source.tell(LiveEvent::Price(price)).await;
    eventually("the price is shown", async || {
        market.engine.quote(&symbol("AAA")).is_some_and(|quote| quote.price == 123.5)
    })
    .await;
    let status = market.engine.status();
    assert_eq!(
        status.sources.iter().map(|s| (s.source.as_str(), s.health)).collect::<Vec<_>>(),
        [("first", Health::Healthy)]
    );
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_that_nobody_fills_is_recorded_and_one_that_is_filled_later_too() {
    let (market, sources) = Market::open(|clock| {
        let source = Scripted::new("first", clock, false);
        // An outage of the exchange: two hours that do not exist yet, and one that never will.
        source.hours.lock().unwrap().retain(|bar| !holes().contains(&bar.open_time));
        vec![source]
    })
    .await;
    let key = SeriesKey {
        symbol: symbol("AAA"),
        timeframe: Timeframe::H1,
        adjustment: market::Adjustment::Raw,
        source: "first".to_owned(),
    };
    let gaps = async || market.home.store.gaps(&key).await.unwrap();
    eventually("both gaps are recorded", async || gaps().await.len() == 2).await;
    let told = walk(Calendar::Continuous, Timeframe::H1, 600, at("2024-03-08T00:00:00Z"), 7);
    {
        let mut hours = sources[0].hours.lock().unwrap();
        hours.extend(told.into_iter().filter(|bar| holes()[1..].contains(&bar.open_time)));
        hours.sort_by_key(|bar| bar.open_time);
    }
    eventually("one is filled", async || gaps().await.iter().any(|gap| gap.filled_at.is_some())).await;
    let gaps = gaps().await;
    assert_eq!(
        gaps.iter().map(|gap| (gap.n_bars, gap.filled_at.is_some())).collect::<Vec<_>>(),
        [(1, false), (2, true)]
    );
    eventually("both are noted", async || {
        let noticed = market.noticed(Some("AAA")).await;
        noticed.contains(&RemarkKind::Gap) && noticed.contains(&RemarkKind::Filled)
    })
    .await;
    market.close().await;
}

fn holes() -> [Timestamp; 3] {
    ["2024-02-28T05:00:00Z", "2024-02-29T10:00:00Z", "2024-02-29T11:00:00Z"].map(at)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_8_a_source_that_goes_is_replaced_and_returns() {
    let (market, sources) =
        Market::open(|clock| vec![Scripted::new("first", clock, false), Scripted::new("second", clock, false)]).await;
    let shown = async || market.engine.quote(&symbol("AAA")).map(|quote| quote.data_source);
    eventually("the first stands for it", async || shown().await.as_deref() == Some("first")).await;
    eventually("the second has its past", async || market.stored("second").await.len() > 400).await;
    sources[0].down.store(true, Ordering::Relaxed);
    eventually("the second stands for it", async || shown().await.as_deref() == Some("second")).await;
    let status = market.engine.status();
    let first = status.sources.iter().find(|source| source.source == "first").unwrap();
    assert_eq!(first.health, Health::Degraded);
    assert!(first.detail.contains("503"), "{}", first.detail);
    assert!(!market.engine.quote(&symbol("AAA")).unwrap().stale);
    sources[0].down.store(false, Ordering::Relaxed);
    eventually("the first is back", async || shown().await.as_deref() == Some("first")).await;
    assert_no_holes(&market.stored("first").await);
    assert_no_holes(&market.stored("second").await);
    eventually("both turns are noted", async || {
        let noticed = market.noticed(Some("AAA")).await;
        noticed.iter().filter(|kind| **kind == RemarkKind::Switched).count() >= 2
    })
    .await;
    let about_sources = market.noticed(None).await;
    assert!(about_sources.contains(&RemarkKind::Down) && about_sources.contains(&RemarkKind::Up), "{about_sources:?}");
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_3_a_corrected_bar_is_a_new_row_and_is_noted() {
    let (market, sources) = Market::open(|clock| vec![Scripted::new("first", clock, false)]).await;
    eventually("the past is there", async || market.stored("first").await.len() > 400).await;
    let before = *market.stored("first").await.last().unwrap();
    let corrected = Bar { volume: before.volume + 1.0, ..before };
    for bar in sources[0].hours.lock().unwrap().iter_mut().filter(|bar| bar.open_time == before.open_time) {
        *bar = corrected;
    }
    let newest = async || {
        let bars = market.stored("first").await;
        *bars.iter().find(|bar| bar.open_time == before.open_time).unwrap()
    };
    eventually("the correction is stored", async || newest().await.volume == corrected.volume).await;
    assert!(newest().await.known_at > before.known_at);
    eventually("it is noted", async || market.noticed(Some("AAA")).await.contains(&RemarkKind::Revised)).await;
    let key = SeriesKey {
        symbol: symbol("AAA"),
        timeframe: Timeframe::H1,
        adjustment: market::Adjustment::Raw,
        source: "first".to_owned(),
    };
    let query = BarQuery { key: &key, as_of: before.known_at, from: None, to: None, last: Some(1) };
    assert_eq!(market.home.store.bars(&query).await.unwrap(), [before], "as it was known then");
    market.close().await;
}
