//! A server on a free port, and a client with a method for what tests ask.

use std::net::SocketAddr;
use std::sync::Arc;

use api::ApiSettings;
use engine::{Engine, Settings};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use market::{Adjustment, Bar, Calendar, ChainId, Clock, ManualClock, Observation, Origin, Symbol, Timeframe};
use reqwest::{Method, StatusCode, header};
use serde_json::Value;
use storage::{LocalEvents, SeriesKey, SqliteStore, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::counting::CountingStore;

/// The newest day when the seeded app starts: a Friday.
pub(crate) const START: &str = "2024-03-01T00:00:00Z";

/// So many days are issued and scored before the seeded app is served.
pub(crate) const DAYS: i64 = 33;

/// So many daily forecasts of each coin are scored then: the first day only writes the schedule.
pub(crate) const CASES: usize = DAYS as usize - 1;

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<CountingStore>,
    settings: ApiSettings,
    token: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
    client: reqwest::Client,
    folder: Arc<tempfile::TempDir>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A client over plain HTTP; that it could do TLS must be said all the same.
pub(crate) fn http() -> reqwest::ClientBuilder {
    // The first to come chooses; to come second is no failure.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // What comes over the wire is what is tested.
    reqwest::Client::builder().no_gzip()
}

impl Answer {
    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(&name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}

impl TestApp {
    /// A home with the default universe and no data.
    pub(crate) async fn empty() -> Self {
        Self::start(ApiSettings::default(), async |_, _| ()).await
    }

    /// A home with coins that have a month of scored daily forecasts, a stock that has bars and no forecast, and a
    /// macro series.
    pub(crate) async fn seeded() -> Self {
        Self::seeded_with(ApiSettings::default()).await
    }

    pub(crate) async fn seeded_with(settings: ApiSettings) -> Self {
        Self::start(settings, seed).await
    }

    async fn start(settings: ApiSettings, fill: impl AsyncFnOnce(&Arc<CountingStore>, &Arc<ManualClock>)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("auspex.db")).await.unwrap();
        let store = Arc::new(CountingStore::new(store));
        store.put_assets(&market::universe::default_universe()).await.unwrap();
        let clock = Arc::new(ManualClock::new(at(START) - SignedDuration::from_hours(24 * DAYS)));
        fill(&store, &clock).await;
        let engine = open(&store, &clock).await;
        // The first step writes the schedule, and each one after it what became due.
        for day in 0..=DAYS {
            step(&engine, &clock, at(START) - SignedDuration::from_hours(24 * (DAYS - day))).await;
        }
        Self::serve(engine, clock, store, settings, Arc::new(folder))
    }

    fn serve(
        engine: Arc<Engine>,
        clock: Arc<ManualClock>,
        store: Arc<CountingStore>,
        settings: ApiSettings,
        folder: Arc<tempfile::TempDir>,
    ) -> Self {
        let listener = api::bind("127.0.0.1:0".parse().unwrap(), &settings).unwrap();
        let address = listener.local_addr().unwrap();
        let token = CancellationToken::new();
        let server = tokio::spawn(api::serve(listener, Arc::clone(&engine), settings.clone(), token.clone()));
        let client = http().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { address, engine, clock, store, settings, token, server, client, folder }
    }

    /// Another server over the same home, a minute later.
    pub(crate) fn restarted(&self) -> Self {
        self.clock.set(self.clock.now() + SignedDuration::from_mins(1));
        let (engine, clock, store) = (Arc::clone(&self.engine), Arc::clone(&self.clock), Arc::clone(&self.store));
        Self::serve(engine, clock, store, self.settings.clone(), Arc::clone(&self.folder))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, &[]).await
    }

    pub(crate) async fn get_as(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request(Method::GET, path, headers).await
    }

    pub(crate) async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    /// The JSON of an answer that must be 200.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// Lets a day pass: a bar for each coin, scores, forecasts.
    pub(crate) async fn next_day(&self) {
        step(&self.engine, &self.clock, self.clock.now() + SignedDuration::from_hours(24)).await;
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        self.token.cancel();
        self.server.await.unwrap().unwrap();
    }

    /// Tells the server to stop.
    pub(crate) fn stop_soon(&self) {
        self.token.cancel();
    }
}

async fn open(store: &Arc<CountingStore>, clock: &Arc<ManualClock>) -> Arc<Engine> {
    let chain = ChainId::new(Origin::Simulated, Some("test")).unwrap();
    let store: Arc<dyn Store> = Arc::clone(store) as _;
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let engine = Engine::open(store, Arc::new(LocalEvents::default()), clock, Settings::new(chain)).await;
    Arc::new(engine.unwrap())
}

pub(crate) fn key(name: &str, timeframe: Timeframe) -> SeriesKey {
    SeriesKey { symbol: symbol(name), timeframe, adjustment: Adjustment::Raw, source: "test".to_owned() }
}

const COINS: [(&str, f64); 2] = [("BTC", 40_000.0), ("DOGE", 0.08)];

async fn seed(store: &Arc<CountingStore>, clock: &Arc<ManualClock>) {
    for (name, scale) in COINS {
        let bars = walk(Calendar::Continuous, Timeframe::D1, 400, clock.now(), scale);
        store.put_bars(&key(name, Timeframe::D1), &bars).await.unwrap();
    }
    let sessions = walk(Calendar::Nyse, Timeframe::D1, 300, at(START), 180.0);
    store.put_bars(&key("AAPL", Timeframe::D1), &sessions).await.unwrap();
    store.put_observations("CPIAUCSL", &releases()).await.unwrap();
}

/// Sixty months of an index, each released on the 13th of the month after.
fn releases() -> Vec<Observation> {
    let first = Date::constant(2019, 1, 1);
    let month = |n: i64| first.checked_add(n.months()).unwrap();
    (0..61)
        .map(|n| {
            let realtime_start = month(n + 1).checked_add(12.days()).unwrap();
            Observation {
                ref_period: month(n),
                value: 250.0 * (0.002 * n as f64 + 0.001 * (n as f64).sin()).exp(),
                realtime_start,
                realtime_end: None,
                known_at: market::calendar::end_of_day_new_york(realtime_start),
            }
        })
        .collect()
}

async fn step(engine: &Engine, clock: &ManualClock, now: Timestamp) {
    clock.set(now);
    for (name, scale) in COINS {
        if engine.recent_bars(&symbol(name), Timeframe::D1, 1).is_empty() {
            return;
        }
        let bars = walk(Calendar::Continuous, Timeframe::D1, 2, now, scale);
        engine.receive_bars(&key(name, Timeframe::D1), &bars[1..]).await.unwrap();
    }
    let released: Vec<Observation> = releases()
        .into_iter()
        .filter(|release| release.known_at <= now && release.known_at > now - SignedDuration::from_hours(24))
        .collect();
    engine.receive_observations(&symbol("CPI"), &released).await.unwrap();
    engine.run_once().await.unwrap();
}

/// Bars of a wave without a beginning: the same instant always has the same bar. The last one closes at `end` or before.
pub(crate) fn walk(calendar: Calendar, timeframe: Timeframe, n_bars: usize, end: Timestamp, scale: f64) -> Vec<Bar> {
    let mut spans = Vec::with_capacity(n_bars);
    let mut span = calendar.last_closed_bar(timeframe, end).unwrap();
    for _ in 0..n_bars {
        spans.push(span);
        span = calendar.last_closed_bar(timeframe, span.open_time).unwrap();
    }
    spans.reverse();
    let price = |instant: Timestamp| {
        let days = (instant.as_second() - at(START).as_second()) as f64 / 86_400.0;
        let wave = 0.03 * (days * 0.9).sin() + 0.02 * (days * 2.3).sin() + 0.015 * (days * 4.7).cos();
        // It rises slowly, so that there are calls to judge.
        scale * (wave + 0.003 * days).exp()
    };
    let bar = |span: &market::Span| {
        let (open, close) = (price(span.open_time), price(span.close_time));
        Bar {
            open_time: span.open_time,
            close_time: span.close_time,
            open,
            high: open.max(close) * 1.01,
            low: open.min(close) * 0.99,
            close,
            volume: 1000.0,
            adj_close: None,
            known_at: span.close_time,
        }
    };
    spans.iter().map(bar).collect()
}

/// The same JSON with numbers of six significant digits: the last ones differ between machines.
pub(crate) fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let text = format!("{:.5e}", number.as_f64().unwrap());
            serde_json::json!(text.parse::<f64>().unwrap())
        }
        Value::Array(values) => values.into_iter().map(rounded).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, rounded(value))).collect(),
        other => other,
    }
}

/// The members of an object, in alphabetical order.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
