//! A home in a temporary folder with bars drawn from a seeded walk.

use std::sync::Arc;

use engine::{Engine, Settings};
use jiff::{SignedDuration, Timestamp};
use market::{Adjustment, Asset, AssetKind, Bar, Calendar, ChainId, Clock, ManualClock, Origin, Symbol, Timeframe};
use storage::{LocalEvents, SeriesKey, SqliteStore, Store};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

/// A folder with a database, gone with the test.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    pub(crate) store: Arc<SqliteStore>,
}

impl Home {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("auspex.db")).await.unwrap());
        Self { folder, store }
    }

    /// A home with `names` as coins, each with `n_bars` bars of `timeframe` that end at `end`.
    pub(crate) async fn with_coins(names: &[&str], timeframe: Timeframe, n_bars: usize, end: Timestamp) -> Self {
        let home = Self::new().await;
        for (index, name) in names.iter().enumerate() {
            home.add_coin(name, timeframe, n_bars, end, index as u64 + 1).await;
        }
        home
    }

    pub(crate) async fn add_coin(&self, name: &str, timeframe: Timeframe, n_bars: usize, end: Timestamp, seed: u64) {
        let asset = coin(name);
        self.store.put_assets(&[asset]).await.unwrap();
        let bars = walk(Calendar::Continuous, timeframe, n_bars, end, seed);
        self.store.put_bars(&key(name, timeframe), &bars).await.unwrap();
    }

    pub(crate) async fn reopened(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&self.folder.path().join("auspex.db")).await.unwrap())
    }

    pub(crate) async fn engine(&self, now: Timestamp) -> (Arc<Engine>, Arc<ManualClock>) {
        self.engine_with(now, settings()).await
    }

    pub(crate) async fn engine_with(&self, now: Timestamp, settings: Settings) -> (Arc<Engine>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(now));
        let store: Arc<dyn Store> = self.store.clone();
        let clock_seam: Arc<dyn Clock> = clock.clone();
        let engine = Engine::open(store, Arc::new(LocalEvents::default()), clock_seam, settings).await.unwrap();
        (Arc::new(engine), clock)
    }
}

pub(crate) fn settings() -> Settings {
    Settings { max_rows: 2000, gate_months: 2, ..Settings::new(ChainId::new(Origin::Simulated, Some("test")).unwrap()) }
}

pub(crate) fn coin(name: &str) -> Asset {
    Asset {
        symbol: symbol(name),
        name: name.to_owned(),
        kind: AssetKind::Coin,
        source_symbol: format!("{name}USDT"),
        quote: "USDT".to_owned(),
    }
}

pub(crate) fn key(name: &str, timeframe: Timeframe) -> SeriesKey {
    SeriesKey { symbol: symbol(name), timeframe, adjustment: Adjustment::Raw, source: "test".to_owned() }
}

/// Bars of a seeded walk whose volatility comes and goes; the last one closes at `end`.
pub(crate) fn walk(calendar: Calendar, timeframe: Timeframe, n_bars: usize, end: Timestamp, seed: u64) -> Vec<Bar> {
    let mut spans = Vec::with_capacity(n_bars);
    let mut span = calendar.last_closed_bar(timeframe, end).unwrap();
    for _ in 0..n_bars {
        spans.push(span);
        span = calendar.last_closed_bar(timeframe, span.open_time).unwrap();
    }
    spans.reverse();
    let mut draws = Draws(seed);
    let (mut price, mut log_variance) = (100.0, 0.0);
    spans
        .iter()
        .map(|span| {
            log_variance = 0.95 * log_variance + 0.25 * draws.normal();
            let scale = 0.01 * f64::exp(log_variance / 2.0);
            let open = price;
            let path: Vec<f64> = (0..8)
                .scan(open, |p, _| {
                    *p *= (scale * draws.normal() / 8_f64.sqrt()).exp();
                    Some(*p)
                })
                .collect();
            price = path[7];
            Bar {
                open_time: span.open_time,
                close_time: span.close_time,
                open,
                high: path.iter().copied().fold(open, f64::max),
                low: path.iter().copied().fold(open, f64::min),
                close: price,
                volume: 1000.0 * (1.0 + scale * 50.0),
                adj_close: None,
                known_at: span.close_time,
            }
        })
        .collect()
}

/// Counter-based draws (SplitMix64), enough for a test's walk.
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// The bar after the last one of `bars`, flat at its close times `factor`.
pub(crate) fn next_bar(bars: &[Bar], timeframe: Timeframe, factor: f64) -> Bar {
    let last = bars.last().unwrap();
    let span = Calendar::Continuous.bar_closing_after(timeframe, last.close_time).unwrap();
    let close = last.close * factor;
    Bar {
        open_time: span.open_time,
        close_time: span.close_time,
        open: last.close,
        high: last.close.max(close) * 1.001,
        low: last.close.min(close) * 0.999,
        close,
        volume: 1000.0,
        adj_close: None,
        known_at: span.close_time,
    }
}

pub(crate) fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}
